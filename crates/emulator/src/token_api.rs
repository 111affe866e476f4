//! The four ways to obtain a token here.

use std::fmt;

/// One interface that issues tokens. Tokens of one never affect tokens of another, as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenApi {
    /// WeChat's `GET /cgi-bin/token`: each call issues, the previous token keeps an overlap.
    Classic,
    /// WeChat's `POST /cgi-bin/stable_token`: the same token until near its end.
    Stable,
    /// Baidu's `/oauth/2.0/token`: each call issues, all tokens coexist.
    Baidu,
    /// `POST /oauth2/token` of RFC 6749: each call issues, all tokens coexist.
    OAuth2,
}

impl TokenApi {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Classic, Self::Stable, Self::Baidu, Self::OAuth2];

    /// The name in statistics and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Stable => "stable",
            Self::Baidu => "baidu",
            Self::OAuth2 => "oauth2",
        }
    }
}

impl fmt::Display for TokenApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
