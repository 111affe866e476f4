//! `GET /cgi-bin/ticket/getticket`, answered from memory where the configuration has that ticket.
//!
//! The platform's calls for tickets are few, and every program that keeps tickets by itself makes them. A ticket that
//! is not configured is asked for upstream, like any other call.

use std::sync::Arc;

use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokenward_core::fleet::CredentialId;
use tokenward_core::view::Reading;
use tokenward_providers::{Said, TicketKind};

use super::{Declined, Facade, bad_target};
use crate::clients::Caller;
use crate::config::{Config, Right};
use crate::feed::{Counts, Entry};
use crate::gateway::{self, Target};
use crate::http::{Api, Body, json as answer, wait_for_usable};

/// Which credentials are tickets: by app and kind.
pub(super) type Tickets = std::collections::HashMap<(String, TicketKind), CredentialId>;

/// The tickets of a configuration.
pub(super) fn all(config: &Config) -> Tickets {
    let numbered = (0_u32..).map(CredentialId).zip(&config.credentials);
    let tickets = numbered.filter_map(|(id, credential)| Some((id, credential.ticket.as_ref()?)));
    tickets.map(|(id, ticket)| ((ticket.app_id.clone(), ticket.kind), id)).collect()
}

impl Facade {
    /// The ticket that a call asks for, if it is one of ours. Whoever asks must hold a token, as with the platform.
    pub(super) async fn ticket(
        &self,
        api: &Arc<Api>,
        target: Target<'_>,
    ) -> Result<Option<Response<Body>>, Declined> {
        let kind = target.parameter("type").map_err(bad_target)?.unwrap_or_default();
        let Some(kind) = TicketKind::parse(&percent_decode_str(kind).decode_utf8_lossy()) else {
            return Ok(None);
        };
        let (caller, app) = self.by_token(api, target)?;
        let route = api.gateway.route(app)?;
        let key = (route.app_id().to_owned(), kind);
        let Some(entry) = self.tickets.get(&key).and_then(|id| api.feed.get(*id)) else { return Ok(None) };
        gateway::allowed(caller.as_ref(), route, &http::Method::GET, &target)?;
        // A client that may not see ours asks for one of its own.
        let may = |caller: &Caller| caller.permit(&api.feed, entry.name.as_str(), Right::Token).is_ok();
        if caller.is_some_and(|caller| !may(&caller)) {
            return Ok(None);
        }
        Ok(Some(hand_out(api, entry).await?))
    }
}

async fn hand_out(api: &Arc<Api>, entry: &Arc<Entry>) -> Result<Response<Body>, Declined> {
    let (view, now) = wait_for_usable(api, entry).await?;
    let Reading::Token(offer, told_end) = view.read(now.boot) else {
        return Err(Declined::Because(Said::SystemError, "there is no usable ticket now".to_owned()));
    };
    Counts::add(&entry.counts.reads);
    let told = (told_end - now.boot).whole_seconds().max(1);
    let ticket = offer.token.expose();
    let body = json!({ "errcode": 0, "errmsg": "ok", "ticket": ticket, "expires_in": told });
    let mut response = answer(StatusCode::OK, &body);
    gateway::sign(&mut response, "facade");
    Ok(response)
}
