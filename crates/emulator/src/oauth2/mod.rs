//! An OAuth 2.0 authorization server (RFC 6749, the client credentials grant) and a resource that its tokens
//! open (RFC 6750). Tokens coexist.
//!
//! Deliberately absent: every other grant, refresh tokens (RFC 6749 says that this grant should have none),
//! introspection, discovery, signed tokens.

mod credentials;
mod error;
mod resource;
mod token;

use http::StatusCode;

use crate::answer::Answer;
use crate::apps::{AppIndex, Apps};
use crate::coexisting::CoexistingTokens;
use crate::desk::Desk;
use crate::moment::Moment;
use crate::reply::Reply;
use crate::route::Route;

pub(crate) use credentials::named_client;
pub(crate) use resource::bearer;

/// The protection space that challenges name.
const REALM: &str = "tokenward-emulator";

/// The state of the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct OAuth2 {
    tokens: CoexistingTokens<Grant>,
}

/// What was asked for together with a token.
#[derive(Clone, Debug, Default)]
struct Grant {
    scope: Option<String>,
    audience: Option<String>,
}

impl OAuth2 {
    pub(crate) fn answer(&mut self, desk: &mut Desk<'_>) -> Answer {
        match desk.route {
            Route::OAuth2Token => self.token(desk),
            Route::OAuth2Resource => self.resource(desk),
            _ => {
                desk.write_refused(None, "not found");
                Answer::refused(Reply::own_error(StatusCode::NOT_FOUND, "no such OAuth 2.0 path here"))
            }
        }
    }

    /// Forgets the tokens of one app, or of all, and returns how many were still alive.
    pub(crate) fn forget_tokens(&mut self, app: Option<AppIndex>, now: Moment) -> usize {
        self.tokens.forget(app, now)
    }
}

/// The text of a new token. Clients must treat it as opaque; only the statistics look into it.
fn token_text(app: AppIndex, desk: &mut Desk<'_>) -> String {
    format!("at-{}-{}", app.0, desk.chance.token_text(43))
}

/// The app that a token's text names, whether or not the token exists.
pub(crate) fn owner(token: &str, apps: &Apps) -> Option<AppIndex> {
    let (index, _) = token.strip_prefix("at-")?.split_once('-')?;
    apps.at(index.parse().ok()?)
}
