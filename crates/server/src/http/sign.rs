//! `POST /v1/sign/{ticket}/…`: signatures made with a ticket, so that no service needs the ticket itself.
//!
//! A signature is as good as a call: it needs the right `call`. A page is signed only if its domain is one of the
//! ticket's, because whoever has a signature speaks for the app in WeChat's browser.

use std::sync::Arc;

use tokenward_api::{CardRequest, CardSignature, ErrorCode, PageRequest, PageSignature};
use tokenward_core::secret::Secret;
use tokenward_core::view::Reading;
use tokenward_providers::{TicketKind, wechat_signature};

use super::Api;
use super::answer::Refusal;
use super::token::wait_for_usable;
use crate::clients::Caller;
use crate::clock;
use crate::config::Right;
use crate::feed::{Counts, Entry};
use crate::ticket::{NotSigned, Ticket};

/// What every signature needs.
struct Signer {
    ticket: Secret,
    nonce: String,
    /// Unix seconds.
    timestamp: u64,
}

/// The longest part of a card.
const LONGEST_PART: usize = 256;
const NONCE_CHARS: usize = 16;

/// Signs a page for the JS-SDK.
///
/// # Errors
/// The page is not one of the ticket's domains, or there is no ticket.
pub async fn page(
    api: &Api,
    caller: &Caller,
    name: &str,
    request: &PageRequest,
) -> Result<PageSignature, Refusal> {
    let (entry, ticket) = admit(api, caller, name, TicketKind::Jsapi)?;
    if ticket.domains.is_empty() {
        let detail = format!("no domain is named whose pages {name} may sign");
        return Err(ErrorCode::CannotSign.problem(detail).into());
    }
    ticket.admit(&request.url).map_err(|why| refuse_page(name, why))?;
    let signer = Signer::of(api, entry).await?;
    let Signer { ticket: value, nonce, timestamp } = &signer;
    Ok(PageSignature {
        app_id: ticket.app_id.clone(),
        timestamp: *timestamp,
        nonce_str: nonce.clone(),
        signature: wechat_signature::js_sdk(value, nonce, *timestamp, &request.url),
    })
}

/// Signs a card.
///
/// # Errors
/// The card is not described well, or there is no ticket.
pub async fn card(
    api: &Api,
    caller: &Caller,
    name: &str,
    request: &CardRequest,
) -> Result<CardSignature, Refusal> {
    let (entry, _) = admit(api, caller, name, TicketKind::WxCard)?;
    let optional = [("code", &request.code), ("openid", &request.openid)];
    let optional = optional.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    let optional: Vec<(&str, &str)> = optional.filter(|(_, value)| !value.is_empty()).collect();
    check_part("card_id", &request.card_id)?;
    for (key, value) in &optional {
        check_part(key, value)?;
    }
    let signer = Signer::of(api, entry).await?;
    let mut values = vec![request.card_id.as_str()];
    values.extend(optional.iter().map(|(_, value)| *value));
    let signature = wechat_signature::card(&signer.ticket, &signer.nonce, signer.timestamp, &values);
    let mut card_ext = serde_json::Map::new();
    for (key, value) in optional {
        card_ext.insert(key.to_owned(), value.into());
    }
    // Texts throughout: that is how the platform's own examples have it.
    card_ext.insert("timestamp".to_owned(), signer.timestamp.to_string().into());
    card_ext.insert("nonce_str".to_owned(), signer.nonce.as_str().into());
    card_ext.insert("signature".to_owned(), signature.as_str().into());
    Ok(CardSignature {
        card_id: request.card_id.clone(),
        timestamp: signer.timestamp,
        nonce_str: signer.nonce,
        signature,
        card_ext: serde_json::Value::Object(card_ext).to_string(),
    })
}

fn admit<'f>(
    api: &'f Api,
    caller: &Caller,
    name: &str,
    kind: TicketKind,
) -> Result<(&'f Arc<Entry>, &'f Ticket), Refusal> {
    let entry = caller.permit(&api.feed, name, Right::Call)?.entry();
    match &entry.ticket {
        Some(ticket) if ticket.kind == kind => Ok((entry, ticket)),
        Some(ticket) => {
            let detail =
                format!("{name} is a ticket of the kind {:?}, not {:?}", ticket.kind.as_str(), kind.as_str());
            Err(ErrorCode::CannotSign.problem(detail).into())
        }
        None => Err(ErrorCode::CannotSign.problem(format!("{name} is not a ticket")).into()),
    }
}

fn refuse_page(name: &str, why: NotSigned) -> Refusal {
    match why {
        NotSigned::NotAPage | NotSigned::Ambiguous => ErrorCode::Malformed.problem(why.to_string()).into(),
        NotSigned::OtherDomain => {
            let mut problem = ErrorCode::DomainNotAllowed.problem(why.to_string());
            problem.next_step = problem.next_step.replace("NAME", name);
            problem.into()
        }
    }
}

fn check_part(key: &str, value: &str) -> Result<(), Refusal> {
    let sound =
        !value.is_empty() && value.len() <= LONGEST_PART && value.bytes().all(|byte| byte.is_ascii_graphic());
    if sound {
        return Ok(());
    }
    let detail = format!("`{key}` is printable ASCII without spaces, {LONGEST_PART} characters at most");
    Err(ErrorCode::Malformed.problem(detail).into())
}

impl Signer {
    /// With the current ticket, after waiting for one if there is none.
    async fn of(api: &Api, entry: &Arc<Entry>) -> Result<Signer, Refusal> {
        let (view, now) = wait_for_usable(api, entry).await?;
        let Reading::Token(offer, _) = view.read(now.boot) else {
            return Err(Refusal::no_token(entry.name.as_str(), &view, now.boot));
        };
        Counts::add(&entry.counts.reads);
        let timestamp = u64::try_from(now.wall.unix_seconds()).unwrap_or(0);
        Ok(Signer { ticket: offer.token.clone(), nonce: nonce(), timestamp })
    }
}

/// Letters and digits that nobody can guess.
fn nonce() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyzABCDEFGH";
    let bits = (0..).flat_map(|_| clock::entropy().to_ne_bytes());
    let letters = bits.filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
    letters.take(NONCE_CHARS).map(|letter| char::from(*letter)).collect()
}
