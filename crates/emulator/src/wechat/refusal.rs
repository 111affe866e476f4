//! WeChat's refusals: codes, documented texts, and the `rid` behind them.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use http::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::desk::Desk;
use crate::reply::Reply;
use crate::route::Route;

/// The content type of all of WeChat's JSON.
const JSON: &str = "application/json; encoding=utf-8";

const NOT_LATEST_TEXT: &str = "invalid credential, access_token is invalid or not latest";
const HINT: &str = ", could get access_token by getStableAccessToken, more details at \
                    https://mmbizurl.cn/s/JtxxFh33r";

/// An `errcode` other than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) i64);

impl Refusal {
    pub(crate) const SYSTEM_ERROR: Self = Self(-1);
    pub(crate) const NOT_LATEST: Self = Self(40001);
    pub(crate) const INVALID_GRANT_TYPE: Self = Self(40002);
    pub(crate) const INVALID_MEDIA_ID: Self = Self(40007);
    pub(crate) const INVALID_APPID: Self = Self(40013);
    pub(crate) const INVALID_CODE: Self = Self(40029);
    pub(crate) const INVALID_REFRESH_TOKEN: Self = Self(40030);
    pub(crate) const INVALID_URL: Self = Self(40066);
    pub(crate) const INVALID_ARGUMENTS: Self = Self(40097);
    pub(crate) const INVALID_APPSECRET: Self = Self(40125);
    pub(crate) const IP_NOT_LISTED: Self = Self(40164);
    pub(crate) const SECRET_FROZEN: Self = Self(40243);
    pub(crate) const TOKEN_MISSING: Self = Self(41001);
    pub(crate) const APPID_MISSING: Self = Self(41002);
    pub(crate) const APPSECRET_MISSING: Self = Self(41004);
    pub(crate) const CODE_MISSING: Self = Self(41008);
    pub(crate) const GET_REQUIRED: Self = Self(43001);
    pub(crate) const POST_REQUIRED: Self = Self(43002);
    pub(crate) const EMPTY_BODY: Self = Self(44002);
    pub(crate) const DAILY_QUOTA: Self = Self(45009);
    pub(crate) const MINUTE_QUOTA: Self = Self(45011);
    pub(crate) const DATA_FORMAT: Self = Self(47001);
    pub(crate) const CLEARINGS_USED_UP: Self = Self(48006);

    /// The text without its rid. The texts of 40243, and of codes that are not listed here, are placeholders.
    fn text(self, desk: &Desk<'_>) -> Cow<'static, str> {
        Cow::Borrowed(match self.0 {
            -1 => "system error",
            40001 if is_user_oauth(desk) => NOT_LATEST_TEXT,
            40001 => return Cow::Owned(format!("{NOT_LATEST_TEXT}{HINT}")),
            40002 => "invalid grant_type",
            40007 => "invalid media_id",
            40013 => "invalid appid",
            40097 => "invalid args",
            40014 => "invalid access_token",
            40029 => "invalid code",
            40030 => "invalid refresh_token",
            40066 => "invalid url",
            40125 => "invalid appsecret",
            40164 => return Cow::Owned(not_in_whitelist(desk.source)),
            40243 => "appsecret is frozen, please unfreeze it first",
            41001 => "access_token missing",
            41002 => "appid missing",
            41004 => "appsecret missing",
            41008 => "missing code",
            42001 => "access_token expired",
            43001 => "require GET method",
            43002 => "require POST method",
            44002 => "empty post data",
            45009 if desk.route == Route::ClassicToken => {
                return Cow::Owned(format!("reach max api daily quota limit{HINT}"));
            }
            45009 => "api freq out of limit",
            45011 => "api minute-quota reach limit mustslower retry next minute",
            47001 => "data format error",
            48001 => "api unauthorized",
            48004 => "api forbidden for irregularities",
            48006 => "forbid to clear quota because of reaching the limit",
            50002 => "user limited",
            50004 => "user not allow to use accesstoken, maybe for punishment",
            61004 => "access clientip is not registered",
            _ => "refused by the emulator",
        })
    }

    /// The answer: HTTP 200 always, as documented.
    pub(crate) fn answer(self, desk: &mut Desk<'_>) -> Answer {
        let text = self.text(desk);
        let joined = match self {
            // Busy is the one refusal that carries no rid.
            Self::SYSTEM_ERROR => text.into_owned(),
            _ => {
                let comma = self == Self::INVALID_APPSECRET || is_user_oauth(desk);
                let joiner = if comma { "," } else { "" };
                format!("{text}{joiner} rid: {}", rid(desk))
            }
        };
        self.answer_saying(&joined)
    }

    /// The answer with exactly this text.
    pub(crate) fn answer_saying(self, errmsg: &str) -> Answer {
        Answer::refused(json_reply(&json!({ "errcode": self.0, "errmsg": errmsg })))
    }
}

/// A successful answer's JSON.
pub(crate) fn json_reply(value: &serde_json::Value) -> Reply {
    Reply::raw(StatusCode::OK, JSON, value.to_string())
}

/// `sns/*` is WeChat's user login, another system with shorter texts and a comma before the rid.
fn is_user_oauth(desk: &Desk<'_>) -> bool {
    desk.target.path.starts_with("/sns/")
}

/// The request's time in hexadecimal seconds, and two random groups.
fn rid(desk: &mut Desk<'_>) -> String {
    let seconds = desk.now.unix_seconds();
    format!("{seconds:08x}-{}-{}", desk.chance.hex8(), desk.chance.hex8())
}

/// IPv4 addresses are told twice, plain and mapped into IPv6.
fn not_in_whitelist(source: IpAddr) -> String {
    let source = source.to_canonical();
    let mapped: Ipv6Addr = match source {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    format!("invalid ip {source} ipv6 {mapped}, not in whitelist")
}
