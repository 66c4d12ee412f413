//! Tables.

use maud::{Markup, html};

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text, to the left, broken where it is long.
    Text,
    /// Short words, to the left.
    Word,
    /// Figures, to the right, digit below digit.
    Number,
}

impl Align {
    fn class(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Word => "word",
            Self::Number => "number",
        }
    }
}

/// A table: the first cell of each row is its heading.
#[derive(Debug)]
pub struct Grid {
    caption: String,
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<Markup>>,
}

impl Grid {
    /// Begins a table with its caption and the headings of its columns.
    #[must_use]
    pub fn new(caption: &str, columns: &[(&str, Align)]) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns
                .iter()
                .map(|&(title, align)| (title.to_owned(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of texts.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows
            .push(cells.into_iter().map(|cell| html! { (cell) }).collect());
    }

    /// Adds a row of fragments.
    pub fn row_of(&mut self, cells: Vec<Markup>) {
        self.rows.push(cells);
    }

    /// Writes the table, in a box that scrolls by keyboard where it is too wide. A table of texts
    /// becomes a list of its rows where there is no room; roles keep it a table for who cannot see it.
    #[must_use]
    pub fn render(&self) -> Markup {
        let texts = self
            .columns
            .iter()
            .filter(|(_, align)| *align == Align::Text);
        let stack = (texts.count() > 1).then_some("stack");
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table role="table" class=[stack] {
                    caption { (self.caption) }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for (title, align) in &self.columns {
                                th role="columnheader" scope="col" class=(align.class()) { (title) }
                            }
                        }
                    }
                    tbody role="rowgroup" { @for row in &self.rows { (self.line(row)) } }
                }
            }
        }
    }

    fn line(&self, row: &[Markup]) -> Markup {
        html! {
            tr role="row" {
                @for (index, (cell, (title, align))) in row.iter().zip(&self.columns).enumerate() {
                    @if index == 0 { th role="rowheader" scope="row" class=(align.class()) { (cell) } }
                    @else { td role="cell" class=(align.class()) data-label=(title) { (cell) } }
                }
            }
        }
    }
}
