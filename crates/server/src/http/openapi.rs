//! `/openapi.json`: the API's own description, made from the wire types.

use std::sync::LazyLock;

use http::Response;
use serde_json::{Value, json};
use tokenward_api::{
    CallbackMessage, CallbackMessages, CardRequest, CardSignature, CredentialList, CredentialStatus,
    PageRequest, PageSignature, Problem, RedeliverRequest, Redelivered, RefreshRequest, ReportRequest, Token,
    WholeCallbackMessage,
};
use utoipa::OpenApi;

use super::answer::{Body, text};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tokenward",
        description = "Token control server: current tokens for a team's services.",
        license(name = "Apache-2.0")
    ),
    components(schemas(
        CallbackMessage,
        CallbackMessages,
        RedeliverRequest,
        Redelivered,
        WholeCallbackMessage,
        CredentialList,
        CredentialStatus,
        Problem,
        RefreshRequest,
        ReportRequest,
        PageRequest,
        PageSignature,
        CardRequest,
        CardSignature,
        Token
    ))
)]
struct Document;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    if let Some(object) = document.as_object_mut() {
        object.insert("paths".to_owned(), paths());
        object.insert("security".to_owned(), json!([{ "client_key": [] }]));
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        let scheme = json!({ "client_key": { "type": "http", "scheme": "bearer" } });
        components.insert("securitySchemes".to_owned(), scheme);
    }
    document.to_string()
});

/// The description.
pub fn document() -> Response<Body> {
    text("application/json", DOCUMENT.clone())
}

fn paths() -> Value {
    let name = parameter("name");
    json!({
        "/v1/credentials": { "get": {
            "summary": "Credentials the client may see",
            "parameters": [
                query("limit", "integer", "At most this many; 100 by default, 1000 at most"),
                query("after", "string", "The name to continue after"),
                query("state", "string", "Only those in this state"),
            ],
            "responses": responses("CredentialList", &[400, 401]),
        }},
        "/v1/credentials/{name}": { "parameters": [name.clone()], "get": {
            "summary": "One credential's standing, without its token",
            "responses": responses("CredentialStatus", &[401, 404]),
        }},
        "/v1/credentials/{name}/token": { "parameters": [name.clone()], "get": {
            "summary": "The current token and how long it may be relied on",
            "parameters": [
                query("min_ttl", "string", "A told life of at least this long, if it can be had without harm"),
                query("after", "integer", "Answer only with a generation other than this one"),
                query("wait", "string", "With `after`: how long to wait for it, at most 60s; then 304"),
            ],
            "responses": token_responses(),
        }},
        "/v1/credentials/{name}/report": { "parameters": [name.clone()], "post": {
            "summary": "A token was refused (passive refresh)",
            "requestBody": body("ReportRequest"),
            "responses": responses("Token", &[400, 401, 403, 404, 413, 429, 502, 503, 504]),
        }},
        "/v1/credentials/{name}/refresh": { "parameters": [name], "post": {
            "summary": "Refresh now (needs the right `admin`)",
            "requestBody": body("RefreshRequest"),
            "responses": responses("CredentialStatus", &[400, 401, 403, 404, 409, 413, 429, 503]),
        }},
        "/v1/sign/{ticket}/js-sdk": { "parameters": [parameter("ticket")], "post": {
            "summary": "Signs a page for the JS-SDK with a ticket of the kind `jsapi` (needs the right `call`)",
            "requestBody": body("PageRequest"),
            "responses": responses("PageSignature", &[400, 401, 403, 404, 409, 413, 503, 504]),
        }},
        "/v1/sign/{ticket}/card": { "parameters": [parameter("ticket")], "post": {
            "summary": "Signs a card with a ticket of the kind `wx_card` (needs the right `call`)",
            "requestBody": body("CardRequest"),
            "responses": responses("CardSignature", &[400, 401, 403, 404, 409, 413, 503, 504]),
        }},
        "/v1/callbacks/messages": { "get": {
            "summary": "Messages of callbacks that wait or were given up, the oldest first (on the admin socket only)",
            "parameters": [
                query("callback", "string", "Only those of this callback"),
                query("state", "string", "`waiting` or `dead`"),
                query("limit", "integer", "At most this many; 100 by default, 1000 at most"),
                query("after", "integer", "The number to continue after"),
            ],
            "responses": responses("CallbackMessages", &[400, 401, 403, 404]),
        }},
        "/v1/callbacks/messages/{id}": { "get": {
            "summary": "Everything about one of these messages (on the admin socket only)",
            "parameters": [
                parameter("id"),
                query("text", "boolean", "Its text in the clear, too"),
            ],
            "responses": responses("WholeCallbackMessage", &[400, 401, 403, 404]),
        }},
        "/v1/callbacks/redeliver": { "post": {
            "summary": "Send a message again, or all that were given up (on the admin socket only)",
            "requestBody": body("RedeliverRequest"),
            "responses": responses("Redelivered", &[400, 401, 403, 404, 413]),
        }},
        "/healthz": { "get": open("Liveness") },
        "/readyz": { "get": open("Readiness: 503 while the store fails or the server shuts down") },
        "/v1/call/{name}/{path}": call(),
        "/v1/cloud/{name}/{env}/database/{operation}": cloud("operation", true, "A statement of the cloud database: `query`, \
            `add`, `update`, `set`, `delete`, `count` or `aggregate`; as JSON, or as text/plain"),
        "/v1/cloud/{name}/{env}/functions/{function}": cloud("function", false, "Calls a cloud function with an event"),
        "/v1/cloud/{name}/{env}/files/{path}": files(),
        "/oauth2/token": { "post": {
            "summary": "OAuth 2.0 token endpoint: client_id is a credential's name, client_secret a client key",
            "security": [],
            "requestBody": { "content": { "application/x-www-form-urlencoded": { "schema": {
                "type": "object",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": { "type": "string", "enum": ["client_credentials", "client_credential"] },
                    "client_id": { "type": "string" }, "client_secret": { "type": "string" },
                },
            } } } },
            "responses": {
                "200": { "description": "RFC 6749 section 5.1" },
                "400": { "description": "RFC 6749 section 5.2" },
                "401": { "description": "RFC 6749 section 5.2" },
            },
        }},
        "/.well-known/oauth-authorization-server": { "get": open("Where the token endpoint is (RFC 8414)") },
        "/openapi.json": { "get": open("This document") },
        "/metrics": { "get": {
            "summary": "Prometheus metrics", "responses": { "200": { "description": "OpenMetrics text" } },
        }},
    })
}

/// A call of cloud development, whose answer depends on the call.
fn cloud(last: &str, takes_text: bool, summary: &str) -> Value {
    let content = match takes_text {
        true => json!({
            "application/json": { "schema": { "type": "object" } },
            "text/plain": { "schema": { "type": "string" } },
        }),
        // An event is any JSON.
        false => json!({ "application/json": { "schema": {} } }),
    };
    json!({
        "parameters": [parameter("name"), parameter("env"), parameter(last)],
        "post": {
            "summary": summary,
            "requestBody": { "content": content },
            "responses": { "200": { "description": "Documents, counts, or what the function returned" },
                "default": {
                    "description": "A problem; see `code` and `next_step`",
                    "content": { "application/problem+json": { "schema": reference("Problem") } },
                } },
        },
    })
}

/// A file of cloud development. Its path may have slashes.
fn files() -> Value {
    let problem = json!({
        "description": "A problem; see `code` and `next_step`",
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    });
    let bytes = json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
    let stored = json!({ "application/json": { "schema": {
        "type": "object",
        "properties": { "file_id": { "type": "string" }, "size": { "type": "integer" } },
    } } });
    json!({
        "parameters": [parameter("name"), parameter("env"), parameter("path")],
        "put": {
            "summary": "Uploads a file; `Content-Length` is needed",
            "requestBody": { "content": bytes },
            "responses": { "200": { "description": "It is there", "content": stored }, "default": problem },
        },
        "get": {
            "summary": "Where a file can be downloaded, or the file",
            "parameters": [
                query("stream", "boolean", "Answer with the file itself instead of a redirect"),
                query("max_age", "integer", "How long the address is to be good, in seconds; 7200 by default"),
            ],
            "responses": {
                "200": { "description": "The file", "content": bytes },
                "206": { "description": "The part that `Range` asks for", "content": bytes },
                "302": { "description": "Its address is in Location" },
                "304": { "description": "It is the one that is known" },
                "416": { "description": "It has no such part" },
                "default": problem,
            },
        },
        "delete": {
            "summary": "Removes a file",
            "responses": { "204": { "description": "It is gone" }, "default": problem },
        },
    })
}

fn parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

/// The gateway takes every method.
fn call() -> Value {
    let mut methods = serde_json::Map::new();
    for method in ["get", "put", "post", "delete", "options", "head", "patch"] {
        methods.insert(method.to_owned(), json!({
            "summary": "Calls the platform with the credential's token; method, query and body go through",
            "responses": { "default": { "description": "The platform's answer" } },
        }));
    }
    methods.insert("parameters".to_owned(), json!([parameter("name"), parameter("path")]));
    Value::Object(methods)
}

fn query(name: &str, kind: &str, description: &str) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": { "type": kind } })
}

fn body(schema: &str) -> Value {
    json!({ "content": { "application/json": { "schema": reference(schema) } } })
}

fn open(summary: &str) -> Value {
    json!({ "summary": summary, "security": [], "responses": { "200": { "description": "OK" } } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn responses(schema: &str, problems: &[u16]) -> Value {
    let ok =
        json!({ "description": "OK", "content": { "application/json": { "schema": reference(schema) } } });
    let problem = json!({ "application/problem+json": { "schema": reference("Problem") } });
    let mut all = serde_json::Map::from_iter([("200".to_owned(), ok)]);
    for status in problems {
        let response = json!({ "description": "A problem; see `code` and `next_step`", "content": problem });
        all.insert(status.to_string(), response);
    }
    Value::Object(all)
}

fn token_responses() -> Value {
    let mut all = responses("Token", &[400, 401, 403, 404, 502, 503, 504]);
    if let Some(all) = all.as_object_mut() {
        let description = "Nothing new; the end of the told life is in Tokenward-Expires-At";
        all.insert("304".to_owned(), json!({ "description": description }));
    }
    all
}
