//! The paths of the API.

/// All credentials the client may see.
pub const CREDENTIALS: &str = "/v1/credentials";
/// Liveness.
pub const HEALTHZ: &str = "/healthz";
/// Readiness.
pub const READYZ: &str = "/readyz";
/// The API's own description.
pub const OPENAPI: &str = "/openapi.json";
/// The OAuth 2.0 token endpoint.
pub const OAUTH_TOKEN: &str = "/oauth2/token";
/// Its description (RFC 8414).
pub const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
/// Messages of platforms that are on their way or were given up.
pub const CALLBACK_MESSAGES: &str = "/v1/callbacks/messages";
/// Where such messages are sent again.
pub const CALLBACK_REDELIVER: &str = "/v1/callbacks/redeliver";
/// Prometheus metrics.
pub const METRICS: &str = "/metrics";

/// One of these messages.
#[must_use]
pub fn callback_message(id: u64) -> String {
    format!("{CALLBACK_MESSAGES}/{id}")
}

/// One credential.
#[must_use]
pub fn credential(name: &str) -> String {
    format!("{CREDENTIALS}/{name}")
}

/// A credential's token.
#[must_use]
pub fn token(name: &str) -> String {
    format!("{CREDENTIALS}/{name}/token")
}

/// Where a refused token is reported.
#[must_use]
pub fn report(name: &str) -> String {
    format!("{CREDENTIALS}/{name}/report")
}

/// Where a refresh is asked for.
#[must_use]
pub fn refresh(name: &str) -> String {
    format!("{CREDENTIALS}/{name}/refresh")
}

/// Where a page is signed with a ticket.
#[must_use]
pub fn sign_page(ticket: &str) -> String {
    format!("/v1/sign/{ticket}/js-sdk")
}

/// Where a card is signed with a ticket.
#[must_use]
pub fn sign_card(ticket: &str) -> String {
    format!("/v1/sign/{ticket}/card")
}

/// An operation of a cloud database.
#[must_use]
pub fn cloud_database(credential: &str, env: &str, operation: &str) -> String {
    format!("/v1/cloud/{credential}/{env}/database/{operation}")
}

/// A cloud function.
#[must_use]
pub fn cloud_function(credential: &str, env: &str, name: &str) -> String {
    format!("/v1/cloud/{credential}/{env}/functions/{name}")
}
