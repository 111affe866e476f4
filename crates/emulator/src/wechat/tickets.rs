//! `/cgi-bin/ticket/getticket`, and what WeChat's app does with a signature made with a ticket.
//!
//! Documented: two kinds with lives of their own, two hours, `errcode` 0 on success, a token that is checked. Choices:
//! a ticket outlives its token; a second ticket leaves the first one alive, or is the first one again while
//! `repeat_tickets` is on; another `type` is refused with 40097; the daily limit, which the platform does not name.

use serde_json::json;
use sha1::{Digest, Sha1};

use super::refusal::json_reply;
use super::{Refusal, WeChat};
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::desk::Desk;
use crate::moment::Moment;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jsapi,
    WxCard,
}

#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    kind: Kind,
    value: String,
    ends: Moment,
}

/// A signature as a page or a card shows it.
pub(crate) enum Signed<'a> {
    Page { nonce: &'a str, timestamp: &'a str, url: &'a str },
    Card { values: Vec<String> },
}

/// So many are remembered for one app; beyond it the oldest is forgotten.
const REMEMBERED: usize = 1_000;

impl WeChat {
    /// Answers a request for a ticket whose token was found alive.
    pub(super) fn ticket(&mut self, desk: &mut Desk<'_>, app: AppIndex) -> Result<Answer, Refusal> {
        if desk.request.method != http::Method::GET {
            return Err(Refusal::GET_REQUIRED);
        }
        let kind = match desk.query.get("type") {
            Some("jsapi") => Kind::Jsapi,
            Some("wx_card") => Kind::WxCard,
            _ => return Err(Refusal::INVALID_ARGUMENTS),
        };
        let (life, day) = (desk.settings.wechat_life(), desk.now.beijing_day());
        let account = self.account(app);
        if account.ticket_calls.in_period(day) >= desk.settings.ticket_daily_quota {
            return Err(Refusal::DAILY_QUOTA);
        }
        account.ticket_calls.add(day);
        account.tickets.retain(|ticket| desk.now < ticket.ends);
        let (value, left) = match account.tickets.iter().rfind(|ticket| ticket.kind == kind) {
            Some(known) if desk.settings.repeat_tickets && known.ends.since(desk.now).as_secs() > 0 => {
                (known.value.clone(), known.ends.since(desk.now))
            }
            _ => {
                let value = format!("t{}-{}", app.0, desk.chance.token_text(80));
                let ticket = Ticket { kind, value: value.clone(), ends: desk.now.plus(life) };
                account.tickets.push(ticket);
                if account.tickets.len() > REMEMBERED {
                    account.tickets.remove(0);
                }
                (value, life)
            }
        };
        let answer = json!({ "errcode": 0, "errmsg": "ok", "ticket": value, "expires_in": left.as_secs() });
        Ok(Answer::granted(json_reply(&answer)))
    }

    /// Whether this is a signature made with a ticket of the app that is alive.
    pub(crate) fn accepts(&self, app: AppIndex, signed: &Signed<'_>, signature: &str, now: Moment) -> bool {
        let tickets = self.accounts.get(&app).into_iter().flat_map(|account| &account.tickets);
        tickets
            .filter(|ticket| now < ticket.ends)
            .any(|ticket| signed.signature(ticket).as_deref() == Some(signature))
    }
}

impl Signed<'_> {
    fn signature(&self, ticket: &Ticket) -> Option<String> {
        let text = match self {
            Signed::Page { nonce, timestamp, url } if ticket.kind == Kind::Jsapi => {
                let page = url.split('#').next().unwrap_or_default();
                let ticket = &ticket.value;
                format!("jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}")
            }
            Signed::Card { values } if ticket.kind == Kind::WxCard => {
                let mut parts: Vec<&str> = values.iter().map(String::as_str).collect();
                parts.push(&ticket.value);
                parts.sort_unstable();
                parts.concat()
            }
            _ => return None,
        };
        Some(Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
