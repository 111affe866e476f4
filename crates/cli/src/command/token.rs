//! `tokenward token` and `tokenward report`

use std::io::IsTerminal as _;
use std::time::Duration;

use tokenward_client::{Client, Token};

use crate::failure::Failure;
use crate::output;

/// Prints the current token: alone, so that a shell can use it.
pub async fn run(client: &Client, name: &str, min_ttl: Option<Duration>, json: bool) -> Result<(), Failure> {
    let token = match min_ttl {
        Some(min_ttl) => client.token_for(name, min_ttl).await?,
        None => client.token(name).await?,
    };
    show(&token, json);
    Ok(())
}

/// Reports a generation and prints the token to use from now on.
pub async fn report(client: &Client, name: &str, generation: u64, json: bool) -> Result<(), Failure> {
    let token = client.report(name, generation).await?;
    if !json && token.generation == generation {
        output::remark(&format!(
            "The platform still accepts generation {generation}: nothing was refreshed."
        ));
    }
    show(&token, json);
    Ok(())
}

fn show(token: &Token, json: bool) {
    if json {
        return output::json(token);
    }
    output::text(&token.token);
    if std::io::stdout().is_terminal() {
        let Token { generation, expires_in, .. } = token;
        output::remark(&format!("generation {generation}, to be relied on for {expires_in} s"));
    }
}
