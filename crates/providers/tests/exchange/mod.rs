//! A golden exchange as it stands in a file under `fixtures/`, and what it is compared with.
//!
//! The names of the fields below are the names in the files; a misspelt one is an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tokenward_core::event::{Outcome, Verdict};
use tokenward_core::failure::FailureKind;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::Span;
use tokenward_providers::{
    Answer, Baidu, ClientAuth, OAuth2, Provider, Reading, Request, TicketKind, TokenApi, WeChat, WeChatTicket,
};

use crate::everyone::{Anyone, everyone};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// One sentence: what a reader learns from it.
    pub shows: String,
    /// The vendor's page or the section of the RFC; "assumption: …" where neither says it.
    pub source: String,
    credential: Credential,
    /// What is asked for, where the request is part of the exchange.
    ask: Option<Ask>,
    /// The request that must come of it.
    request: Option<Wire>,
    /// What comes back …
    pub answer: Option<Given>,
    /// … and what it means.
    pub means: Option<Meaning>,
}

#[derive(Deserialize)]
#[serde(tag = "platform", rename_all = "lowercase", deny_unknown_fields)]
enum Credential {
    /// All of them: the answer means the same to each.
    Every,
    WeChat {
        app_id: String,
        token_api: String,
    },
    #[serde(rename = "wechat-ticket")]
    Ticket {
        app_id: String,
        kind: String,
    },
    Baidu {
        client_id: String,
    },
    OAuth2 {
        token_url: String,
        client_id: String,
        client_auth: String,
        #[serde(default)]
        scope: String,
        #[serde(default)]
        audience: String,
        #[serde(default)]
        extra: BTreeMap<String, String>,
        assumed_life_seconds: i64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Ask {
    /// The ordinary request for a token.
    Token { base_url: String, secret: String },
    /// The one that makes the platform give up the live token.
    ForcedToken { base_url: String, secret: String },
    /// The cheapest call with a token.
    Probe { base_url: String, token: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    body: String,
    /// Instead of `body`, where the order of its members is nobody's business.
    body_json: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    pub status: u16,
    /// `name: value`, in order; a name may come twice.
    #[serde(default)]
    headers: Vec<String>,
    pub body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Meaning {
    /// The answer to a request for a token: here it is.
    Granted { token: String, life_seconds: i64 },
    /// The answer to a request for a token: none.
    Failed(Expected),
    /// The answer to a call: does it refuse the call's token?
    Complaint(bool),
    /// The answer to a probe: `alive`, `dead` or `unclear`.
    Probe(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// [`FailureKind::code`]
    pub code: String,
    /// `refused` or `unknown`
    outcome: String,
    /// What must be found in what happened, where it matters.
    #[serde(default)]
    detail: String,
    /// What a person must find in the next step.
    next_step: String,
    /// The platform's own code, where it refused in words of its own.
    platform_code: Option<String>,
    retry_after_seconds: Option<i64>,
}

impl Exchange {
    /// Everything in which the code disagrees with the file, in sentences; empty if nothing.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (said, text) in [("shows", &self.shows), ("source", &self.source)] {
            found.extend(text.trim().is_empty().then(|| format!("`{said}` is empty")));
        }
        found.extend(
            (self.ask.is_some() != self.request.is_some()).then(|| "`ask` and `request` go together".into()),
        );
        found.extend(
            (self.answer.is_some() != self.means.is_some())
                .then(|| "`answer` and `means` go together".into()),
        );
        found.extend(
            (self.ask.is_none() && self.answer.is_none()).then(|| "it neither asks nor answers".into()),
        );
        for (who, provider) in self.credential.providers() {
            let of_one = self.differences_for(&*provider).into_iter();
            found.extend(of_one.map(|difference| format!("{who}: {difference}")));
        }
        found
    }

    fn differences_for(&self, provider: &dyn Provider) -> Vec<String> {
        let mut found = Vec::new();
        if let (Some(ask), Some(wire)) = (&self.ask, &self.request) {
            match ask.request(provider) {
                Some(request) => found.extend(wire.differences(&request)),
                None => found.push("it has no such request".into()),
            }
        }
        if let (Some(given), Some(means)) = (&self.answer, &self.means) {
            found.extend(means.differences(provider, &given.answer()));
        }
        found
    }

    /// The platform it is about, as the files spell it.
    pub fn platform(&self) -> &'static str {
        match self.credential {
            Credential::Every => "every",
            Credential::WeChat { .. } => "wechat",
            Credential::Ticket { .. } => WeChatTicket::PLATFORM,
            Credential::Baidu { .. } => "baidu",
            Credential::OAuth2 { .. } => "oauth2",
        }
    }

    /// Whether it shows the answer to a request for a token, as opposed to a call or a probe.
    pub fn is_about_issuing(&self) -> bool {
        matches!(self.means, Some(Meaning::Granted { .. } | Meaning::Failed(_)))
    }

    /// What the answer to a call must be taken for, if it is one.
    pub fn complaint(&self) -> Option<bool> {
        match self.means {
            Some(Meaning::Complaint(complaint)) => Some(complaint),
            _ => None,
        }
    }
}

impl Credential {
    fn providers(&self) -> Vec<(&'static str, Anyone)> {
        match self {
            Credential::Every => everyone(),
            Credential::WeChat { app_id, token_api } => {
                let token_api = match token_api.as_str() {
                    "classic" => TokenApi::Classic,
                    "stable" => TokenApi::Stable,
                    other => panic!("`token_api` is {other:?}"),
                };
                vec![("wechat", Box::new(WeChat { app_id: app_id.clone(), token_api }))]
            }
            Credential::Ticket { app_id, kind } => {
                let app = WeChat { app_id: app_id.clone(), token_api: TokenApi::Stable };
                let kind = TicketKind::parse(kind).unwrap_or_else(|| panic!("`kind` is {kind:?}"));
                vec![("wechat-ticket", Box::new(WeChatTicket { app, kind }))]
            }
            Credential::Baidu { client_id } => {
                vec![("baidu", Box::new(Baidu { client_id: client_id.clone() }))]
            }
            Credential::OAuth2 {
                token_url,
                client_id,
                client_auth,
                scope,
                audience,
                extra,
                assumed_life_seconds,
            } => {
                let client_auth = match client_auth.as_str() {
                    "basic" => ClientAuth::Basic,
                    "body" => ClientAuth::Body,
                    other => panic!("`client_auth` is {other:?}"),
                };
                let provider = OAuth2 {
                    token_url: token_url.clone(),
                    client_id: client_id.clone(),
                    client_auth,
                    scope: scope.clone(),
                    audience: audience.clone(),
                    extra: extra.clone().into_iter().collect(),
                    assumed_life: Span::seconds(*assumed_life_seconds),
                };
                vec![("oauth2", Box::new(provider))]
            }
        }
    }
}

impl Ask {
    fn request(&self, provider: &dyn Provider) -> Option<Request> {
        let token = |base_url: &str, secret: &str, kind| {
            Some(provider.token_request(base_url, &Secret::new(secret), kind))
        };
        match self {
            Ask::Token { base_url, secret } => token(base_url, secret, FetchKind::Plain),
            Ask::ForcedToken { base_url, secret } => token(base_url, secret, FetchKind::Forced),
            Ask::Probe { base_url, token } => provider.probe_request(base_url, &Secret::new(token.as_str())),
        }
    }
}

impl Wire {
    fn differences(&self, request: &Request) -> Vec<String> {
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect();
        let mut found = Vec::new();
        found.extend(differ("method", self.method.as_str(), request.method.as_str()));
        found.extend(differ("url", self.url.as_str(), request.url.expose()));
        found.extend(differ("headers", self.headers.join(" | "), headers.join(" | ")));
        match &self.body_json {
            None => found.extend(differ("body", self.body.as_str(), request.body.expose())),
            Some(json) => match serde_json::from_str::<Value>(request.body.expose()) {
                Ok(body) => found.extend(differ("body", json.to_string(), body.to_string())),
                Err(_) => found.push(format!("the body is not JSON: {}", request.body.expose())),
            },
        }
        found
    }
}

impl Given {
    pub fn answer(&self) -> Answer {
        let headers = self.headers.iter().map(|line| {
            let (name, value) =
                line.split_once(": ").unwrap_or_else(|| panic!("header {line:?} has no colon"));
            (name.to_owned(), value.to_owned())
        });
        Answer { status: self.status, headers: headers.collect(), body: self.body.clone().into_bytes() }
    }

    /// The body as JSON, for questions about what is covered.
    pub fn json(&self) -> Value {
        self.answer().json().unwrap_or_default()
    }
}

impl Meaning {
    fn differences(&self, provider: &dyn Provider, answer: &Answer) -> Vec<String> {
        match self {
            Meaning::Granted { token, life_seconds } => match provider.read_token(answer) {
                Ok(grant) => [
                    differ("token", token.as_str(), grant.token.expose()),
                    differ("life in seconds", life_seconds, &grant.life.whole_seconds()),
                ]
                .into_iter()
                .flatten()
                .collect(),
                Err((failure, _)) => {
                    vec![format!("expected a token, got {}: {}", failure.kind.code(), failure.detail)]
                }
            },
            Meaning::Failed(expected) => expected.differences(&provider.read_token(answer)),
            Meaning::Complaint(complaint) => {
                differ("complaint", complaint, &provider.complaint(answer).is_some()).into_iter().collect()
            }
            Meaning::Probe(verdict) => {
                let read = match provider.read_probe(answer) {
                    Verdict::Alive => "alive",
                    Verdict::Dead => "dead",
                    Verdict::Unclear => "unclear",
                };
                differ("probe", verdict.as_str(), read).into_iter().collect()
            }
        }
    }
}

impl Expected {
    fn differences(&self, reading: &Reading) -> Vec<String> {
        let (failure, outcome) = match reading {
            Ok(grant) => {
                return vec![format!("expected {}, got a token: {}", self.code, grant.token.expose())];
            }
            Err(failed) => failed,
        };
        let outcome = match outcome {
            Outcome::NotSent => "not sent",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        };
        let platform_code = failure.refusal.as_ref().map(|refusal| refusal.code.to_string());
        let retry_after = failure.retry_after.map(Span::whole_seconds);
        let mut found = Vec::new();
        found.extend(
            FailureKind::from_code(&self.code)
                .is_none()
                .then(|| format!("no failure is called {}", self.code)),
        );
        found.extend(differ("code", self.code.as_str(), failure.kind.code()));
        found.extend(differ("outcome", self.outcome.as_str(), outcome));
        found.extend(differ("the platform's code", &self.platform_code, &platform_code));
        found.extend(differ("retry after", self.retry_after_seconds, retry_after));
        if !failure.detail.contains(&self.detail) {
            found.push(format!("detail: expected {:?} in {:?}", self.detail, failure.detail));
        }
        if self.next_step.is_empty() || !failure.next_step.contains(&self.next_step) {
            found.push(format!("next step: expected {:?} in {:?}", self.next_step, failure.next_step));
        }
        found
    }
}

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, got: T) -> Option<String> {
    (expected != got).then(|| format!("{what}:\n        expected {expected:?}\n        got      {got:?}"))
}
