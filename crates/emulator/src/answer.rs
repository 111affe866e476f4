//! A reply together with what it means.

use http::StatusCode;

use crate::cloud::Errand;
use crate::reply::Reply;

/// What a platform decided about a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) verdict: Verdict,
    /// What the cloud has to do, whose reply counts then.
    pub(crate) errand: Option<Errand>,
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
        Self { reply, verdict: Verdict::Granted, errand: None }
    }

    pub(crate) fn served(reply: Reply) -> Self {
        Self { reply, verdict: Verdict::Served, errand: None }
    }

    pub(crate) fn refused(reply: Reply) -> Self {
        Self { reply, verdict: Verdict::Refused, errand: None }
    }

    /// What the cloud will answer.
    pub(crate) fn of_cloud(errand: Errand) -> Self {
        let reply = Reply::raw(StatusCode::OK, "application/json", "");
        Self { reply, verdict: Verdict::Served, errand: Some(errand) }
    }
}
