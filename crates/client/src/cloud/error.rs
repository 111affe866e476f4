//! Why a call of cloud development came to nothing.

use tokenward_cloud::wire::{FormError, LimitError, PathError};
use tokenward_cloud::{BuildError, CloudError, Kind, ReadError};

use super::{Refused, SourceError};
use crate::ClientError;
use crate::client::innermost;

/// Why a call of cloud development came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The platform refused; the refusal knows what it means and what to do.
    #[error(transparent)]
    Refused(#[from] CloudError),
    /// The Tokenward server refused, or is not there.
    #[error(transparent)]
    Server(#[from] ClientError),
    /// There is no token to call with.
    #[error("there is no token: {0}")]
    NoToken(#[source] SourceError),
    /// Nobody could be connected to; nothing was sent.
    #[error("{place} cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// The call was sent, and no answer came.
    #[error("{place} did not answer: {reason}")]
    Broken {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// What answered does not speak the platform's protocol.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
    /// A document is not of the type that was asked for.
    #[error(transparent)]
    Document(#[from] ReadError),
    /// What a function returned is not of the type that was asked for.
    #[error("what the function returned is not of the type expected: {0}")]
    Returned(#[source] serde_json::Error),
    /// An event cannot be written as JSON.
    #[error("the event is not JSON: {0}")]
    Event(#[source] serde_json::Error),
    /// A statement cannot be built.
    #[error(transparent)]
    Statement(#[from] BuildError),
    /// The call is beyond the platform's documented limits.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// No file can have this path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The platform's answer cannot be used for an upload.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The platform named an address that files are not sent to or fetched from.
    #[error("files are not sent to or fetched from {0}")]
    Address(String),
    /// There is no such file, or it cannot be had.
    #[error("{file}: {refused}")]
    File {
        /// Its id.
        file: String,
        /// What the platform says.
        refused: Refused,
    },
    /// The storage refused.
    #[error("the storage refuses with HTTP {status}: {code} {message}")]
    Storage {
        /// The HTTP status.
        status: u16,
        /// Its code, if it has one.
        code: String,
        /// Its words.
        message: String,
    },
    /// The file on this side cannot be read or written.
    #[error("the local file: {0}")]
    Local(#[from] std::io::Error),
    /// An import or export failed.
    #[error("the job failed after {} documents, {} were refused: {}", .0.succeeded, .0.failed, .0.message)]
    Job(super::Progress),
}

impl CallError {
    pub(crate) fn of_connection(place: String, error: reqwest::Error) -> CallError {
        let nothing_sent = error.is_connect();
        let reason = innermost(&error.without_url());
        match nothing_sent {
            true => CallError::Unreachable { place, reason },
            false => CallError::Broken { place, reason },
        }
    }

    /// What a refusal of the platform is about.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            CallError::Refused(refusal) => Some(refusal.kind()),
            CallError::File { refused, .. } => Some(refused.kind()),
            CallError::Storage { .. } => Some(Kind::Storage),
            _ => None,
        }
    }

    /// Whether the call may have had its effect although it failed. Then nobody makes it again for you.
    #[must_use]
    pub fn may_have_had_effect(&self) -> bool {
        match self {
            CallError::Refused(refusal) => {
                // A function that fails, returns too much or makes a call that is refused has run.
                let ran = matches!(refusal.code, -604_199..=-604_100 | -604_001);
                ran || matches!(refusal.kind(), Kind::Timeout | Kind::Platform | Kind::Function)
            }
            CallError::Server(ClientError::Refused { problem, .. }) => {
                matches!(problem.code.as_str(), "call_broken" | "call_timed_out")
            }
            CallError::Server(ClientError::Broken { .. } | ClientError::Nonsense { .. })
            | CallError::Broken { .. }
            | CallError::Unreadable(_)
            | CallError::Returned(_) => true,
            _ => false,
        }
    }

    /// Whether the same call may succeed after a moment. Quotas need longer than that.
    pub(crate) fn may_pass_soon(&self) -> bool {
        match self {
            CallError::Refused(refusal) => {
                refusal.is_worth_repeating() && !matches!(refusal.kind(), Kind::Quota | Kind::Token)
            }
            CallError::Server(ClientError::Refused { problem, .. }) => matches!(problem.status, 502 | 504),
            CallError::Server(error) => error.may_pass(),
            CallError::Broken { .. } | CallError::Unreachable { .. } => true,
            _ => false,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            CallError::Refused(refusal) => refusal.next_step().to_owned(),
            CallError::Server(error) => error.next_step(),
            CallError::File { refused, .. } => refused.next_step().to_owned(),
            other => other.own_next_step().to_owned(),
        }
    }

    fn own_next_step(&self) -> &'static str {
        match self {
            CallError::NoToken(_) => "Look at where the tokens come from.",
            CallError::Unreachable { .. } => {
                "Check the network; nothing was sent, so the call can be made again."
            }
            CallError::Broken { .. } | CallError::Unreadable(_) => {
                "Find out whether the call had its effect before you make it again."
            }
            CallError::Document(_) | CallError::Returned(_) => "Read it as the type that it is.",
            CallError::Event(_) => "Use keys that are texts, and numbers that JSON has.",
            CallError::Statement(_) | CallError::Limit(_) => "Correct the call; nothing was sent.",
            CallError::Path(_) => "Use a path like pictures/1.png.",
            CallError::Form(_) | CallError::Address(_) => "Look at who answers in the platform's place.",
            CallError::Storage { .. } => "Upload again: what is signed for an upload is good for 15 minutes.",
            CallError::Local(_) => "Check the path, its rights and the free space of the disk.",
            CallError::Job(_) => "Correct what the message names, and begin again.",
            CallError::Refused(_) | CallError::Server(_) | CallError::File { .. } => "",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whether_a_refused_call_may_have_had_its_effect() {
        for (code, may) in [
            (-1, true),
            (-501_002, true),
            (-504_001, true),
            (-504_002, true),
            (-604_001, true),
            (-604_100, true),
            (-604_101, true),
            (-604_103, true),
            (40_001, false),
            (-501_003, false),
            (-502_005, false),
            (-602_002, false),
        ] {
            let refused = CallError::Refused(CloudError::new(code, ""));
            assert_eq!(refused.may_have_had_effect(), may, "{code}");
        }
        let returned = serde_json::from_str::<i64>("\"text\"").unwrap_err();
        assert!(CallError::Returned(returned).may_have_had_effect(), "the function ran");
    }
}
