//! `tokenward serve`

use std::path::Path;

use tokenward_server::Server;
use tokenward_server::config::Config;

use crate::failure::{Failure, show_finding};

/// Runs the server until SIGTERM or SIGINT, then ends it in good order.
pub async fn run(path: &Path) -> Result<(), Failure> {
    let mut signals = super::Signals::listen()?;
    let config = Config::load(path)?;
    let filter = std::env::var("TOKENWARD_LOG").ok();
    tokenward_server::init_log(config.server.log_format, filter.as_deref());
    config.warnings.iter().for_each(show_finding);
    let server = Server::build(&config).await?;
    let stopper = server.stopper();
    let ending = tokio::spawn(async move {
        signals.next().await;
        stopper.stop();
    });
    server.run().await;
    ending.abort();
    Ok(())
}
