//! Bodies on their way through the gateway: nothing is held back, and what may have to be sent again is copied
//! while it passes.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokenward_core::time::Boot;

use crate::clock;

/// The body of a request to a platform.
pub enum CallBody {
    /// At hand whole, or none.
    Whole(Full<Bytes>),
    /// The client's, as it comes, with a copy for a second sending.
    Passing(Incoming, Arc<Copy>),
    /// The client's, with something around it.
    Framed(Box<Framed>),
}

/// A body as it comes, between what stands before and after it.
pub struct Framed {
    /// Before.
    pub before: Bytes,
    /// The client's.
    pub body: Incoming,
    /// After.
    pub after: Bytes,
    /// Notes what passes.
    pub copy: Arc<Copy>,
}

/// What goes wrong with a body on its way.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What has passed of a body, as long as it is small.
#[derive(Debug)]
pub struct Copy {
    limit: usize,
    most: u64,
    state: Mutex<Copied>,
    /// When something passed last, in milliseconds of boot time.
    progress: AtomicI64,
}

#[derive(Debug)]
struct Copied {
    bytes: BytesMut,
    len: u64,
    /// Whether more may come.
    passing: bool,
    /// Whether what stands after it has been taken as well.
    closed: bool,
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
    /// For a body that comes: keeps at most `limit` bytes, and lets at most `most` pass.
    #[must_use]
    pub fn of_at_most(limit: usize, most: u64) -> Arc<Copy> {
        Copy::new(limit, most, true)
    }

    /// For a call whose body is at hand whole.
    #[must_use]
    pub fn of_nothing() -> Arc<Copy> {
        Copy::new(0, u64::MAX, false)
    }

    fn new(limit: usize, most: u64, passing: bool) -> Arc<Copy> {
        let fate = if passing { Fate::Passing } else { Fate::Complete };
        let state = Mutex::new(Copied { bytes: BytesMut::new(), len: 0, passing, closed: false, fate });
        Arc::new(Copy { limit, most, state, progress: AtomicI64::new(clock::boot().0) })
    }

    /// Whether more came than may pass.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.lock().len > self.most
    }

    /// Whether more may come.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.lock().passing
    }

    /// Whether this many bytes were taken, and what stands after them.
    #[must_use]
    pub fn is_taken(&self, len: u64) -> bool {
        let state = self.lock();
        state.closed && state.len == len
    }

    /// When something passed last; at first, when the call began.
    #[must_use]
    pub fn progress(&self) -> Boot {
        Boot(self.progress.load(Ordering::Relaxed))
    }

    /// The whole body, if all of it has passed and it was small enough.
    #[must_use]
    pub fn whole(&self) -> Option<Bytes> {
        let mut state = self.lock();
        (state.fate == Fate::Complete).then(|| state.bytes.split().freeze())
    }

    fn lock(&self) -> MutexGuard<'_, Copied> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes are copied, not shared: a million small pieces would pin a million buffers.
    fn pass(&self, chunk: &Bytes) {
        self.progress.store(clock::boot().0, Ordering::Relaxed);
        let mut state = self.lock();
        state.len += chunk.len() as u64;
        if state.len > self.limit as u64 {
            state.fate = Fate::Unusable;
            state.bytes = BytesMut::new();
        } else if state.fate == Fate::Passing {
            state.bytes.extend_from_slice(chunk);
        }
    }

    fn end(&self, fate: Fate) {
        let mut state = self.lock();
        state.passing = false;
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
        match self.get_mut() {
            CallBody::Whole(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            CallBody::Passing(body, copy) => poll_passing(body, copy, context),
            CallBody::Framed(framed) => framed.poll(context),
        }
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
            // What comes after the body is never empty.
            CallBody::Framed(framed) => framed.after.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            CallBody::Whole(full) => full.size_hint(),
            CallBody::Passing(body, _) => body.size_hint(),
            CallBody::Framed(framed) => {
                let around = (framed.before.len() + framed.after.len()) as u64;
                let mut hint = SizeHint::new();
                if let Some(len) = framed.body.size_hint().exact() {
                    hint.set_exact(len.saturating_add(around));
                }
                hint
            }
        }
    }
}

impl Framed {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.before.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.before)))));
        }
        let rest = ready!(poll_passing(&mut self.body, &self.copy, context));
        match rest {
            None if self.after.is_empty() => Poll::Ready(None),
            None => {
                self.copy.lock().closed = true;
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.after)))))
            }
            some => Poll::Ready(some),
        }
    }
}

fn poll_passing(
    body: &mut Incoming,
    copy: &Copy,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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
