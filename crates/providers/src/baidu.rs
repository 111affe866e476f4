//! Baidu AI Cloud (`aip.baidubce.com`): OAuth 2.0 in a dialect of its own.
//!
//! Sources: cloud.baidu.com and ai.baidu.com, "access_token" pages of NLP, speech and Qianfan. Tokens live
//! for 30 days and coexist, each independent. Errors of the token endpoint come as RFC 6749 JSON, errors of
//! the APIs as `error_code` with HTTP 200. The returned `refresh_token` is of no use and ignored.

use serde_json::Value;
use tokenward_core::event::{Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::policy::Lead;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::Span;

use crate::calls::{Complaints, PathRule, Placement};
use crate::exchange::{Answer, Request, form, join};
use crate::reading::{self, Reading};
use crate::{Defaults, Provider};

/// A Baidu AI application.
#[derive(Clone, Debug)]
pub struct Baidu {
    /// The "API Key".
    pub client_id: String,
}

const LIFE: Span = Span::hours(30 * 24);

impl Provider for Baidu {
    fn platform(&self) -> &'static str {
        "baidu"
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
            life: Span::hours(30 * 24),
            guessed: false,
        }
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        vec![("client_id", self.client_id.clone())]
    }

    fn token_request(&self, base_url: &str, secret: &Secret, _kind: FetchKind) -> Request {
        let query = form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", secret.expose()),
        ]);
        let url = format!("{}?{query}", join(base_url, "oauth/2.0/token"));
        Request::post(url, "application/json", String::new())
    }

    fn read_token(&self, answer: &Answer) -> Reading {
        if let Some(trouble) = reading::http_trouble(answer) {
            return Err(trouble);
        }
        let Some(body) = answer.json() else {
            return Err(reading::nonsense(answer, "something that is not JSON"));
        };
        if let Some(error) = body.get("error").and_then(Value::as_str) {
            let message = body.get("error_description").and_then(Value::as_str).unwrap_or_default();
            return Err((self.refusal(error, message), Outcome::Refused));
        }
        if let Some(code) = body.get("error_code").and_then(reading::loose_text) {
            let message = body.get("error_msg").and_then(Value::as_str).unwrap_or_default();
            return Err((refusal_of_api(&code, message), Outcome::Refused));
        }
        reading::grant(answer, &body, LIFE, LIFE)
    }

    /// Every API call of Baidu is charged: a report is believed instead.
    fn probe_request(&self, _base_url: &str, _token: &Secret) -> Option<Request> {
        None
    }

    fn complaint(&self, answer: &Answer) -> Option<Refusal> {
        let body = answer.json()?;
        let code =
            reading::loose_text(body.get("error_code")?).filter(|code| code == "110" || code == "111")?;
        let message = body.get("error_msg").and_then(Value::as_str).unwrap_or_default();
        Some(Refusal { code: code.into(), message: reading::clip(message) })
    }

    fn app_id(&self) -> &str {
        &self.client_id
    }

    fn placement(&self) -> Placement {
        Placement::Query("access_token")
    }

    fn path_rule(&self, path: &str) -> PathRule {
        if path.starts_with("oauth/") { PathRule::Issues } else { PathRule::Token }
    }

    fn complaints(&self) -> Complaints {
        Complaints::InBody("error_code")
    }

    fn refused_before_effect(&self, _safe: bool, _answer: &Answer) -> bool {
        true
    }

    fn read_probe(&self, _answer: &Answer) -> Verdict {
        Verdict::Unclear
    }
}

impl Baidu {
    fn refusal(&self, error: &str, message: &str) -> Failure {
        let unknown_id = message.contains("unknown client id");
        let kind = match error {
            "invalid_client" if unknown_id => FailureKind::BadAppId,
            "invalid_client" => FailureKind::BadSecret,
            "unauthorized_client" | "access_denied" => FailureKind::NotPermitted,
            "invalid_request" | "invalid_grant" | "invalid_scope" | "unsupported_grant_type" => {
                FailureKind::BadRequest
            }
            _ => FailureKind::PlatformBusy,
        };
        let next_step = match kind {
            FailureKind::BadAppId => {
                format!("Correct `client_id`: Baidu does not know the API Key {}.", self.client_id)
            }
            FailureKind::BadSecret => format!(
                "Put the current Secret Key of the application with API Key {} where the configuration points to \
                 and restart.",
                self.client_id
            ),
            other => other.next_step().to_owned(),
        };
        Failure { next_step: next_step.into(), ..reading::refused(kind, error, message) }
    }
}

/// The numbers that Baidu's APIs use, should the token endpoint answer with one.
fn refusal_of_api(code: &str, message: &str) -> Failure {
    let kind = match code {
        "4" | "17" | "19" => FailureKind::QuotaUsedUp,
        "18" => FailureKind::RateLimited,
        "6" => FailureKind::NotPermitted,
        "100" => FailureKind::BadRequest,
        _ => FailureKind::PlatformBusy,
    };
    reading::refused(kind, code, message)
}
