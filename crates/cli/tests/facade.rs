//! The facade: what an SDK that believes it talks to api.weixin.qq.com gets to see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Answer, KEY, Lab, SECRET, Server, classic, documented, four, scaled};
use reqwest::Method;
use serde_json::{Value, json};
use tokenward_emulator::{Fault, FaultKind};

const FACADE: &str = "[facade.wechat]\nlisten = \"127.0.0.1:0\"\n";

fn with_facade(credentials: &str) -> String {
    format!("{FACADE}{credentials}")
}

fn with_handles(credentials: &str) -> String {
    format!("{FACADE}hand_out = \"handle\"\n{credentials}")
}

async fn get(server: &Server, path: &str) -> Answer {
    server.send(server.http().get(format!("{}{path}", server.facade()))).await
}

async fn post(server: &Server, path: &str, body: &str) -> Answer {
    server.send(server.http().post(format!("{}{path}", server.facade())).body(body.to_owned())).await
}

async fn token_answer(server: &Server, secret: &str) -> Answer {
    get(server, &format!("/cgi-bin/token?grant_type=client_credential&appid=wxclassic&secret={secret}")).await
}

/// The token that an SDK with the client key is given.
async fn token(server: &Server) -> String {
    let answer = token_answer(server, KEY).await;
    answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn followers(server: &Server, token: &str) -> Answer {
    get(server, &format!("/cgi-bin/user/get?access_token={token}&next_openid=")).await
}

fn is_served(answer: &Answer) -> bool {
    answer.status == 200 && answer.body["data"]["openid"].is_array()
}

fn errcode(answer: &Answer) -> i64 {
    answer.body["errcode"].as_i64().unwrap_or_else(|| panic!("{answer:?}"))
}

fn requests(lab: &Lab, path: &str) -> u64 {
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    stats["by_path"][path]["requests"].as_u64().unwrap_or(0)
}

const TICKET: &str = "[credentials.pages]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"jsapi\"\n";

async fn ticket(server: &Server, token: &str, kind: &str) -> Answer {
    get(server, &format!("/cgi-bin/ticket/getticket?access_token={token}&type={kind}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_ours_is_handed_out_and_asked_for_once() {
    for facade in [with_facade, with_handles] {
        let lab = Lab::new(documented()).await;
        let server = lab.serve(&facade(&format!("{TICKET}{}", classic("5m"))));
        let token = token(&server).await;
        let (one, other) = (ticket(&server, &token, "jsapi").await, ticket(&server, &token, "jsapi").await);
        assert_eq!((errcode(&one), &one.body["ticket"]), (0, &other.body["ticket"]));
        assert_eq!(one.body["ticket"], server.token("pages").await.token());
        assert_eq!(requests(&lab, "/cgi-bin/ticket/getticket"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_not_configured_is_asked_for_upstream() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&format!("{TICKET}{}", classic("5m"))));
    let token = token(&server).await;
    let (one, other) = (ticket(&server, &token, "wx_card").await, ticket(&server, &token, "wx_card").await);
    assert_eq!(errcode(&one), 0);
    assert_ne!(one.body["ticket"], other.body["ticket"]);
}

/// What a client with these rights gets when it asks for a ticket with its handle, and how often the platform is asked.
async fn ticket_for(may: &str, credentials: &str) -> (Answer, u64) {
    let lab = Lab::new(documented()).await;
    let client = format!(
        "[clients.site]\nkey = {{ inline = \"site-key-0123456789\" }}\ncredentials = [{credentials}]\nmay = [{may}]\n"
    );
    let server = lab.serve(&with_handles(&format!("{client}{TICKET}{}", classic("5m"))));
    server.token("pages").await;
    let handle = token_answer(&server, "site-key-0123456789").await;
    let handle = handle.body["access_token"].as_str().unwrap().to_owned();
    let answer = ticket(&server, &handle, "jsapi").await;
    (answer, requests(&lab, "/cgi-bin/ticket/getticket"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_call_gets_no_ticket_with_a_handle() {
    let (answer, asked) = ticket_for("\"call\"", "\"shop\", \"pages\"").await;
    assert_eq!((errcode(&answer), asked), (48001, 1), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_our_ticket_gets_one_of_the_platform() {
    let (answer, asked) = ticket_for("\"token\", \"call\"", "\"shop\"").await;
    assert_eq!((errcode(&answer), asked), (0, 2), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_of_ours_there_is_no_ticket() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&format!("{TICKET}{}", classic("5m"))));
    assert_eq!(errcode(&ticket(&server, "nonsense", "jsapi").await), 40001);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_ask_for_a_token_gives_the_same_one_and_costs_one_fetch() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let form = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
    let json = json!({"grant_type": "client_credential", "appid": "wxclassic", "secret": KEY}).to_string();
    let answers = [
        get(&server, &format!("/cgi-bin/token?{form}")).await,
        get(&server, &format!("//cgi-bin//token?{form}&access_token=stale")).await,
        post(&server, "/cgi-bin/token", &form).await,
        post(&server, "/cgi-bin/token", &json).await,
        post(&server, "/cgi-bin/stable_token", &json).await,
        post(&server, &format!("/cgi-bin/token?{form}"), "").await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.body["access_token"], answers[0].body["access_token"], "{answer:?}");
        let told = answer.body["expires_in"].as_i64().unwrap();
        assert!((3000..=7200).contains(&told), "{told}");
        assert_eq!(answer.body.as_object().unwrap().len(), 2, "{answer:?}");
    }
    assert_eq!(lab.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_refused_in_the_platforms_words() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let ask = "/cgi-bin/token?grant_type=client_credential&";
    for (path, code, message) in [
        (format!("{ask}secret={KEY}"), 41002, "appid missing rid: "),
        (format!("{ask}appid=wxnobody&secret={KEY}"), 40013, "invalid appid rid: "),
        (format!("/cgi-bin/token?appid=wxclassic&secret={KEY}"), 40002, "invalid grant_type rid: "),
        (format!("{ask}appid=wxclassic"), 41004, "appsecret missing rid: "),
        (format!("{ask}appid=wxclassic&secret=wrong"), 40125, "invalid appsecret, rid: "),
        (format!("{ask}appid=wxclassic&secret={SECRET}"), 40125, "invalid appsecret, rid: "),
        ("/cgi-bin/stable_token".to_owned(), 43002, "require POST method rid: "),
        ("/cgi-bin/user/get".to_owned(), 41001, "access_token missing rid: "),
    ] {
        let answer = get(&server, &path).await;
        assert_eq!((answer.status, errcode(&answer)), (200, code), "{path}: {answer:?}");
        let text = answer.body["errmsg"].as_str().unwrap();
        let rid = text.strip_prefix(message).unwrap_or_else(|| panic!("{text}"));
        let groups: Vec<&str> = rid.split('-').collect();
        assert!(groups.len() == 3 && groups.iter().all(|group| group.len() == 8), "{rid}");
    }
    assert_eq!(errcode(&post(&server, "/cgi-bin/stable_token", "{broken").await), 47001);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_pass_with_the_token_and_bodies_without_a_type_do_too() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let token = token(&server).await;
    let answer = followers(&server, &token).await;
    assert!(is_served(&answer), "{answer:?}");
    assert_eq!(answer.header("tokenward-generation"), "1");
    let path = format!("/cgi-bin/message/custom/send?access_token={token}");
    let sent = post(&server, &path, r#"{"touser":"o1","msgtype":"text"}"#).await;
    assert_eq!(errcode(&sent), 0, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_died_behind_its_back_costs_an_sdk_nothing() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let token = token(&server).await;
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let healed = followers(&server, &token).await;
    assert!(is_served(&healed), "{healed:?}");
    assert_eq!(healed.header("tokenward-replayed"), "true");
    let again = followers(&server, &token).await;
    assert!(is_served(&again), "{again:?}");
    assert_eq!((again.header("tokenward-replayed"), lab.issued()), ("false", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_token_is_known_also_after_a_restart_and_an_unknown_one_goes_nowhere() {
    let lab = Lab::new(documented()).await;
    let config = with_facade(&classic("5m"));
    let server = lab.serve(&config);
    let old = token(&server).await;
    assert_eq!(server.post("/v1/credentials/shop/refresh", json!({"force": true})).await.status, 200);
    assert_ne!(token(&server).await, old);
    assert!(is_served(&followers(&server, &old).await));
    server.kill();
    let server = lab.serve(&config);
    assert!(is_served(&followers(&server, &old).await));
    let before = requests(&lab, "/cgi-bin/user/get");
    let unknown = followers(&server, "90_0-of-somebody-else").await;
    assert_eq!(errcode(&unknown), 40001, "{unknown:?}");
    assert_eq!(unknown.header("tokenward-origin"), "facade");
    assert_eq!((requests(&lab, "/cgi-bin/user/get"), lab.issued()), (before, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_stay_while_tokens_rotate_and_are_good_here_only() {
    let lab = Lab::new(scaled(8, 2)).await;
    let server = lab.serve(&with_handles(&classic("2s")));
    let answer = token_answer(&server, KEY).await;
    let handle = answer.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(answer.body["expires_in"], 7200);
    assert!(handle.len() <= 512, "{handle}");
    assert!(!lab.accepts(server.http(), &handle).await);
    let mut generation = 0;
    for _ in 0..2 {
        generation = server.next_token("shop", generation).await.generation();
        assert!(is_served(&followers(&server, &handle).await));
    }
    assert_eq!(token(&server).await, handle);
    let changed = handle.replace("~0~", "~1~");
    assert_eq!(errcode(&followers(&server, &changed).await), 40001);
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_up_revokes_a_clients_handles() {
    let lab = Lab::new(documented()).await;
    let config = with_handles(&classic("5m"));
    let server = lab.serve(&config);
    let handle = token(&server).await;
    drop(server);
    let path = lab.write_config(&config);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[clients.lab]\n", "[clients.lab]\nhandle_counter = 1\n")).unwrap();
    let server = Server::start(&path, &[]);
    assert_eq!(errcode(&followers(&server, &handle).await), 40001);
    let fresh = token(&server).await;
    assert!(is_served(&followers(&server, &fresh).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_and_not_have_tokens_gets_handles_only() {
    let lab = Lab::new(documented()).await;
    let clients = "[clients.caller]\nkey = { inline = \"caller-key-0123456789\" }\ncredentials = [\"shop\"]\n\
                   may = [\"call\"]\npaths = [\"/cgi-bin/user/*\"]\n\
                   [clients.nobody]\nkey = { inline = \"nobody-key-0123456789\" }\ncredentials = [\"shop\"]\n\
                   may = [\"report\"]\n[clients.other]\nkey = { inline = \"other-key-01234567890\" }\n\
                   credentials = [\"elsewhere\"]\n";
    let server = lab.serve(&with_facade(&format!("{clients}{}", classic("5m"))));
    let answer = token_answer(&server, "caller-key-0123456789").await;
    let handle = answer.body["access_token"].as_str().unwrap();
    assert!(handle.starts_with("twh~caller~shop~"), "{answer:?}");
    assert!(is_served(&followers(&server, handle).await));
    let forbidden = get(&server, &format!("/cgi-bin/media/get?access_token={handle}&media_id=1")).await;
    assert_eq!(errcode(&forbidden), 48001, "{forbidden:?}");
    assert_eq!(errcode(&token_answer(&server, "nobody-key-0123456789").await), 48001);
    assert_eq!(errcode(&token_answer(&server, "other-key-01234567890").await), 40013);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_persists_is_not_passed_on_as_one() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let token = token(&server).await;
    refuse_followers(&lab);
    let answer = followers(&server, &token).await;
    assert_eq!(errcode(&answer), -1, "{answer:?}");
    let text = answer.body["errmsg"].as_str().unwrap();
    assert!(text.contains("40001") && text.contains("tokenward status"), "{text}");
    for _ in 0..9 {
        assert_eq!(errcode(&followers(&server, &token).await), -1);
    }
    assert_eq!(lab.issued(), 2, "ten calls, one fetch");
    let status = server.status("shop").await;
    assert_eq!(status["refusals_kept_back"]["count"], 10, "{status}");
    let shown = String::from_utf8(server.command(&["status", "shop"]).stdout).unwrap();
    assert!(shown.contains("refused even after a refresh"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_persists_is_passed_on_where_that_is_wanted() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("{FACADE}relay_refusals = true\n{}", classic("5m")));
    let token = token(&server).await;
    refuse_followers(&lab);
    assert_eq!(errcode(&followers(&server, &token).await), 40001);
}

/// Every call of the followers is refused from now on, whatever its token.
fn refuse_followers(lab: &Lab) {
    let kind = FaultKind::Errcode { errcode: 40001, errmsg: None, error: None, status: None };
    let fault = Fault::new(kind).on("/cgi-bin/user/get");
    lab.control().inject(fault).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn users_log_in_with_the_client_key_in_place_of_the_secret() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let login = |secret| format!("/sns/jscode2session?appid=wxclassic&secret={secret}&js_code=c1");
    let session = get(&server, &login(KEY)).await;
    assert!(session.body["session_key"].is_string(), "{session:?}");
    assert_eq!(errcode(&get(&server, &login("wrong")).await), 40125);
    let code = format!("/sns/oauth2/access_token?appid=wxclassic&secret={KEY}&code=c2");
    let user = get(&server, &code).await.body;
    let (token, refresh) = (user["access_token"].as_str().unwrap(), user["refresh_token"].as_str().unwrap());
    let info = get(&server, &format!("/sns/userinfo?access_token={token}&openid=x")).await;
    assert_eq!(info.body["openid"], user["openid"], "{info:?}");
    let path = format!("/sns/oauth2/refresh_token?appid=wxclassic&refresh_token={refresh}");
    assert_eq!(get(&server, &path).await.body["openid"], user["openid"]);
    assert_eq!(requests(&lab, "/cgi-bin/token"), lab.issued());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_ours_does_not_open_an_end_users_data() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_handles(&classic("5m")));
    let handle = token(&server).await;
    let info = get(&server, &format!("/sns/userinfo?access_token={handle}&openid=x")).await;
    assert_eq!(errcode(&info), 40001, "{info:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn force_refresh_finds_a_dead_token_out_and_leaves_a_live_one_alone() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let first = token(&server).await;
    let force = json!({
        "grant_type": "client_credential", "appid": "wxclassic", "secret": KEY, "force_refresh": true,
    });
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let second = post(&server, "/cgi-bin/stable_token", &force.to_string()).await;
    let second = second.body["access_token"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    assert!(lab.accepts(server.http(), &second).await);
    let third = post(&server, "/cgi-bin/stable_token", &force.to_string()).await;
    assert_eq!(third.body["access_token"], second.as_str());
    assert_eq!((lab.issued(), requests(&lab, "/cgi-bin/get_api_domain_ip")), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_too_early_finds_a_dead_token_out() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let first = token(&server).await;
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let begun = tokio::time::Instant::now();
    let second = loop {
        let again = token(&server).await;
        if again != first {
            break again;
        }
        assert!(begun.elapsed().as_secs() < 20, "nobody looked");
    };
    assert!(begun.elapsed().as_secs() >= 4, "a second process of the same client is no hint");
    assert!(lab.accepts(server.http(), &second).await);
    assert_eq!((lab.issued(), requests(&lab, "/cgi-bin/get_api_domain_ip")), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_not_open_calls_that_carry_the_apps_secret() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let token = token(&server).await;
    for path in ["sns/jscode2session", "%53ns/jscode2session", "sns/jscode2session/", "SNS/jscode2session;x"]
    {
        let login = format!("/{path}?access_token={token}&appid=wxclassic&js_code=c1");
        let answer = get(&server, &login).await;
        assert!(answer.body["session_key"].is_null(), "{path}: {answer:?}");
    }
    assert_eq!(requests(&lab, "/sns/jscode2session"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_nobody_sends_little() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let large = "x".repeat(100_000);
    let answer = post(&server, "/sns/userinfo?access_token=u&openid=x", &large).await;
    assert_eq!(errcode(&answer), 47001, "{answer:?}");
    assert_eq!(requests(&lab, "/sns/userinfo"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_secret_is_taken_where_the_operator_says_so() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("{FACADE}accept_app_secret = true\n{}", four()));
    let answer = token_answer(&server, SECRET).await;
    let token = answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    assert!(is_served(&followers(&server, token).await));
    assert_eq!(errcode(&token_answer(&server, "wrong").await), 40125);
    assert!(server.log().contains("whoever has an app secret"), "it is warned about");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_cleared_by_operators_only() {
    let lab = Lab::new(documented()).await;
    let caller = "[clients.caller]\nkey = { inline = \"caller-key-0123456789\" }\ncredentials = [\"shop\"]\n";
    let server = lab.serve(&with_facade(&format!("{caller}{}", classic("5m"))));
    let token = token(&server).await;
    let cleared = post(&server, &format!("/cgi-bin/clear_quota?access_token={token}"), "{}").await;
    assert_eq!(errcode(&cleared), 48001, "{cleared:?}");
    let clear = |secret: &str| json!({"appid": "wxclassic", "appsecret": secret}).to_string();
    let cleared = post(&server, "/cgi-bin/clear_quota/v2", &clear("caller-key-0123456789")).await;
    assert_eq!(errcode(&cleared), 48001, "{cleared:?}");
    assert_eq!(requests(&lab, "/cgi-bin/clear_quota/v2"), 0);
    let cleared = post(&server, "/cgi-bin/clear_quota/v2", &clear(KEY)).await;
    assert_eq!(errcode(&cleared), 0, "{cleared:?}");
    let query = format!("/cgi-bin/clear_quota/v2?appid=wxclassic&appsecret={KEY}");
    assert_eq!(errcode(&post(&server, &query, "").await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_with_a_lead_of_its_own_keeps_a_token_for_its_told_life() {
    let lab = Lab::new(documented()).await;
    let path = lab.write_config(&with_facade(&classic("5m")));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[clients.lab]\n", "[clients.lab]\nsdk_lead = \"1500s\"\n")).unwrap();
    let server = Server::start(&path, &[]);
    let told = server.token("shop").await.body["expires_in"].as_i64().unwrap();
    let with_lead = token_answer(&server, KEY).await.body["expires_in"].as_i64().unwrap();
    assert!((told + 1498..=told + 1500).contains(&with_lead), "{told} {with_lead}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_token_sdks_are_told_to_come_back() {
    let lab = Lab::new(documented()).await;
    lab.control().inject(Fault::new(FaultKind::Frozen)).unwrap();
    let server = lab.serve(&with_facade(&classic("5m")));
    server.wait_for_state("shop", "blocked").await;
    let answer = token_answer(&server, KEY).await;
    assert_eq!((answer.status, errcode(&answer)), (200, -1), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn malicious_calls_are_refused_and_nothing_is_forwarded() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let token = token(&server).await;
    let before = lab.emulator.stats();
    for path in [
        format!("/cgi-bin/../user/get?access_token={token}"),
        format!("/cgi-bin/%2e%2e/user/get?access_token={token}"),
        format!("/cgi-bin%2fuser/get?access_token={token}"),
        format!("/cgi-bin/user/get?access_token={token}&access_token={token}"),
        format!("/cgi-bin/user/get?access_token={token}&access%5Ftoken=x"),
        "http://evil.example/cgi-bin/user/get".to_owned(),
        format!("/cgi-bin/%74oken?grant_type=client_credential&appid=wxclassic&secret={KEY}"),
        format!("/cgi-bin/component/api_component_token?access_token={token}"),
    ] {
        let answer = raw(&server, &format!("GET {path} HTTP/1.1\r\nHost: api.weixin.qq.com\r\n\r\n")).await;
        assert!(answer.contains("errcode") && !answer.contains("\"errcode\":0"), "{path}: {answer}");
    }
    let form = format!("access_token={token}&x=1");
    let twice = server
        .http()
        .post(format!("{}/cgi-bin/message/custom/send?access_token={token}", server.facade()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    assert_eq!(errcode(&server.send(twice).await), 40035);
    let stats = |stats| serde_json::to_value::<tokenward_emulator::Stats>(stats).unwrap()["by_path"].clone();
    assert_eq!(stats(lab.emulator.stats()), stats(before));
}

async fn raw(server: &Server, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = server.facade().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 4096];
    while !answer.contains('}') {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_the_calls_of_each_client() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_facade(&classic("5m")));
    let token = token(&server).await;
    followers(&server, &token).await;
    let url = format!("{}/v1/call/shop/cgi-bin/user/get", server.url);
    server.send(server.http().request(Method::GET, url).bearer_auth(KEY)).await;
    let metrics = server.get("/metrics").await;
    let Value::String(text) = metrics.body else { panic!("metrics are text") };
    for client in ["(token)", "lab"] {
        let line = format!("tokenward_gateway_calls_total{{credential=\"shop\",client=\"{client}\"}} 1");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secrets_nor_tokens_nor_handles_are_logged() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&with_handles(&classic("5m")));
    let handle = token(&server).await;
    followers(&server, &handle).await;
    refuse_followers(&lab);
    assert_eq!(errcode(&followers(&server, &handle).await), -1);
    let token = server.token("shop").await.token().to_owned();
    let log = server.log();
    for hidden in [handle.as_str(), token.as_str(), SECRET, KEY] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}
