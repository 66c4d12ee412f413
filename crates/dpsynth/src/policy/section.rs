//! Reading a TOML table key by key, so that nothing in it goes unread and every slip is reported.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::finding::{
    BAD_NUMBER, BAD_TEXT, Finding, MISSING_KEY, UNKNOWN_KEY, UNKNOWN_WORD, WRONG_TYPE,
};
use super::keys;
use super::suggest::nearest;

/// A TOML table being read.
///
/// The reader asks for keys by name; what it never asked for is reported by [`Section::finish`].
pub(super) struct Section<'a> {
    /// What messages call this table.
    label: String,
    /// Where messages point when a key is missing; nowhere for the whole policy.
    span: Option<Range<usize>>,
    table: &'a DeTable<'a>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Starts to read `table`, which messages call `label`.
    pub(super) fn new(
        label: impl Into<String>,
        span: impl Into<Option<Range<usize>>>,
        table: &'a DeTable<'a>,
    ) -> Self {
        Self {
            label: label.into(),
            span: span.into(),
            table,
            asked: Vec::new(),
        }
    }

    /// Changes what messages call this table, once its name is known.
    pub(super) fn rename(&mut self, label: String) {
        self.label = label;
    }

    /// Returns what messages call this table.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Returns where messages about the whole table point.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// Returns the table itself, to find the place of a key later.
    pub(super) fn table(&self) -> &'a DeTable<'a> {
        self.table
    }

    /// Returns the value of `key`, if it is there.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Field<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let value = self.table.get(key)?;
        Some(Field {
            key,
            name: format!("`{key}` of {}", self.label),
            span: value.span(),
            value: value.get_ref(),
        })
    }

    /// Returns the value of `key`, and reports it when it is missing.
    pub(super) fn required(
        &mut self,
        key: &'static str,
        out: &mut Vec<Finding>,
    ) -> Option<Field<'a>> {
        let field = self.optional(key);
        if field.is_none() {
            out.push(Finding::new(
                MISSING_KEY,
                self.span(),
                format!("`{key}` of {} is missing", self.label),
                format!("add it, for example `{}`", keys::example(key)),
            ));
        }
        field
    }

    /// Reports every key that was not asked for. Keys in `elsewhere` are known but have no meaning
    /// here, because `why`.
    pub(super) fn finish(self, elsewhere: &[&'static str], why: &str, out: &mut Vec<Finding>) {
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            out.push(if elsewhere.contains(&name) {
                Finding::new(
                    UNKNOWN_KEY,
                    key.span(),
                    format!("`{name}` has no meaning in {} {why}", self.label),
                    "remove it",
                )
            } else {
                let help = match nearest(name, &self.asked) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("remove it, or use one of {}", listing(&self.asked)),
                };
                Finding::new(
                    UNKNOWN_KEY,
                    key.span(),
                    format!("`{name}` is not a key of {}", self.label),
                    help,
                )
            });
        }
    }
}

/// A value of a TOML table, with its name and place.
pub(super) struct Field<'a> {
    /// The key alone.
    pub(super) key: &'static str,
    /// What messages call it.
    pub(super) name: String,
    /// Where the value stands.
    pub(super) span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Field<'a> {
    /// Returns whether the value is a string, an array and so on, as TOML says it.
    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.value)
    }

    /// Reports `problem` at this value.
    pub(super) fn blame(
        &self,
        code: &'static str,
        problem: impl std::fmt::Display,
        help: impl Into<String>,
        out: &mut Vec<Finding>,
    ) {
        let message = format!("{} {problem}", self.name);
        out.push(Finding::new(code, self.span.clone(), message, help));
    }

    /// Returns a string.
    pub(super) fn text(&self, out: &mut Vec<Finding>) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string", out);
        }
        text
    }

    /// Returns a string that is not empty.
    pub(super) fn filled_text(&self, out: &mut Vec<Finding>) -> Option<&'a str> {
        let text = self.text(out)?;
        if text.trim().is_empty() {
            self.blame(
                BAD_TEXT,
                "is empty",
                format!("write it, for example `{}`", keys::example(self.key)),
                out,
            );
            return None;
        }
        Some(text)
    }

    /// Returns one of the `words`, by its meaning.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)], out: &mut Vec<Finding>) -> Option<T> {
        let text = self.text(out)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(text, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of {}", listing(&known)),
        };
        self.blame(UNKNOWN_WORD, format_args!("is {text:?}"), help, out);
        None
    }

    /// Returns `true` or `false`.
    pub(super) fn flag(&self, out: &mut Vec<Finding>) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type("`true` or `false`", out);
        }
        flag
    }

    /// Returns an integer between `low` and `high`.
    pub(super) fn integer(&self, low: i64, high: i64, out: &mut Vec<Finding>) -> Option<i64> {
        let DeValue::Integer(integer) = self.value else {
            self.wrong_type("an integer", out);
            return None;
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|value| (low..=high).contains(value));
        if value.is_none() {
            let help = format!("write an integer from {low} to {high}");
            self.blame(BAD_NUMBER, "is out of range", help, out);
        }
        value
    }

    /// Returns a finite number; an integer counts as one.
    pub(super) fn number(&self, out: &mut Vec<Finding>) -> Option<f64> {
        let Some(number) = number(self.value) else {
            self.wrong_type("a number", out);
            return None;
        };
        if !number.is_finite() {
            self.blame(BAD_NUMBER, "is not finite", "write a finite number", out);
            return None;
        }
        Some(number)
    }

    /// Returns the elements of an array, each as a field of its own.
    pub(super) fn elements(&self, out: &mut Vec<Finding>) -> Option<Vec<Field<'a>>> {
        let DeValue::Array(array) = self.value else {
            self.wrong_type("a list", out);
            return None;
        };
        Some(self.fields_of(array))
    }

    /// Returns a list of strings.
    pub(super) fn texts(&self, out: &mut Vec<Finding>) -> Option<Vec<String>> {
        let texts: Vec<Option<&str>> = (self.elements(out)?.iter())
            .map(|element| element.text(out))
            .collect();
        texts
            .into_iter()
            .map(|text| text.map(str::to_owned))
            .collect()
    }

    /// Returns a list of finite numbers.
    pub(super) fn numbers(&self, out: &mut Vec<Finding>) -> Option<Vec<f64>> {
        let numbers: Vec<Option<f64>> = (self.elements(out)?.iter())
            .map(|element| element.number(out))
            .collect();
        numbers.into_iter().collect()
    }

    /// Returns a table to read on.
    pub(super) fn section(&self, label: String, out: &mut Vec<Finding>) -> Option<Section<'a>> {
        let DeValue::Table(table) = self.value else {
            self.wrong_type("a table", out);
            return None;
        };
        Some(Section::new(label, self.span.clone(), table))
    }

    /// Reports that the value has the wrong type.
    pub(super) fn wrong_type(&self, expected: &str, out: &mut Vec<Finding>) {
        self.blame(
            WRONG_TYPE,
            format_args!("is {}, not {expected}", self.kind().phrase()),
            format!(
                "write {expected}, for example `{}`",
                keys::example(self.key)
            ),
            out,
        );
    }

    fn fields_of(&self, array: &'a DeArray<'a>) -> Vec<Field<'a>> {
        let field = |(index, element): (usize, &'a Spanned<DeValue<'a>>)| Field {
            key: self.key,
            name: format!("entry {} of {}", index + 1, self.name),
            span: element.span(),
            value: element.get_ref(),
        };
        array.iter().enumerate().map(field).collect()
    }
}

/// The type of a TOML value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `"text"`
    Text,
    /// `1` or `1.0`
    Number,
    /// `true`
    Flag,
    /// `1994-05-01`
    Date,
    /// `[1, 2]`
    List,
    /// `{ key = "value" }`
    Table,
}

impl Kind {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(_) => Self::Text,
            DeValue::Integer(_) | DeValue::Float(_) => Self::Number,
            DeValue::Boolean(_) => Self::Flag,
            DeValue::Datetime(_) => Self::Date,
            DeValue::Array(_) => Self::List,
            DeValue::Table(_) => Self::Table,
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Flag => "`true` or `false`",
            Self::Date => "a date without quotes",
            Self::List => "a list",
            Self::Table => "a table",
        }
    }
}

/// Returns the value of a TOML integer or float, which may not be finite.
fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok(),
        DeValue::Integer(integer) => {
            let digits = i128::from_str_radix(integer.as_str(), integer.radix());
            Some(digits.map_or(f64::INFINITY, |digits| digits as f64))
        }
        _ => None,
    }
}

/// Writes the words of a choice.
fn listing(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
