//! Looking for a complaint about the token, without holding up anything else.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, header};
use http_body_util::BodyExt as _;
use tokenward_providers::{Answer, Complaints};

use super::origin::Relay;

/// A body up to this is read before it is passed on, if it is JSON or text. Complaints are much smaller.
const LARGEST: usize = 64 * 1024;

/// What an answer says, as far as the provider needs it to find a complaint. `None` when there is none in it.
/// What was read of the body is given back to it.
pub async fn suspicious(complaints: Complaints, response: &mut Response<Relay>) -> Option<Answer> {
    let status = response.status().as_u16();
    match complaints {
        Complaints::InHead => {
            (status == 401).then(|| Answer { status, headers: texts(response.headers()), body: Vec::new() })
        }
        Complaints::InBody(word) => {
            if !may_complain(response) {
                return None;
            }
            let body = read_small(response.body_mut()).await?;
            let found = memchr::memmem::find(&body, word.as_bytes()).is_some();
            let answer = found.then(|| Answer { status, headers: Vec::new(), body: body.to_vec() });
            response.body_mut().unread(body);
            answer
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

/// The body, if it ends before the limit. Otherwise what was read is given back, and it streams on.
async fn read_small(body: &mut Relay) -> Option<Bytes> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    loop {
        let Some(frame) = body.frame().await else { break };
        let chunk = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(chunk)) => chunk,
            // Trailers end a body; nobody waits for them here.
            Ok(Err(_)) => break,
            Err(error) => {
                body.unread_broken(joined(first, rest), error);
                return None;
            }
        };
        match &first {
            None => first = Some(chunk),
            Some(_) => rest.extend_from_slice(&chunk),
        }
        let read = first.as_ref().map_or(0, Bytes::len) + rest.len();
        if read > LARGEST {
            body.unread(joined(first, rest));
            return None;
        }
        if hyper::body::Body::is_end_stream(body) {
            break;
        }
    }
    Some(joined(first, rest))
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
