//! What each failure of a platform leads to: the right state, the right next step, and no storm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use http::StatusCode;
use lab::{Lab, Server, classic, documented, four};
use serde_json::json;
use tokenward_emulator::{Fault, FaultKind, ToldLife};

async fn broken(fault: FaultKind) -> (Lab, Server) {
    let lab = Lab::new(documented()).await;
    lab.control().inject(Fault::new(fault).on("/cgi-bin/token")).unwrap();
    let server = lab.serve(&four());
    (lab, server)
}

fn refusal(errcode: i64, errmsg: &str) -> FaultKind {
    FaultKind::Errcode { errcode, errmsg: Some(errmsg.to_owned()), error: None, status: None }
}

/// What a reader of `shop` is told, and what the status says, while everything else works.
async fn expect(fault: FaultKind, status: u16, state: &str, code: &str, next_step: &str) -> (Lab, Server) {
    let (lab, server) = broken(fault).await;
    let shown = server.wait_for_state("shop", state).await;
    assert_eq!(shown["last_failure"]["code"], code, "{shown}");
    let step = shown["last_failure"]["next_step"].as_str().unwrap();
    assert!(step.contains(next_step), "{step}");
    let answer = server.token("shop").await;
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!(wait >= 1);
    for other in ["members", "ocr", "crm"] {
        assert_eq!(server.token(other).await.status, 200, "{other} is untouched");
    }
    (lab, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_secret_stops_and_says_so() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four().replacen(lab::SECRET, "wrong-secret-of-the-shop", 1));
    let shown = server.wait_for_state("shop", "blocked").await;
    assert_eq!(shown["last_failure"]["code"], "bad_secret");
    for _ in 0..50 {
        let answer = server.token("shop").await;
        assert_eq!((answer.status, answer.code()), (503, "bad_secret"));
        assert_eq!(answer.body["platform"]["errcode"], 40125);
    }
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert_eq!(stats["by_app"]["wxclassic"]["refused"], 1, "asked once: {stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_replaced_in_its_file_heals_by_itself() {
    let lab = Lab::new(documented()).await;
    let file = lab.folder.path().join("secret");
    std::fs::write(&file, "old-secret").unwrap();
    let credentials =
        classic("5m").replace(&format!("{{ inline = \"{}\" }}", lab::SECRET), "{ file = \"secret\" }");
    let server = lab.serve(&credentials);
    server.wait_for_state("shop", "blocked").await;
    std::fs::write(&file, format!("{}\n", lab::SECRET)).unwrap();
    // An operator tries again; the refusal makes Tokenward read the file again, and that heals it.
    server.post("/v1/credentials/shop/refresh", json!({})).await;
    assert_eq!(server.next_token("shop", 0).await.status, 200);
    assert_eq!(server.status("shop").await["state"], "live");
}

#[tokio::test(flavor = "multi_thread")]
async fn during_a_rollover_the_second_secret_is_tried_once() {
    let lab = Lab::new(documented()).await;
    let good = format!("{{ inline = \"{}\" }}", lab::SECRET);
    let credentials =
        classic("5m").replace(&good, &format!("[{{ inline = \"new-secret-not-yet\" }}, {good}]"));
    let server = lab.serve(&credentials);
    assert_eq!(server.token("shop").await.status, 200);
    assert_eq!((lab.issued(), lab.emulator.stats().refused), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_named() {
    let text =
        "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 66a9a1e9-44041632-7e45fa15";
    expect(refusal(40164, text), 503, "blocked", "ip_not_allowed", "Add 203.0.113.9 to the IP allow-list")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_secret_asks_to_unfreeze_it() {
    expect(FaultKind::Frozen, 503, "blocked", "secret_frozen", "Unfreeze the app secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_somebody_else_used_up_says_so() {
    let step = "Someone else uses this app's budget";
    expect(FaultKind::QuotaUsedUp, 503, "blocked", "quota_used_up", step).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_must_confirm_is_named() {
    let fault = refusal(89503, "this ip need admin confirm");
    expect(fault, 503, "blocked", "admin_must_confirm", "administrator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_platform_is_tried_again() {
    let (lab, server) =
        expect(FaultKind::Busy, 503, "expired", "platform_busy", "tries again by itself").await;
    lab.control().clear_faults();
    assert_eq!(server.next_token("shop", 0).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_tried_again() {
    expect(FaultKind::Status(StatusCode::BAD_GATEWAY), 503, "expired", "platform_error", "tries again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_people_is_nonsense() {
    expect(FaultKind::Html(StatusCode::OK), 502, "expired", "nonsense_answer", "Check `base_url`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_a_lost_connection() {
    expect(FaultKind::Truncate, 503, "expired", "connection_lost", "tries again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_is_a_lost_connection() {
    expect(FaultKind::ResetBefore, 503, "expired", "connection_lost", "tries again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_over_at_once_is_nonsense() {
    for life in [json!(0), json!(-7200), json!("soon")] {
        let fault = FaultKind::ExpiresIn(ToldLife::Literal(life));
        expect(fault, 502, "expired", "nonsense_answer", "Check `base_url`").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_lives_are_understood() {
    let cases = [
        (FaultKind::ExpiresIn(ToldLife::AsText), 7_200),
        (FaultKind::ExpiresIn(ToldLife::Missing), 7_200),
        (FaultKind::ExpiresIn(ToldLife::Literal(json!(99_999_999))), 7_200),
        (FaultKind::ExpiresIn(ToldLife::Literal(json!(3_600))), 3_600),
    ];
    for (fault, life) in cases {
        let (_lab, server) = broken(fault).await;
        server.token("shop").await;
        let status = server.status("shop").await;
        let moment =
            |field: &str| status[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(moment("expires_at") - moment("issued_at"), life, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_listens_is_unreachable_and_costs_no_budget() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m").replace("PLATFORM", "http://127.0.0.1:1"));
    let shown = server.wait_for_state("shop", "expired").await;
    assert_eq!(shown["last_failure"]["code"], "platform_unreachable");
    assert_eq!(shown["budget"]["used_today"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_base_url_is_used_when_the_first_cannot_be_reached() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m").replace("\"PLATFORM\"", "[\"http://127.0.0.1:1\", \"PLATFORM\"]"));
    assert_eq!(server.token("shop").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_verified_at_the_base_url_that_answers() {
    let lab = Lab::new(documented()).await;
    let nobody = "base_url = [\"http://127.0.0.1:1\", \"PLATFORM\"]";
    let server = lab.serve(&classic("5m").replace("base_url = \"PLATFORM\"", nobody));
    assert_eq!(server.token("shop").await.generation(), 1);
    lab.control().invalidate(Some("wxclassic")).unwrap();
    assert_eq!(server.report("shop", 1).await.generation(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_followed_up_is_told_the_reason() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("crm").await;
    let refuse = FaultKind::Errcode {
        errcode: 0,
        errmsg: None,
        error: Some("invalid_client".to_owned()),
        status: Some(StatusCode::UNAUTHORIZED),
    };
    lab.control().inject(Fault::new(refuse).on("/oauth2/token")).unwrap();
    let refreshed = server.post("/v1/credentials/crm/refresh", json!({})).await;
    assert_eq!((refreshed.status, refreshed.code()), (502, "bad_secret"), "{refreshed:?}");
    let reported = server.report("crm", 1).await;
    assert_eq!((reported.status, reported.code()), (503, "bad_secret"), "{reported:?}");
    let wait: u64 = reported.header("retry-after").parse().unwrap();
    assert!(wait <= 3600, "{wait}");
    assert_eq!(server.token("crm").await.status, 200, "the old token is served");
}
