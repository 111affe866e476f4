//! The command line's grammar.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Token control server (中控服务器): keeps every expiring API credential of a team fresh.
#[derive(Debug, Parser)]
#[command(name = "tokenward", version, propagate_version = true)]
pub struct Arguments {
    /// The configuration file; `tokenward.toml` if it is there
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve,
    /// Check the configuration without starting anything
    Check {
        /// Also ask each platform for a token, and explain what fails
        #[arg(long)]
        live: bool,
    },
    /// Print the current token of a credential
    Token {
        /// The credential
        name: String,
        /// Ask for at least this much told life, like 60s
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        min_ttl: Option<Duration>,
    },
    /// Say that the token of a generation was refused
    Report {
        /// The credential
        name: String,
        /// The generation that was refused
        #[arg(long, value_name = "N")]
        generation: u64,
    },
    /// Refresh a token now
    Refresh {
        /// The credential
        name: String,
        /// Even where holders were told to rely on the current token
        #[arg(long)]
        force: bool,
    },
    /// Show credentials and what is wrong with them
    Status {
        /// Only this one, in detail
        name: Option<String>,
    },
    /// Sign a page or a card with a WeChat ticket
    #[command(subcommand)]
    Sign(crate::command::sign::Sign),
    /// Take over a live token that another program keeps
    Import(crate::command::import::Wishes),
    /// Make a certificate for a facade whose SDKs cannot be pointed elsewhere
    Cert {
        /// Where the authority and the certificate are kept
        #[arg(long, value_name = "FOLDER", default_value = "tokenward-tls")]
        dir: PathBuf,
        /// A host that SDKs believe they talk to; may be repeated
        #[arg(long, value_name = "NAME", default_value = "api.weixin.qq.com")]
        host: Vec<String>,
        /// How long the certificate is good for, in days
        #[arg(long, value_name = "DAYS", default_value_t = 825)]
        days: u16,
    },
    /// Messages that platforms push
    #[command(subcommand)]
    Callback(crate::command::callback::Callback),
    /// The cloud database, files and functions of a WeChat app
    Cloud(crate::command::cloud::Cloud),
    /// Play the platforms on this machine, with faults on demand
    Emulate(Emulate),
    /// See it work: emulator, server and clients on this machine, nothing to set up
    Demo {
        /// End after this time, like 20s; exit code 0 if everything that was promised happened
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        lasting: Option<Duration>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Flags of `emulate`.
#[derive(Debug, Args)]
pub struct Emulate {
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7650")]
    pub listen: SocketAddr,
    /// An app that exists; may be repeated
    #[arg(long, value_name = "ID:SECRET")]
    pub app: Vec<tokenward_emulator::App>,
    /// Life of every token [default: 2h WeChat, 30d Baidu, 1h OAuth 2.0]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub token_ttl: Option<Duration>,
    /// How long the old classic token lives on after a fetch
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    pub overlap: Duration,
    /// How long before its end the stable token is renewed
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    pub renew_window: Duration,
    /// Forced refreshes of a stable token a day
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub force_limit: u32,
    /// The least time between two of them
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub force_interval: Duration,
    /// How far the platform's devices disagree
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    pub clock_skew: Duration,
    /// Classic fetches a day
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub daily_quota: u32,
    /// Calls for tickets a day, for each app
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub ticket_daily_quota: u32,
    /// Answer with the same ticket until its end
    #[arg(long)]
    pub repeat_tickets: bool,
    /// Where documents and files of the cloud are kept [default: until it stops]
    #[arg(long, value_name = "DIR")]
    pub cloud_dir: Option<PathBuf>,
    /// What happens to an upload whose file stands before the other fields
    #[arg(long, value_name = "WHAT", value_enum, default_value = "refuse")]
    pub file_part_first: FilePartFirst,
    /// A cloud environment that exists; may be repeated [default: every one that is named]
    #[arg(long, value_name = "NAME")]
    pub env: Vec<String>,
    /// A cloud function: JSON, a local URL, run:COMMAND or a folder; may be repeated
    #[arg(long, value_name = "[ENV/]NAME=WHAT")]
    pub function: Vec<tokenward_emulator::Function>,
    /// Environments and functions from a TOML file
    #[arg(long, value_name = "FILE")]
    pub cloud: Option<PathBuf>,
}

/// See `--file-part-first`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum FilePartFirst {
    /// Refused, as by the platform
    Refuse,
    /// Taken when the fields come after all
    Accept,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span = tokenward_server::config::parse_span(text)
        .map_err(|message| format!("{message}; write 90s, 5m or 2h"))?;
    Ok(Duration::from_millis(u64::try_from(span.0).unwrap_or(0)))
}
