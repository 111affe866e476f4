//! `tokenward callback`

use clap::Subcommand;
use comfy_table::{Attribute, Cell, ContentArrangement, Table, TableStyle};
use serde_json::json;
use tokenward_client::{CallbackMessage, Client, WholeCallbackMessage};

use crate::failure::Failure;
use crate::output;

/// What to do with messages of platforms.
#[derive(Debug, Subcommand)]
pub enum Callback {
    /// Messages that wait for their target, and those that were given up
    List {
        /// Only those of this callback
        name: Option<String>,
        /// Only those that were given up
        #[arg(long)]
        dead: bool,
    },
    /// Everything about one of these messages
    Show {
        /// Its number
        id: u64,
        /// The message itself, too, as the platform wrote it
        #[arg(long)]
        text: bool,
    },
    /// Send messages again that were given up
    Redeliver {
        /// The message's number
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Vec<u64>,
        /// All that were given up
        #[arg(long)]
        all: bool,
        /// With --all: only those of this callback
        #[arg(long, value_name = "NAME", requires = "all")]
        callback: Option<String>,
    },
}

/// Does it.
pub async fn run(client: &Client, what: Callback, json: bool) -> Result<(), Failure> {
    match what {
        Callback::List { name, dead } => {
            let state = dead.then_some("dead");
            let messages = client.callback_messages(name.as_deref(), state).await?;
            if json { output::json(&messages) } else { table(&messages) }
        }
        Callback::Show { id, text } => {
            let message = client.callback_message(id, text).await?;
            if json { output::json(&message) } else { show(&message) }
        }
        Callback::Redeliver { id, callback, .. } => {
            let mut sent = 0;
            for id in &id {
                sent += client.redeliver(Some(*id), None).await?;
            }
            if id.is_empty() {
                sent = client.redeliver(None, callback.as_deref()).await?;
            }
            match json {
                true => output::json(&json!({ "redelivered": sent })),
                false => output::text(&format!("{sent} messages are on their way again.")),
            }
        }
    }
    Ok(())
}

fn show(whole: &WholeCallbackMessage) {
    let message = &whole.message;
    let mut lines = vec![
        format!("message {} of {} to {}: {}", message.id, message.callback, message.target, message.state),
        format!("received {}, tried since {}", message.received_at, whole.tried_since),
        format!("attempts: {}", message.attempts),
    ];
    lines.extend(message.next_attempt_at.iter().map(|at| format!("next attempt: {at}")));
    lines.extend(whole.failures.iter().map(|failure| format!("{} {}", failure.at, failure.detail)));
    let last = message.failure.as_ref().filter(|_| whole.failures.is_empty());
    lines.extend(last.map(|failure| format!("last failure: {failure}")));
    lines.push(String::new());
    lines.extend(whole.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if let Some(text) = &whole.text {
        lines.extend([String::new(), text.clone()]);
    }
    // A stranger may have written any of it.
    output::text(&output::printable(&lines.join("\n")));
}

fn table(messages: &[CallbackMessage]) {
    if messages.is_empty() {
        return output::text("No message waits, and none was given up.");
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    let headings = ["ID", "CALLBACK", "TARGET", "TYPE", "STATE", "RECEIVED", "ATTEMPTS", "FAILURE"];
    table.set_header(headings.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for message in messages {
        table.add_row([
            Cell::new(message.id),
            Cell::new(&message.callback),
            Cell::new(&message.target),
            Cell::new(&message.kind),
            Cell::new(&message.state),
            Cell::new(&message.received_at),
            Cell::new(message.attempts),
            Cell::new(message.failure.as_deref().unwrap_or("-")),
        ]);
    }
    output::text(&table.trim_fmt());
}
