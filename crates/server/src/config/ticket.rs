//! `platform = "wechat-ticket"`: a ticket that is fetched with another credential's token.
//!
//! A ticket is read before it is known whether its source exists; `resolve` brings the two together.

use std::sync::Arc;

use tokenward_core::fleet::CredentialId;
use tokenward_core::graph::{Cycle, Graph};
use tokenward_providers::{TicketKind, TokenApi, WeChat, WeChatTicket};

use super::CredentialConfig;
use super::credential::Built;
use super::reader::{Placed, Reader, Section};
use crate::ticket::{Domain, Ticket};

/// A ticket's own keys.
#[derive(Clone, Debug)]
pub(super) struct TicketConfig {
    kind: TicketKind,
    from: Placed<String>,
    domains: Vec<Domain>,
}

impl TicketConfig {
    pub(super) fn kind(&self) -> TicketKind {
        self.kind
    }
}

pub(super) const KEYS: [&str; 6] = ["platform", "from", "kind", "domains", "refresh", "sinks"];

/// Reads a ticket. Its app and where it is fetched are its source's.
pub(super) fn read(section: &mut Section<'_>, reader: &mut Reader) -> Option<Built> {
    let from = section.required_string(
        "from",
        "from = \"shop\" (the credential with whose token it is fetched)",
        reader,
    );
    let kind = section.required_string("kind", "kind = \"jsapi\" (pages) or \"wx_card\" (cards)", reader);
    let domains = read_domains(section, reader);
    let (from, kind) = (from?, kind?);
    let place = kind.span.clone();
    let Some(kind) = TicketKind::parse(&kind.value) else {
        let message = format!("there is no ticket of the kind {:?}", kind.value);
        reader.error(kind.span, message, "Write \"jsapi\" (pages) or \"wx_card\" (cards).");
        return None;
    };
    match (&domains, kind) {
        (Some(_), TicketKind::WxCard) => {
            reader.error(
                place,
                "a ticket for cards has no `domains`",
                "Remove them: cards belong to no page.",
            );
        }
        (Some(domains), TicketKind::Jsapi) if domains.is_empty() => {
            let message = "`domains` is empty: no page is signed with this ticket";
            reader.warn(place, message, "Name the domains of your pages, or leave it out.");
        }
        _ => {}
    }
    let domains = domains.unwrap_or_default();
    let provider = Arc::new(provider(String::new(), kind));
    Some(Built::new(provider).with_ticket(TicketConfig { kind, from, domains }))
}

fn provider(app_id: String, kind: TicketKind) -> WeChatTicket {
    // Which token API the app uses makes no difference to its tickets.
    WeChatTicket { app: WeChat { app_id, token_api: TokenApi::Stable }, kind }
}

fn read_domains(section: &mut Section<'_>, reader: &mut Reader) -> Option<Vec<Domain>> {
    let mut domains = Vec::new();
    for text in section.strings("domains", reader)? {
        match Domain::parse(&text.value) {
            Some(domain) => domains.push(domain),
            None => {
                let message = format!("{:?} is not a domain", text.value);
                reader.error(
                    text.span,
                    message,
                    "Write a name like \"shop.example.com\" or \"*.example.com\": no scheme, port or path.",
                );
            }
        }
    }
    Some(domains)
}

/// Finds the source of every ticket, and gives each the app and the base URLs of its own.
pub(super) fn resolve(credentials: &mut [CredentialConfig], reader: &mut Reader) {
    let mut graph = Graph::default();
    for index in 0..credentials.len() {
        let Some(ticket) = credentials.get(index).and_then(|credential| credential.unresolved.clone()) else {
            continue;
        };
        let Some(source) =
            credentials.iter().position(|credential| credential.name.as_str() == ticket.from.value)
        else {
            let message = format!("there is no credential {:?} to derive a ticket from", ticket.from.value);
            reader.error(ticket.from.span, message, "Name a credential of the platform \"wechat\".");
            continue;
        };
        if let Err(cycle) = graph.derive(id(index), id(source)) {
            let message = format!("the ticket needs itself: {}", way_round(&cycle, credentials));
            reader.error(
                ticket.from.span,
                message,
                "Derive it from the credential that holds the app's secret.",
            );
            continue;
        }
        let Some(app) = credentials.get(source).filter(|app| app.provider.platform() == "wechat").cloned()
        else {
            let message = format!("{:?} has no token that a ticket could be fetched with", ticket.from.value);
            reader.error(ticket.from.span, message, "Name a credential of the platform \"wechat\".");
            continue;
        };
        if let Some(credential) = credentials.get_mut(index) {
            let app_id = app.provider.app_id().to_owned();
            credential.provider = Arc::new(provider(app_id.clone(), ticket.kind));
            credential.base_urls = app.base_urls;
            let TicketConfig { kind, domains, .. } = ticket;
            let ticket = Ticket { kind, app_id, from: app.name, source: id(source), domains };
            credential.ticket = Some(Arc::new(ticket));
        }
    }
    refuse_twins(credentials, reader);
}

fn id(index: usize) -> CredentialId {
    CredentialId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// `a ← b ← a`, in names.
fn way_round(cycle: &Cycle, credentials: &[CredentialConfig]) -> String {
    let around = cycle.way.iter().chain(cycle.way.first());
    let names =
        around.filter_map(|id| credentials.get(id.0 as usize)).map(|credential| credential.name.as_str());
    names.collect::<Vec<_>>().join(" is derived from ")
}

/// Two tickets of one kind for one app would spend its few calls twice.
fn refuse_twins(credentials: &[CredentialConfig], reader: &mut Reader) {
    let tickets = |credential: &CredentialConfig| credential.ticket.clone();
    for (index, credential) in credentials.iter().enumerate() {
        let Some(ticket) = tickets(credential) else { continue };
        let twin = credentials.iter().take(index).find(|other| {
            let same = |other: Arc<Ticket>| other.app_id == ticket.app_id && other.kind == ticket.kind;
            tickets(other).is_some_and(same) && other.base_urls.first() == credential.base_urls.first()
        });
        if let Some(twin) = twin {
            let message = format!(
                "{} is the ticket of the kind {:?} for the app {} already",
                twin.name,
                ticket.kind.as_str(),
                ticket.app_id
            );
            reader.error(
                credential.span.clone(),
                message,
                "Use one credential for each kind of ticket: calls for tickets are few.",
            );
        }
    }
}
