//! The way to the platform: through a server's gateway, or straight.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;
use tokenward_cloud::{Kind, wire};

use super::{CallError, TokenSource};
use crate::client::{TOO_LONG, innermost, segment, whole};
use crate::{Client, ClientError};

/// How calls get to the platform.
#[derive(Clone)]
pub enum Way {
    /// Through a server, which puts the token in and replaces a refused one.
    Gateway {
        /// The server.
        client: Client,
        /// Whose cloud.
        credential: String,
    },
    /// Straight.
    Direct {
        /// Connections.
        http: reqwest::Client,
        /// The platform.
        base: Url,
        /// Where tokens come from.
        tokens: Arc<dyn TokenSource>,
    },
}

const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Way {
    pub fn gateway(client: Client, credential: String) -> Way {
        Way::Gateway { client, credential }
    }

    pub fn direct(platform: &str, tokens: impl TokenSource + 'static) -> Result<Way, ClientError> {
        let bad = || ClientError::BadUrl(platform.to_owned());
        let base = Url::parse(platform).map_err(|_| bad())?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(bad());
        }
        let builder = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
        let built = builder.redirect(reqwest::redirect::Policy::none()).build();
        let http = built.map_err(|error| ClientError::Unreachable {
            place: platform.to_owned(),
            reason: innermost(&error.without_url()),
        })?;
        Ok(Way::Direct { http, base, tokens: Arc::new(tokens) })
    }

    /// The platform, where its address is known.
    pub fn platform(&self) -> Option<&Url> {
        match self {
            Way::Gateway { .. } => None,
            Way::Direct { base, .. } => Some(base),
        }
    }

    /// Posts JSON, and returns the platform's answer whole. It may be a refusal.
    pub async fn post(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, CallError> {
        match self {
            Way::Gateway { client, credential } => {
                let path = format!("/v1/call/{}{path}", segment(credential));
                Ok(client.post_raw(&path, parameters, body.to_vec()).await?)
            }
            Way::Direct { http, base, tokens } => {
                let token = tokens.token().await.map_err(CallError::NoToken)?;
                let answer = exchange(http, base, path, parameters, &token, body).await?;
                if !refuses_token(&answer) {
                    return Ok(answer);
                }
                let fresh = tokens.replace(&token).await.map_err(CallError::NoToken)?;
                if fresh == token {
                    return Ok(answer);
                }
                exchange(http, base, path, parameters, &fresh, body).await
            }
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Gateway { client, credential } => {
                f.debug_struct("Gateway").field("client", client).field("credential", credential).finish()
            }
            Way::Direct { base, .. } => f.debug_struct("Direct").field("base", &base.as_str()).finish(),
        }
    }
}

fn refuses_token(answer: &[u8]) -> bool {
    let answer: Option<Value> = serde_json::from_slice(answer).ok();
    answer.as_ref().and_then(wire::refusal).is_some_and(|refusal| refusal.kind() == Kind::Token)
}

async fn exchange(
    http: &reqwest::Client,
    base: &Url,
    path: &str,
    parameters: &[(&str, &str)],
    token: &str,
    body: &[u8],
) -> Result<Vec<u8>, CallError> {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    let request = http.request(Method::POST, url).query(parameters).query(&[("access_token", token)]);
    let request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.to_vec());
    let place = || base.origin().ascii_serialization();
    let failed = |error: reqwest::Error| CallError::of_connection(place(), error);
    let broken = |reason: String| CallError::Broken { place: place(), reason };
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let answer = whole(response).await.map_err(failed)?.ok_or_else(|| broken(TOO_LONG.to_owned()))?;
    // Refusals come with 200; what comes with something else was said by something in between.
    if status.is_success() { Ok(answer) } else { Err(broken(format!("HTTP {}", status.as_u16()))) }
}
