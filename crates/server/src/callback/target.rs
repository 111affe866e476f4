//! Posting a message to a target inside.
//!
//! Straight to it: neither `[egress]`'s proxy nor one of the environment, no redirect. The request is signed as
//! the platform signs messages in the clear, so that a handler written for those takes it as it is.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokenward_core::name::Name;
use tokenward_providers::wechat_callback::Callback;
use tokenward_store::Delivery;

use crate::clock;
use crate::config::TargetConfig;

/// A target and what it takes to talk to it.
#[derive(Debug)]
pub struct Target {
    /// The callback whose messages it gets.
    pub callback: Name,
    /// How it is configured.
    pub config: TargetConfig,
}

/// What a target said.
#[derive(Debug, Default)]
pub struct Said {
    /// The text, if it said anything that is an answer to the platform.
    pub text: Option<String>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// More than an answer to the platform ever is.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How a target says that it has no answer.
const NO_ANSWER: &str = "success";

/// What all requests to targets share.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("tokenward/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl Target {
    /// Posts a message. Answers other than 2xx are failures.
    ///
    /// # Errors
    /// Says what went wrong, without the URL.
    pub async fn post(
        &self,
        http: &reqwest::Client,
        signer: &Callback,
        delivery: &Delivery,
        attempt: u32,
        text: String,
    ) -> Result<Said, String> {
        let timestamp = clock::wall().unix_seconds().to_string();
        let nonce = format!("{:016x}", clock::entropy());
        let signature = signer.sign_plain(&timestamp, &nonce);
        let signed = [("signature", &signature), ("timestamp", &timestamp), ("nonce", &nonce)];
        let timeout = Duration::from_millis(u64::try_from(self.config.timeout.0).unwrap_or(0));
        let request = http
            .post(self.config.url.clone())
            .query(&signed)
            .headers(headers(delivery, attempt))
            .timeout(timeout)
            .body(text);
        let failed = |error: reqwest::Error| {
            if error.is_timeout() && !error.is_connect() {
                return "it did not answer in time".to_owned();
            }
            innermost(&error)
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("it answered {}", status.as_u16()));
        }
        if !self.config.answers {
            return Ok(Said::default());
        }
        // The message arrived. An answer that is cut short or endless is none.
        Ok(Said { text: whole(response).await.filter(|text| !text.is_empty() && text != NO_ANSWER) })
    }
}

/// What stands at the head of a message, for each attempt.
pub fn headers(delivery: &Delivery, attempt: u32) -> HeaderMap {
    let content_type =
        if delivery.format == "json" { "application/json; charset=utf-8" } else { "text/xml; charset=utf-8" };
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    let told = [
        ("tokenward-callback", delivery.callback.as_str().to_owned()),
        ("tokenward-delivery", delivery.id.to_string()),
        ("tokenward-attempt", attempt.to_string()),
        ("tokenward-type", delivery.kind.clone()),
        ("tokenward-received", clock::rfc3339(delivery.received)),
    ];
    for (name, value) in told {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers
}

async fn whole(mut response: reqwest::Response) -> Option<String> {
    let mut read = Vec::new();
    while let Some(piece) = response.chunk().await.ok()? {
        if read.len() + piece.len() > LONGEST_ANSWER {
            return None;
        }
        read.extend_from_slice(&piece);
    }
    String::from_utf8(read).ok().map(|text| text.trim().to_owned())
}

/// reqwest's own text names the URL; the reasons below it do not.
fn innermost(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut text = "it cannot be reached".to_owned();
    let mut reason = error.source();
    while let Some(cause) = reason {
        text = cause.to_string();
        reason = cause.source();
    }
    text
}
