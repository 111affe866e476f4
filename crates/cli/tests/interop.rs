//! Real clients from PyPI and npm against the real binary and the emulator. `scripts/install-interop.sh` installs
//! them, `make test` runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{KEY, Lab, Server, documented, four};
use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, TokenResponse as _, TokenUrl};
use serde_json::Value;

fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop").join(path);
    assert!(path.exists(), "{} is missing: run scripts/install-interop.sh", path.display());
    path
}

/// Runs a client and returns the JSON that it prints.
fn run(server: &Server, credential: &str, command: &mut Command) -> Value {
    command
        .env("TOKENWARD_URL", &server.url)
        .env("TOKENWARD_KEY", KEY)
        .env("CREDENTIAL", credential)
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy");
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn gets_every_token(command: impl Fn() -> Command) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    for name in ["shop", "crm"] {
        let held = server.token(name).await;
        let got = run(&server, name, &mut command());
        assert_eq!(got["access_token"], held.token(), "{name}");
        let told = held.body["expires_in"].as_i64().unwrap();
        assert!((told - 20..=told).contains(&got["expires_in"].as_i64().unwrap()), "{got} {told}");
    }
    assert_eq!(lab.issued(), 4);
}

fn python(client: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/python/oauth_clients.py"))
        .arg(client);
    command
}

fn node(client: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(installed("node/oauth-clients.mjs")).arg(client);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib() {
    gets_every_token(|| python("authlib-basic")).await;
    gets_every_token(|| python("authlib-post")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_oauthlib() {
    gets_every_token(|| python("requests-oauthlib")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client() {
    gets_every_token(|| node("openid-client")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_oauth2() {
    gets_every_token(|| node("simple-oauth2-header")).await;
    gets_every_token(|| node("simple-oauth2-body")).await;
}

/// The crate brings no HTTP client of its own here: it is lent the test's.
async fn lend(http: reqwest::Client, request: HttpRequest) -> reqwest::Result<HttpResponse> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string();
    let answer = http.request(parts.method, url).headers(parts.headers).body(body).send().await?;
    let mut response = http::Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    Ok(response.body(answer.bytes().await?.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth2_of_rust() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    for (name, kind) in [("shop", AuthType::BasicAuth), ("crm", AuthType::RequestBody)] {
        let client = BasicClient::new(ClientId::new(name.to_owned()))
            .set_client_secret(ClientSecret::new(KEY.to_owned()))
            .set_token_uri(TokenUrl::new(format!("{}/oauth2/token", server.url)).unwrap())
            .set_auth_type(kind);
        let http = server.http().clone();
        let asking = client.exchange_client_credentials();
        let got = asking.request_async(&|request| lend(http.clone(), request)).await.unwrap();
        assert_eq!(got.access_token().secret(), server.token(name).await.token(), "{name}");
        assert!(got.expires_in().unwrap().as_secs() > 3_000);
    }
}
