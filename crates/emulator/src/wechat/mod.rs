//! WeChat: tokens, the business calls that check them, and the counters.
//!
//! Invariants: every answer is HTTP 200; an unknown, superseded or forgotten token is refused before the body
//! of a call is looked at; a refused request changes no counter of the platform. Deliberately absent: what
//! business calls really do, third-party platforms.

mod account;
mod business;
mod clear_quota;
mod login;
mod period_counter;
mod refusal;
mod slot;
mod tickets;
mod token_calls;

use std::collections::HashMap;

use http::Method;

use crate::answer::Answer;
use crate::apps::{AppIndex, Apps};
use crate::cloud::{CloudCall, Errand};
use crate::desk::Desk;
use crate::moment::{Moment, millis};
use crate::route::Route;
use account::Account;
pub(crate) use refusal::{Refusal, json_reply};
pub(crate) use tickets::Signed;

/// The state of the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct WeChat {
    accounts: HashMap<AppIndex, Account>,
}

/// Why a request is refused, and whom the statistics blame.
#[derive(Clone, Copy, Debug)]
enum Denial {
    /// The request itself.
    Request(Option<AppIndex>, Refusal),
    /// The token that it carried.
    Token(Option<AppIndex>, Refusal),
}

type Decision = Result<Answer, Denial>;

impl WeChat {
    pub(crate) fn answer(&mut self, desk: &mut Desk<'_>) -> Answer {
        let decision = match desk.route {
            Route::ClassicToken => self.classic_token(desk),
            Route::StableToken => self.stable_token(desk),
            Route::ClearQuotaV2 => self.clear_quota_v2(desk),
            Route::Code2Session
            | Route::UserToken
            | Route::UserTokenRefresh
            | Route::UserInfo
            | Route::UserAuth => login::call(desk),
            Route::UnknownWeChat => Err(Denial::Request(None, Refusal::INVALID_URL)),
            _ => self.business_call(desk),
        };
        match decision {
            Ok(answer) => answer,
            Err(Denial::Request(app, refusal)) => {
                desk.write_refused(app, refusal.0.to_string());
                refusal.answer(desk)
            }
            Err(Denial::Token(app, refusal)) => {
                desk.write_token_refused(app, refusal.0.to_string());
                refusal.answer(desk)
            }
        }
    }

    /// Calls that carry a token: the method, then the token, then the call itself.
    fn business_call(&mut self, desk: &mut Desk<'_>) -> Decision {
        let app = desk.query.get("access_token").and_then(|token| owner(token, desk.apps));
        let posts = matches!(desk.route, Route::ClearQuota | Route::CustomSend | Route::Cloud(_));
        if posts && desk.request.method != Method::POST {
            return Err(Denial::Request(app, Refusal::POST_REQUIRED));
        }
        let app = self.check_token(desk)?;
        desk.ledger.called(app);
        if desk.condition(&crate::fault::FaultKind::QuotaUsedUp) {
            return Err(Denial::Request(Some(app), Refusal::DAILY_QUOTA));
        }
        let decision = match desk.route {
            Route::ClearQuota => self.clear_quota(desk, app),
            Route::Ticket => self.ticket(desk, app),
            Route::Cloud(call) => return Ok(Answer::of_cloud(errand(desk, call, app))),
            _ => business::call(desk, app),
        };
        decision.map_err(|refusal| Denial::Request(Some(app), refusal))
    }

    fn check_token(&self, desk: &mut Desk<'_>) -> Result<AppIndex, Denial> {
        let Some(text) = desk.query.get("access_token") else {
            return Err(Denial::Token(None, Refusal::TOKEN_MISSING));
        };
        let owner = owner(text, desk.apps);
        let superseded = Refusal(desk.settings.superseded_code.code());
        let known = owner.and_then(|app| {
            let account = self.accounts.get(&app)?;
            account.classic.find(text).or_else(|| account.stable.find(text)).map(|token| (app, token))
        });
        let Some((app, token)) = known else {
            return Err(Denial::Token(owner, superseded));
        };
        if device_finds_alive(token.ends, desk) {
            return Ok(app);
        }
        let expired = Refusal(desk.settings.expired_code.code());
        Err(Denial::Token(owner, if token.was_cut_short() { superseded } else { expired }))
    }

    fn account(&mut self, app: AppIndex) -> &mut Account {
        self.accounts.entry(app).or_default()
    }

    /// Classic fetches counted today.
    pub(crate) fn quota_used(&self, app: AppIndex, now: Moment) -> u32 {
        self.accounts.get(&app).map_or(0, |account| account.fetched.in_period(now.beijing_day()))
    }

    /// Forgets the tokens of one app, or of all, and returns how many were still alive.
    pub(crate) fn forget_tokens(&mut self, app: Option<AppIndex>, now: Moment) -> usize {
        let concerned = |of: &AppIndex| app.is_none_or(|app| app == *of);
        let accounts = self.accounts.iter_mut().filter(|(of, _)| concerned(of));
        accounts.map(|(_, account)| account.forget_tokens(now)).sum()
    }
}

/// A call of the cloud API, which is carried out elsewhere.
fn errand(desk: &Desk<'_>, call: CloudCall, app: AppIndex) -> Errand {
    Errand {
        call,
        app_id: desk.apps.id(app).to_owned(),
        now: desk.now,
        query: desk.request.query.clone(),
        body: desk.request.body.clone(),
        host: desk.request.header("host").map(str::to_owned),
    }
}

/// Whether the device that happens to check finds the end not reached yet. Far from the end all devices
/// agree; near it each check is made by another device, whose clock is off by its own amount.
fn device_finds_alive(ends: Moment, desk: &mut Desk<'_>) -> bool {
    let skew = desk.settings.clock_skew;
    let distance = if desk.now < ends { ends.since(desk.now) } else { desk.now.since(ends) };
    let offset = if millis(skew) > 0 && distance <= skew { desk.chance.millis_within(skew) } else { 0 };
    desk.now.shifted(offset) < ends
}

/// The text of a new token: a counter as on the real platform, the app's index, and 130 random characters.
fn token_text(app: AppIndex, desk: &mut Desk<'_>) -> String {
    format!("90_{}-{}", app.0, desk.chance.token_text(130))
}

/// The app that a token's text names, whether or not the token exists.
pub(crate) fn owner(token: &str, apps: &Apps) -> Option<AppIndex> {
    let (index, _) = token.strip_prefix("90_")?.split_once('-')?;
    apps.at(index.parse().ok()?)
}
