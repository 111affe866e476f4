//! `tokenward refresh`

use tokenward_client::Client;

use crate::failure::Failure;
use crate::output;

/// Refreshes and says what came of it.
pub async fn run(client: &Client, name: &str, force: bool, json: bool) -> Result<(), Failure> {
    let before = client.credential(name).await?;
    let status = client.refresh(name, force).await?;
    if json {
        output::json(&status);
    }
    if let Some(failure) = &status.last_failure {
        return Err(Failure::failed(failure.detail.clone(), failure.next_step.clone()));
    }
    if !json && status.generation == before.generation {
        output::text(&format!(
            "{name} keeps generation {}: the platform returned the same token.",
            status.generation
        ));
    } else if !json {
        output::text(&format!("{name} has generation {} now.", status.generation));
    }
    Ok(())
}
