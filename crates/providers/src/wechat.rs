//! WeChat: official accounts, mini programs, mini games (`api.weixin.qq.com`).
//!
//! Sources: developers.weixin.qq.com, getAccessToken and getStableAccessToken, their error lists, and the
//! guides on AccessToken and IP allow-lists. Every answer, errors too, comes with HTTP 200. The same number
//! means different things: 40001 is a bad secret where a token is issued and a dead token everywhere else,
//! so the meaning is decided by the endpoint.

use std::net::IpAddr;

use serde_json::{Value, json};
use tokenward_core::event::{Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::policy::Lead;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::Span;

use crate::calls::{self, Complaints, PathRule, Placement};
use crate::exchange::{Answer, Request, encode, form, join};
use crate::reading::{self, Reading};
use crate::{Defaults, Provider};

/// A WeChat app.
#[derive(Clone, Debug)]
pub struct WeChat {
    /// `wx…`
    pub app_id: String,
    /// Which of the two token APIs is used. The platform keeps them apart; an app should use only one.
    pub token_api: TokenApi,
}

/// WeChat's two ways to get a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenApi {
    /// `POST /cgi-bin/stable_token`: the same token until shortly before its end.
    Stable,
    /// `GET /cgi-bin/token`: a new token each time, the one before dies after five minutes.
    Classic,
}

/// Documented life of a token.
const LIFE: Span = Span::hours(2);

impl TokenApi {
    /// Its word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TokenApi::Stable => "stable",
            TokenApi::Classic => "classic",
        }
    }
}

impl Provider for WeChat {
    fn platform(&self) -> &'static str {
        "wechat"
    }

    fn semantics(&self) -> IssueSemantics {
        match self.token_api {
            TokenApi::Stable => IssueSemantics::IdempotentUntilNearExpiry,
            TokenApi::Classic => IssueSemantics::RotateWithOverlap,
        }
    }

    fn defaults(&self) -> Defaults {
        let classic = Defaults {
            lead: Lead::Fixed(Span::minutes(65)),
            overlap: Span::minutes(5),
            skew: Span::minutes(2),
            renew_window: Span::minutes(5),
            per_day: 2_000,
            life: Span::hours(2),
            guessed: false,
        };
        match self.token_api {
            TokenApi::Classic => classic,
            TokenApi::Stable => Defaults { lead: Lead::Window, per_day: 500_000, ..classic },
        }
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        vec![("app_id", self.app_id.clone()), ("token_api", self.token_api.as_str().to_owned())]
    }

    fn token_request(&self, base_url: &str, secret: &Secret, kind: FetchKind) -> Request {
        match self.token_api {
            TokenApi::Classic => {
                let query = form(&[
                    ("grant_type", "client_credential"),
                    ("appid", &self.app_id),
                    ("secret", secret.expose()),
                ]);
                Request::get(format!("{}?{query}", join(base_url, "cgi-bin/token")))
            }
            TokenApi::Stable => {
                let body = json!({
                    "grant_type": "client_credential",
                    "appid": self.app_id,
                    "secret": secret.expose(),
                    "force_refresh": kind == FetchKind::Forced,
                });
                Request::post(join(base_url, "cgi-bin/stable_token"), "application/json", body.to_string())
            }
        }
    }

    fn read_token(&self, answer: &Answer) -> Reading {
        if let Some(trouble) = reading::http_trouble(answer) {
            return Err(trouble);
        }
        let Some(body) = answer.json() else {
            return Err(reading::nonsense(answer, "something that is not JSON"));
        };
        match errcode(&body) {
            None | Some(0) => reading::grant(answer, &body, LIFE, LIFE),
            Some(code) => Err((self.refusal(code, errmsg(&body)), Outcome::Refused)),
        }
    }

    fn probe_request(&self, base_url: &str, token: &Secret) -> Option<Request> {
        let url = join(base_url, "cgi-bin/get_api_domain_ip");
        Some(Request::get(format!("{url}?access_token={}", encode(token.expose()))))
    }

    fn complaint(&self, answer: &Answer) -> Option<Refusal> {
        let body = answer.json()?;
        let code = errcode(&body).filter(|code| refuses_token(*code))?;
        Some(Refusal { code: code.to_string().into(), message: reading::clip(errmsg(&body)) })
    }

    fn app_id(&self) -> &str {
        &self.app_id
    }

    fn placement(&self) -> Placement {
        Placement::Query("access_token")
    }

    fn path_rule(&self, path: &str) -> PathRule {
        calls::wechat(path)
    }

    fn complaints(&self) -> Complaints {
        Complaints::InBody("errcode")
    }

    fn refused_before_effect(&self, _safe: bool, _answer: &Answer) -> bool {
        true
    }

    fn read_probe(&self, answer: &Answer) -> Verdict {
        let Some(body) = answer.json().filter(|_| (200..300).contains(&answer.status)) else {
            return Verdict::Unclear;
        };
        match errcode(&body) {
            Some(code) if refuses_token(code) => Verdict::Dead,
            Some(0) => Verdict::Alive,
            None if body.get("ip_list").is_some_and(Value::is_array) => Verdict::Alive,
            _ => Verdict::Unclear,
        }
    }
}

/// Whether a call with this code was refused because of its token.
pub(crate) fn refuses_token(code: i64) -> bool {
    matches!(code, 40_001 | 40_014 | 42_001)
}

pub(crate) fn errcode(body: &Value) -> Option<i64> {
    reading::loose_text(body.get("errcode")?)?.parse().ok()
}

pub(crate) fn errmsg(body: &Value) -> &str {
    body.get("errmsg").and_then(Value::as_str).unwrap_or_default()
}

impl WeChat {
    /// What a refusal to issue a token means.
    pub(crate) fn refusal(&self, code: i64, message: &str) -> Failure {
        let kind = match code {
            -1 => FailureKind::PlatformBusy,
            40_001 | 40_125 | 41_004 => FailureKind::BadSecret,
            40_013 | 41_002 => FailureKind::BadAppId,
            40_002 | 40_066 | 43_002 => FailureKind::BadRequest,
            40_164 | 61_004 | 45_035 => FailureKind::IpNotAllowed,
            40_243 => FailureKind::SecretFrozen,
            45_009 => FailureKind::QuotaUsedUp,
            45_011 => FailureKind::RateLimited,
            48_001 | 48_004 | 61_024 => FailureKind::NotPermitted,
            50_002 | 50_007 => FailureKind::AccountFrozen,
            50_004 => FailureKind::AccountPunished,
            89_501 | 89_503 => FailureKind::AdminMustConfirm,
            89_506 => FailureKind::AdminRefusedDay,
            89_507 => FailureKind::AdminRefusedHour,
            _ => FailureKind::PlatformBusy,
        };
        let failure = reading::refused(kind, &code.to_string(), message);
        match self.next_step(code, message) {
            Some(next_step) => Failure { next_step: next_step.into(), ..failure },
            None => failure,
        }
    }

    /// What is known better than the failure's kind knows it.
    fn next_step(&self, code: i64, message: &str) -> Option<String> {
        let app_id = &self.app_id;
        Some(match code {
            40_164 | 61_004 | 45_035 => match refused_ip(message) {
                Some(ip) => format!(
                    "Add {ip} to the IP allow-list of {app_id} (WeChat console: settings and development > basic \
                     configuration), then run `tokenward refresh NAME`."
                ),
                None => format!(
                    "Add the address this machine calls from to the IP allow-list of {app_id}, then run \
                     `tokenward refresh NAME`."
                ),
            },
            40_001 | 40_125 => format!(
                "Put the current AppSecret of {app_id} where the configuration points to and restart: the one in \
                 use is wrong, was reset, or belongs to another account."
            ),
            41_004 => {
                "The configured secret is empty: put the AppSecret where the configuration points to.".into()
            }
            40_013 => format!("Correct `app_id`: WeChat does not know {app_id}."),
            40_066 => "Correct `base_url`: WeChat has no token API at this address.".into(),
            61_024 => {
                "This account is run by a third-party platform: its tokens come from the component API."
                    .into()
            }
            45_009 if self.token_api == TokenApi::Classic => format!(
                "The 2,000 fetches a day of {app_id} are used up. Wait until midnight (UTC+8), reset the quota in \
                 the WeChat console, or set `token_api = \"stable\"`."
            ),
            code if kind_is_guessed(code) => format!(
                "WeChat answered with a code this version does not know ({code}); look it up in the error list of \
                 the token API. Tokenward tries again by itself."
            ),
            _ => return None,
        })
    }
}

/// Codes that no documentation of the token APIs lists.
fn kind_is_guessed(code: i64) -> bool {
    !matches!(
        code,
        -1 | 40_001
            | 40_002
            | 40_066
            | 40_013
            | 40_125
            | 40_164
            | 40_243
            | 41_002
            | 41_004
            | 43_002
            | 45_009
            | 45_011
            | 45_035
            | 48_001
            | 48_004
            | 50_002
            | 50_004
            | 50_007
            | 61_004
            | 61_024
            | 89_501
            | 89_503
            | 89_506
            | 89_507
    )
}

/// The address in `invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: …`, in the older form
/// `invalid ip 1.2.3.4, not in whitelist hint:[…]`, and in `access clientip is not registered hint: […]
/// requestIP: 1.2.3.4`.
fn refused_ip(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("invalid ip ").or_else(|| message.split_once("requestIP: "))?;
    let ip = rest.split([' ', ',']).next()?;
    ip.parse::<IpAddr>().is_ok().then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refused_address_is_found_in_both_forms_of_the_message() {
        let new =
            "invalid ip 211.144.216.129 ipv6 ::ffff:211.144.216.129, not in whitelist rid: 66a9a1e9-44041632";
        assert_eq!(refused_ip(new), Some("211.144.216.129"));
        assert_eq!(
            refused_ip("invalid ip 117.136.86.87, not in whitelist hint:[UIluoA]"),
            Some("117.136.86.87")
        );
        assert_eq!(refused_ip("invalid ip <script>, not in whitelist"), None);
    }
}
