//! Every other call: passed on with the token or the secret swapped.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokenward_core::fleet::CredentialId;
use tokenward_providers::{PathRule, Said};

use super::issue::{Fields, read_small};
use super::{Declined, Facade, PLATFORM, bad_target};
use crate::clients::Caller;
use crate::clock;
use crate::config::Right;
use crate::feed::Entry;
use crate::gateway::{self, CallerBody, Persistent, Prepared, Relay, Target};
use crate::http::Api;

/// Whose call it is: of a credential, and of a client where the call names one.
type Whose<'f> = (Option<Caller>, &'f Arc<Entry>);

/// Calls of somebody who holds a token and names nobody, in metrics.
const TOKEN_HOLDER: &str = "(token)";
/// Calls that carry an end user's own token.
const END_USERS: [&str; 2] = ["sns/userinfo", "sns/auth"];

impl Facade {
    /// Makes a call on behalf of whoever holds one of our tokens, a handle, or a client key.
    pub(super) async fn pass(
        &self,
        api: &Arc<Api>,
        target: Target<'_>,
        method: Method,
        headers: HeaderMap,
        body: Incoming,
    ) -> Result<Response<Relay>, Declined> {
        let mut body = CallerBody::of(body);
        // All apps are of one platform: what a path is does not depend on the app.
        let route = api.gateway.route(self.entry(api, self.first)?)?;
        let rule = gateway::rule_of(route, &target);
        let (caller, entry) = match rule {
            rule if rule.takes_token() => self.by_token(api, target)?,
            PathRule::Secret { id, secret } => self.by_secret(api, target, id, secret)?,
            PathRule::SecretInBody { .. } => {
                let bytes = small(&mut body).await?;
                let fields = Fields::read(target, &bytes)?;
                let apps = self.apps.get(fields.appid()?).ok_or(Said::InvalidAppid)?;
                let (caller, entry) = self.caller(api, apps, fields.any_secret()?, false)?;
                (Some(caller), entry)
            }
            PathRule::Untouched if END_USERS.contains(&target.path) => (None, self.entry(api, self.first)?),
            _ => {
                let why = format!("the facade does not serve {target}");
                return Err(Declined::Because(Said::Unauthorized, why));
            }
        };
        if caller.is_none() && !rule.takes_token() {
            // Nobody knows who calls: what he may send is small.
            if method != Method::GET && method != Method::POST {
                return Err(Said::GetRequired.into());
            }
            body = CallerBody::Whole(small(&mut body).await?);
        }
        let route = api.gateway.route(entry)?;
        let rule = gateway::allowed(caller.as_ref(), route, &method, &target)?;
        gateway::check_length(&headers, route)?;
        let relayed = self.config.relay_refusals;
        let prepared = Prepared {
            route,
            target,
            rule,
            method,
            headers,
            persistent: if relayed { Persistent::Relayed } else { Persistent::KeptBack },
            counts: entry.calls_of(caller.as_ref().map_or(TOKEN_HOLDER, Caller::label)),
        };
        Ok(prepared.make(api, entry, body).await?)
    }

    /// The holder of a token of ours, also of one that is over, or of a handle.
    pub(super) fn by_token<'f>(&self, api: &'f Api, target: Target<'_>) -> Result<Whose<'f>, Declined> {
        let given = target.parameter("access_token").map_err(bad_target)?;
        let given = given.filter(|given| !given.is_empty()).ok_or(Said::TokenMissing)?;
        let token = percent_decode_str(given).decode_utf8_lossy();
        let app_secrets = self.config.accept_app_secret;
        if let Some((caller, entry)) = self.handles.open(&api.clients, &api.feed, app_secrets, &token) {
            caller.permit(&api.feed, entry.name.as_str(), Right::Call)?;
            return Ok((Some(caller), entry));
        }
        let id = self.token_index.find(&token, clock::boot());
        Ok((None, self.entry(api, Some(id.ok_or(Said::InvalidCredential)?))?))
    }

    /// The client whose key stands in the place of the app's secret. Calls without a secret carry what only the
    /// end user has; the app they name must be ours.
    fn by_secret<'f>(
        &self,
        api: &'f Api,
        target: Target<'_>,
        id: &str,
        secret: Option<&str>,
    ) -> Result<Whose<'f>, Declined> {
        let field = |name: &str| -> Result<Option<String>, Declined> {
            let value = target.parameter(name).map_err(bad_target)?;
            Ok(value.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned()))
        };
        let appid = field(id)?.ok_or(Said::AppidMissing)?;
        let apps = self.apps.get(&appid).ok_or(Said::InvalidAppid)?;
        let Some(secret) = secret else {
            return Ok((None, self.entry(api, apps.first().map(|app| app.id))?));
        };
        let key = field(secret)?.ok_or(Said::AppsecretMissing)?;
        let (caller, entry) = self.caller(api, apps, &key, false)?;
        caller.check(Right::Call)?;
        Ok((Some(caller), entry))
    }

    fn entry<'f>(&self, api: &'f Api, id: Option<CredentialId>) -> Result<&'f Arc<Entry>, Declined> {
        let entry = id.and_then(|id| api.feed.get(id));
        entry.filter(|entry| entry.platform == PLATFORM).ok_or(Said::InvalidCredential.into())
    }
}

/// A body that is read whole.
async fn small(body: &mut CallerBody) -> Result<Bytes, Declined> {
    match std::mem::replace(body, CallerBody::Empty) {
        CallerBody::Coming(body) => read_small(body).await,
        CallerBody::Whole(bytes) => Ok(bytes),
        CallerBody::Empty => Ok(Bytes::new()),
    }
}
