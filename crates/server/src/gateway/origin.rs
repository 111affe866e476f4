//! One place that calls go to, with its connections.
//!
//! A connection carries one exchange at a time and comes back when the answer's body has passed. The newest
//! idle one is taken first, so that a quiet hour lets the rest run out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokenward_core::time::{Boot, Span};

use super::body::{CallBody, Copy};
use super::connect::{Authority, ConnectError, Connector, Line};
use crate::clock;
use crate::http::Activity;

/// A scheme, host and port, and the connections to it.
pub struct Origin {
    /// Whom connections are for.
    pub authority: Authority,
    /// The `Host` header.
    pub host: HeaderValue,
    connector: Arc<Connector>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    line: Line,
    since: Boot,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(#[from] ConnectError),
    /// There was no request to send.
    #[error("there was nothing to send")]
    Taken,
    /// The connection broke before anything was sent on it.
    #[error("the connection to the platform broke before the call was sent: {0}")]
    Unsent(hyper::Error),
    /// The request may have arrived.
    #[error("the connection to the platform broke: {0}")]
    Broken(hyper::Error),
}

/// The body of an answer on its way to the client. Brings its connection back at its end.
pub struct Relay {
    /// What was read of it already.
    first: Option<Bytes>,
    /// How reading it ended, if badly.
    broken: Option<hyper::Error>,
    body: Incoming,
    line: Option<(Line, Arc<Origin>)>,
    /// The request's body, which may still be on its way when the answer is over.
    request: Arc<Copy>,
    /// Where it is noted that something passes.
    activity: Option<Arc<Activity>>,
}

/// Longer than this, and the platform may be closing it just now.
const LONGEST_IDLE: Span = Span::seconds(30);
const MOST_IDLE: usize = 256;

impl Origin {
    /// No connections yet.
    #[must_use]
    pub fn new(authority: Authority, host: HeaderValue, connector: Arc<Connector>) -> Origin {
        Origin { authority, host, connector, idle: Mutex::default() }
    }

    /// Another place, by the same way out.
    #[must_use]
    pub fn elsewhere(&self, authority: Authority, host: HeaderValue) -> Arc<Origin> {
        Arc::new(Origin::new(authority, host, Arc::clone(&self.connector)))
    }

    /// The way out that its connections take.
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Sends a request and returns the answer's head. The request is taken only once there is a connection for
    /// it. `again` makes the same request once more, where it may be made twice: an idle connection can turn out
    /// to be closed only after something was written to it.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send(
        self: &Arc<Origin>,
        waiting: &mut Option<Request<CallBody>>,
        again: Option<&(dyn Fn() -> Option<Request<CallBody>> + Sync)>,
        copy: &Arc<Copy>,
    ) -> Result<Response<Relay>, SendError> {
        loop {
            let (mut line, fresh) = match self.take_idle().await {
                Some(line) => (line, false),
                None => (self.connector.open(&self.authority).await?, true),
            };
            let Some(request) = waiting.take() else { return Err(SendError::Taken) };
            let mut error = match line.send(request).await {
                Ok(response) => return Ok(response.map(|body| Relay::new(body, line, self, copy))),
                Err(error) => error,
            };
            *waiting = match (error.take_message(), again.filter(|_| !fresh)) {
                (Some(unsent), _) if fresh => {
                    // Nothing was sent: another place may be tried with it.
                    *waiting = Some(unsent);
                    return Err(SendError::Unsent(error.into_error()));
                }
                (Some(unsent), _) => Some(unsent),
                (None, Some(again)) => again(),
                (None, None) => return Err(SendError::Broken(error.into_error())),
            };
        }
    }

    async fn take_idle(&self) -> Option<Line> {
        let oldest = clock::boot() - LONGEST_IDLE;
        loop {
            let Idle { mut line, since } = self.lock().pop()?;
            if since < oldest {
                // The ones below it have waited longer still.
                self.lock().clear();
                return None;
            }
            if line.is_ready().await {
                return Some(line);
            }
        }
    }

    fn put_idle(&self, line: Line) {
        let now = clock::boot();
        let mut idle = self.lock();
        // Those at the bottom have waited longest; a busy hour leaves none that a quiet one does not need.
        let expired = idle.iter().take_while(|idle| idle.since < now - LONGEST_IDLE).count();
        idle.drain(..expired);
        if !line.is_closed() && idle.len() < MOST_IDLE {
            idle.push(Idle { line, since: now });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    fn new(body: Incoming, line: Line, origin: &Arc<Origin>, request: &Arc<Copy>) -> Relay {
        let mut relay = Relay {
            first: None,
            broken: None,
            body,
            line: Some((line, Arc::clone(origin))),
            request: Arc::clone(request),
            activity: None,
        };
        relay.go_home_at_end();
        relay
    }

    /// Gives back what was read of it, to be passed on before the rest.
    pub fn unread(&mut self, first: Bytes) {
        self.first = Some(first).filter(|first| !first.is_empty());
    }

    /// The same for a body that broke off: the client must not take it for whole.
    pub fn unread_broken(&mut self, first: Bytes, error: hyper::Error) {
        self.unread(first);
        self.broken = Some(error);
    }

    fn go_home_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.go_home();
        }
    }

    /// A connection that is still busy with the request's body is no use to anybody else: it goes.
    fn go_home(&mut self) {
        if let Some((line, origin)) = self.line.take()
            && !self.request.is_passing()
        {
            origin.put_idle(line);
        }
    }

    /// From now on, whatever passes is noted there.
    pub fn note_in(&mut self, activity: Arc<Activity>) {
        self.activity = Some(activity);
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(error) = self.broken.take() {
            self.line = None;
            return Poll::Ready(Some(Err(error)));
        }
        if let Some((line, _)) = &mut self.line {
            line.advance(context);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => self.go_home_at_end(),
            Some(Err(_)) => self.line = None,
            None => self.go_home(),
        }
        if let Some(activity) = &self.activity {
            activity.move_on();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.broken.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        match hint.exact() {
            Some(exact) => hint.set_exact(exact + first),
            None => hint.set_lower(hint.lower() + first),
        }
        hint
    }
}
