//! Looking for a complaint about the token, without holding up anything else.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http::{HeaderMap, Response, header};
use http_body_util::BodyExt as _;
use tokenward_providers::{Answer, Complaints};

use super::origin::Relay;

/// A body up to this is read before it is passed on, if it is JSON or text. Complaints are much smaller.
const LARGEST: usize = 64 * 1024;

/// How long the rest of a small body is waited for. Complaints come whole, with their heads.
const PATIENCE: Duration = Duration::from_secs(1);

/// What looking into an answer found.
pub enum Suspicion {
    /// There is nothing in it that a complaint has.
    None,
    /// It was not looked into, or not to its end.
    Unknown,
    /// What it says, as far as the provider needs it to find a complaint.
    Answer(Answer),
}

/// Looks for a complaint. What was read of the body is given back to it.
pub async fn look_into(complaints: Complaints, response: &mut Response<Relay>) -> Suspicion {
    let status = response.status().as_u16();
    match complaints {
        Complaints::InHead if status == 401 => {
            Suspicion::Answer(Answer { status, headers: texts(response.headers()), body: Vec::new() })
        }
        Complaints::InHead => Suspicion::None,
        Complaints::InBody(word) => {
            if !may_complain(response) {
                return Suspicion::Unknown;
            }
            let Some(body) = read_small(response.body_mut()).await else { return Suspicion::Unknown };
            let found = memchr::memmem::find(&body, word.as_bytes()).is_some();
            let suspicion = match found {
                true => Suspicion::Answer(Answer { status, headers: Vec::new(), body: body.to_vec() }),
                false => Suspicion::None,
            };
            response.body_mut().unread(body);
            suspicion
        }
    }
}

/// JSON or text, not compressed, not a stream of events, not larger than a complaint.
fn may_complain(response: &Response<Relay>) -> bool {
    use hyper::body::Body as _;
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // Without a type, old servers mean text.
    let text =
        kind.is_empty() || kind == "application/json" || kind.ends_with("+json") || kind.starts_with("text/");
    let large = response.body().size_hint().lower() > LARGEST as u64;
    text && kind != "text/event-stream" && !large && !headers.contains_key(header::CONTENT_ENCODING)
}

/// The body, if it ends before the limit and soon. Otherwise what was read is given back, and it streams on.
async fn read_small(body: &mut Relay) -> Option<Bytes> {
    let mut read = Read::default();
    // Most bodies have come with their heads: only who has to wait needs a clock.
    if let Some(ended) = read.all(body).now_or_never() {
        return read.finish(body, ended);
    }
    match tokio::time::timeout(PATIENCE, read.all(body)).await {
        Ok(ended) => read.finish(body, ended),
        Err(_) => {
            body.unread(joined(read.first, read.rest));
            None
        }
    }
}

/// What was read of a body. Kept outside the reading, so that nothing is lost when that is given up.
#[derive(Default)]
struct Read {
    first: Option<Bytes>,
    rest: BytesMut,
}

/// How reading ended.
enum Ended {
    Whole,
    TooLarge,
    Broken(hyper::Error),
}

impl Read {
    async fn all(&mut self, body: &mut Relay) -> Ended {
        loop {
            let Some(frame) = body.frame().await else { return Ended::Whole };
            let chunk = match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(chunk)) => chunk,
                // Trailers end a body; nobody waits for them here.
                Ok(Err(_)) => return Ended::Whole,
                Err(error) => return Ended::Broken(error),
            };
            match &self.first {
                None => self.first = Some(chunk),
                Some(_) => self.rest.extend_from_slice(&chunk),
            }
            let read = self.first.as_ref().map_or(0, Bytes::len) + self.rest.len();
            if read > LARGEST {
                return Ended::TooLarge;
            }
            if hyper::body::Body::is_end_stream(body) {
                return Ended::Whole;
            }
        }
    }

    fn finish(self, body: &mut Relay, ended: Ended) -> Option<Bytes> {
        let read = joined(self.first, self.rest);
        match ended {
            Ended::Whole => Some(read),
            Ended::TooLarge => {
                body.unread(read);
                None
            }
            Ended::Broken(error) => {
                body.unread_broken(read, error);
                None
            }
        }
    }
}

fn joined(first: Option<Bytes>, rest: BytesMut) -> Bytes {
    match first {
        None => rest.freeze(),
        Some(first) if rest.is_empty() => first,
        Some(first) => [first.as_ref(), rest.as_ref()].concat().into(),
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    texts.collect()
}
