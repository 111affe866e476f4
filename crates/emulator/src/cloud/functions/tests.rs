//! Functions as clients of the cloud API see them, and as the emulator's clock runs them.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use super::{Function, FunctionWork, Trigger};
use crate::cloud::{Cloud, CloudCall, CloudSettings, Errand};
use crate::{App, Emulator, Event, Happening, Moment, Running, Settings};

fn with(functions: &[&str]) -> CloudSettings {
    let functions = functions.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{error}")));
    CloudSettings { functions: functions.collect(), ..CloudSettings::default() }
}

fn errand(call: CloudCall, query: &str, body: &str) -> Errand {
    let now = Moment::from_unix_seconds(1_795_161_600);
    let (query, body) = (query.to_owned(), body.to_owned().into());
    Errand { call, app_id: "wx1".to_owned(), now, query, body, host: None }
}

/// The answer of one call, without an emulator around.
async fn answer(settings: &CloudSettings, call: CloudCall, query: &str, body: &str) -> Json {
    Cloud::start(settings, 1).unwrap().reply(errand(call, query, body)).await.json().unwrap()
}

/// What calling the function `f` with an event answers.
async fn invoke(what: &str, event: &str) -> Json {
    answer(&with(&[&format!("f={what}")]), CloudCall::Invoke, "access_token=t&env=test&name=f", event).await
}

/// What `f` returned.
async fn returned(what: &str, event: &str) -> Json {
    let answer = invoke(what, event).await;
    let text = answer["resp_data"].as_str().unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(text).unwrap()
}

fn folder(index: &str, config: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.js"), index).unwrap();
    if let Some(config) = config {
        std::fs::write(folder.path().join("config.json"), config).unwrap();
    }
    folder
}

fn has_node() -> bool {
    Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success())
}

// Called over HTTP

#[tokio::test]
async fn a_result_is_a_text_with_json() {
    assert_eq!(
        invoke(r#"{"a":1.50}"#, "{}").await,
        json!({"errcode": 0, "errmsg": "ok", "resp_data": "{\"a\":1.50}"})
    );
}

#[tokio::test]
async fn a_command_gets_the_event_and_whose_it_is() {
    let event = returned("run:cat", r#"{"a":"'$(date)"}"#).await;
    assert_eq!(event, json!({"a": "'$(date)", "userInfo": {"appId": "wx1"}}));
}

#[tokio::test]
async fn everything_may_be_in_the_body() {
    let echo = with(&["f=run:cat"]);
    for data in [json!("{\"a\":1}"), json!({"a": 1})] {
        let body = json!({"env": "test", "name": "f", "req_data": data}).to_string();
        let answer = answer(&echo, CloudCall::Invoke, "access_token=t", &body).await;
        assert_eq!(answer["resp_data"], r#"{"a":1,"userInfo":{"appId":"wx1"}}"#);
    }
}

#[tokio::test]
async fn what_is_no_json_is_returned_as_text_and_nothing_as_null() {
    assert_eq!(returned("run:echo hello; echo 'you'", "{}").await, "hello\nyou");
    assert_eq!(returned("run:true", "{}").await, Json::Null);
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said() {
    assert_eq!(invoke("json:1", "").await["errcode"], 44002);
    assert_eq!(invoke("json:1", "[]").await["errcode"], 47001);
    let wrong = |query: &'static str| async move {
        let settings = CloudSettings { environments: vec!["test".to_owned()], ..with(&["test/f=json:1"]) };
        answer(&settings, CloudCall::Invoke, query, "{}").await
    };
    let unknown = wrong("env=test&name=g").await;
    assert_eq!(unknown["errcode"], -501_000);
    assert!(unknown["errmsg"].as_str().unwrap().starts_with("FunctionName parameter could not be found."));
    assert_eq!(wrong("env=test").await["errcode"], -501_000);
    assert_eq!(wrong("env=other&name=f").await["errcode"], -501_007);
}

#[tokio::test]
async fn a_function_of_an_environment_goes_before_one_of_all() {
    let settings = with(&["f=json:1", "test/f=json:2"]);
    let in_env = |query| answer(&settings, CloudCall::Invoke, query, "{}");
    assert_eq!(in_env("env=test&name=f").await["resp_data"], "2");
    assert_eq!(in_env("env=other&name=f").await["resp_data"], "1");
}

#[tokio::test]
async fn a_command_that_fails_is_told_by_its_last_words() {
    let failed = invoke("run:echo first >&2; echo 'no such thing' >&2; exit 3", "{}").await;
    assert_eq!(failed["errcode"], -504_002);
    assert!(failed["errmsg"].as_str().unwrap().starts_with("functions execute fail: no such thing hint: ["));
    let silent = invoke("run:exit 3", "{}").await;
    assert!(silent["errmsg"].as_str().unwrap().contains("exit code 3 and said nothing"));
}

#[tokio::test]
async fn a_result_has_a_megabyte_at_most() {
    let megabyte = "head -c 1048576 /dev/zero | tr '\\0' 1";
    assert_eq!(invoke(&format!("run:{megabyte}"), "{}").await["errcode"], 0);
    assert_eq!(invoke(&format!("run:{megabyte}; echo 1; sleep 1000"), "{}").await["errcode"], -604_001);
}

#[tokio::test]
async fn a_command_need_not_read_and_may_leave_children_behind() {
    let event = json!({ "long": "x".repeat(300_000) }).to_string();
    assert_eq!(returned("run:sleep 1000 & echo 5", &event).await, 5);
}

#[tokio::test]
async fn a_time_limit_ends_a_command_and_its_children() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let line = format!("(echo begun; exec sleep 1000) > '{}' & wait", pipe.display());
    let mut function = Function::new("f", FunctionWork::Command { line, directory: None });
    function.time_limit = Duration::from_secs(1);
    let settings = CloudSettings { functions: vec![function], ..CloudSettings::default() };
    // Ends when the last writer has ended.
    let written = tokio::task::spawn_blocking(move || std::fs::read(pipe).unwrap());
    let answer = answer(&settings, CloudCall::Invoke, "env=test&name=f", "{}").await;
    assert_eq!(answer["errcode"], -504_002);
    assert!(answer["errmsg"].as_str().unwrap().contains("timed out after 1s"));
    assert_eq!(written.await.unwrap(), b"begun\n");
}

#[tokio::test]
async fn the_seventeenth_at_once_waits_and_is_refused_when_its_time_is_up() {
    let mut settings = with(&["busy=run:sleep 1000", "late=json:1"]);
    settings.functions[1].time_limit = Duration::from_millis(50);
    let cloud = Cloud::start(&settings, 1).unwrap();
    for _ in 0..16 {
        let cloud = cloud.clone();
        tokio::spawn(async move { cloud.reply(errand(CloudCall::Invoke, "env=test&name=busy", "{}")).await });
    }
    // They go first.
    tokio::task::yield_now().await;
    let late = cloud.reply(errand(CloudCall::Invoke, "env=test&name=late", "{}")).await.json().unwrap();
    assert_eq!(late["errcode"], -501_004);
}

/// Answers one request with a status and body, and returns what it was.
async fn serve_once(listener: TcpListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    while !request.ends_with('}') {
        let mut chunk = [0; 1_024];
        let length = stream.read(&mut chunk).await.unwrap();
        request.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
    }
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
    request
}

#[tokio::test]
async fn a_url_gets_the_event_and_its_body_is_returned() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let what = format!("http://{}/hello?a=b", listener.local_addr().unwrap());
    let (request, result) =
        tokio::join!(serve_once(listener, "200 OK", "{\"ok\":true}"), returned(&what, r#"{"a":1}"#));
    assert_eq!(result, json!({"ok": true}));
    assert!(request.starts_with("POST /hello?a=b HTTP/1.1\r\n"));
    assert!(request.ends_with("\r\n\r\n{\"a\":1,\"userInfo\":{\"appId\":\"wx1\"}}"));
    assert!(
        request.contains("x-emulated-env: test\r\nx-emulated-function: f\r\nx-emulated-source: wx_http\r\n")
    );
}

#[tokio::test]
async fn a_url_that_fails_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let what = format!("url:http://{}", listener.local_addr().unwrap());
    let (_, answer) = tokio::join!(serve_once(listener, "500 Oh", "no such thing"), invoke(&what, "{}"));
    assert_eq!(answer["errcode"], -504_002);
    assert!(answer["errmsg"].as_str().unwrap().contains("answered 500 Internal Server Error: no such thing"));
    // Its listener is gone now.
    assert_eq!(invoke(&what, "{}").await["errcode"], -504_001);
}

// Folders

#[tokio::test]
async fn a_folder_runs_as_it_is_whatever_it_prints() {
    if !has_node() {
        return;
    }
    let folder = folder(
        "const other = require('./other');
         exports.main = async (event, context) => {
           console.log('{\"not\":\"the result\"}'); process.stdout.write('nor this');
           require('child_process').execSync('echo not this either', { stdio: 'inherit' });
           return { event, name: context.function_name, other, env: process.env.TCB_ENV };
         }",
        None,
    );
    std::fs::write(folder.path().join("other.js"), "module.exports = __dirname === process.cwd()").unwrap();
    let result = returned(folder.path().to_str().unwrap(), r#"{"a":1}"#).await;
    let event = json!({"a": 1, "userInfo": {"appId": "wx1"}});
    assert_eq!(result, json!({"event": event, "name": "f", "other": true, "env": "test"}));
}

#[tokio::test]
async fn a_folder_that_throws_is_told_by_its_error() {
    if !has_node() {
        return;
    }
    let folder = folder("exports.main = async () => { throw new TypeError('no\\nsuch') }", None);
    let answer = invoke(folder.path().to_str().unwrap(), "{}").await;
    assert_eq!(answer["errcode"], -504_002);
    assert!(
        answer["errmsg"].as_str().unwrap().starts_with("functions execute fail: TypeError: no such hint")
    );
}

#[tokio::test]
async fn a_folder_that_returns_nothing_returns_null() {
    if !has_node() {
        return;
    }
    let folder = folder("exports.main = () => {}", None);
    assert_eq!(returned(folder.path().to_str().unwrap(), "{}").await, Json::Null);
}

#[tokio::test]
async fn a_machine_without_node_is_told_what_to_install() {
    let folder = folder("", None);
    let mut function = Function::new("f", FunctionWork::Folder(folder.path().to_owned()));
    function.variables.insert("PATH".to_owned(), "/nonexistent".to_owned());
    let settings = CloudSettings { functions: vec![function], ..CloudSettings::default() };
    let answer = answer(&settings, CloudCall::Invoke, "env=test&name=f", "{}").await;
    assert_eq!(answer["errcode"], -504_001);
    assert!(answer["errmsg"].as_str().unwrap().contains("cannot run node: No such file"), "{answer}");
    assert!(answer["errmsg"].as_str().unwrap().contains("install Node.js"), "{answer}");
}

fn start_error(settings: &CloudSettings) -> String {
    Cloud::start(settings, 1).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_function_is_said_at_the_start() {
    assert!(
        start_error(&with(&["f=./no/such"])).starts_with("the function f: cannot read the folder ./no/such")
    );
    let empty = tempfile::tempdir().unwrap();
    let error = start_error(&with(&[&format!("f={}", empty.path().display())]));
    assert!(error.ends_with("has neither index.js nor package.json"), "{error}");
    assert_eq!(start_error(&with(&["f=json:1", "f=json:2"])), "the function f is given twice");
    assert!(start_error(&with(&["f=http://example.com/"])).contains("is not on this machine"));
    assert!(start_error(&with(&["Test/f=json:1"])).contains("is no environment"));
    assert!(start_error(&with(&["a b=json:1"])).contains("a name has 1 to 60 letters"));
    let restricted = CloudSettings { environments: vec!["a".to_owned()], ..with(&["b/f=json:1"]) };
    assert_eq!(start_error(&restricted), "the function f: there is no environment \"b\"; name it, too");
}

#[test]
fn what_is_wrong_with_a_trigger_is_said_at_the_start() {
    let error = |triggers: &str| {
        let folder = folder("", Some(&format!("{{ \"triggers\": [{triggers}] }}")));
        start_error(&with(&[&format!("f={}", folder.path().display())]))
    };
    assert!(error(r#"{"type":"timer"}"#).contains("config.json: a trigger needs \"name\""));
    assert!(error(r#"{"type":"cos"}"#).contains("the only type of trigger is \"timer\""));
    assert!(
        error(r#"{"type":"timer","name":"t","config":"* *"}"#)
            .contains("the trigger t: a timer has seven fields")
    );
    assert!(
        error(r#"{"type":"timer","name":"1","config":"* * * * * * *"}"#).contains("begins with a letter")
    );
    assert!(error("{").contains("config.json: "));
}

// Later

async fn start(cloud: CloudSettings) -> (Running, broadcast::Receiver<Event>) {
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        apps: vec![App::new("wx1", "s1")],
        cloud,
        ..Settings::default()
    };
    let emulator = Emulator::start(settings).await.unwrap();
    let events = emulator.control().events();
    (emulator, events)
}

/// Waits until so many runs ended, and returns the list of runs.
async fn runs(emulator: &Running, events: &mut broadcast::Receiver<Event>, count: usize) -> Vec<Json> {
    let mut ended = 0;
    while ended < count {
        let event = tokio::time::timeout(Duration::from_secs(30), events.recv()).await.unwrap().unwrap();
        ended += usize::from(matches!(event.what, Happening::FunctionEnded { .. }));
    }
    request(emulator, "GET", "/_emulator/functions", "").await["runs"].as_array().unwrap().clone()
}

async fn request(emulator: &Running, method: &str, target: &str, body: &str) -> Json {
    let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A call of the cloud API with a fresh token.
async fn call(emulator: &Running, path: &str, body: &Json) -> Json {
    let target = "/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s1";
    let token = request(emulator, "GET", target, "").await["access_token"].as_str().unwrap().to_owned();
    request(emulator, "POST", &format!("{path}?access_token={token}"), &body.to_string()).await
}

fn result(run: &Json) -> Json {
    serde_json::from_str(run["result"].as_str().unwrap_or_else(|| panic!("{run}"))).unwrap()
}

#[tokio::test]
async fn a_delayed_task_runs_when_the_clock_has_passed_its_delay() {
    let (emulator, mut events) = start(with(&["later=run:cat"])).await;
    let task = json!({"env": "test", "function_name": "later", "data": "{\"a\":1}", "delay_time": 600});
    assert_eq!(call(&emulator, "/tcb/adddelayedfunctiontask", &task).await["errcode"], 0);
    request(&emulator, "POST", "/_emulator/time", r#"{"advance":"11m"}"#).await;
    let runs = runs(&emulator, &mut events, 1).await;
    assert_eq!(
        (&runs[0]["name"], &runs[0]["source"], &runs[0]["errcode"]),
        (&json!("later"), &json!("delayed"), &json!(0))
    );
    assert_eq!(result(&runs[0]), json!({"a": 1, "userInfo": {"appId": "wx1"}}));
    emulator.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_delayed_task_is_said() {
    let settings = with(&["later=json:1"]);
    let code = |body: Json| {
        let settings = settings.clone();
        async move { answer(&settings, CloudCall::DelayedTask, "", &body.to_string()).await["errcode"].clone() }
    };
    let task = |name: &str, data: &str, delay: u64| json!({"env": "test", "function_name": name, "data": data, "delay_time": delay});
    assert_eq!(code(task("later", "{}", 6)).await, 0);
    assert_eq!(code(task("later", "{}", 2_592_000)).await, 0);
    assert_eq!(code(task("later", "{}", 5)).await, 40097);
    assert_eq!(code(task("later", "{}", 2_592_001)).await, 40097);
    assert_eq!(code(task("never", "{}", 6)).await, -501_000);
    assert_eq!(code(task("later", "no json", 6)).await, 47001);
    assert_eq!(code(json!({"env": "test", "function_name": "later", "data": "{}"})).await, 47001);
}

#[tokio::test]
async fn a_timer_of_a_folder_fires_when_the_clock_is_moved() {
    if !has_node() {
        return;
    }
    let index = "exports.main = async (event) => [event, process.env.TRIGGER_SRC, process.env.TCB_SOURCE]";
    let config = "{ // every day\n\"triggers\": [{\"name\":\"daily\",\"type\":\"timer\",\"config\":\"0 0 2 * * * *\"}] }";
    let folder = folder(index, Some(config));
    let (emulator, mut events) = start(with(&[&format!("tick={}", folder.path().display())])).await;
    emulator.control().advance(Duration::from_secs(86_400));
    let runs = runs(&emulator, &mut events, 1).await;
    assert_eq!(
        (&runs[0]["source"], &runs[0]["trigger"], &runs[0]["env"]),
        (&json!("timer"), &json!("daily"), &json!("test"))
    );
    let told = result(&runs[0]);
    assert_eq!(
        (&told[0]["Type"], &told[0]["TriggerName"], &told[0]["Message"]),
        (&json!("Timer"), &json!("daily"), &json!(""))
    );
    // 02:00 in Beijing.
    assert!(told[0]["Time"].as_str().unwrap().ends_with("T18:00:00Z"));
    assert_eq!(
        (&told[0]["userInfo"]["appId"], &told[1], &told[2]),
        (&json!("wx1"), &json!("timer"), &json!("wx_trigger"))
    );
    emulator.stop().await;
}

#[tokio::test]
async fn a_timer_fires_without_help() {
    let mut function: Function = "tick=json:1".parse().unwrap();
    function.triggers = vec![Trigger { name: "often".to_owned(), config: "* * * * * * *".to_owned() }];
    let cloud = CloudSettings {
        functions: vec![function],
        environments: vec!["a".to_owned(), "b".to_owned()],
        ..CloudSettings::default()
    };
    let (emulator, mut events) = start(cloud).await;
    let runs = runs(&emulator, &mut events, 2).await;
    assert_eq!((&runs[0]["env"], &runs[1]["env"]), (&json!("a"), &json!("b")));
    emulator.stop().await;
}

#[tokio::test]
async fn what_a_command_writes_to_its_log_is_an_event() {
    let (emulator, mut events) =
        start(with(&["f=run:echo \"in $TCB_ENV\" >&2; echo \"$TCB_CONTEXT_CNFG\""])).await;
    let body = json!({"env": "test", "name": "f", "req_data": "{}"});
    let answer = call(&emulator, "/tcb/invokecloudfunction", &body).await;
    let url = json!({ "URL": format!("{}/admin", emulator.url()) });
    assert_eq!(answer["resp_data"], url.to_string());
    let mut said = Vec::new();
    while let Ok(event) = events.try_recv() {
        said.push(event.to_string());
    }
    assert!(said.contains(&"function test/f: in test".to_owned()), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("function test/f (http) returned after ")), "{said:?}");
    emulator.stop().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_a_function_but_stopping_does() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let line = format!("f=run:exec 3> '{}'; echo begun >&2; sleep 1000", pipe.display());
    let (emulator, mut events) = start(with(&[&line])).await;
    let written = tokio::task::spawn_blocking(move || std::fs::read(pipe).unwrap());
    let body = json!({"env": "test", "name": "f"});
    tokio::select! {
        answer = call(&emulator, "/tcb/invokecloudfunction", &body) => panic!("{answer}"),
        () = async { while !matches!(events.recv().await.unwrap().what, Happening::FunctionSaid { .. }) {} } => {}
    }
    assert!(!written.is_finished());
    emulator.stop().await;
    assert_eq!(written.await.unwrap(), b"");
}
