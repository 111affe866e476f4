//! Why a request is not taken for the platform's.

/// Why a request is not taken for the platform's. Says nothing that helps whoever made it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not what the platform sends.
    #[error("it is malformed: {0}")]
    Malformed(&'static str),
    /// It has no signature.
    #[error("it is not signed")]
    Unsigned,
    /// Its signature is wrong.
    #[error("its signature is wrong: check that `token` is the one set at the platform")]
    BadSignature,
    /// No key opens it.
    #[error("no key opens it: check that `aes_key` is the EncodingAESKey set at the platform")]
    Undecipherable,
    /// It was encrypted for somebody else.
    #[error("it was encrypted for another receiver: check `app_id`")]
    NotForUs,
}

impl Refused {
    /// One word for counting.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::Malformed(_) => "malformed",
            Refused::Unsigned => "unsigned",
            Refused::BadSignature => "bad_signature",
            Refused::Undecipherable => "undecipherable",
            Refused::NotForUs => "wrong_receiver",
        }
    }
}
