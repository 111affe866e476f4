//! `tokenward serve`

use std::path::Path;

use tokenward_server::Server;
use tokenward_server::config::Config;

use crate::failure::{Failure, show_finding};

/// Runs the server until SIGTERM or SIGINT, then ends it in good order.
pub async fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path)?;
    let filter = std::env::var("TOKENWARD_LOG").ok();
    tokenward_server::init_log(config.server.log_format, filter.as_deref());
    config.warnings.iter().for_each(show_finding);
    let server = Server::build(&config).await?;
    let stopper = server.stopper();
    let ending = tokio::spawn(async move {
        // Without signals the server runs on; that it cannot be ended in good order is said at once.
        if let Err(failure) = super::until_stopped().await {
            return failure.show(false);
        }
        stopper.stop();
    });
    server.run().await;
    ending.abort();
    Ok(())
}
