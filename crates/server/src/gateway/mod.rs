//! The gateway: calls a platform on a client's behalf, with the token put in.
//!
//! A call passes through in both directions as it comes. Only when the platform says that it refused the token
//! is the call made once more, with the token that took its place; the second answer is passed on whatever it
//! says. Deliberately absent: following redirects, caches, and any retry for another reason than the token.

mod body;
mod call;
mod connect;
mod headers;
mod inspect;
mod origin;
mod prepared;
mod send;
mod storage;
mod target;

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;

pub use body::{CallBody, Copy, Framed};
pub use call::{
    Rules, Said, allowed, ask, ask_for_sink, call, check_length, may_ask, rule_of, without_secrets,
};
pub use headers::{REQUEST_ID, sign};
pub use origin::Relay;
pub use prepared::{CallerBody, Persistent, Prepared};
pub use storage::{Parcel, storage_url, to_storage};
pub use target::{BadTarget, Target};

use crate::config::{CallRules, Config, ConfigError};
use crate::material::Material;
use connect::{Authority, Connector};
use origin::Origin;

/// Where the calls of each credential go, by its id.
pub struct Gateway {
    routes: Vec<Route>,
}

/// One credential's calls.
pub struct Route {
    material: Arc<Material>,
    places: Vec<Place>,
    rules: CallRules,
}

impl Route {
    /// The app's id at its platform.
    #[must_use]
    pub fn app_id(&self) -> &str {
        self.material.provider.app_id()
    }
}

/// One base URL.
#[derive(Clone)]
struct Place {
    origin: Arc<Origin>,
    /// The base URL's path, without a slash at its end.
    prefix: String,
}

impl Gateway {
    /// Prepares the way for every credential.
    ///
    /// # Errors
    /// `[egress]` cannot be used.
    pub fn new(config: &Config, materials: &[Arc<Material>]) -> Result<Gateway, ConfigError> {
        let connector = Arc::new(Connector::new(&config.egress)?);
        let mut origins: HashMap<Authority, Arc<Origin>> = HashMap::new();
        let mut routes = Vec::with_capacity(materials.len());
        for (material, credential) in materials.iter().zip(&config.credentials) {
            let urls = material.base_urls.iter().filter(|_| material.provider.takes_calls());
            let places = urls.filter_map(|url| place(url, &connector, &mut origins)).collect();
            routes.push(Route { material: Arc::clone(material), places, rules: credential.calls.clone() });
        }
        Ok(Gateway { routes })
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("routes", &self.routes.len()).finish()
    }
}

/// Where a base URL leads; credentials of one platform share its connections.
fn place(
    url: &str,
    connector: &Arc<Connector>,
    origins: &mut HashMap<Authority, Arc<Origin>>,
) -> Option<Place> {
    let url = reqwest::Url::parse(url).ok()?;
    let (authority, header) = authority(&url)?;
    let origin = origins
        .entry(authority.clone())
        .or_insert_with(|| Arc::new(Origin::new(authority, header, Arc::clone(connector))));
    Some(Place { origin: Arc::clone(origin), prefix: url.path().trim_end_matches('/').to_owned() })
}

/// Whom a URL is about, and the `Host` header of requests to it.
fn authority(url: &reqwest::Url) -> Option<(Authority, HeaderValue)> {
    let host = url.host_str()?;
    let authority = Authority {
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port_or_known_default()?,
        tls: url.scheme() == "https",
    };
    let header = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((authority, HeaderValue::try_from(header).ok()?))
}
