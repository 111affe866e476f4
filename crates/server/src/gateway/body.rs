//! Bodies on their way through the gateway: nothing is held back, and what may have to be sent again is copied
//! while it passes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// The body of a request to a platform.
pub enum CallBody {
    /// At hand whole, or none.
    Whole(Full<Bytes>),
    /// The client's, as it comes, with a copy for a second sending.
    Passing(Incoming, Arc<Copy>),
}

/// What goes wrong with a body on its way.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What has passed of a body, as long as it is small.
#[derive(Debug)]
pub struct Copy {
    limit: usize,
    most: u64,
    state: Mutex<Copied>,
}

#[derive(Debug)]
struct Copied {
    chunks: Vec<Bytes>,
    len: usize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passing,
    Complete,
    /// Too large, broken off, or followed by trailers.
    Unusable,
}

impl Copy {
    /// Keeps at most `limit` bytes, and lets at most `most` pass.
    #[must_use]
    pub fn of_at_most(limit: usize, most: u64) -> Arc<Copy> {
        let copied = Copied { chunks: Vec::new(), len: 0, fate: Fate::Passing };
        Arc::new(Copy { limit, most, state: Mutex::new(copied) })
    }

    /// Whether more came than may pass.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).len as u64 > self.most
    }

    /// The whole body, if all of it has passed and it was small enough.
    #[must_use]
    pub fn whole(&self) -> Option<Bytes> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.fate, state.chunks.as_slice()) {
            (Fate::Complete, []) => Some(Bytes::new()),
            (Fate::Complete, [only]) => Some(only.clone()),
            (Fate::Complete, many) => Some(many.concat().into()),
            _ => None,
        }
    }

    fn pass(&self, chunk: &Bytes) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.len += chunk.len();
        if state.len > self.limit {
            state.fate = Fate::Unusable;
            state.chunks = Vec::new();
        } else if state.fate == Fate::Passing {
            state.chunks.push(chunk.clone());
        }
    }

    fn end(&self, fate: Fate) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.fate == Fate::Passing {
            state.fate = fate;
        }
    }
}

impl CallBody {
    /// A body that is at hand.
    #[must_use]
    pub fn whole(bytes: Bytes) -> CallBody {
        CallBody::Whole(Full::new(bytes))
    }
}

impl Body for CallBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let (body, copy) = match self.get_mut() {
            CallBody::Whole(full) => {
                return Pin::new(full).poll_frame(context).map_err(|never| match never {});
            }
            CallBody::Passing(body, copy) => (body, copy),
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        match &frame {
            None => copy.end(Fate::Complete),
            Some(Err(_)) => copy.end(Fate::Unusable),
            Some(Ok(frame)) => match frame.data_ref() {
                Some(chunk) => {
                    copy.pass(chunk);
                    if copy.is_too_large() {
                        return Poll::Ready(Some(Err("the body is larger than is allowed".into())));
                    }
                    if body.is_end_stream() {
                        copy.end(Fate::Complete);
                    }
                }
                None => copy.end(Fate::Unusable),
            },
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            CallBody::Whole(full) => full.is_end_stream(),
            CallBody::Passing(body, copy) => {
                let ended = body.is_end_stream();
                if ended {
                    copy.end(Fate::Complete);
                }
                ended
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            CallBody::Whole(full) => full.size_hint(),
            CallBody::Passing(body, _) => body.size_hint(),
        }
    }
}
