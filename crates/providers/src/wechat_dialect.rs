//! What WeChat says, for a facade that must say the same: codes and documented texts. Source: the error codes of
//! `getAccessToken` and `getStableAccessToken`, and of calls without a valid token.

/// One of WeChat's refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something is wrong on the platform's side.
    SystemError,
    /// The token is not valid, or not any more.
    InvalidCredential,
    /// Something other than `client_credential`.
    InvalidGrantType,
    /// There is no such app.
    InvalidAppid,
    /// A parameter is not what it should be.
    InvalidParameter,
    /// The secret is wrong.
    InvalidAppsecret,
    /// The call has no token.
    TokenMissing,
    /// The request has no app id.
    AppidMissing,
    /// The request has no secret.
    AppsecretMissing,
    /// Another method is needed: GET.
    GetRequired,
    /// Another method is needed: POST.
    PostRequired,
    /// The body is not what it should be.
    DataFormat,
    /// The app has no right to make this call.
    Unauthorized,
}

impl Said {
    /// `errcode`
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Said::SystemError => -1,
            Said::InvalidCredential => 40_001,
            Said::InvalidGrantType => 40_002,
            Said::InvalidAppid => 40_013,
            Said::InvalidParameter => 40_035,
            Said::InvalidAppsecret => 40_125,
            Said::TokenMissing => 41_001,
            Said::AppidMissing => 41_002,
            Said::AppsecretMissing => 41_004,
            Said::GetRequired => 43_001,
            Said::PostRequired => 43_002,
            Said::DataFormat => 47_001,
            Said::Unauthorized => 48_001,
        }
    }

    /// `errmsg` up to the `rid`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Said::SystemError => "system error",
            Said::InvalidCredential => {
                "invalid credential, access_token is invalid or not latest, could get access_token by \
                 getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
            }
            Said::InvalidGrantType => "invalid grant_type",
            Said::InvalidAppid => "invalid appid",
            Said::InvalidParameter => "invalid parameter",
            Said::InvalidAppsecret => "invalid appsecret,",
            Said::TokenMissing => "access_token missing",
            Said::AppidMissing => "appid missing",
            Said::AppsecretMissing => "appsecret missing",
            Said::GetRequired => "require GET method",
            Said::PostRequired => "require POST method",
            Said::DataFormat => "data format error",
            Said::Unauthorized => "api unauthorized",
        }
    }
}
