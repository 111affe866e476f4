//! Bytes to and from the storage. No token goes there, no redirect is followed, and there is no limit to how long a
//! transfer takes as long as something moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _};
use reqwest::{Response, Url};
use tokenward_cloud::wire::storage_refusal;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::CallError;
use crate::ClientError;
use crate::client::innermost;

/// What is read of a file at once.
const PIECE: usize = 64 * 1024;
/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of a refusal.
const LONGEST_REFUSAL: usize = 64 * 1024;

pub fn storage_client() -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.connect_timeout(CONNECT_TIMEOUT).build().map_err(|error| ClientError::Unreachable {
        place: "the storage".to_owned(),
        reason: innermost(&error.without_url()),
    })
}

/// An address that the platform named, if files may go there or come from there.
pub fn address(text: &str, plain_allowed: bool) -> Result<Url, CallError> {
    let url = Url::parse(text).map_err(|_| CallError::Address("an address that is no URL".to_owned()))?;
    let scheme_fits = url.scheme() == "https" || (plain_allowed && url.scheme() == "http");
    if scheme_fits && url.has_host() && url.username().is_empty() {
        return Ok(url);
    }
    Err(CallError::Address(url.origin().ascii_serialization()))
}

/// Where a URL leads, without what is signed in it.
pub fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The file on this side cannot be read. It is known again under all that is wrapped around it on its way out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct FileError(String);

/// What has passed of a body.
#[derive(Clone, Debug, Default)]
pub struct Moved(Arc<AtomicU64>);

impl Moved {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file in pieces; `told` hears how much of it has passed.
pub fn pieces(
    file: impl AsyncRead + Send + Unpin + 'static,
    len: u64,
    moved: Moved,
    told: impl FnMut(u64) + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((file.take(len), moved, told), move |(mut file, moved, mut told)| async move {
        let passed = moved.get();
        if passed == len {
            return Ok(None);
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        let wrong = |kind, why: String| std::io::Error::new(kind, FileError(why));
        let read = file.read_buf(&mut piece).await;
        let read = read.map_err(|error| wrong(error.kind(), error.to_string()))? as u64;
        if read == 0 {
            let why = format!("it ends after {passed} of {len} bytes");
            return Err(wrong(std::io::ErrorKind::UnexpectedEof, why));
        }
        let passed = passed.saturating_add(read);
        moved.0.store(passed, Ordering::Relaxed);
        told(passed);
        Ok(Some((piece.freeze(), (file, moved, told))))
    })
}

/// What stands before, the file, and what stands after.
pub fn framed(
    before: String,
    file: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    after: String,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let piece = |text: String| stream::iter([Ok(Bytes::from(text))]);
    piece(before).chain(file).chain(piece(after))
}

/// Sends, and waits for the head of an answer as long as something moves.
pub async fn send(
    request: reqwest::RequestBuilder,
    place: &str,
    moved: &Moved,
) -> Result<Response, CallError> {
    let mut sending = Box::pin(request.send());
    loop {
        let seen = moved.get();
        match tokio::time::timeout(PATIENCE, &mut sending).await {
            Ok(answer) => return answer.map_err(|error| failed(place, error)),
            Err(_) if moved.get() == seen => return Err(stalled(place)),
            Err(_) => {}
        }
    }
}

/// The next piece of an answer.
pub async fn next_piece(response: &mut Response, place: &str) -> Result<Option<Bytes>, CallError> {
    match tokio::time::timeout(PATIENCE, response.chunk()).await {
        Ok(piece) => piece.map_err(|error| failed(place, error)),
        Err(_) => Err(stalled(place)),
    }
}

/// What the storage says when it refuses.
pub async fn refusal(mut response: Response, place: &str) -> CallError {
    let status = response.status().as_u16();
    let mut said = Vec::new();
    while let Ok(Some(piece)) = next_piece(&mut response, place).await {
        said.extend_from_slice(&piece);
        if said.len() > LONGEST_REFUSAL {
            break;
        }
    }
    let (code, message) = storage_refusal(&String::from_utf8_lossy(&said));
    CallError::Storage { status, code, message }
}

fn stalled(place: &str) -> CallError {
    let reason = format!("nothing moved for {} s", PATIENCE.as_secs());
    CallError::Broken { place: place.to_owned(), reason }
}

/// A file on this side that fails is not the storage's fault.
fn failed(place: &str, error: reqwest::Error) -> CallError {
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(reason) = source {
        let local = reason.downcast_ref::<std::io::Error>();
        let local = local.filter(|local| local.get_ref().is_some_and(|inner| inner.is::<FileError>()));
        if let Some(local) = local {
            return CallError::Local(std::io::Error::new(local.kind(), local.to_string()));
        }
        source = reason.source();
    }
    CallError::of_connection(place.to_owned(), error)
}
