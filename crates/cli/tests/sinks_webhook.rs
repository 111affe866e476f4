//! The webhook sink, and the receivers of `examples/webhook-verifier`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use lab::{Lab, SECRET, Server, documented, tokenward};
use serde_json::{Value, json};

const WEBHOOK_KEY: &str = "example-webhook-key";
/// The example of `docs/sinks.md`: it is signed rightly, and long ago.
const OLD: (&str, &str, &str) = (
    "1700000000",
    "v1=041b4ad8678cc33572ee1b8cc8154e1ef97fa6a2133209273682596bb78b75a8",
    r#"{"credential":"shop","event":"token","generation":17}"#,
);

/// A credential whose tokens live beside each other, with a webhook.
fn crm(url: &str, rest: &str) -> String {
    format!(
        "[credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\n\
         client_id = \"oauthapp\"\nclient_secret = {{ inline = \"{SECRET}\" }}\n\
         [credentials.crm.sinks.hook]\nto = \"webhook\"\nurl = \"{url}\"\n\
         key = {{ inline = \"{WEBHOOK_KEY}\" }}\n{rest}"
    )
}

/// A request as it came.
struct Request {
    head: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap().1
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A web server that gives these answers, one after the other, and the last one from then on.
fn receiver(answers: &[&'static str]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        for count in 0.. {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap_or(0) > 2 {}
            let request = Request { head, body: String::new() };
            let mut body = vec![0; request.header("content-length").parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let answer = answers.get(count).or(answers.last()).unwrap();
            write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
            drop(sender.send(Request { body: String::from_utf8(body).unwrap(), ..request }));
        }
    });
    (url, requests)
}

fn next<T>(queue: &Receiver<T>) -> T {
    tokio::task::block_in_place(|| queue.recv_timeout(Duration::from_secs(30))).unwrap()
}

async fn until(server: &Server, what: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let sink = server.status("crm").await["sinks"][0].clone();
        if what(&sink) {
            return sink;
        }
    }
    panic!("it never came: {}", server.status("crm").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_says_what_is_new_without_the_token() {
    let lab = Lab::new(documented()).await;
    let (url, requests) = receiver(&["200 OK"]);
    let server = lab.serve(&crm(&url, ""));
    let request = next(&requests);
    let token = server.token("crm").await;
    let body = request.json();
    assert_eq!(
        (&body["event"], &body["credential"], &body["sink"], &body["generation"]),
        (&json!("token"), &json!("crm"), &json!("hook"), &json!(1))
    );
    assert_eq!(body["expires_at"], token.body["expires_at"]);
    assert!(body["sequence"].is_u64(), "{body}");
    assert!(!request.body.contains(token.token()) && body["token"].is_null(), "{body}");
    assert!(request.header("Tokenward-Signature").starts_with("v1="));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_receiver_refuses_is_delivered_again() {
    let lab = Lab::new(documented()).await;
    let (url, requests) = receiver(&["503 Service Unavailable", "200 OK"]);
    let server = lab.serve(&crm(&url, ""));
    let (first, second) = (next(&requests), next(&requests));
    assert_eq!(first.json(), second.json(), "the same is told under the same number");
    let sink = until(&server, |sink| sink["delivered"] == 1).await;
    assert_eq!(sink["failed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_has_rising_numbers_also_after_a_restart() {
    let lab = Lab::new(documented()).await;
    let (url, requests) = receiver(&["200 OK"]);
    let number = || next(&requests).json()["sequence"].as_u64().unwrap();
    let server = lab.serve(&crm(&url, ""));
    let mut numbers = vec![number()];
    server.post("/v1/credentials/crm/refresh", json!({})).await;
    numbers.push(number());
    let config = server.config().to_owned();
    server.kill();
    let _server = Server::start(&config, &[]);
    numbers.push(number());
    assert!(numbers.is_sorted_by(|before, after| before < after), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let lab = Lab::new(documented()).await;
    let (elsewhere, others) = receiver(&["200 OK"]);
    let answer = format!("307 Temporary Redirect\r\nLocation: {elsewhere}");
    let (url, requests) = receiver(&[answer.leak()]);
    let server = lab.serve(&crm(&url, ""));
    next(&requests);
    next(&requests);
    let sink = until(&server, |sink| sink["failed"].as_u64() > Some(0)).await;
    assert!(sink["last_failure"]["detail"].as_str().unwrap().contains("not followed"), "{sink}");
    assert!(others.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_of_the_environment_are_not_used() {
    let lab = Lab::new(documented()).await;
    let (url, requests) = receiver(&["200 OK"]);
    let config = lab.write_config(&crm(&url, ""));
    let nowhere = "http://127.0.0.1:1";
    let _server =
        Server::start(&config, &[("HTTP_PROXY", nowhere), ("http_proxy", nowhere), ("ALL_PROXY", nowhere)]);
    assert_eq!(next(&requests).json()["credential"], "crm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_does_not_tell_the_path_which_may_be_a_secret() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&crm("http://127.0.0.1:1/SECRET-PATH?SECRET-QUERY", ""));
    until(&server, |sink| sink["failed"].as_u64() > Some(0)).await;
    assert!(!server.log().contains("SECRET-"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_configuration_is_found_at_load() {
    let lab = Lab::new(documented()).await;
    for (credentials, said) in [
        (crm("http://127.0.0.1:1/", "with_token = true\n"), "a token is sent over TLS alone"),
        (crm("https://name:password@hooks.example/", ""), "carries a name or a password"),
        (crm("hooks.example/tokens", ""), "not the URL of a web server"),
        (crm("http://127.0.0.1:1/", "").replace("key = ", "kei = "), "`key` is missing"),
        (
            crm("http://127.0.0.1:1/", "")
                .replace("{ inline = \"example-webhook-key\" }", "{ env = \"NO_SUCH_KEY\" }"),
            "NO_SUCH_KEY",
        ),
    ] {
        let config = lab.write_config(&credentials);
        let output = tokenward().args(["check", "-c"]).arg(config).output().unwrap();
        let errors =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(said), "{said}: {errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_be_guessed_is_warned_about() {
    let lab = Lab::new(documented()).await;
    let (url, _requests) = receiver(&["200 OK"]);
    for (key, is_short) in [(WEBHOOK_KEY, false), ("secret", true)] {
        let config = lab.write_config(&crm(&url, "").replace(WEBHOOK_KEY, key));
        let output = tokenward().args(["check", "-c"]).arg(&config).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said.contains("the key of the webhook is short"), is_short, "{said}");
        let server = Server::start(&config, &[]);
        assert_eq!(server.log().contains("the key of the webhook is short"), is_short, "{}", server.log());
    }
}

/// Starts a server where the name `hooks.example` leads to this machine.
fn serve_with_name(lab: &Lab, url: &str, rest: &str) -> Child {
    let hosts = lab.folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost hooks.example\n").unwrap();
    let config = lab.write_config(&crm(&url.replace("127.0.0.1", "hooks.example"), rest));
    let script = "mount --bind \"$1\" /etc/hosts && exec \"$2\" serve -c \"$3\"";
    Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .args([&hosts, Path::new(env!("CARGO_BIN_EXE_tokenward")), &config])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_into_the_private_network_is_not_followed() {
    let lab = Lab::new(documented()).await;
    let (url, requests) = receiver(&["200 OK"]);
    let mut server = serve_with_name(&lab, &url, "");
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = tokio::task::block_in_place(|| lines.find(|line| line.contains("the sink hook of crm fails")));
    server.kill().and_then(|()| server.wait()).unwrap();
    assert!(line.as_ref().unwrap().contains("private network"), "{line:?}");
    assert!(line.as_ref().unwrap().contains("internal = true"), "{line:?}");
    assert!(requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_name_is_followed_where_the_receiver_is_internal() {
    let lab = Lab::new(documented()).await;
    let (url, requests) = receiver(&["200 OK"]);
    let mut server = serve_with_name(&lab, &url, "internal = true\n");
    let body = next(&requests).json();
    server.kill().and_then(|()| server.wait()).unwrap();
    assert_eq!(body["credential"], "crm");
}

/// A receiver of the examples at work.
struct Example {
    child: Child,
    url: String,
    lines: Receiver<String>,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/webhook-verifier")
}

impl Example {
    fn start(folder: &Path, program: &[&str]) -> Example {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).current_dir(examples()).env("WEBHOOK_KEY", WEBHOOK_KEY);
        command.env("WEBHOOK_STATE", folder.join("newest.json")).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let (output, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let also = sender.clone();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        std::thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).for_each(|line| drop(also.send(line)));
        });
        let mut example = Example { child, url: String::new(), lines };
        let line = example.line("127.0.0.1:");
        let address = line.split("127.0.0.1:").nth(1).unwrap();
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        example.url = format!("127.0.0.1:{port}/hook");
        example
    }

    /// The next line with this text.
    fn line(&self, text: &str) -> String {
        loop {
            let line = next(&self.lines);
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the receiver says to a request.
async fn told(url: &str, timestamp: &str, signature: &str, body: &str) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("http://{url}")).body(body.to_owned());
    let request = request.header("Tokenward-Timestamp", timestamp).header("Tokenward-Signature", signature);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// By another hand: OpenSSL's.
fn sign(timestamp: &str, body: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", WEBHOOK_KEY, "-hex"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{timestamp}.{body}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    format!("v1={}", text.trim().rsplit(' ').next().unwrap())
}

/// A receiver takes what Tokenward delivers, each once, and refuses what it did not sign or signed long ago.
async fn verifies(program: &[&str]) {
    let lab = Lab::new(documented()).await;
    let example = Example::start(lab.folder.path(), program);
    let server = lab.serve(&crm(&format!("http://{}", example.url), ""));
    example.line("crm generation 1 until 20");
    until(&server, |sink| sink["generation"] == 1).await;
    server.post("/v1/credentials/crm/refresh", json!({})).await;
    example.line("crm generation 2 until 20");
    until(&server, |sink| sink["delivered"].as_u64() >= Some(2)).await;

    // The last word about a token may shorten its life; one that comes late is answered, and does not count.
    let tell = |sequence: u64, until: &str| {
        let body = json!({
            "event": "token", "credential": "other", "sequence": sequence, "generation": 7, "expires_at": until,
        });
        let (url, body) = (example.url.clone(), body.to_string());
        let now = jiff::Timestamp::now().as_second().to_string();
        async move { told(&url, &now, &sign(&now, &body), &body).await }
    };
    let thanks = (200, "thanks".to_owned());
    for (sequence, until) in [(3, "2099-01-01T02:00:00Z"), (5, "2099-01-01T01:00:00Z")] {
        assert_eq!(tell(sequence, until).await, thanks);
        example.line(&format!("other generation 7 until {until}"));
    }
    assert_eq!(tell(4, "2099-01-01T03:00:00Z").await, thanks);
    assert_eq!(tell(6, "2099-01-01T04:00:00Z").await, thanks);
    assert!(example.line("other generation 7").contains("T04:00"), "number 4 came late");

    let (timestamp, signature, body) = OLD;
    let refused = |why: &str| (401, why.to_owned());
    assert_eq!(told(&example.url, timestamp, signature, body).await, refused("too old"));
    assert_eq!(
        told(&example.url, timestamp, signature, &body.replace("17", "18")).await,
        refused("bad signature")
    );
    assert_eq!(told(&example.url, "1700000001", signature, body).await, refused("bad signature"));
    assert_eq!(told(&example.url, timestamp, "", body).await, refused("bad signature"));
    assert_eq!(told(&example.url, "", signature, body).await, refused("no timestamp"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_in_python_takes_what_is_signed_and_nothing_else() {
    verifies(&["python3", "receive.py", "0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_in_javascript_takes_what_is_signed_and_nothing_else() {
    verifies(&["node", "receive.mjs", "0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_in_php_takes_what_is_signed_and_nothing_else() {
    verifies(&["php", "-S", "127.0.0.1:0", "receive.php"]).await;
}

/// The Python receiver behind TLS, which also prints the bodies that it gets.
const BEHIND_TLS: &str = "\
import json, ssl, sys, receive
receive.take = lambda event: print(json.dumps(event), flush=True)
server = receive.ThreadingHTTPServer(('127.0.0.1', 0), receive.Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/cert.pem', sys.argv[1] + '/key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f'listening on https://127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
";

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_token_comes_along_when_it_is_asked_for() {
    let lab = Lab::new(documented()).await;
    let tls = lab.folder.path().join("tls");
    let cert = tokenward().arg("cert").args(["--host", "localhost", "--dir"]).arg(&tls).output().unwrap();
    assert!(cert.status.success(), "{cert:?}");
    let example = Example::start(lab.folder.path(), &["python3", "-c", BEHIND_TLS, tls.to_str().unwrap()]);
    let url = format!("https://{}", example.url.replace("127.0.0.1", "localhost"));
    let egress = "[egress]\nca_file = \"tls/ca.pem\"\n";
    let server = lab.serve(&(egress.to_owned() + &crm(&url, "with_token = true\n")));
    let body: Value = serde_json::from_str(&example.line("\"event\"")).unwrap();
    assert_eq!(body["token"], server.token("crm").await.token());
    assert!(!server.log().contains(body["token"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_ends_the_delivery() {
    let lab = Lab::new(documented()).await;
    let tls = lab.folder.path().join("tls");
    assert!(
        tokenward()
            .arg("cert")
            .args(["--host", "localhost", "--dir"])
            .arg(&tls)
            .output()
            .unwrap()
            .status
            .success()
    );
    let example = Example::start(lab.folder.path(), &["python3", "-c", BEHIND_TLS, tls.to_str().unwrap()]);
    let url = format!("https://{}", example.url.replace("127.0.0.1", "localhost"));
    let server = lab.serve(&crm(&url, "with_token = true\n"));
    let sink = until(&server, |sink| sink["failed"].as_u64() > Some(0)).await;
    assert!(sink["last_failure"]["detail"].as_str().unwrap().contains("certificate"), "{sink}");
    assert_eq!(sink["delivered"], 0);
}
