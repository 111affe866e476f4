//! What must hold for every request, whatever secrets, names and base URLs go into it. Single requests are
//! among the golden exchanges.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod everyone;

use std::collections::BTreeMap;

use base64::Engine as _;
use everyone::{baidu, everyone, oauth2, wechat};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenward_core::secret::Secret;
use tokenward_core::semantics::FetchKind;
use tokenward_providers::{Baidu, ClientAuth, Method, OAuth2, Provider, Request, TokenApi, WeChat};

const BASE: &str = "https://api.example.com";

#[test]
fn debug_shows_neither_url_nor_headers_nor_body() {
    for (who, provider) in everyone() {
        let token = provider.token_request(BASE, &Secret::new("hunter2"), FetchKind::Plain);
        let probe = provider.probe_request(BASE, &Secret::new("hunter2"));
        for request in [Some(token), probe].into_iter().flatten() {
            let method = if request.method == Method::Get { "Get" } else { "Post" };
            assert_eq!(format!("{request:?}"), format!("Request {{ method: {method}, .. }}"), "{who}");
            let pretty = format!("{request:#?}");
            for hidden in ["hunter2", "example.com", "client", "secret", "Basic"] {
                assert!(!pretty.contains(hidden), "{who}: {hidden} in {pretty}");
            }
        }
    }
}

#[test]
fn only_wechat_has_a_call_that_is_cheap_enough_to_probe_with() {
    let can_be_probed = everyone()
        .into_iter()
        .filter(|(_, provider)| provider.probe_request(BASE, &Secret::new("made-up-token")).is_some());
    assert_eq!(can_be_probed.map(|(who, _)| who).collect::<Vec<_>>(), ["wechat classic", "wechat stable"]);
}

#[test]
fn force_changes_the_request_of_the_stable_api_and_no_other() {
    let secret = Secret::new("made-up-secret");
    let differs = everyone().into_iter().filter(|(_, provider)| {
        let [plain, forced] =
            [FetchKind::Plain, FetchKind::Forced].map(|kind| provider.token_request(BASE, &secret, kind));
        (plain.url, plain.headers, plain.body) != (forced.url, forced.headers, forced.body)
    });
    assert_eq!(differs.map(|(who, _)| who).collect::<Vec<_>>(), ["wechat stable"]);
}

#[test]
fn slashes_at_the_end_of_a_base_url_change_nothing() {
    for (who, provider) in everyone() {
        let secret = Secret::new("made-up");
        let url = |base: &str| provider.token_request(base, &secret, FetchKind::Plain).url;
        let probe = |base: &str| provider.probe_request(base, &secret).map(|request| request.url);
        for base in ["https://api.example.com/", "https://api.example.com//"] {
            assert_eq!(url(BASE).expose(), url(base).expose(), "{who}");
            assert_eq!(probe(BASE), probe(base), "{who}");
        }
    }
}

#[test]
fn a_token_belongs_to_all_that_names_it_and_not_to_the_way_the_client_authenticates() {
    let stable = wechat(TokenApi::Stable);
    assert_ne!(stable.identity(), wechat(TokenApi::Classic).identity());
    assert_ne!(stable.identity(), WeChat { app_id: "wx1".into(), ..stable.clone() }.identity());
    assert_ne!(baidu().identity(), Baidu { client_id: "another".into() }.identity());
    let basic = oauth2(ClientAuth::Basic);
    let others = [
        OAuth2 { token_url: "https://id.example.org/token".into(), ..basic.clone() },
        OAuth2 { client_id: "another".into(), ..basic.clone() },
        OAuth2 { scope: "read".into(), ..basic.clone() },
        OAuth2 { audience: "api".into(), ..basic.clone() },
        OAuth2 { extra: vec![("account_id".into(), "7".into())], ..basic.clone() },
    ];
    for other in others {
        assert_ne!(basic.identity(), other.identity(), "{other:?}");
    }
    assert_eq!(basic.identity(), oauth2(ClientAuth::Body).identity());
}

proptest! {
    #[test]
    fn classic_ids_and_secrets_arrive_as_they_were(app_id in ".*", secret in ".*") {
        let request = plain(&WeChat { app_id: app_id.clone(), token_api: TokenApi::Classic }, &secret);
        sendable(&request);
        prop_assert_eq!(
            decoded(query(&request)),
            pairs(&[("grant_type", "client_credential"), ("appid", &app_id), ("secret", &secret)])
        );
    }

    #[test]
    fn stable_ids_and_secrets_arrive_as_they_were(app_id in ".*", secret in ".*") {
        let request = plain(&WeChat { app_id: app_id.clone(), token_api: TokenApi::Stable }, &secret);
        sendable(&request);
        let body: Value = serde_json::from_str(request.body.expose()).unwrap();
        prop_assert_eq!(body, json!({
            "grant_type": "client_credential", "appid": app_id, "secret": secret, "force_refresh": false,
        }));
    }

    #[test]
    fn baidu_ids_and_secrets_arrive_as_they_were(client_id in ".*", secret in ".*") {
        let request = plain(&Baidu { client_id: client_id.clone() }, &secret);
        sendable(&request);
        prop_assert_eq!(
            decoded(query(&request)),
            pairs(&[("grant_type", "client_credentials"), ("client_id", &client_id), ("client_secret", &secret)])
        );
    }

    #[test]
    fn oauth2_ids_and_secrets_arrive_as_they_were_in_the_header(client_id in ".*", secret in ".*") {
        let request = plain(&OAuth2 { client_id: client_id.clone(), ..oauth2(ClientAuth::Basic) }, &secret);
        sendable(&request);
        let (_, header) = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        let encoded = header.expose().strip_prefix("Basic ").unwrap();
        let pair = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        let pair = String::from_utf8(pair).unwrap();
        let (id, password) = pair.split_once(':').unwrap();
        prop_assert_eq!((form_decoded(id), form_decoded(password)), (client_id, secret.clone()));
        prop_assert_eq!(decoded(request.body.expose()), pairs(&[("grant_type", "client_credentials")]));
    }

    #[test]
    fn oauth2_parameters_arrive_as_they_were_in_the_body(
        client_id in ".*", secret in ".*", scope in ".+", audience in ".+", extra in ".*",
    ) {
        let provider = OAuth2 {
            client_id: client_id.clone(),
            scope: scope.clone(),
            audience: audience.clone(),
            extra: vec![("account id".into(), extra.clone())],
            ..oauth2(ClientAuth::Body)
        };
        let request = plain(&provider, &secret);
        sendable(&request);
        prop_assert!(request.headers.iter().all(|(name, _)| *name != "authorization"));
        prop_assert_eq!(decoded(request.body.expose()), pairs(&[
            ("grant_type", "client_credentials"),
            ("client_id", &client_id),
            ("client_secret", &secret),
            ("scope", &scope),
            ("audience", &audience),
            ("account id", &extra),
        ]));
    }

    #[test]
    fn tokens_arrive_at_the_probe_as_they_were(token in "[!-~]{1,600}") {
        let request = wechat(TokenApi::Stable).probe_request(BASE, &Secret::new(token.as_str())).unwrap();
        sendable(&request);
        prop_assert_eq!(decoded(query(&request)), pairs(&[("access_token", &token)]));
    }
}

fn plain(provider: &dyn Provider, secret: &str) -> Request {
    provider.token_request(BASE, &Secret::new(secret), FetchKind::Plain)
}

/// Nothing in URL or headers can end a line or start another part of the request.
fn sendable(request: &Request) {
    let url = request.url.expose();
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains('#'), "{url:?}");
    assert!(url.matches('?').count() <= 1, "{url:?}");
    for (name, value) in &request.headers {
        let value = value.expose();
        assert_eq!(*name, name.to_ascii_lowercase());
        assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{value:?}");
    }
}

fn query(request: &Request) -> &str {
    request.url.expose().split_once('?').unwrap().1
}

/// Names and values of a query or form, as servers read them (RFC 6749 appendix B).
fn decoded(form: &str) -> BTreeMap<String, String> {
    let pairs = form.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (form_decoded(name), form_decoded(value))).collect()
}

fn form_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

fn pairs(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
