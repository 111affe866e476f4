//! The stage: emulator and server, with a configuration as a team would write it.

use std::path::PathBuf;
use std::time::Duration;

use tokenward_emulator::{App, Emulator, Running, Settings};
use tokenward_server::Server;
use tokenward_server::config::Config;

use crate::failure::Failure;

/// What the demo runs on.
pub struct Stage {
    /// The platforms.
    pub emulator: Running,
    /// The server, not running yet.
    pub server: Server,
    /// The services' client key.
    pub key: &'static str,
    /// Where the server keeps its data; gone with the demo.
    pub _folder: tempfile::TempDir,
}

/// One of the demo's credentials.
#[derive(Clone, Copy, Debug)]
pub struct DemoCredential {
    /// Its name.
    pub name: &'static str,
    /// Its app at the platform.
    pub app: &'static str,
    /// The call that its service makes with the token.
    pub call: Call,
}

/// How a service uses its token.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// `GET` with the token in the query.
    Get(&'static str),
    /// `POST` with the token in the query.
    Post(&'static str),
    /// `GET` with the token in the `Authorization` header.
    Bearer(&'static str),
}

/// All of them.
pub const CREDENTIALS: [DemoCredential; 4] = [
    DemoCredential { name: "shop", app: "wxdemoclassic", call: Call::Get("/cgi-bin/user/get") },
    DemoCredential { name: "members", app: "wxdemostable", call: Call::Get("/cgi-bin/user/get") },
    DemoCredential { name: "ocr", app: "baidudemo", call: Call::Post("/rest/2.0/ocr/v1/general_basic") },
    DemoCredential { name: "crm", app: "crmdemo", call: Call::Bearer("/oauth2/resource") },
];

const KEY: &str = "demo-key-that-nobody-else-uses";
const LIFE: Duration = Duration::from_secs(8);

impl Stage {
    /// Starts the emulator and builds the server.
    pub async fn set() -> Result<Stage, Failure> {
        let emulator = start_emulator().await?;
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::failed(format!("cannot make a folder: {error}"), "Check /tmp."))?;
        let text = configuration(&emulator.url(), free_or(7600), folder.path().join("data"));
        tokenward_server::init_log(tokenward_server::config::LogFormat::Text, Some("error"));
        let config = Config::parse(&text, &folder.path().join("tokenward.toml"))?;
        let server = Server::build(&config).await?;
        Ok(Stage { emulator, server, key: KEY, _folder: folder })
    }
}

async fn start_emulator() -> Result<Running, Failure> {
    let settings = Settings {
        listen: ([127, 0, 0, 1], free_or(7650)).into(),
        apps: CREDENTIALS.map(|credential| App::new(credential.app, secret(credential.app))).into(),
        token_ttl: Some(LIFE),
        overlap: Duration::from_secs(2),
        renew_window: Duration::from_secs(2),
        force_interval: Duration::from_secs(1),
        ..Settings::default()
    };
    Emulator::start(settings)
        .await
        .map_err(|error| Failure::failed(format!("cannot start the emulator: {error}"), "Try again."))
}

fn secret(app: &str) -> String {
    format!("{app}-secret")
}

/// The usual port if nobody has it, else any.
fn free_or(port: u16) -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", port)).map_or(0, |_| port)
}

/// As a team would write it, except that lives are short and secrets stand in it.
fn configuration(platform: &str, port: u16, data_dir: PathBuf) -> String {
    let [shop, members, ocr, crm] = CREDENTIALS;
    let refresh = r#"refresh = { overlap = "2s", skew = "100ms", renew_window = "2s" }"#;
    let inline = |app: &str| format!("{{ inline = {:?} }}", secret(app));
    format!(
        r#"
[server]
listen   = "127.0.0.1:{port}"
data_dir = {data_dir:?}

[clients.demo]
key         = {{ inline = "{KEY}" }}
credentials = ["*"]
may         = ["token", "report", "admin"]

[credentials.{shop}]
platform   = "wechat"
token_api  = "classic"
app_id     = "{shop_app}"
app_secret = {shop_secret}
base_url   = "{platform}"
{refresh}

[credentials.{members}]
platform   = "wechat"
app_id     = "{members_app}"
app_secret = {members_secret}
base_url   = "{platform}"
{refresh}

[credentials.{ocr}]
platform      = "baidu"
client_id     = "{ocr_app}"
client_secret = {ocr_secret}
base_url      = "{platform}"

[credentials.{crm}]
platform      = "oauth2"
token_url     = "{platform}/oauth2/token"
base_url      = "{platform}"
client_id     = "{crm_app}"
client_secret = {crm_secret}
"#,
        shop = shop.name,
        shop_app = shop.app,
        shop_secret = inline(shop.app),
        members = members.name,
        members_app = members.app,
        members_secret = inline(members.app),
        ocr = ocr.name,
        ocr_app = ocr.app,
        ocr_secret = inline(ocr.app),
        crm = crm.name,
        crm_app = crm.app,
        crm_secret = inline(crm.app),
    )
}
