//! `GET|POST /cgi-bin/token` and `POST /cgi-bin/stable_token`, answered from memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokenward_core::view::Reading;
use tokenward_providers::Said;
use zeroize::Zeroizing;

use super::hints::Ask;
use super::{Declined, Facade, bad_target, handle};
use crate::clients::Caller;
use crate::config::{HandOut, Right};
use crate::feed::{Counts, Entry};
use crate::gateway::{self, Target};
use crate::http::{Api, BODY_TIMEOUT, Body, json, look, wait_for_usable};

/// How long the answer may wait for a look at the token.
const LOOK: Duration = Duration::from_secs(2);
const LARGEST_BODY: usize = 64 * 1024;

/// What a request says, wherever it says it.
#[derive(Default)]
pub struct Fields {
    appid: Option<String>,
    secret: Option<Zeroizing<String>>,
    appsecret: Option<Zeroizing<String>>,
    grant_type: Option<String>,
    force_refresh: bool,
}

impl Facade {
    /// Hands out a token, or a handle.
    pub(super) async fn issue(
        &self,
        api: &Arc<Api>,
        target: Target<'_>,
        body: Incoming,
        stable: bool,
    ) -> Result<Response<Body>, Declined> {
        // A stale `access_token` that some SDKs send along means nothing here.
        let fields = Fields::read(target, &read_small(body).await?)?;
        let appid = fields.appid.as_deref().ok_or(Said::AppidMissing)?;
        let apps = self.apps.get(appid).ok_or(Said::InvalidAppid)?;
        if fields.grant_type.as_deref() != Some("client_credential") {
            return Err(Said::InvalidGrantType.into());
        }
        let secret = fields.secret.as_ref().ok_or(Said::AppsecretMissing)?;
        let (caller, entry) = self.caller(api, apps, secret, stable)?;
        let handed_out = self.hand_out(api, &caller, entry, fields.force_refresh).await?;
        let mut response = json(StatusCode::OK, &handed_out);
        gateway::sign(&mut response, "facade");
        Ok(response)
    }

    async fn hand_out(
        &self,
        api: &Arc<Api>,
        caller: &Caller,
        entry: &Arc<Entry>,
        forced: bool,
    ) -> Result<Value, Declined> {
        if self.config.hand_out == HandOut::Handle || caller.check(Right::Token).is_err() {
            caller.check(Right::Call)?;
            Counts::add(&entry.counts.reads);
            let handle = self.handles.make(&api.clients, caller, entry);
            return Ok(json!({ "access_token": handle, "expires_in": handle::LIFE.whole_seconds() }));
        }
        let (view, now) = wait_for_usable(api, entry).await?;
        if let Reading::Token(offer, told_end) = view.read(now.boot) {
            let accepted = entry.accepted(offer.generation);
            let (id, generation) = (entry.id, offer.generation);
            let ask = Ask { id, caller: caller.label(), generation, told_end, forced, accepted };
            if self.hints.note(ask, now.boot) {
                look(api, entry, generation, LOOK).await;
            }
        }
        let (view, now) = wait_for_usable(api, entry).await?;
        let Reading::Token(offer, told_end) = view.read(now.boot) else {
            return Err(Declined::Because(Said::SystemError, "there is no usable token now".to_owned()));
        };
        Counts::add(&entry.counts.reads);
        let told = (told_end - now.boot).whole_seconds().max(1) + caller.sdk_lead().whole_seconds();
        Ok(json!({ "access_token": offer.token.expose(), "expires_in": told }))
    }

    /// Who has this secret, and which of an app's credentials it opens.
    pub(super) fn caller<'f>(
        &self,
        api: &'f Api,
        apps: &[super::App],
        secret: &str,
        stable: bool,
    ) -> Result<(Caller, &'f Arc<Entry>), Declined> {
        let in_order = || {
            let wanted = apps.iter().filter(move |app| app.stable == stable);
            wanted.chain(apps.iter().filter(move |app| app.stable != stable))
        };
        if let Some(caller) = api.clients.find(secret.as_bytes()) {
            let entries = in_order().filter_map(|app| api.feed.get(app.id));
            let entry = entries.into_iter().find(|entry| caller.sees(entry));
            return entry.map(|entry| (caller, entry)).ok_or(Said::InvalidAppid.into());
        }
        let app = in_order().find(|app| self.config.accept_app_secret && app.material.has_secret(secret));
        let app = app.ok_or(Said::InvalidAppsecret)?;
        let entry = api.feed.get(app.id).ok_or(Said::InvalidAppid)?;
        Ok((Caller::AppSecret(app.id), entry))
    }
}

impl Fields {
    /// Reads the query, and a body that is a form or JSON, whatever its type says: many SDKs say none.
    pub(super) fn read(target: Target<'_>, body: &[u8]) -> Result<Fields, Declined> {
        let mut fields = Fields::default();
        for name in ["appid", "secret", "appsecret", "grant_type", "force_refresh"] {
            if let Some(value) = target.parameter(name).map_err(bad_target)? {
                fields.set(name, decoded(value));
            }
        }
        let body = body.trim_ascii();
        if body.starts_with(b"{") {
            let object: serde_json::Map<String, Value> =
                serde_json::from_slice(body).map_err(|_| Said::DataFormat)?;
            for (name, value) in object {
                match value {
                    Value::String(text) => fields.set(&name, text),
                    Value::Bool(flag) => fields.set(&name, flag.to_string()),
                    _ => {}
                }
            }
        } else if !body.is_empty() {
            let form = std::str::from_utf8(body).map_err(|_| Said::DataFormat)?;
            for pair in form.split('&') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                fields.set(name, decoded(value));
            }
        }
        Ok(fields)
    }

    fn set(&mut self, name: &str, value: String) {
        match name {
            "appid" => self.appid = Some(value),
            "secret" => self.secret = Some(value.into()),
            "appsecret" => self.appsecret = Some(value.into()),
            "grant_type" => self.grant_type = Some(value),
            "force_refresh" => self.force_refresh = value == "true",
            _ => {}
        }
    }

    /// The app's id.
    pub(super) fn appid(&self) -> Result<&str, Declined> {
        self.appid.as_deref().ok_or(Said::AppidMissing.into())
    }

    /// The app's secret, under either name.
    pub(super) fn any_secret(&self) -> Result<&str, Declined> {
        let secret = self.secret.as_ref().or(self.appsecret.as_ref());
        secret.map(|secret| secret.as_str()).ok_or(Said::AppsecretMissing.into())
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// A small body that arrives in time.
pub(super) async fn read_small(body: Incoming) -> Result<Bytes, Declined> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, LARGEST_BODY).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        _ => Err(Said::DataFormat.into()),
    }
}
