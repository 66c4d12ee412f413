//! Showing what is wrong with a policy the way a compiler would: the line, the place, the way out.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::policy::{Finding, Findings};

/// Whether text for a person has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text, for files and pipes.
    Never,
    /// With the colours of a terminal.
    Always,
}

/// Writes findings about `source`, the text of the policy at `path`, for a person to read.
pub fn render(findings: &Findings, path: &str, source: &str, color: Color) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let rendered: Vec<String> = findings
        .iter()
        .map(|finding| renderer.render(&[group(finding, path, source)]))
        .collect();
    let mut text = rendered.join("\n\n");
    text.push('\n');
    text
}

/// Returns one finding in the terms of the renderer.
fn group<'a>(finding: &'a Finding, path: &'a str, source: &'a str) -> Group<'a> {
    let title = Level::ERROR
        .primary_title(finding.message.as_str())
        .id(finding.code);
    let mut group = match &finding.span {
        Some(span) => {
            let excerpt = Excerpt::around(source, span);
            let annotation = AnnotationKind::Primary.span(excerpt.span);
            title.element(
                Snippet::source(excerpt.line)
                    .line_start(excerpt.number)
                    .path(path)
                    .annotation(annotation),
            )
        }
        None => title.element(Origin::path(path)),
    };
    for note in &finding.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    group.element(Level::HELP.message(finding.help.as_str()))
}

/// The first line that a finding is about.
///
/// The renderer is given this line alone: its work then does not grow with the policy, and no span
/// can lie outside of what it is given.
struct Excerpt<'a> {
    line: &'a str,
    /// Number of the line, from one.
    number: usize,
    /// The place within the line.
    span: Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn around(source: &'a str, span: &Range<usize>) -> Self {
        let start = source.floor_char_boundary(span.start);
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = &source[line_start..];
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let start = (start - line_start).min(line.len());
        let end = span.end.saturating_sub(line_start).min(line.len());
        let end = line.ceil_char_boundary(end.max(start));
        Self {
            line,
            number: before.matches('\n').count() + 1,
            span: start..end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_never_leaves_its_line() {
        let source = "one\r\nzwei é\nthree";
        let cut = |span: Range<usize>| {
            let excerpt = Excerpt::around(source, &span);
            (excerpt.number, excerpt.line[excerpt.span].to_owned())
        };
        assert_eq!(cut(0..3), (1, "one".to_owned()));
        assert_eq!(cut(4..9), (1, String::new()));
        assert_eq!(cut(5..99), (2, "zwei é".to_owned()));
        assert_eq!(cut(10..11), (2, "é".to_owned()));
        assert_eq!(cut(11..12), (2, "é".to_owned()));
        assert_eq!(cut(500..600), (3, String::new()));
        assert_eq!(Excerpt::around("", &(0..0)).number, 1);
    }
}
