//! The two calls that set an app's counters back to zero, ten times a month together.

use http::Method;
use serde_json::json;

use super::refusal::json_reply;
use super::{Decision, Denial, Refusal, WeChat};
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::desk::Desk;
use crate::event::Happening;
use crate::params::Params;

impl WeChat {
    /// `POST /cgi-bin/clear_quota?access_token=`: the body names the app, which must be the token's own.
    pub(super) fn clear_quota(&mut self, desk: &mut Desk<'_>, app: AppIndex) -> Result<Answer, Refusal> {
        let body = Params::body(&desk.request.body);
        if body.get("appid").and_then(|appid| desk.apps.find(appid)) != Some(app) {
            return Err(Refusal::INVALID_APPID);
        }
        self.clear_counters(app, desk)
    }

    /// `POST /cgi-bin/clear_quota/v2`: authorised by the app's secret, so that it works without a token. The
    /// documents show the parameters both in the body and in the query; both are accepted.
    pub(super) fn clear_quota_v2(&mut self, desk: &mut Desk<'_>) -> Decision {
        if desk.request.method != Method::POST {
            return Err(Denial::Request(None, Refusal::POST_REQUIRED));
        }
        let params = Params::body(&desk.request.body).then(desk.query.clone());
        let appid = params.get("appid").ok_or(Denial::Request(None, Refusal::APPID_MISSING))?;
        let app = desk.apps.find(appid).ok_or(Denial::Request(None, Refusal::INVALID_APPID))?;
        let denied = |refusal| Denial::Request(Some(app), refusal);
        let secret = params.get("appsecret").ok_or(denied(Refusal::APPSECRET_MISSING))?;
        if !desk.apps.secret_matches(app, secret) {
            return Err(denied(Refusal::INVALID_APPSECRET));
        }
        self.clear_counters(app, desk).map_err(denied)
    }

    /// Forced refreshes are not forgiven: whether their limit is one of these counters is undocumented, and
    /// the stricter reading is the safer one to test against.
    fn clear_counters(&mut self, app: AppIndex, desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
        let month = desk.now.beijing_month();
        let account = self.account(app);
        if account.cleared.in_period(month) >= desk.settings.clear_quota_limit {
            return Err(Refusal::CLEARINGS_USED_UP);
        }
        account.cleared.add(month);
        account.fetched.clear();
        account.stable_daily.clear();
        account.stable_minutely.clear();
        desk.faults.lift_quota(app);
        let app_id = desk.apps.id(app).to_owned();
        desk.ledger.happened(desk.now, Happening::QuotaCleared { app_id });
        Ok(Answer::served(json_reply(&json!({ "errcode": 0, "errmsg": "ok" }))))
    }
}
