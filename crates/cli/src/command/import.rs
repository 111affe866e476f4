//! `tokenward import`

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokenward_server::config::Config;
use tokenward_server::{Import, import};

use crate::failure::Failure;
use crate::output;

/// Which token is taken over.
#[derive(Debug, Args)]
pub struct Wishes {
    /// The credential
    name: String,
    /// Its sink at whose place the token stands today: [credentials.NAME.sinks.SINK]
    #[arg(long, value_name = "SINK")]
    sink: String,
    /// How long the token lives from now, like 90m, if that does not stand beside it
    #[arg(long, value_name = "TIME", value_parser = crate::args::duration)]
    life: Option<Duration>,
    /// Even if there is a token already, or the platform refuses the one that was found
    #[arg(long)]
    force: bool,
}

/// Takes over a live token, before the server is started.
pub async fn run(path: &Path, wishes: Wishes, as_json: bool) -> Result<(), Failure> {
    let config = Config::load(path)?;
    let Wishes { name, sink, life, force } = wishes;
    let taken = import(&config, &Import { credential: &name, sink: &sink, life, force }).await?;
    let seconds = taken.expires_in;
    if let Some(said) = taken.cut_from {
        output::remark(&format!(
            "{name}: the token is said to live {said} s more; tokens of this platform live {} s at the most, so \
             that is what counts. If they really live longer (OAuth 2.0), set `assumed_life`.",
            taken.longest
        ));
    }
    if as_json {
        output::json(&json!({
            "credential": name, "generation": taken.generation, "expires_in": seconds, "cut_from": taken.cut_from,
            "alive": taken.alive,
        }));
        return Ok(());
    }
    let alive = match taken.alive {
        Some(true) => "the platform accepts it",
        Some(false) => "the platform refuses it",
        None => "nothing can verify it, or the platform could not be asked",
    };
    output::text(&format!("{name}: a token that lives {seconds} s more is taken over; {alive}"));
    Ok(())
}
