//! How to say it to each platform.
//!
//! Pure: a provider turns inputs into a request and an answer into a meaning. It never connects, waits or
//! remembers; whether and when to ask is decided in the core. One platform a file, golden exchanges beside
//! it under `fixtures/`. What is deliberately absent: HTTP clients, retries, clocks.

mod baidu;
mod calls;
mod exchange;
mod oauth2;
mod reading;
mod wechat;
pub mod wechat_callback;
mod wechat_dialect;
pub mod wechat_signature;
mod wechat_ticket;

use core::fmt;

use tokenward_core::event::Verdict;
use tokenward_core::failure::Refusal;
use tokenward_core::policy::Lead;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::Span;

pub use baidu::Baidu;
pub use calls::{Complaints, PathRule, Placement};
pub use exchange::{Answer, Method, Request, encode};
pub use oauth2::{ClientAuth, OAuth2};
pub use reading::Reading;
pub use wechat::{TokenApi, WeChat};
pub use wechat_dialect::Said;
pub use wechat_ticket::{TicketKind, WeChatTicket};

/// One credential's way of talking to its platform.
pub trait Provider: fmt::Debug + Send + Sync {
    /// The platform's word in configuration, API and logs.
    fn platform(&self) -> &'static str;

    /// What a fetch does to the token before it.
    fn semantics(&self) -> IssueSemantics;

    /// The rules that fit the platform unless the configuration says otherwise.
    fn defaults(&self) -> Defaults;

    /// What a token belongs to, beside the base URL: names and values, never the secret. A stored token is
    /// served only while none of this has changed.
    fn identity(&self) -> Vec<(&'static str, String)>;

    /// The request for a token. The secret is the app's; for a credential that is derived from another, it is the
    /// token of that one.
    fn token_request(&self, base_url: &str, secret: &Secret, kind: FetchKind) -> Request;

    /// What the answer to it means.
    ///
    /// # Errors
    /// There is no token in it; says why and whether one may have been issued all the same.
    fn read_token(&self, answer: &Answer) -> Reading;

    /// The platform's cheapest call that tells whether a token is alive, if it has one.
    fn probe_request(&self, base_url: &str, token: &Secret) -> Option<Request>;

    /// The platform's words, if this answer to a call says that the call's token was refused.
    fn complaint(&self, answer: &Answer) -> Option<Refusal>;

    /// Whether such a complaint proves that the token is dead, so that nobody is given it any more. Where a refusal can
    /// have another reason, it is a claim like anybody's.
    fn is_proof(&self, _complaint: &Answer) -> bool {
        true
    }

    /// The app's id at the platform.
    fn app_id(&self) -> &str;

    /// Whether calls are made with its token.
    fn takes_calls(&self) -> bool {
        true
    }

    /// Where the token of a call goes.
    fn placement(&self) -> Placement;

    /// What a path is, given decoded, in lower case and without its leading slash.
    fn path_rule(&self, path: &str) -> PathRule;

    /// Where to look for a complaint about the token.
    fn complaints(&self) -> Complaints;

    /// Whether the platform checks the token before a call has any effect, so that a call with this complaint
    /// may be made again. `safe` when the method is one that has no effect anyway (RFC 9110 §9.2.1).
    fn refused_before_effect(&self, safe: bool, answer: &Answer) -> bool;

    /// What the answer to a probe says about the token.
    fn read_probe(&self, answer: &Answer) -> Verdict;
}

/// The rules that fit a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// How long before its end a token is refreshed.
    pub lead: Lead,
    /// How long the old token lives on after an exclusive fetch.
    pub overlap: Span,
    /// How far the platform's devices disagree.
    pub skew: Span,
    /// How early the platform itself renews.
    pub renew_window: Span,
    /// Fetches a day that the platform allows; 0 for no limit.
    pub per_day: u32,
    /// How long a token lives. Only the answer to a fetch is sure.
    pub life: Span,
    /// The platform says that fetches are few and not how many: `per_day` is a guess.
    pub guessed: bool,
}
