//! What the audience sees: one line for each thing that happens, with the time since the curtain rose.

use owo_colors::OwoColorize as _;
use tokenward_server::{Happening, how_often};
use tokio::time::Instant;

use super::stage::CREDENTIALS;

/// The live view.
#[derive(Debug)]
pub struct Show {
    since: Instant,
}

impl Show {
    /// The curtain rises.
    pub fn begin() -> Show {
        Show { since: Instant::now() }
    }

    /// Who is on stage, and lines to paste into another terminal.
    pub fn introduce(&self, url: &str, platform: &str, key: &str) {
        let shop = CREDENTIALS[0].name;
        let app = CREDENTIALS[0].app;
        anstream::println!(
            "{}",
            "Tokenward demo: one server, four credentials, tokens that live 8 seconds".bold()
        );
        anstream::println!("  server    {url}\n  platforms {platform} (emulated on this machine)\n");
        anstream::println!("Ctrl-C ends it. Paste into another terminal:");
        anstream::println!("  curl -H 'Authorization: Bearer {key}' {url}/v1/credentials/{shop}/token");
        anstream::println!("  curl -H 'Authorization: Bearer {key}' {url}/v1/credentials");
        anstream::println!(
            "  curl -X POST -d '{{\"app_id\":\"{app}\"}}' {platform}/_emulator/invalidate   # kill its token"
        );
        anstream::println!(
            "  curl -X POST -d '{{\"kind\":\"status\",\"status\":502,\"for\":\"5s\"}}' {platform}/_emulator/fault\n"
        );
    }

    /// A line on its own.
    pub fn say(&self, line: &str) {
        self.line("", line);
    }

    /// Something happened to a credential.
    pub fn happening(&self, credential: &str, happening: &Happening) {
        let line = match happening {
            Happening::FetchBegun { .. } => return,
            Happening::Rotated { generation: 1, life, .. } => {
                format!("{}, lives {} s", "fetched".green(), life.whole_seconds())
            }
            Happening::Rotated { generation, .. } => {
                format!(
                    "{} to generation {generation}; the old token is served until its end",
                    "rotated".green()
                )
            }
            Happening::Unchanged => return,
            Happening::FetchFailed { kind, .. } => format!("{} {}", "fetch failed:".red(), kind.code()),
            Happening::FoundDead => "probe: the platform refuses this token".yellow().to_string(),
            Happening::FoundAlive => "probe: the platform accepts this token".to_owned(),
            Happening::ForeignRefresh { times_today } => {
                format!("{}, {} today", "foreign refresh seen".yellow(), how_often(*times_today))
            }
            Happening::StateChanged { to, .. } => format!("is {}", to.as_str()),
            other => format!("{other:?}"),
        };
        self.line(credential, &line);
    }

    /// Somebody killed a token.
    pub fn sabotage(&self, credential: &str) {
        self.line(
            credential,
            &"-- somebody else fetches: the platform forgets our token --".magenta().to_string(),
        );
    }

    /// The platform refused a call.
    pub fn refused(&self, credential: &str, generation: u64) {
        self.line(
            credential,
            &format!("{} generation {generation}; the service reports it", "call refused with".red()),
        );
    }

    /// A report led to a token that works.
    pub fn healed(&self, credential: &str, generation: u64) {
        self.line(
            credential,
            &format!("{}: the call works with generation {generation}", "healed".green().bold()),
        );
    }

    /// A service could not read a token.
    pub fn trouble(&self, credential: &str, what: &str) {
        self.line(credential, &format!("{} {what}", "no token:".red()));
    }

    fn line(&self, credential: &str, text: &str) {
        let seconds = self.since.elapsed().as_secs_f32();
        anstream::println!("{seconds:6.1}s  {credential:<8} {text}");
    }
}
