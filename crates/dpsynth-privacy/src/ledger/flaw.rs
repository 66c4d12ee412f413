//! What can be wrong with a line of a ledger.

/// The rule of the format that a line breaks. Read as "line 3 of the ledger …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The line before has another hash.
    #[error("does not follow the line before it")]
    ChainBroken,
    /// Two charges have one name, or a charge is committed or refunded that is not open.
    #[error("names a charge that is not there, or is there twice")]
    ChargeMisnamed,
    /// The event is not that of the mechanisms.
    #[error("prices something else than its mechanisms")]
    EventDiffers,
    /// There is no hash at the end of the line.
    #[error("does not end in a hash")]
    HashMissing,
    /// The line's hash is not that of its text.
    #[error("has been changed: its hash does not fit")]
    HashWrong,
    /// The line gives the ledger a second key.
    #[error("gives the ledger a second key")]
    KeyRepeated,
    /// The line is longer than any record.
    #[error("is longer than a record can be")]
    LineTooLong,
    /// A number of the record is outside its range.
    #[error("has a number outside its range")]
    NumberOutOfRange,
    /// The first line is not an `open` record.
    #[error("is not the `open` record that a ledger starts with")]
    OpenMissing,
    /// A later line is an `open` record.
    #[error("opens the ledger a second time")]
    OpenRepeated,
    /// Records are missing or out of order.
    #[error("is out of sequence")]
    SequenceBroken,
    /// The line lacks the signature of the ledger's key.
    #[error("is not signed")]
    SignatureMissing,
    /// The line is signed although the ledger has no key yet.
    #[error("is signed before the ledger has a key")]
    SignatureUnexpected,
    /// The signature is not that of the ledger's key.
    #[error("was not signed with the ledger's key")]
    SignatureWrong,
    /// The line does not say whose loss it is about, or says it twice.
    #[error("does not say whose ledger or charge it is, or says it twice")]
    SubjectUnclear,
}
