//! The OAuth 2.0 token endpoint, as client libraries use it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Answer, KEY, Lab, Server, documented, four};
use tokenward_emulator::{Fault, FaultKind};

async fn ask(server: &Server, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
    let mut request = server.http().post(format!("{}/oauth2/token", server.url)).form(form);
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    server.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_credential_can_be_had_with_either_authentication() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    for name in ["shop", "members", "ocr", "crm"] {
        let token = server.token(name).await.token().to_owned();
        let grant = ("grant_type", "client_credentials");
        let in_header = ask(&server, Some((name, KEY)), &[grant]).await;
        let in_body = ask(&server, None, &[grant, ("client_id", name), ("client_secret", KEY)]).await;
        for answer in [in_header, in_body] {
            assert_eq!((answer.status, &answer.body["access_token"]), (200, &token.clone().into()));
            assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
            assert_eq!(answer.body["token_type"], "Bearer");
            assert!(answer.body["expires_in"].as_i64().unwrap() > 60, "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_those_of_the_rfc() {
    let lab = Lab::new(documented()).await;
    let client = "[clients.weak]\nkey = { inline = \"weak-key-0123456789\" }\ncredentials = [\"shop\"]\nmay = [\"call\"]\n";
    let server = lab.serve(&(client.to_owned() + &four()));
    let grant = ("grant_type", "client_credentials");
    let wrong_key = ask(&server, Some(("shop", "wrong")), &[grant]).await;
    assert_eq!((wrong_key.status, &wrong_key.body["error"]), (401, &"invalid_client".into()));
    assert!(wrong_key.header("www-authenticate").starts_with("Basic"));
    let unknown = ask(&server, Some(("nothing", KEY)), &[grant]).await;
    assert_eq!((unknown.status, &unknown.body["error"]), (401, &"invalid_client".into()));
    let no_right = ask(&server, Some(("shop", "weak-key-0123456789")), &[grant]).await;
    assert_eq!((no_right.status, &no_right.body["error"]), (400, &"unauthorized_client".into()));
    let password = ask(&server, Some(("shop", KEY)), &[("grant_type", "password")]).await;
    assert_eq!((password.status, &password.body["error"]), (400, &"unsupported_grant_type".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_token_the_reason_is_told() {
    let lab = Lab::new(documented()).await;
    lab.control().inject(Fault::new(FaultKind::Frozen).on("/cgi-bin/token")).unwrap();
    let server = lab.serve(&four());
    server.wait_for_state("shop", "blocked").await;
    let answer = ask(&server, Some(("shop", KEY)), &[("grant_type", "client_credentials")]).await;
    assert_eq!((answer.status, &answer.body["error"]), (503, &"temporarily_unavailable".into()));
    assert!(answer.body["error_description"].as_str().unwrap().contains("frozen"), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_is_found_by_its_description() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let url = format!("{}/.well-known/oauth-authorization-server", server.url);
    let described = server.send(server.http().get(url)).await.body;
    assert_eq!(described["issuer"], server.url.as_str());
    assert_eq!(described["token_endpoint"], format!("{}/oauth2/token", server.url));
}
