//! OAuth 2.0 client credentials (RFC 6749 §4.4), for any authorization server.
//!
//! Only the errors of RFC 6749 §5.2 in JSON are final; malformed answers, 5xx and bodies for people pass by
//! themselves. A resource server's refusal is RFC 6750 §3: 401 with `error="invalid_token"`, or 401 alone.

use core::fmt;

use base64::Engine as _;
use serde_json::Value;
use tokenward_core::event::{Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::policy::Lead;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::Span;

use crate::calls::{Complaints, PathRule, Placement};
use crate::exchange::{Answer, Request, encode, form};
use crate::reading::{self, Reading};
use crate::{Defaults, Provider};

/// A client at an authorization server.
#[derive(Clone)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: String,
    /// The client id.
    pub client_id: String,
    /// Where the client's id and secret go.
    pub client_auth: ClientAuth,
    /// Space-separated scopes; empty for none.
    pub scope: String,
    /// The audience parameter of Auth0 and others; empty for none.
    pub audience: String,
    /// Further form parameters.
    pub extra: Vec<(String, String)>,
    /// The life of tokens whose answer has no `expires_in`.
    pub assumed_life: Span,
}

/// Extra parameters may be private, so their values are not shown.
impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra: Vec<&str> = self.extra.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OAuth2")
            .field("token_url", &self.token_url)
            .field("client_id", &self.client_id)
            .field("client_auth", &self.client_auth)
            .field("scope", &self.scope)
            .field("audience", &self.audience)
            .field("extra", &extra)
            .finish_non_exhaustive()
    }
}

/// RFC 6749 §2.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `Authorization: Basic`, id and secret form-encoded first.
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
}

/// Tokens do not come from `base_url` here, as they do elsewhere.
const WRONG_PLACE: &str =
    "Check `token_url` and any proxy in between: the answer did not come from an OAuth 2.0 token endpoint.";

impl Provider for OAuth2 {
    fn platform(&self) -> &'static str {
        "oauth2"
    }

    fn semantics(&self) -> IssueSemantics {
        IssueSemantics::Coexisting
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            lead: Lead::Share,
            overlap: Span::ZERO,
            skew: Span::ZERO,
            renew_window: Span::ZERO,
            per_day: 0,
            life: self.assumed_life,
            guessed: false,
        }
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let mut identity = vec![
            ("token_url", self.token_url.clone()),
            ("client_id", self.client_id.clone()),
            ("scope", self.scope.clone()),
            ("audience", self.audience.clone()),
        ];
        identity.extend(self.extra.iter().map(|(name, value)| ("extra", format!("{name}={value}"))));
        identity
    }

    fn token_request(&self, _base_url: &str, secret: &Secret, _kind: FetchKind) -> Request {
        let mut pairs = vec![("grant_type", "client_credentials")];
        if self.client_auth == ClientAuth::Body {
            pairs.extend([("client_id", self.client_id.as_str()), ("client_secret", secret.expose())]);
        }
        if !self.scope.is_empty() {
            pairs.push(("scope", &self.scope));
        }
        if !self.audience.is_empty() {
            pairs.push(("audience", &self.audience));
        }
        pairs.extend(self.extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let request =
            Request::post(self.token_url.clone(), "application/x-www-form-urlencoded", form(&pairs))
                .header("accept", "application/json");
        match self.client_auth {
            ClientAuth::Body => request,
            ClientAuth::Basic => {
                let pair = format!("{}:{}", encode(&self.client_id), encode(secret.expose()));
                let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
                request.header("authorization", format!("Basic {encoded}"))
            }
        }
    }

    fn read_token(&self, answer: &Answer) -> Reading {
        self.read(answer).map_err(|(failure, outcome)| match failure.kind {
            FailureKind::Nonsense => (Failure { next_step: WRONG_PLACE.into(), ..failure }, outcome),
            _ => (failure, outcome),
        })
    }

    fn probe_request(&self, _base_url: &str, _token: &Secret) -> Option<Request> {
        None
    }

    fn complaint(&self, answer: &Answer) -> Option<Refusal> {
        let challenges = challenges(answer);
        let is_named = challenges.contains("error=invalid_token");
        let refused = answer.status == 401 && (is_named || !challenges.contains("error="));
        let code = if is_named { "invalid_token" } else { "401" };
        refused.then(|| Refusal { code: code.into(), message: reading::clip(&challenges) })
    }

    /// A 401 without a word about the token is also what other paths than this token's answer.
    fn is_proof(&self, complaint: &Answer) -> bool {
        challenges(complaint).contains("error=invalid_token")
    }

    fn app_id(&self) -> &str {
        &self.client_id
    }

    fn placement(&self) -> Placement {
        Placement::Bearer
    }

    fn path_rule(&self, path: &str) -> PathRule {
        // The token endpoint may stand on the same host as the API.
        let token_path = self.token_url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let token_path = token_path.map_or("", |(_, path)| path.split('?').next().unwrap_or_default());
        if !path.is_empty() && path.eq_ignore_ascii_case(token_path) {
            PathRule::Issues
        } else {
            PathRule::Token
        }
    }

    fn complaints(&self) -> Complaints {
        Complaints::InHead
    }

    fn refused_before_effect(&self, safe: bool, answer: &Answer) -> bool {
        safe || answer.status == 401 && challenges(answer).contains("error=invalid_token")
    }

    fn read_probe(&self, _answer: &Answer) -> Verdict {
        Verdict::Unclear
    }
}

/// Several challenges may come, on one line or on several; names of parameters have no case, and blanks and
/// quotes are optional (RFC 9110 §5.3, §11.2).
fn challenges(answer: &Answer) -> String {
    let lines = answer.headers.iter().filter(|(name, _)| name == "www-authenticate");
    lines.map(|(_, line)| line.to_ascii_lowercase().replace([' ', '\t', '"'], "") + ",").collect()
}

impl OAuth2 {
    fn read(&self, answer: &Answer) -> Reading {
        if let Some(trouble) = reading::http_trouble(answer) {
            return Err(trouble);
        }
        let Some(body) = answer.json() else {
            return Err(reading::nonsense(answer, "something that is not JSON"));
        };
        if let Some(error) = body.get("error").and_then(Value::as_str) {
            let message = body.get("error_description").and_then(Value::as_str).unwrap_or_default();
            let failure = Failure { retry_after: answer.retry_after(), ..self.refusal(error, message) };
            return Err((failure, Outcome::Refused));
        }
        if matches!(answer.status, 400 | 401 | 403) {
            let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
            return Err((self.refusal(&format!("HTTP {}", answer.status), message), Outcome::Refused));
        }
        if answer.status >= 400 {
            return Err(reading::nonsense(answer, "JSON without an RFC 6749 `error`"));
        }
        reading::grant(answer, &body, self.assumed_life, Span::hours(24 * 366))
    }

    fn refusal(&self, error: &str, message: &str) -> Failure {
        let kind = match error {
            "invalid_client" => FailureKind::BadSecret,
            "unauthorized_client" | "access_denied" => FailureKind::NotPermitted,
            "invalid_request"
            | "invalid_grant"
            | "invalid_scope"
            | "invalid_target"
            | "unsupported_grant_type" => FailureKind::BadRequest,
            "slow_down" => FailureKind::RateLimited,
            "temporarily_unavailable" | "server_error" => FailureKind::PlatformBusy,
            // Not of RFC 6749: the server's own word for something that hardly passes by itself.
            _ => FailureKind::NotPermitted,
        };
        let next_step = match error {
            "invalid_client" => format!(
                "Check `client_id` ({}), the secret, and `client_auth`: some servers want \"basic\", some \"body\".",
                self.client_id
            ),
            "invalid_scope" if self.scope.is_empty() => "Add `scope`: the server wants one.".to_owned(),
            "invalid_scope" => format!("Correct `scope`: the server refuses \"{}\".", self.scope),
            "invalid_target" => format!("Correct `audience`: the server refuses \"{}\".", self.audience),
            "unsupported_grant_type" => {
                "Check `token_url`: this endpoint has no client credentials grant.".to_owned()
            }
            "unauthorized_client" => {
                format!("Allow the client {} the client credentials grant at the server.", self.client_id)
            }
            _ if kind == FailureKind::NotPermitted && error != "access_denied" => format!(
                "Check `client_id` ({}), the secret and `token_url`: the server refuses in words of its own. \
                 Tokenward asks again every hour.",
                self.client_id
            ),
            _ => kind.next_step().to_owned(),
        };
        Failure { next_step: next_step.into(), ..reading::refused(kind, error, message) }
    }
}
