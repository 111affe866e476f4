//! `/cgi-bin/token` and `/cgi-bin/stable_token`.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use super::refusal::json_reply;
use super::slot::Token;
use super::{Decision, Denial, Refusal, WeChat, token_text};
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::desk::Desk;
use crate::fault::FaultKind;
use crate::params::Params;
use crate::token_api::TokenApi;

/// What both interfaces ask for.
struct Claim {
    appid: Option<String>,
    secret: Option<String>,
    grant_type: Option<String>,
}

impl WeChat {
    /// Every call issues a new token. GET with a query is documented; POST with a form or a JSON body is
    /// accepted too, because clients send it.
    pub(super) fn classic_token(&mut self, desk: &mut Desk<'_>) -> Decision {
        let params = match desk.request.method {
            Method::GET => desk.query.clone(),
            Method::POST => desk.query.clone().then(Params::body(&desk.request.body)),
            _ => return Err(Denial::Request(None, Refusal::GET_REQUIRED)),
        };
        let field = |name| params.get(name).map(str::to_owned);
        let claim = Claim { appid: field("appid"), secret: field("secret"), grant_type: field("grant_type") };
        let app = admit(&claim, desk)?;
        let denied = |refusal| Denial::Request(Some(app), refusal);

        let day = desk.now.beijing_day();
        let account = self.account(app);
        let injected = desk.condition(&FaultKind::QuotaUsedUp);
        if injected || account.fetched.in_period(day) >= desk.settings.daily_quota {
            return Err(denied(Refusal::DAILY_QUOTA));
        }
        account.fetched.add(day);

        let life = desk.settings.wechat_life();
        let token = new_token(app, life, desk);
        let answer = grant(&token.value, life);
        desk.write_issued(TokenApi::Classic, app, &token.value, life, false);
        account.classic.cut(desk.now.plus(desk.settings.overlap));
        account.classic.push(token);
        if desk.settings.strict_newest_two {
            account.classic.keep_newest(2);
        } else {
            account.classic.forget_ended(desk.now);
        }
        Ok(answer)
    }

    /// The same token until near its end, or a new one by force.
    pub(super) fn stable_token(&mut self, desk: &mut Desk<'_>) -> Decision {
        let (claim, force) = stable_claim(desk).map_err(|refusal| Denial::Request(None, refusal))?;
        let app = admit(&claim, desk)?;
        let denied = |refusal| Denial::Request(Some(app), refusal);
        let injected = desk.condition(&FaultKind::QuotaUsedUp);
        if injected {
            return Err(denied(Refusal::DAILY_QUOTA));
        }
        self.count_stable_call(app, desk).map_err(denied)?;
        if force {
            return self.force_stable(app, desk).map_err(denied);
        }

        let life = desk.settings.wechat_life();
        let window = desk.settings.effective_renew_window();
        let account = self.account(app);
        if let Some(current) = account.stable.newest() {
            let remaining = current.ends.since(desk.now);
            if remaining > window && remaining.as_secs() > 0 {
                desk.write_repeated(app, &current.value);
                return Ok(grant(&current.value, remaining));
            }
        }
        let token = new_token(app, life, desk);
        let answer = grant(&token.value, life);
        desk.write_issued(TokenApi::Stable, app, &token.value, life, false);
        account.stable.push(token);
        account.stable.forget_ended(desk.now);
        Ok(answer)
    }

    fn count_stable_call(&mut self, app: AppIndex, desk: &Desk<'_>) -> Result<(), Refusal> {
        let (day, minute) = (desk.now.beijing_day(), desk.now.minute());
        let account = self.account(app);
        if account.stable_daily.in_period(day) >= desk.settings.stable_daily_quota {
            return Err(Refusal::DAILY_QUOTA);
        }
        if account.stable_minutely.in_period(minute) >= desk.settings.stable_minute_quota {
            return Err(Refusal::MINUTE_QUOTA);
        }
        account.stable_daily.add(day);
        account.stable_minutely.add(minute);
        Ok(())
    }

    fn force_stable(&mut self, app: AppIndex, desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
        let day = desk.now.beijing_day();
        let account = self.account(app);
        if account.forced.in_period(day) >= desk.settings.force_limit {
            return Err(Refusal::DAILY_QUOTA);
        }
        let too_soon =
            account.last_forced.is_some_and(|last| desk.now.since(last) < desk.settings.force_interval);
        if too_soon {
            return Err(Refusal::MINUTE_QUOTA);
        }
        account.forced.add(day);
        account.last_forced = Some(desk.now);

        if desk.settings.force_keeps_overlap {
            account.stable.cut(desk.now.plus(desk.settings.overlap));
            account.stable.forget_ended(desk.now);
        } else {
            account.stable.forget_all(desk.now);
        }
        let life = desk.settings.wechat_life();
        let token = new_token(app, life, desk);
        let answer = grant(&token.value, life);
        desk.write_issued(TokenApi::Stable, app, &token.value, life, true);
        account.stable.push(token);
        Ok(answer)
    }
}

/// Reads the JSON body of the stable interface, whatever its `Content-Type` says.
fn stable_claim(desk: &Desk<'_>) -> Result<(Claim, bool), Refusal> {
    if desk.request.method != Method::POST {
        return Err(Refusal::POST_REQUIRED);
    }
    if desk.request.body.is_empty() {
        return Err(Refusal::EMPTY_BODY);
    }
    let body: Map<String, Value> =
        serde_json::from_slice(&desk.request.body).map_err(|_| Refusal::DATA_FORMAT)?;
    let force = match body.get("force_refresh") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(force)) => *force,
        Some(_) => return Err(Refusal::DATA_FORMAT),
    };
    let field =
        |name| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let claim = Claim { appid: field("appid"), secret: field("secret"), grant_type: field("grant_type") };
    Ok((claim, force))
}

/// The checks before anything is issued, in the platform's order: the app, the address, the secret, and only
/// then the grant type.
fn admit(claim: &Claim, desk: &mut Desk<'_>) -> Result<AppIndex, Denial> {
    let Some(appid) = &claim.appid else {
        return Err(Denial::Request(None, Refusal::APPID_MISSING));
    };
    let Some(app) = desk.apps.find(appid) else {
        return Err(Denial::Request(None, Refusal::INVALID_APPID));
    };
    let denied = |refusal| Err(Denial::Request(Some(app), refusal));
    if !source_is_listed(desk) {
        return denied(Refusal::IP_NOT_LISTED);
    }
    if desk.condition(&FaultKind::Frozen) {
        return denied(Refusal::SECRET_FROZEN);
    }
    let Some(secret) = &claim.secret else {
        return denied(Refusal::APPSECRET_MISSING);
    };
    if !desk.apps.secret_matches(app, secret) {
        return denied(Refusal::INVALID_APPSECRET);
    }
    if claim.grant_type.as_deref() != Some("client_credential") {
        return denied(Refusal::INVALID_GRANT_TYPE);
    }
    Ok(app)
}

fn source_is_listed(desk: &Desk<'_>) -> bool {
    let source = desk.source.to_canonical();
    desk.settings
        .allow_list
        .as_ref()
        .is_none_or(|list| list.iter().any(|listed| listed.to_canonical() == source))
}

fn new_token(app: AppIndex, life: Duration, desk: &mut Desk<'_>) -> Token {
    let expires = desk.now.plus(life);
    Token { value: token_text(app, desk), expires, ends: expires }
}

/// Told in whole seconds, rounded down, so that nobody is told more than is true.
fn grant(token: &str, life: Duration) -> Answer {
    Answer::granted(json_reply(&json!({ "access_token": token, "expires_in": life.as_secs() })))
}
