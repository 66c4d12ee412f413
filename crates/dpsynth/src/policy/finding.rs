//! What is wrong with a policy: every finding has a code, a place and a way out.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a policy.
///
/// A policy is public, so a finding may quote it; it never quotes the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, for `dpsynth explain`.
    pub code: &'static str,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// What to do about it: lower case, no full stop.
    pub help: String,
    /// The bytes of the policy that are to blame, or `None` when no place is.
    pub span: Option<Range<usize>>,
    /// Further facts that help, each a phrase of its own.
    pub notes: Vec<String>,
}

impl Finding {
    /// Returns a finding without notes.
    pub(super) fn new(
        code: &'static str,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            help: help.into(),
            span: span.into(),
            notes: Vec::new(),
        }
    }

    /// Returns a finding from the two-part text of an error (`what happened; what to do`).
    pub(super) fn from_error(code: &'static str, span: Option<Range<usize>>, text: &str) -> Self {
        let (message, help) = text
            .rsplit_once("; ")
            .unwrap_or((text, "change the policy"));
        Self {
            code,
            message: message.to_owned(),
            help: help.to_owned(),
            span,
            notes: Vec::new(),
        }
    }

    /// Adds a note.
    pub(super) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// All that is wrong with a policy, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Returns the findings in the order of the file, or `None` when there are none.
    pub(super) fn sorted(mut findings: Vec<Finding>) -> Option<Self> {
        findings.sort_by_key(|finding| {
            let span = finding.span.clone().unwrap_or(0..0);
            (span.start, span.end)
        });
        (!findings.is_empty()).then_some(Self(findings))
    }

    /// Returns the only finding of a text that could not be read at all.
    pub(super) fn one(finding: Finding) -> Self {
        Self(vec![finding])
    }

    /// Returns the findings in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Returns the number of findings, at least one.
    #[expect(
        clippy::len_without_is_empty,
        reason = "findings are never empty, so the question has no use"
    )]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            let Finding {
                code,
                message,
                help,
                ..
            } = finding;
            write!(formatter, "{code}: {message}; {help}")?;
        }
        Ok(())
    }
}

/// The text is not TOML.
pub(super) const SYNTAX: &str = "DPS4001";
/// A key has no meaning where it stands.
pub(super) const UNKNOWN_KEY: &str = "DPS4002";
/// A key or a section that must be there is not.
pub(super) const MISSING_KEY: &str = "DPS4003";
/// A value has the wrong type.
pub(super) const WRONG_TYPE: &str = "DPS4004";
/// A number is not finite or out of its range.
pub(super) const BAD_NUMBER: &str = "DPS4005";
/// A word is none of those that the key allows.
pub(super) const UNKNOWN_WORD: &str = "DPS4006";
/// A release could spend more than the whole life of the data set.
pub(super) const CAP_ORDER: &str = "DPS4007";
/// A delta is too large to be a promise.
pub(super) const DELTA_TOO_LARGE: &str = "DPS4008";
/// A text is not allowed where it stands.
pub(super) const BAD_TEXT: &str = "DPS4009";
/// A column is named that the policy does not have.
pub(super) const UNKNOWN_COLUMN: &str = "DPS4010";
/// Two columns or two rules share a name.
pub(super) const DUPLICATE: &str = "DPS4011";
/// No column is left to model.
pub(super) const NOTHING_TO_MODEL: &str = "DPS4012";
/// A rule says several things at once, or nothing.
pub(super) const RULE_SHAPE: &str = "DPS4013";
/// The policy is written for another version of its format.
pub(super) const VERSION: &str = "DPS4014";
/// A date or a date format cannot be read.
pub(super) const BAD_DATE: &str = "DPS4015";
/// A column is used in a way that its kind does not allow.
pub(super) const WRONG_COLUMN: &str = "DPS4016";
/// The policy is not UTF-8.
pub(super) const NOT_UTF8: &str = "DPS4017";
/// The policy was refused without a reason.
pub(super) const BUG: &str = "DPS9040";

/// Every code that reading a policy can give, besides those of schemas and rules.
pub const CODES: &[&str] = &[
    SYNTAX,
    UNKNOWN_KEY,
    MISSING_KEY,
    WRONG_TYPE,
    BAD_NUMBER,
    UNKNOWN_WORD,
    CAP_ORDER,
    DELTA_TOO_LARGE,
    BAD_TEXT,
    UNKNOWN_COLUMN,
    DUPLICATE,
    NOTHING_TO_MODEL,
    RULE_SHAPE,
    VERSION,
    BAD_DATE,
    WRONG_COLUMN,
    NOT_UTF8,
    BUG,
];
