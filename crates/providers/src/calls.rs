//! Calls to a platform's API on a client's behalf: where the token goes, and which paths are special.

/// Where a platform wants the token of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In this parameter of the query.
    Query(&'static str),
    /// In `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer,
}

/// What a path is to a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    /// An ordinary call with the token.
    Token,
    /// A call with the token that only an operator should make: it spends what the whole app shares.
    TokenByOperator,
    /// A call with the app's id, and with its secret if there is a name for it, in the query.
    Secret {
        /// The parameter for the app's id.
        id: &'static str,
        /// The parameter for its secret.
        secret: Option<&'static str>,
    },
    /// A call whose body is the app's id and secret as JSON, and that only an operator should make.
    SecretInBody {
        /// The field for the app's id.
        id: &'static str,
        /// The field for its secret.
        secret: &'static str,
    },
    /// A call that carries somebody else's token, or none: nothing of it is touched.
    Untouched,
    /// A call with the token whose answer is a token, too: for those who may have tokens.
    TokenForToken,
    /// It issues tokens: to let a client call it would break what everybody was told.
    Issues,
}

impl PathRule {
    /// Whether the call is made with the token.
    #[must_use]
    pub fn takes_token(self) -> bool {
        matches!(self, PathRule::Token | PathRule::TokenForToken | PathRule::TokenByOperator)
    }
}

/// Where a platform says that it refused a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaints {
    /// In a small body of JSON or text that contains this.
    InBody(&'static str),
    /// In the status and the headers.
    InHead,
}

/// WeChat's paths. Sources: the API documentation of official accounts and mini programs.
#[must_use]
pub(crate) fn wechat(path: &str) -> PathRule {
    match path {
        "cgi-bin/token"
        | "cgi-bin/stable_token"
        | "cgi-bin/component/api_component_token"
        | "cgi-bin/component/api_query_auth"
        | "cgi-bin/component/api_authorizer_token" => PathRule::Issues,
        "cgi-bin/ticket/getticket" => PathRule::TokenForToken,
        "cgi-bin/clear_quota/v2" => PathRule::SecretInBody { id: "appid", secret: "appsecret" },
        "cgi-bin/clear_quota" | "cgi-bin/openapi/quota/clear" | "openapi/quota/clear" => {
            PathRule::TokenByOperator
        }
        "sns/jscode2session" | "sns/oauth2/access_token" => {
            PathRule::Secret { id: "appid", secret: Some("secret") }
        }
        "sns/oauth2/refresh_token" => PathRule::Secret { id: "appid", secret: None },
        "sns/userinfo" | "sns/auth" => PathRule::Untouched,
        _ if path.starts_with("cgi-bin/component/") || path.starts_with("sns/") => PathRule::Untouched,
        _ => PathRule::Token,
    }
}
