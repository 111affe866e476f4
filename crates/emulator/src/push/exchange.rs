//! One request to an address on this machine.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpStream;

/// An address on this machine.
pub(super) struct Address {
    uri: Uri,
    host: String,
    port: u16,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

const LARGEST_ANSWER: usize = 1024 * 1024;

impl Address {
    pub(super) fn parse(text: &str) -> Result<Address, String> {
        let wrong =
            |what: &str| format!("\"url\" {what}; write for example http://127.0.0.1:7602/callback/shop");
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
        Ok(Address { uri, host, port })
    }

    pub(super) async fn get(&self, query: &[(&str, &str)]) -> Result<Answer, String> {
        self.exchange(Request::get(self.target(query)), String::new()).await
    }

    pub(super) async fn post(
        &self,
        query: &[(&str, &str)],
        content_type: &str,
        body: String,
    ) -> Result<Answer, String> {
        self.exchange(Request::post(self.target(query)).header(CONTENT_TYPE, content_type), body).await
    }

    /// Path and query, with what the platform adds behind what is there.
    fn target(&self, query: &[(&str, &str)]) -> String {
        let given = self.uri.query().map(str::to_owned);
        let added = query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        let all: Vec<String> = given.into_iter().chain(added).collect();
        format!("{}?{}", self.uri.path(), all.join("&"))
    }

    async fn exchange(&self, request: http::request::Builder, body: String) -> Result<Answer, String> {
        let authority = self.uri.authority().map_or("localhost", |authority| authority.as_str());
        let request = request.header(HOST, authority).header(USER_AGENT, "Mozilla/4.0");
        let request = request.body(Full::<Bytes>::from(body)).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let exchange = async {
            let response =
                sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| format!("no whole answer: {error}"))?.to_bytes();
            Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
        };
        // The connection moves the bytes while the exchange waits for them.
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            done = &mut exchange => done,
            _ = connection => exchange.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_this_machine() {
        for text in ["http://example.com/", "http://10.0.0.1/", "https://localhost/", "localhost", ""] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse("http://[::1]:80/callback/shop").is_ok());
    }
}
