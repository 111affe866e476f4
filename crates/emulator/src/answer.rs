//! A reply together with what it means.

use crate::reply::Reply;

/// What a platform decided about a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) verdict: Verdict,
}

/// Whether the request had its effect; faults that damage the answer look at this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The reply carries a token.
    Granted,
    /// A call was carried out.
    Served,
    /// Nothing happened.
    Refused,
}

impl Answer {
    pub(crate) fn granted(reply: Reply) -> Self {
        Self { reply, verdict: Verdict::Granted }
    }

    pub(crate) fn served(reply: Reply) -> Self {
        Self { reply, verdict: Verdict::Served }
    }

    pub(crate) fn refused(reply: Reply) -> Self {
        Self { reply, verdict: Verdict::Refused }
    }
}
