//! How WeChat's business calls name a token that does not work.

/// One of the three codes that WeChat's documents give for a dead token. The documents do not say which
/// code belongs to which kind of death, and field reports see all three, so
/// [`Settings`](crate::Settings) lets a test choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadTokenCode {
    /// 40001, `invalid credential, access_token is invalid or not latest, …`.
    InvalidCredential,
    /// 40014, `invalid access_token`.
    InvalidAccessToken,
    /// 42001, `access_token expired`.
    Expired,
}

impl DeadTokenCode {
    /// The number in `errcode`.
    pub fn code(self) -> i64 {
        match self {
            Self::InvalidCredential => 40001,
            Self::InvalidAccessToken => 40014,
            Self::Expired => 42001,
        }
    }
}
