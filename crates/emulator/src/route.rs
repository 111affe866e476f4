//! Which call of which platform a path names.

use crate::cloud::CloudCall;
use crate::token_api::TokenApi;

/// Everything that can be asked of the emulator. One listener plays all platforms, told apart by their paths;
/// what belongs to no other platform belongs to WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Route {
    ClassicToken,
    StableToken,
    ApiDomainIp,
    Ticket,
    CallbackIp,
    UserGet,
    ClearQuota,
    ClearQuotaV2,
    CustomSend,
    MediaGet,
    Code2Session,
    UserToken,
    UserTokenRefresh,
    UserInfo,
    UserAuth,
    Cloud(CloudCall),
    UnknownWeChat,
    BaiduToken,
    BaiduOcr,
    UnknownBaidu,
    OAuth2Token,
    OAuth2Resource,
    UnknownOAuth2,
    Control,
}

/// Whose conventions an answer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    WeChat,
    Baidu,
    OAuth2,
    Storage,
    Sdk,
    Control,
}

impl Route {
    /// The call behind a path whose repeated slashes are collapsed already.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/cgi-bin/token" => Self::ClassicToken,
            "/cgi-bin/stable_token" => Self::StableToken,
            "/cgi-bin/get_api_domain_ip" => Self::ApiDomainIp,
            "/cgi-bin/ticket/getticket" => Self::Ticket,
            "/cgi-bin/getcallbackip" => Self::CallbackIp,
            "/cgi-bin/user/get" => Self::UserGet,
            "/cgi-bin/clear_quota" => Self::ClearQuota,
            "/cgi-bin/clear_quota/v2" => Self::ClearQuotaV2,
            "/cgi-bin/message/custom/send" => Self::CustomSend,
            "/cgi-bin/media/get" => Self::MediaGet,
            "/sns/jscode2session" => Self::Code2Session,
            "/sns/oauth2/access_token" => Self::UserToken,
            "/sns/oauth2/refresh_token" => Self::UserTokenRefresh,
            "/sns/userinfo" => Self::UserInfo,
            "/sns/auth" => Self::UserAuth,
            "/oauth/2.0/token" => Self::BaiduToken,
            "/rest/2.0/ocr/v1/general_basic" => Self::BaiduOcr,
            "/oauth2/token" => Self::OAuth2Token,
            "/oauth2/resource" => Self::OAuth2Resource,
            _ if path == "/_emulator" || path.starts_with("/_emulator/") => Self::Control,
            _ if path.starts_with("/oauth2/resource/") => Self::OAuth2Resource,
            _ if path.starts_with("/oauth2/") => Self::UnknownOAuth2,
            _ if path.starts_with("/oauth/2.0/") || path.starts_with("/rest/2.0/") => Self::UnknownBaidu,
            path => CloudCall::of(path).map_or(Self::UnknownWeChat, Self::Cloud),
        }
    }

    pub(crate) fn platform(self) -> Platform {
        match self {
            Self::BaiduToken | Self::BaiduOcr | Self::UnknownBaidu => Platform::Baidu,
            Self::OAuth2Token | Self::OAuth2Resource | Self::UnknownOAuth2 => Platform::OAuth2,
            Self::Cloud(CloudCall::File) => Platform::Storage,
            Self::Cloud(CloudCall::Sdk) => Platform::Sdk,
            Self::Control => Platform::Control,
            _ => Platform::WeChat,
        }
    }

    /// The interface, when the call is one that issues tokens.
    pub(crate) fn token_api(self) -> Option<TokenApi> {
        match self {
            Self::ClassicToken => Some(TokenApi::Classic),
            Self::StableToken => Some(TokenApi::Stable),
            Self::BaiduToken => Some(TokenApi::Baidu),
            Self::OAuth2Token => Some(TokenApi::OAuth2),
            _ => None,
        }
    }

    /// The key in the statistics by path. Unknown paths share one, so that callers cannot make the
    /// statistics grow.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::ClassicToken => "/cgi-bin/token",
            Self::StableToken => "/cgi-bin/stable_token",
            Self::ApiDomainIp => "/cgi-bin/get_api_domain_ip",
            Self::Ticket => "/cgi-bin/ticket/getticket",
            Self::CallbackIp => "/cgi-bin/getcallbackip",
            Self::UserGet => "/cgi-bin/user/get",
            Self::ClearQuota => "/cgi-bin/clear_quota",
            Self::ClearQuotaV2 => "/cgi-bin/clear_quota/v2",
            Self::CustomSend => "/cgi-bin/message/custom/send",
            Self::MediaGet => "/cgi-bin/media/get",
            Self::Code2Session => "/sns/jscode2session",
            Self::UserToken => "/sns/oauth2/access_token",
            Self::UserTokenRefresh => "/sns/oauth2/refresh_token",
            Self::UserInfo => "/sns/userinfo",
            Self::UserAuth => "/sns/auth",
            Self::Cloud(call) => call.path(),
            Self::BaiduToken => "/oauth/2.0/token",
            Self::BaiduOcr => "/rest/2.0/ocr/v1/general_basic",
            Self::OAuth2Token => "/oauth2/token",
            Self::OAuth2Resource => "/oauth2/resource",
            Self::UnknownWeChat | Self::UnknownBaidu | Self::UnknownOAuth2 => "other",
            Self::Control => "/_emulator",
        }
    }
}

/// The path with each run of slashes made one, as WeChat's front end does.
pub(crate) fn collapse_slashes(path: &str) -> String {
    let mut collapsed = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !collapsed.ends_with('/') {
            collapsed.push(c);
        }
    }
    collapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_slashes_collapse() {
        assert_eq!(collapse_slashes("//cgi-bin///token"), "/cgi-bin/token");
    }

    #[test]
    fn a_longer_name_is_another_path() {
        assert_eq!(Route::of("/cgi-bin/tokens"), Route::UnknownWeChat);
    }
}
