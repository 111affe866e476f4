//! What the shell has to do about a request.

use std::time::Duration;

use crate::reply::Reply;

/// The machine's decision about one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How long to hold the delivery back, in real time. The request has had its effect already.
    pub delay: Duration,
    /// What goes onto the wire.
    pub delivery: Delivery,
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

impl Outcome {
    /// The reply, whole or cut; `None` for a reset.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.delivery {
            Delivery::Whole(reply) | Delivery::Cut(reply) => Some(reply),
            Delivery::Reset => None,
        }
    }
}
