//! Why the database refused.

/// A refusal, in the short English sentence that MongoDB gives for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct DatabaseError {
    message: String,
    is_large_result: bool,
}

impl DatabaseError {
    /// A refusal for this reason.
    pub(crate) fn new(message: impl Into<String>) -> DatabaseError {
        DatabaseError { message: message.into(), is_large_result: false }
    }

    /// The result is larger than the so many bytes that it may have.
    pub(crate) fn large_result(most: u64) -> DatabaseError {
        let message = format!("the result has more than {most} bytes: ask for less at a time");
        DatabaseError { message, is_large_result: true }
    }

    /// Whether it is refused because its result is too large.
    pub(crate) fn is_large_result(&self) -> bool {
        self.is_large_result
    }
}

/// What a step of the database gives, or why it does not.
pub(crate) type Outcome<T> = Result<T, DatabaseError>;

/// A refusal as an outcome.
pub(super) fn refuse<T>(message: impl Into<String>) -> Outcome<T> {
    Err(DatabaseError::new(message))
}
