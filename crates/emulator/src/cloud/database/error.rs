//! Why the database refused.

/// A refusal, in the short English sentence that MongoDB gives for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct DatabaseError {
    message: String,
}

impl DatabaseError {
    /// A refusal for this reason.
    pub(crate) fn new(message: impl Into<String>) -> DatabaseError {
        DatabaseError { message: message.into() }
    }
}

/// What a step of the database gives, or why it does not.
pub(crate) type Outcome<T> = Result<T, DatabaseError>;

/// A refusal as an outcome.
pub(super) fn refuse<T>(message: impl Into<String>) -> Outcome<T> {
    Err(DatabaseError::new(message))
}
