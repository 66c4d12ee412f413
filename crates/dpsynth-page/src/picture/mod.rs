//! Pictures as SVG. Each has a title and a description that says in words what there is to see.

mod bars;
mod curve;
mod maps;

pub use bars::{Part, Texture, compared, shares, stacked};
pub use curve::{Curve, Point, curve};
pub use maps::{Axis, density, matrix};

use maud::{Markup, html};

/// What a picture is called, and what it says to someone who cannot see it.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// The title.
    pub title: &'a str,
    /// What there is to see.
    pub description: &'a str,
}

/// Puts drawn shapes into a frame of `width` by `height` units, shown at that size or smaller.
fn frame(words: Words<'_>, width: f64, height: f64, shapes: &Markup) -> Markup {
    html! {
        svg role="img" aria-label=(format!("{}. {}", words.title, words.description))
            width=(number(width)) height=(number(height))
            viewBox=(format!("0 0 {} {}", number(width), number(height))) {
            title { (words.title) }
            desc { (words.description) }
            (shapes)
        }
    }
}

/// Writes a coordinate with at most two decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// Shortens a label to `most` characters.
fn shortened(label: &str, most: usize) -> String {
    if label.chars().count() <= most {
        return label.to_owned();
    }
    let kept: String = label.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        assert_eq!(number(1.0), "1");
        assert_eq!(number(0.126), "0.13");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(120.0), "120");
    }

    #[test]
    fn labels_are_cut_between_characters() {
        assert_eq!(shortened("ärgerlich", 5), "ärge…");
        assert_eq!(shortened("kurz", 5), "kurz");
    }

    #[test]
    fn every_picture_says_what_it_shows_and_escapes_it() {
        let words = Words {
            title: "<b>title</b>",
            description: "\"quoted\" & more",
        };
        let label = "<script>x</script>";
        let parts = [Part {
            label,
            value: 1.0,
            shown: "1".to_owned(),
            texture: Texture::Solid,
        }];
        let cells = [(label.to_owned(), 0.5, 0.25)];
        let points = [Point { x: 1e-6, y: 1.0 }, Point { x: 1e-5, y: 0.5 }];
        let names = [label.to_owned()];
        let all = [
            stacked(words, &parts, 1.0),
            compared(words, &cells),
            shares(words, &cells),
            curve(&Curve {
                words,
                x_title: label,
                y_title: label,
                points: &points,
                marked: Some((points[0], label)),
            }),
            matrix(words, &names, 1.0, &|_, _| 0.5),
            density(
                words,
                &[0.5, 0.5],
                2,
                Axis {
                    title: label,
                    labels: &[],
                },
                Axis {
                    title: label,
                    labels: &names,
                },
            ),
        ];
        for picture in all {
            let text = picture.into_string();
            assert!(
                text.contains("<title>&lt;b&gt;title&lt;/b&gt;</title>"),
                "{text}"
            );
            assert!(
                text.contains("<desc>") && text.contains("role=\"img\""),
                "{text}"
            );
            assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
        }
    }
}
