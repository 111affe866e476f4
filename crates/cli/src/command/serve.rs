//! `tokenward serve`

use std::path::Path;

use tokenward_server::Server;
use tokenward_server::config::{Config, LogFormat};

use crate::failure::{Failure, show_finding};

/// Runs the server until SIGTERM or SIGINT, then ends it in good order.
pub async fn run(path: &Path) -> Result<(), Failure> {
    tokenward_server::process::prepare();
    let mut signals = super::Signals::listen()?;
    let config = Config::load(path)?;
    let filter = std::env::var("TOKENWARD_LOG").ok();
    tokenward_server::init_log(config.server.log_format, filter.as_deref());
    match config.server.log_format {
        LogFormat::Json => config.warnings.iter().for_each(|warning| {
            tracing::warn!(
                file = warning.file,
                line = warning.line,
                fix = warning.fix,
                "{}",
                warning.message
            );
        }),
        LogFormat::Text => config.warnings.iter().for_each(show_finding),
    }
    let server = tokio::select! {
        server = Server::build(&config) => server?,
        () = signals.next() => return Ok(()),
    };
    let stopper = server.stopper();
    let ending = tokio::spawn(async move {
        signals.next().await;
        stopper.stop();
    });
    let ended = server.run().await;
    ending.abort();
    ended.map_err(|broke| {
        Failure::failed(broke.to_string(), "Start it again, and report the log before this.")
    })
}
