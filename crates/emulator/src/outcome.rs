//! What the shell has to do about a request.

use std::time::Duration;

use crate::cloud::Errand;
use crate::reply::Reply;

/// The machine's decision about one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How long to hold the delivery back, in real time. The request has had its effect already.
    pub delay: Duration,
    /// What goes onto the wire.
    pub delivery: Delivery,
    /// What the cloud has to do first; its reply then takes the place of the one in `delivery`.
    pub errand: Option<Errand>,
}

/// What goes onto the wire.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The whole reply.
    Whole(Reply),
    /// The head of the reply with its full `Content-Length`, half of the body, then the end of the connection.
    Cut(Reply),
    /// A TCP reset and not one byte of an answer.
    Reset,
}

impl Delivery {
    /// The same with another reply.
    pub(crate) fn of(self, reply: Reply) -> Self {
        match self {
            Delivery::Whole(_) => Delivery::Whole(reply),
            Delivery::Cut(_) => Delivery::Cut(reply),
            Delivery::Reset => Delivery::Reset,
        }
    }
}

impl Outcome {
    /// The reply, whole and at once.
    pub(crate) fn whole(reply: Reply) -> Self {
        Self { delay: Duration::ZERO, delivery: Delivery::Whole(reply), errand: None }
    }

    /// The reply, whole or cut; `None` for a reset.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.delivery {
            Delivery::Whole(reply) | Delivery::Cut(reply) => Some(reply),
            Delivery::Reset => None,
        }
    }
}
