//! Asking a platform: one exchange over HTTP, and what its failure means.
//!
//! Invariants: every request leaves through `[egress]`; a redirect is never followed; a connection is used
//! for one fetch only, so that a stale one is never mistaken for a lost answer; no URL reaches a message.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tokenward_core::event::{Event, Grant, Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::secret::Secret;
use tokenward_core::semantics::FetchKind;
use tokenward_providers::{Answer, Method, Request};

use crate::config::{ConfigError, EgressConfig};
use crate::material::Material;
use crate::reach::{Reach, Resolver};

/// The way to the platforms.
#[derive(Clone, Debug)]
pub struct Egress {
    http: reqwest::Client,
}

/// Why no answer was read.
enum Trouble {
    /// Nothing was sent.
    NotSent(Failure),
    /// The request may have arrived.
    Unknown(Failure),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than the core waits: a late answer is still welcome.
const TIMEOUT: Duration = Duration::from_secs(60);
/// All that a probe may take, and what one base URL may take of it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(8);
const PROBE_PATIENCE: Duration = Duration::from_secs(4);
const LONGEST_ANSWER: usize = 1024 * 1024;

impl Egress {
    /// Prepares the way out.
    ///
    /// # Errors
    /// The certificate file cannot be used.
    pub fn new(config: &EgressConfig) -> Result<Egress, ConfigError> {
        Ok(Egress { http: way_out(config)? })
    }

    /// Asks for a token: with `source`, the token of another credential, or else with the secret. With several
    /// secrets, the next is tried once when one is refused.
    ///
    /// After `patience` the attempt counts as lost, so nothing more is sent shortly before.
    pub async fn fetch(
        &self,
        material: Arc<Material>,
        attempt: u64,
        kind: FetchKind,
        source: Option<Secret>,
        patience: Duration,
    ) -> Event {
        let give_up = tokio::time::Instant::now() + patience * 3 / 4;
        let secrets = source.map_or_else(|| material.secrets(), |token| Arc::new(vec![token]));
        let mut refused: Option<(Failure, Outcome)> = None;
        for (index, secret) in secrets.iter().enumerate() {
            match self.fetch_with(&material, secret, kind, give_up).await {
                Ok(grant) => {
                    material.prefer(index);
                    return Event::Granted { attempt, grant };
                }
                Err((failure, outcome)) => {
                    let next = failure.kind == FailureKind::BadSecret;
                    refused = Some((scrub(failure, &material, secret), outcome));
                    if !next || tokio::time::Instant::now() >= give_up {
                        break;
                    }
                }
            }
        }
        let (failure, outcome) = refused.unwrap_or_else(|| {
            let failure = Failure::new(FailureKind::SecretUnavailable, "there is no secret to ask with");
            (failure, Outcome::NotSent)
        });
        Event::Failed { attempt, failure, outcome }
    }

    /// Tries one base URL after the other, as long as nothing was sent; first the one that answered last.
    async fn fetch_with(
        &self,
        material: &Material,
        secret: &Secret,
        kind: FetchKind,
        give_up: tokio::time::Instant,
    ) -> Result<Grant, (Failure, Outcome)> {
        let mut last = None;
        for (index, base_url) in material.places() {
            if last.is_some() && tokio::time::Instant::now() >= give_up {
                break;
            }
            let request = material.provider.token_request(base_url, secret, kind);
            match self.exchange(request, TIMEOUT).await {
                Ok(answer) => {
                    material.prefer_place(index);
                    return material.provider.read_token(&material.scrub_answer(answer, secret));
                }
                Err(Trouble::Unknown(failure)) => return Err((failure, Outcome::Unknown)),
                Err(Trouble::NotSent(failure)) => last = Some(failure),
            }
        }
        let failure = last.unwrap_or_else(|| Failure::new(FailureKind::Unreachable, "there is no base URL"));
        Err((failure, Outcome::NotSent))
    }

    /// Makes the platform's cheapest call with a token. It harms nobody, so the next base URL is asked
    /// whatever went wrong with the one before.
    pub async fn probe(&self, material: Arc<Material>, probe: u64, token: Secret) -> Event {
        let verdict = tokio::time::timeout(PROBE_TIMEOUT, self.ask_about(&material, &token)).await;
        Event::Probed { probe, verdict: verdict.unwrap_or(Verdict::Unclear) }
    }

    async fn ask_about(&self, material: &Material, token: &Secret) -> Verdict {
        for (index, base_url) in material.places() {
            let Some(request) = material.provider.probe_request(base_url, token) else { break };
            if let Ok(answer) = self.exchange(request, PROBE_PATIENCE).await {
                let verdict = material.provider.read_probe(&answer);
                if verdict != Verdict::Unclear {
                    material.prefer_place(index);
                    return verdict;
                }
            }
        }
        Verdict::Unclear
    }

    async fn exchange(&self, request: Request, timeout: Duration) -> Result<Answer, Trouble> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut builder = self.http.request(method, request.url.expose()).timeout(timeout);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.expose());
        }
        if request.method == Method::Post {
            builder = builder.body(request.body.expose().to_owned());
        }
        let response = builder.send().await.map_err(sort)?;
        read(response).await
    }
}

/// A client that goes the way that `[egress]` says, and follows no redirect.
///
/// # Errors
/// The certificate file cannot be used.
pub(crate) fn way_out(config: &EgressConfig) -> Result<reqwest::Client, ConfigError> {
    let proxy_host = config.proxy.as_deref().and_then(|proxy| reqwest::Url::parse(proxy).ok());
    let proxy_host = proxy_host.and_then(|proxy| Some(proxy.host_str()?.to_owned()));
    let reach = Reach { allow_private: config.allow_private };
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(Resolver::new(reach, proxy_host))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("tokenward/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &config.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|error| unusable(&error))?);
    }
    if let Some(file) = &config.ca_file {
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read egress.ca_file {}: {error}.", file.display());
            ConfigError::outside(message, "Name a file with certificates in PEM form.")
        };
        let pem = std::fs::read(file).map_err(unreadable)?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.local_address(config.bind).build().map_err(|error| unusable(&error))
}

async fn read(mut response: reqwest::Response) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let headers = headers.collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(sort)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            let detail = "the platform answered with more than 1 MiB";
            return Err(Trouble::Unknown(Failure::new(FailureKind::Nonsense, detail)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// What an error of the HTTP client means. Its URL is taken out first: it may carry the secret.
fn sort(error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let reasons = reasons(&error);
    if error.is_connect() || error.is_builder() {
        let tls =
            ["certificate", "tls", "handshake"].iter().any(|word| reasons.to_lowercase().contains(word));
        let kind = if tls { FailureKind::TlsFailed } else { FailureKind::Unreachable };
        return Trouble::NotSent(Failure::new(kind, format!("cannot connect to the platform: {reasons}")));
    }
    if error.is_timeout() {
        return Trouble::Unknown(Failure::new(FailureKind::TimedOut, "the platform did not answer in time"));
    }
    let detail = format!("the connection to the platform broke: {reasons}");
    Trouble::Unknown(Failure::new(FailureKind::ConnectionLost, detail))
}

/// The innermost reasons, which are the telling ones.
pub(crate) fn reasons(error: &reqwest::Error) -> String {
    let mut reasons = Vec::new();
    let mut next = error.source();
    while let Some(reason) = next {
        reasons.push(reason.to_string());
        next = reason.source();
    }
    match reasons.as_slice() {
        [] => error.to_string(),
        [only] => only.clone(),
        [.., last_but_one, last] if last_but_one.contains(last.as_str()) => last_but_one.clone(),
        [.., last_but_one, last] => format!("{last_but_one}: {last}"),
    }
}

/// A failure as it came from outside, without any secret in it, and without the one that was asked with.
fn scrub(failure: Failure, material: &Material, asked_with: &Secret) -> Failure {
    let scrub = |text: &str| material.scrub_also(text, asked_with).into();
    let refusal = failure
        .refusal
        .map(|refusal| Refusal { code: scrub(&refusal.code), message: scrub(&refusal.message) });
    Failure { refusal, detail: scrub(&failure.detail), ..failure }
}

fn unusable(error: &reqwest::Error) -> ConfigError {
    ConfigError::outside(
        format!("[egress] cannot be used: {error}."),
        "Correct [egress] in the configuration.",
    )
}
