//! Bytes to and from the storage. No token goes there, no redirect is followed, and there is no limit to how long a
//! transfer takes as long as something moves.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// An address that the platform named, if files may go there or come from there: over TLS to a host that is not inside
/// a network, or to this machine, where an emulator is. `own` is the platform's, which is taken at its word.
pub fn address(text: &str, own: Option<&Url>) -> Result<Url, CallError> {
    let url = Url::parse(text).map_err(|_| CallError::Address("an address that is no URL".to_owned()))?;
    let is_own = own.is_some_and(|own| own.origin() == url.origin());
    let reach = url.host_str().map_or(Reach::Inside, reach);
    let fits = match (url.scheme(), reach) {
        ("http" | "https", Reach::ThisMachine) | ("https", Reach::Outside) => true,
        ("http" | "https", _) => is_own,
        _ => false,
    };
    if fits && url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    Err(CallError::Address(url.origin().ascii_serialization()))
}

/// Where a host is, as far as its name or address tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    ThisMachine,
    Inside,
    Outside,
}

fn reach(host: &str) -> Reach {
    let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        let name = host.trim_end_matches('.');
        let local = name == "localhost" || name.ends_with(".localhost");
        return if local { Reach::ThisMachine } else { Reach::Outside };
    };
    let address = address.to_canonical();
    let inside = match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private()
                || address.is_link_local()
                || a == 0
                || a >= 224
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(address) => {
            address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || address.is_unspecified()
        }
    };
    match (address.is_loopback(), inside) {
        (true, _) => Reach::ThisMachine,
        (false, true) => Reach::Inside,
        (false, false) => Reach::Outside,
    }
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
pub struct Moved(Arc<Passed>);

#[derive(Debug, Default)]
struct Passed {
    bytes: AtomicU64,
    closed: AtomicBool,
}

impl Moved {
    fn get(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Whether all of a body was taken, with what stands after it.
    pub fn is_whole(&self, len: u64) -> bool {
        self.get() == len && self.0.closed.load(Ordering::Relaxed)
    }
}

/// A file in pieces; `told` hears how much of it has passed. A file of another length is an error before its end is sent.
pub fn pieces(
    file: impl AsyncRead + Send + Unpin + 'static,
    len: u64,
    moved: Moved,
    told: impl FnMut(u64) + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((file, moved, told), move |(mut file, moved, mut told)| async move {
        let passed = moved.get();
        let left = len.saturating_sub(passed);
        let mut piece = BytesMut::with_capacity(PIECE);
        let wrong = |kind, why: String| std::io::Error::new(kind, FileError(why));
        let read = (&mut file).take(left.max(1)).read_buf(&mut piece).await;
        let read = read.map_err(|error| wrong(error.kind(), error.to_string()))? as u64;
        if left == 0 {
            let why = format!("it has more than {len} bytes: it grew, or another length was said");
            return if read == 0 { Ok(None) } else { Err(wrong(std::io::ErrorKind::InvalidData, why)) };
        }
        if read == 0 {
            let why = format!("it ends after {passed} of {len} bytes");
            return Err(wrong(std::io::ErrorKind::UnexpectedEof, why));
        }
        let passed = passed.saturating_add(read);
        moved.0.bytes.store(passed, Ordering::Relaxed);
        told(passed);
        Ok(Some((piece.freeze(), (file, moved, told))))
    })
}

/// What stands before, the file, and what stands after.
pub fn framed(
    before: String,
    file: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    after: String,
    moved: Moved,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let last = stream::once(async move {
        moved.0.closed.store(true, Ordering::Relaxed);
        Ok(Bytes::from(after))
    });
    stream::iter([Ok(Bytes::from(before))]).chain(file).chain(last)
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

/// Whether an answer says nothing, as the storage's does when it has stored a file.
pub async fn is_silent(mut response: Response, place: &str) -> Result<bool, CallError> {
    while let Some(piece) = next_piece(&mut response, place).await? {
        if !piece.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_go_over_tls_or_stay_on_this_machine() {
        for allowed in [
            "https://files.example/a",
            "https://203.0.114.1/a",
            "http://127.0.0.1:7700/a",
            "http://localhost/a",
        ] {
            assert!(address(allowed, None).is_ok(), "{allowed}");
        }
        for refused in [
            "http://files.example/a",
            "https://10.0.0.1/a",
            "https://169.254.169.254/a",
            "https://100.64.0.1/a",
            "https://[fd00::1]/a",
            "https://[::ffff:10.0.0.1]/a",
            "http://2886729729/a",
            "https://user@files.example/a",
            "https://:password@files.example/a",
            "ftp://files.example/a",
            "nonsense",
        ] {
            assert!(address(refused, None).is_err(), "{refused}");
        }
        let own = Url::parse("http://emulator:7700/base").unwrap();
        assert!(address("http://emulator:7700/a", Some(&own)).is_ok());
        assert!(address("http://emulator:7701/a", Some(&own)).is_err());
    }
}
