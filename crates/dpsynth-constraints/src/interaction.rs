//! Rules that work on the same columns.

/// A rule whose repair changes a column that another rule looks at.
///
/// Repairs run in the order of the policy, and every rule is checked after the last of them; a row
/// that then breaks a rule is drawn again. Where rules interact, more rows are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interaction {
    /// The rule that is repaired.
    pub changes: String,
    /// The column that the repair changes.
    pub column: String,
    /// The rule that looks at it.
    pub looks: String,
}
