//! Why a call came to nothing.

use tokenward_api::Problem;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with a problem.
    #[error("{problem}")]
    Refused {
        /// The problem, with its code and next step.
        problem: Box<Problem>,
        /// After how many seconds to try again, if the server said so.
        retry_after: Option<u64>,
    },
    /// No server answered.
    #[error("no Tokenward server answers at {place}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        place: String,
        /// Why it was not found.
        reason: String,
    },
    /// The server was connected to, and no whole answer came: whether the call had its effect is not known.
    #[error("the Tokenward server at {place} did not answer: {reason}")]
    Broken {
        /// Where it is.
        place: String,
        /// What happened.
        reason: String,
    },
    /// Something answered that is not a Tokenward server.
    #[error("{place} does not answer as a Tokenward server does (HTTP {status})")]
    Nonsense {
        /// Where it is.
        place: String,
        /// What it answered with.
        status: u16,
    },
    /// The address is not a URL.
    #[error("{0:?} is not the URL of a server")]
    BadUrl(String),
    /// The key cannot stand in a header.
    #[error("the client key has characters that no key has, perhaps a line break")]
    BadKey,
}

impl ClientError {
    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            ClientError::Refused { problem, .. } => matches!(problem.status, 429 | 502 | 503 | 504),
            ClientError::Unreachable { .. } | ClientError::Broken { .. } => true,
            ClientError::Nonsense { .. } | ClientError::BadUrl(_) | ClientError::BadKey => false,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            ClientError::Refused { problem, .. } => problem.next_step.clone(),
            ClientError::Unreachable { .. } => {
                "Start the server with `tokenward serve`, or point TOKENWARD_URL to it.".to_owned()
            }
            ClientError::Broken { .. } => {
                "Find out whether the call had its effect before you make it again.".to_owned()
            }
            ClientError::BadKey => "Set TOKENWARD_KEY to the key alone, without a line break.".to_owned(),
            ClientError::Nonsense { .. } | ClientError::BadUrl(_) => {
                "Point TOKENWARD_URL to the server's `listen` address, like http://127.0.0.1:7600.".to_owned()
            }
        }
    }
}
