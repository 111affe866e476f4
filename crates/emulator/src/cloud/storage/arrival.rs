//! The body of a request while it arrives.

use std::io;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{LARGEST, OVERHEAD};

/// A body that is taken piece by piece.
#[derive(Debug)]
pub(crate) struct Arrival {
    body: Incoming,
    /// The client sends nothing before it is asked to, which taking the first piece does.
    is_held_back: bool,
}

impl Arrival {
    pub(crate) fn of(headers: &HeaderMap, body: Incoming) -> Arrival {
        Arrival { body, is_held_back: headers.contains_key(EXPECT) }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.is_held_back = false;
        match self.body.frame().await {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Err(io::Error::other(error)),
        }
    }

    /// Takes what is left, as much as a body may have: who is sending does not listen before all is sent.
    pub(crate) async fn discard(&mut self) -> io::Result<()> {
        let mut left = LARGEST + OVERHEAD;
        while !self.is_held_back && left > 0 {
            let Some(bytes) = self.next().await? else { break };
            left = left.saturating_sub(bytes.len() as u64);
        }
        Ok(())
    }
}
