//! Which app a request concerns, for faults that are narrowed to one app.

use crate::apps::{AppIndex, Apps};
use crate::params::Params;
use crate::request::Request;
use crate::route::{Platform, Route};
use crate::{baidu, oauth2, wechat};

/// The app that the request names, or whose token it carries. Nothing is proven by this.
pub(crate) fn app_of(route: Route, request: &Request, query: &Params, apps: &Apps) -> Option<AppIndex> {
    let carried = query.get("access_token");
    let by_token = match route.platform() {
        _ if route.token_api().is_some() => None,
        Platform::WeChat => carried.and_then(|token| wechat::owner(token, apps)),
        Platform::Baidu => carried.and_then(|token| baidu::owner(token, apps)),
        Platform::OAuth2 => oauth2::bearer(request).and_then(|token| oauth2::owner(token, apps)),
        Platform::Storage | Platform::Sdk | Platform::Control => None,
    };
    if by_token.is_some() {
        return by_token;
    }
    if let Some(client) = oauth2::named_client(request) {
        return apps.find(&client);
    }
    let name = if route.platform() == Platform::WeChat { "appid" } else { "client_id" };
    let params = query.clone().then(Params::body(&request.body));
    params.get(name).and_then(|id| apps.find(id))
}
