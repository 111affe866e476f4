//! A function as a local URL: the event is posted to it, the answer's body is the result.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::LARGEST_RESULT;
use crate::cloud::CloudFailure;

/// A URL on this machine.
#[derive(Clone, Debug)]
pub(super) struct LocalUrl {
    uri: Uri,
    host: String,
    port: u16,
}

impl LocalUrl {
    /// Reads `http://` and the name or an address of this machine: events leave it for nowhere else.
    pub(super) fn parse(text: &str) -> Result<LocalUrl, String> {
        let wrong = |what: &str| format!("{text:?} {what}; write for example http://127.0.0.1:3000/hello");
        let uri: Uri = text.parse().map_err(|_| wrong("is no URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("does not begin with http://"));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let is_local =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !is_local {
            return Err(wrong("is not on this machine"));
        }
        let port = uri.port_u16().unwrap_or(80);
        Ok(LocalUrl { uri, host, port })
    }

    /// Posts an event, says whose it is, and returns the body of the answer.
    pub(super) async fn post(
        &self,
        event: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Vec<u8>, CloudFailure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            CloudFailure::call_failed(&format!("{what} {}: {error}", self.uri))
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| failed("cannot connect to", &error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed("cannot talk to", &error))?;
        let exchange = async {
            let response = sender.send_request(self.request(event, headers)?).await;
            let response = response.map_err(|error| failed("no answer from", &error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_RESULT).collect().await;
            let body = body.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    return CloudFailure::result_too_large();
                }
                failed("no whole answer from", &error)
            })?;
            let body = body.to_bytes().to_vec();
            if status.is_success() {
                return Ok(body);
            }
            let beginning: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            Err(CloudFailure::execution_failed(&format!("{} answered {status}: {beginning}", self.uri)))
        };
        // The connection moves the bytes while the exchange waits for them.
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            done = &mut exchange => done,
            _ = connection => exchange.await,
        }
    }

    fn request(
        &self,
        event: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Request<Full<Bytes>>, CloudFailure> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or("localhost", |authority| authority.as_str());
        let mut request = Request::post(path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(event.to_owned()))
            .map_err(|_| CloudFailure::system_error())?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| CloudFailure::system_error())?;
            request.headers_mut().insert(*name, value);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stay_on_this_machine() {
        for text in
            ["http://example.com/", "http://10.0.0.1/", "https://localhost/", "localhost", "http:///a", ""]
        {
            assert!(LocalUrl::parse(text).is_err(), "{text}");
        }
        for text in ["http://localhost:3000", "http://127.0.0.9/a?b", "http://[::1]:80/"] {
            assert!(LocalUrl::parse(text).is_ok(), "{text}");
        }
    }
}
