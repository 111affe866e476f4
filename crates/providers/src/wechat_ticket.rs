//! WeChat's tickets: what pages sign their use of the JS-SDK with, and what cards are signed with.
//!
//! A ticket is fetched with the app's token, lives a life of its own, and outlives that token. Sources:
//! developers.weixin.qq.com, "api_getticket" of the JS-SDK and of cards. That a second ticket leaves the first one
//! alive is not documented; nothing here relies on the opposite.

use tokenward_core::event::{Outcome, Verdict};
use tokenward_core::failure::{FailureKind, Refusal};
use tokenward_core::policy::Lead;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::Span;

use crate::calls::{Complaints, PathRule, Placement};
use crate::exchange::{Answer, Request, form, join};
use crate::reading::{self, Reading};
use crate::wechat::{WeChat, errcode, errmsg, refuses_token};
use crate::{Defaults, Provider};

/// A ticket of a WeChat app.
#[derive(Clone, Debug)]
pub struct WeChatTicket {
    /// The app whose token it is fetched with.
    pub app: WeChat,
    /// What it is for.
    pub kind: TicketKind,
}

/// What a ticket is for. The kinds have nothing to do with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TicketKind {
    /// Signing a page for the JS-SDK.
    Jsapi,
    /// Signing a card.
    WxCard,
}

/// Documented life of a ticket.
const LIFE: Span = Span::hours(2);
/// The platform says that these calls are "very limited" and not how. A guess with room for every planned ticket and
/// for those that somebody asks for.
const PER_DAY: u32 = 1_000;

impl TicketKind {
    /// Its word on the wire and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TicketKind::Jsapi => "jsapi",
            TicketKind::WxCard => "wx_card",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<TicketKind> {
        [TicketKind::Jsapi, TicketKind::WxCard].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl WeChatTicket {
    /// The platform's word.
    pub const PLATFORM: &'static str = "wechat-ticket";
}

impl Provider for WeChatTicket {
    fn platform(&self) -> &'static str {
        WeChatTicket::PLATFORM
    }

    fn semantics(&self) -> IssueSemantics {
        IssueSemantics::Coexisting
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            lead: Lead::Share,
            overlap: Span::ZERO,
            skew: Span::ZERO,
            renew_window: Span::ZERO,
            per_day: PER_DAY,
            life: LIFE,
            guessed: true,
        }
    }

    /// Whichever of the two token APIs the app uses: its tickets are the same.
    fn identity(&self) -> Vec<(&'static str, String)> {
        vec![("app_id", self.app.app_id.clone()), ("kind", self.kind.as_str().to_owned())]
    }

    /// The secret to ask with is the app's token.
    fn token_request(&self, base_url: &str, token: &Secret, _kind: FetchKind) -> Request {
        let query = form(&[("access_token", token.expose()), ("type", self.kind.as_str())]);
        Request::get(format!("{}?{query}", join(base_url, "cgi-bin/ticket/getticket")))
    }

    fn read_token(&self, answer: &Answer) -> Reading {
        if let Some(trouble) = reading::http_trouble(answer) {
            return Err(trouble);
        }
        let Some(body) = answer.json() else {
            return Err(reading::nonsense(answer, "something that is not JSON"));
        };
        match errcode(&body) {
            None | Some(0) => reading::grant_of("ticket", answer, &body, LIFE, LIFE),
            Some(code) => Err((self.refusal(code, errmsg(&body)), Outcome::Refused)),
        }
    }

    fn probe_request(&self, _base_url: &str, _token: &Secret) -> Option<Request> {
        None
    }

    fn complaint(&self, _answer: &Answer) -> Option<Refusal> {
        None
    }

    fn app_id(&self) -> &str {
        &self.app.app_id
    }

    fn takes_calls(&self) -> bool {
        false
    }

    fn placement(&self) -> Placement {
        self.app.placement()
    }

    fn path_rule(&self, _path: &str) -> PathRule {
        PathRule::Untouched
    }

    fn complaints(&self) -> Complaints {
        self.app.complaints()
    }

    fn refused_before_effect(&self, _safe: bool, _answer: &Answer) -> bool {
        false
    }

    fn read_probe(&self, _answer: &Answer) -> Verdict {
        Verdict::Unclear
    }
}

impl WeChatTicket {
    fn refusal(&self, code: i64, message: &str) -> tokenward_core::failure::Failure {
        let text = code.to_string();
        match code {
            code if refuses_token(code) => reading::refused(FailureKind::SourceRefused, &text, message),
            // The budget of tokens is another one.
            45_009 => reading::refused(FailureKind::QuotaUsedUp, &text, message),
            // Whatever is wrong with the app, its token's credential has to do with it; here it passes or does not.
            _ => match self.app.refusal(code, message) {
                failure if matches!(failure.kind, FailureKind::BadSecret | FailureKind::BadAppId) => {
                    reading::refused(FailureKind::NotPermitted, &text, message)
                }
                failure => failure,
            },
        }
    }
}
