//! What must hold for every answer, however wrong it is: nothing panics, no token that could not be used is
//! granted, and every failure says something that can be shown. Single answers are golden exchanges.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod everyone;

use everyone::{Anyone, everyone, wechat};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokenward_core::event::{Grant, Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind};
use tokenward_core::time::Span;
use tokenward_providers::{Answer, Provider, TokenApi};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_comes_back_is_a_usable_token_or_a_failure_that_can_be_shown(answer in answers()) {
        for (who, provider) in everyone() {
            match provider.read_token(&answer) {
                Ok(grant) => usable(who, &*provider, &grant),
                Err((failure, outcome)) => showable(who, &failure, outcome),
            }
        }
    }

    #[test]
    fn only_the_words_of_a_platform_are_a_complaint_about_the_token(answer in answers()) {
        for (who, provider) in everyone() {
            if provider.complaint(&answer).is_some() {
                let said = match provider.platform() {
                    "wechat" => member(&answer, "errcode").is_some_and(|code| ["40001", "40014", "42001"].contains(&code.as_str())),
                    "baidu" => member(&answer, "error_code").is_some_and(|code| ["110", "111"].contains(&code.as_str())),
                    _ => answer.status == 401,
                };
                prop_assert!(said, "{} complains about {:?}", who, answer);
            }
        }
    }

    #[test]
    fn a_probe_that_finds_a_token_dead_has_seen_a_complaint_in_a_success(answer in answers()) {
        for (who, provider) in everyone() {
            match provider.read_probe(&answer) {
                Verdict::Unclear => {}
                Verdict::Dead => prop_assert!(provider.complaint(&answer).is_some() && is_success(&answer), "{}", who),
                Verdict::Alive => prop_assert!(provider.complaint(&answer).is_none() && is_success(&answer), "{}", who),
            }
        }
    }

    /// A token in an answer that is not believed is still a token.
    #[test]
    fn a_token_that_is_not_granted_is_not_shown_either(
        token in "tk-[a-z0-9]{12}", blank in any::<bool>(), status in any::<u16>(), life in value(),
    ) {
        let text = if blank { format!("{token} ") } else { token.clone() };
        let body = json!({ "access_token": text, "expires_in": life });
        for (who, provider) in everyone() {
            if let Err((failure, _)) = provider.read_token(&json_answer(status, &body)) {
                prop_assert!(!format!("{failure:?}").contains(&token), "{}: {:?}", who, failure);
            }
        }
    }

    #[test]
    fn a_token_cut_off_anywhere_is_not_granted(cut in 0_usize..53) {
        let whole = br#"{"access_token":"made-up-token-0123","expires_in":72}"#;
        let answer = Answer { status: 200, headers: Vec::new(), body: whole[..cut].to_vec() };
        for (who, provider) in everyone() {
            let (failure, outcome) = refused(&provider, &answer);
            prop_assert_eq!((failure.kind, outcome), (FailureKind::Nonsense, Outcome::Unknown), "{}", who);
        }
    }
}

#[test]
fn a_body_that_is_not_even_text_is_nonsense() {
    let bodies: [&[u8]; 4] =
        [b"\xff\xfe{\0}\0", b"{\"access_token\":\"\xc3\x28\"}", b"\0", b"\x1f\x8b\x08\0"];
    for body in bodies {
        let answer = Answer { status: 200, headers: Vec::new(), body: body.to_vec() };
        for (who, provider) in everyone() {
            assert_eq!(refused(&provider, &answer).0.kind, FailureKind::Nonsense, "{who}: {body:?}");
        }
    }
}

#[test]
fn json_nested_without_end_is_nonsense() {
    let answer = Answer { status: 200, headers: Vec::new(), body: vec![b'['; 1_000_000] };
    for (who, provider) in everyone() {
        assert_eq!(refused(&provider, &answer).0.kind, FailureKind::Nonsense, "{who}");
        assert!(provider.complaint(&answer).is_none(), "{who}");
    }
}

#[test]
fn a_token_may_have_64_kib_and_not_a_byte_more() {
    for (who, provider) in everyone() {
        let of = |length| json_answer(200, &json!({ "access_token": "x".repeat(length), "expires_in": 60 }));
        assert!(provider.read_token(&of(65_536)).is_ok(), "{who}");
        assert_eq!(refused(&provider, &of(65_537)).0.kind, FailureKind::Nonsense, "{who}");
    }
}

#[test]
fn the_words_of_a_platform_are_cut_and_lose_their_line_breaks() {
    let words = format!("first line\r\nsecond line \u{1b}[31m{}", "x".repeat(1000));
    let body =
        json!({ "errcode": 40013, "errmsg": words, "error": "invalid_client", "error_description": words });
    for (who, provider) in everyone() {
        let (failure, outcome) = refused(&provider, &json_answer(400, &body));
        showable(who, &failure, outcome);
        let message = failure.refusal.unwrap().message;
        assert!(message.starts_with("first line  second line  [31mxxx"), "{who}: {message}");
        assert_eq!(message.chars().count(), 300, "{who}");
    }
}

/// Whoever answers in the platform's place does not write into the next step what it likes.
#[test]
fn nothing_but_an_address_gets_from_a_message_into_the_next_step() {
    let long = "1".repeat(10_000);
    for claimed in ["<script>", "evil.example.com", "1.2.3", ":", "", "deadbeef", &long, "999.1.1.1"] {
        for words in [format!("invalid ip {claimed}, not in whitelist"), format!("requestIP: {claimed}")] {
            let answer = json_answer(200, &json!({ "errcode": 40164, "errmsg": words }));
            let (failure, _) = wechat(TokenApi::Stable).read_token(&answer).unwrap_err();
            assert!(
                failure.next_step.contains("the address this machine calls from"),
                "{}",
                failure.next_step
            );
        }
    }
}

/// What a refusal means depends on the platform's code, not on the API it was asked through.
#[test]
fn both_token_apis_of_wechat_mean_the_same_by_a_code() {
    for code in -100..100_000 {
        let answer = json_answer(200, &json!({ "errcode": code, "errmsg": "made up" }));
        let [classic, stable] =
            [TokenApi::Classic, TokenApi::Stable].map(|api| wechat(api).read_token(&answer).unwrap_err());
        assert_eq!((classic.0.kind, classic.1), (stable.0.kind, stable.1), "{code}");
        assert!(code == 45009 || classic.0.next_step == stable.0.next_step, "{code}");
    }
}

fn usable(who: &str, provider: &dyn Provider, grant: &Grant) {
    let token = grant.token.expose();
    assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()), "{who}: {token:?}");
    let longest = match provider.platform() {
        "wechat" => Span::hours(2),
        "baidu" => Span::hours(30 * 24),
        _ => Span::hours(366 * 24),
    };
    assert!(grant.life >= Span::seconds(1) && grant.life <= longest, "{who}: {:?}", grant.life);
}

fn showable(who: &str, failure: &Failure, outcome: Outcome) {
    assert_ne!(outcome, Outcome::NotSent, "{who}: an answer came back");
    assert!(failure.next_step.ends_with('.'), "{who}: {}", failure.next_step);
    assert!(failure.retry_after.is_none_or(|wait| wait >= Span::ZERO), "{who}: {failure:?}");
    let words = failure.refusal.iter().flat_map(|refusal| [&refusal.code, &refusal.message]);
    for text in [&failure.detail, &failure.next_step].into_iter().chain(words) {
        assert!(!text.contains(char::is_control) && text.chars().count() < 800, "{who}: {text:?}");
    }
}

fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

fn refused(provider: &Anyone, answer: &Answer) -> (Failure, Outcome) {
    provider.read_token(answer).unwrap_err()
}

fn json_answer(status: u16, body: &Value) -> Answer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Answer { status, headers, body: body.to_string().into_bytes() }
}

fn member(answer: &Answer, name: &str) -> Option<String> {
    let body = answer.json()?;
    let value = body.get(name)?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Answers from plain noise to nearly right ones.
fn answers() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![3 => select(vec![200_u16, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]), 1 => any::<u16>()];
    let name = prop_oneof![
        select(vec!["content-type", "retry-after", "www-authenticate"]).prop_map(str::to_owned),
        ".*"
    ];
    let known = select(vec![
        "text/html",
        "application/json",
        "30",
        "-1",
        "9223372036854775807",
        "Bearer error=\"invalid_token\"",
        "Bearer error=\"insufficient_scope\"",
    ]);
    let content = prop_oneof![known.prop_map(str::to_owned), ".*"];
    (status, vec((name, content), 0..4), bodies()).prop_map(|(status, headers, body)| Answer {
        status,
        headers,
        body,
    })
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let cut =
        (object(), any::<prop::sample::Index>()).prop_map(|(body, at)| body[..at.index(body.len())].to_vec());
    let marked = object().prop_map(|body| [b"\xef\xbb\xbf".to_vec(), body].concat());
    let other_json = value().prop_map(|value| value.to_string().into_bytes());
    prop_oneof![6 => object(), 1 => cut, 1 => marked, 1 => vec(any::<u8>(), 0..200), 1 => other_json]
}

fn object() -> impl Strategy<Value = Vec<u8>> {
    let names = vec![
        "access_token",
        "expires_in",
        "errcode",
        "errmsg",
        "error",
        "error_description",
        "error_code",
        "error_msg",
        "ip_list",
    ];
    vec((select(names), value()), 0..6).prop_map(|members| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect()).to_string().into_bytes()
    })
}

fn value() -> impl Strategy<Value = Value> {
    let words = select(vec![
        "made-up-token",
        "",
        "7200",
        "0",
        "-1",
        "1e400",
        "NaN",
        "40001",
        "110",
        "invalid_client",
        "invalid_scope",
        "unknown client id",
        "invalid ip 203.0.113.9, not in whitelist",
        "invalid ip 2001:db8::1 ipv6 2001:db8::1, not",
    ]);
    let codes = select(vec![0, -1, 40001, 40013, 40014, 40125, 40164, 42001, 45009, 89503, 4, 18, 110, 111]);
    prop_oneof![
        4 => words.prop_map(Value::from),
        4 => codes.prop_map(Value::from),
        2 => "[!-~]{1,40}".prop_map(Value::from),
        1 => ".*".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => vec(any::<u8>(), 0..3).prop_map(Value::from),
        1 => Just(json!({ "errcode": 40001 })),
    ]
}
