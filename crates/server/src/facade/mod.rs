//! The facade: the gateway dressed as the platform itself, for unchanged SDKs.
//!
//! An SDK asks here for a token with its app id and, as secret, its client key; every other call is passed on with
//! the current token in place of the one that came. Only tokens and handles of ours open the way: whatever else
//! comes as a token is refused here, as the platform would refuse it. Answers are in the platform's own words,
//! with status 200. Deliberately absent: any waiting for the platform while a token is known, except when a token
//! that was handed out is asked for again suspiciously early.

mod handle;
mod hints;
mod issue;
mod pass;
mod say;
mod ticket;

use std::collections::HashMap;
use std::sync::Arc;

use http::{Method, Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tokenward_core::fleet::CredentialId;
use tokenward_core::semantics::IssueSemantics;
use tokenward_providers::Said;
use tokenward_vault::KeyRing;

use crate::config::{Config, FacadeConfig};
use crate::gateway::{self, Relay, Target};
use crate::http::{Activity, Api, Body, Refusal};
use crate::material::Material;
use crate::token_index::TokenIndex;
use handle::Handles;
use hints::Hints;

/// What dresses the gateway as WeChat.
#[derive(Debug)]
pub struct Facade {
    config: FacadeConfig,
    apps: HashMap<String, Vec<App>>,
    tickets: ticket::Tickets,
    token_index: Arc<TokenIndex>,
    handles: Handles,
    hints: Hints,
    /// Whose way out is taken by calls that belong to no app of ours.
    first: Option<CredentialId>,
}

/// One credential of an app.
#[derive(Debug)]
struct App {
    id: CredentialId,
    material: Arc<Material>,
    /// Whether its tokens come from `/cgi-bin/stable_token`.
    stable: bool,
}

/// Why the facade itself answers a call, and does not pass it on.
enum Declined {
    /// In the platform's words.
    Said(Said),
    /// In the platform's words, and why.
    Because(Said, String),
    /// In ours.
    Refused(Refusal),
}

impl From<Said> for Declined {
    fn from(said: Said) -> Declined {
        Declined::Said(said)
    }
}

impl<T: Into<Refusal>> From<T> for Declined {
    fn from(refusal: T) -> Declined {
        Declined::Refused(refusal.into())
    }
}

/// The platform that is played.
pub const PLATFORM: &str = "wechat";

impl Facade {
    /// A facade for all of WeChat's apps, if the configuration wants one.
    #[must_use]
    pub fn new(
        config: &Config,
        materials: &[Arc<Material>],
        keys: &Arc<KeyRing>,
        token_index: &Arc<TokenIndex>,
    ) -> Option<Facade> {
        let mut apps: HashMap<String, Vec<App>> = HashMap::new();
        let mut first = None;
        for (index, (material, credential)) in materials.iter().zip(&config.credentials).enumerate() {
            if material.provider.platform() == PLATFORM {
                let id = CredentialId(u32::try_from(index).ok()?);
                let stable = credential.policy.semantics == IssueSemantics::IdempotentUntilNearExpiry;
                let app = App { id, material: Arc::clone(material), stable };
                apps.entry(material.provider.app_id().to_owned()).or_default().push(app);
                first = first.or(Some(id));
            }
        }
        Some(Facade {
            config: config.facade.clone()?,
            apps,
            tickets: ticket::all(config),
            token_index: Arc::clone(token_index),
            handles: Handles::new(Arc::clone(keys), materials.to_vec()),
            hints: Hints::default(),
            first,
        })
    }
}

/// Answers one request as the platform would.
pub async fn answer(api: &Arc<Api>, request: Request<Incoming>, activity: &Arc<Activity>) -> Response<Body> {
    let Some(facade) = &api.facade else {
        return say::said(Said::SystemError, Some("there is no facade here"), api);
    };
    let mut response = match facade.serve(api, request, activity).await {
        Ok(response) => response,
        Err(declined) => {
            let mut response = say::declined(declined, api);
            gateway::sign(&mut response, "facade");
            response
        }
    };
    response.headers_mut().insert(gateway::REQUEST_ID, api.request_ids.next());
    response
}

impl Facade {
    async fn serve(
        &self,
        api: &Arc<Api>,
        request: Request<Incoming>,
        activity: &Arc<Activity>,
    ) -> Result<Response<Body>, Declined> {
        let (parts, body) = request.into_parts();
        if parts.uri.authority().is_some() {
            let why = "the request names a host: send only the path".to_owned();
            return Err(Declined::Because(Said::InvalidParameter, why));
        }
        let raw = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let collapsed = collapse_slashes(raw);
        let target = Target::parse(&collapsed).map_err(bad_target)?;
        match target.path.to_ascii_lowercase().as_str() {
            "cgi-bin/token" => match parts.method {
                Method::GET | Method::POST => self.issue(api, target, body, false).await,
                _ => Err(Said::GetRequired.into()),
            },
            "cgi-bin/stable_token" => match parts.method {
                Method::POST => self.issue(api, target, body, true).await,
                _ => Err(Said::PostRequired.into()),
            },
            path => {
                if path == "cgi-bin/ticket/getticket"
                    && parts.method == Method::GET
                    && let Some(ticket) = self.ticket(api, target).await?
                {
                    return Ok(ticket);
                }
                let response: Response<Relay> =
                    self.pass(api, target, parts.method, parts.headers, body).await?;
                Ok(response.map(|mut body| {
                    body.note_in(Arc::clone(activity));
                    Either::Right(Either::Right(body))
                }))
            }
        }
    }
}

fn bad_target(bad: gateway::BadTarget) -> Declined {
    Declined::Because(Said::InvalidParameter, bad.to_string())
}

/// The path and query without the first slash, and with every row of slashes in the path made one: SDKs join a
/// base URL that ends with a slash and a path that begins with one.
fn collapse_slashes(path_and_query: &str) -> String {
    let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
    let mut out = String::with_capacity(path_and_query.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if !out.is_empty() {
            out.push('/');
        }
        out.push_str(segment);
    }
    if path.ends_with('/') && !out.is_empty() {
        out.push('/');
    }
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_slashes_become_one() {
        for (given, collapsed) in [
            ("//cgi-bin//token?a=//b", "cgi-bin/token?a=//b"),
            ("/cgi-bin/user/get", "cgi-bin/user/get"),
            ("/a//", "a/"),
            ("/", ""),
            ("/?x", "?x"),
        ] {
            assert_eq!(collapse_slashes(given), collapsed, "{given}");
        }
    }
}
