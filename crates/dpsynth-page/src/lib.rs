//! Self-contained HTML pages: no script, nothing from the net, readable on paper, in the dark, on a
//! small screen and without colour.
//!
//! Text becomes part of a page only through [`maud`], which escapes it; nothing here takes markup as
//! text. Pictures are SVG with a title and a description, and no meaning rests on colour alone.
//!
//! | item | what it is |
//! |---|---|
//! | [`Page`] | the whole document |
//! | [`Grid`], [`Align`] | a table with caption, scopes and aligned figures |
//! | [`picture`] | the pictures |

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod grid;
pub mod picture;

pub use grid::{Align, Grid};
pub use maud::Markup;

use maud::{DOCTYPE, PreEscaped, html};

/// A whole document.
#[derive(Debug)]
pub struct Page<'a> {
    /// Title of the window and the heading.
    pub title: &'a str,
    /// What kind of page it is, above the heading.
    pub kind: &'a str,
    /// What must be read before anything else; on paper it stands on every sheet.
    pub stamp: Option<&'a str>,
    /// Identifiers and titles of the sections, in their order, for the list of links.
    pub sections: &'a [(&'a str, &'a str)],
    /// The sections.
    pub body: Markup,
    /// The last line.
    pub footer: &'a str,
}

impl Page<'_> {
    /// Writes the document.
    #[must_use]
    pub fn render(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    // Whatever a browser might be talked into fetching or running, it may not.
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                    meta name="referrer" content="no-referrer";
                    meta name="robots" content="noindex";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#content" { "To the content" }
                    header {
                        p.kind { (self.kind) }
                        h1 { (self.title) }
                        @if let Some(stamp) = self.stamp { p.stamp role="note" { (stamp) } }
                        nav aria-label="Sections" {
                            ul { @for (id, title) in self.sections { li { a href={ "#" (id) } { (title) } } } }
                        }
                    }
                    main id="content" { (self.body) }
                    footer {
                        p { (self.footer) }
                        @if let Some(stamp) = self.stamp { p.stamp { (stamp) } }
                    }
                    @if let Some(stamp) = self.stamp { p.on-paper aria-hidden="true" { (stamp) } }
                }
            }
        };
        let mut text = page.into_string();
        text.push('\n');
        text
    }
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_in_is_text() {
        let hostile = "</title><script>alert(1)</script>\"'&";
        let page = Page {
            title: hostile,
            kind: hostile,
            stamp: Some(hostile),
            sections: &[("x\" onclick=\"y", hostile)],
            body: html! { (hostile) },
            footer: hostile,
        };
        let text = page.render();
        assert!(!text.contains("<script"), "{text}");
        assert!(!text.contains("\" onclick"), "{text}");
        // Three stamps, and six others.
        assert_eq!(text.matches("&lt;script&gt;").count(), 9);
    }

    #[test]
    fn a_page_asks_nobody_for_anything() {
        for word in ["http:", "https:", "url(", "@import", "src="] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
