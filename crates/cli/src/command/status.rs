//! `tokenward status`

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, TableStyle};
use jiff::{Span, Timestamp, Unit};
use tokenward_client::{Client, CredentialStatus, SinkStatus};

use crate::failure::Failure;
use crate::output;

/// Shows one credential in detail, or all in a table.
pub async fn run(client: &Client, name: Option<&str>, json: bool) -> Result<(), Failure> {
    match name {
        Some(name) => {
            let status = client.credential(name).await?;
            if json { output::json(&status) } else { detail(&status) }
        }
        None => {
            let all = client.credentials().await?;
            if json { output::json(&all) } else { table(&all) }
        }
    }
    Ok(())
}

fn table(all: &[CredentialStatus]) {
    if all.is_empty() {
        return output::text("There are no credentials. Add [credentials.NAME] to the configuration.");
    }
    let mut table = headed(["NAME", "PLATFORM", "STATE", "GENERATION", "EXPIRES", "REFRESH", "READS"]);
    for status in all {
        table.add_row([
            Cell::new(&status.name),
            Cell::new(&status.platform),
            Cell::new(&status.state).fg(color(&status.state)),
            Cell::new(status.generation),
            Cell::new(status.expires_at.as_deref().map_or("-".to_owned(), distance)),
            Cell::new(next_refresh(status)),
            Cell::new(status.reads),
        ]);
    }
    output::text(&table.trim_fmt());
    sinks(all);
    for status in all {
        for (detail, next_step) in troubles(status) {
            output::text(&format!("\n{}: {detail}\n  {next_step}", status.name));
        }
    }
    sink_troubles(all);
}

fn headed<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    table
}

/// A table of all their sinks, if there are any.
fn sinks(all: &[CredentialStatus]) {
    if all.iter().all(|status| status.sinks.is_empty()) {
        return;
    }
    let mut table = headed(["NAME", "SINK", "KIND", "STATE", "GENERATION", "BEHIND", "FAILED", "LOST"]);
    for status in all {
        for sink in &status.sinks {
            let (state, color) = sink_state(sink);
            let behind = Some(sink.lag_seconds).filter(|seconds| *seconds > 0).map(span);
            table.add_row([
                Cell::new(&status.name),
                Cell::new(&sink.name),
                Cell::new(&sink.kind),
                Cell::new(state).fg(color),
                Cell::new(sink.generation),
                Cell::new(behind.unwrap_or("-".to_owned())),
                Cell::new(sink.failed),
                Cell::new(sink.lost),
            ]);
        }
    }
    output::text(&format!("\n{}", table.trim_fmt()));
}

fn sink_state(sink: &SinkStatus) -> (&'static str, Color) {
    if sink.last_failure.is_some() {
        ("failing", Color::Red)
    } else if sink.lag_seconds > 0 {
        ("behind", Color::Yellow)
    } else if sink.generation == 0 {
        ("pending", Color::Yellow)
    } else {
        ("delivered", Color::Green)
    }
}

fn sink_troubles(all: &[CredentialStatus]) {
    for status in all {
        for sink in &status.sinks {
            let Some(failure) = &sink.last_failure else { continue };
            let (detail, next_step) = (output::printable(&failure.detail), &failure.next_step);
            output::text(&format!("\n{}, sink {}: {detail}\n  {next_step}", status.name, sink.name));
        }
    }
}

fn troubles(status: &CredentialStatus) -> impl Iterator<Item = (&str, &str)> {
    let failure =
        status.last_failure.as_ref().map(|failure| (failure.detail.as_str(), failure.next_step.as_str()));
    let foreign = status
        .foreign_refreshes
        .as_ref()
        .map(|foreign| (foreign.detail.as_str(), foreign.next_step.as_str()));
    let refused = status
        .refusals_kept_back
        .as_ref()
        .map(|refused| (refused.detail.as_str(), refused.next_step.as_str()));
    failure.into_iter().chain(foreign).chain(refused)
}

fn detail(status: &CredentialStatus) {
    let mut lines = vec![
        ("name", status.name.clone()),
        ("platform", status.platform.clone()),
        ("state", status.state.clone()),
        ("generation", status.generation.to_string()),
    ];
    lines.extend(status.derived_from.clone().map(|from| ("derived from", from)));
    let moment = |at: &String| format!("{at} ({})", distance(at));
    lines.extend(status.issued_at.as_ref().map(|at| ("issued", moment(at))));
    lines.extend(status.expires_at.as_ref().map(|at| ("expires", moment(at))));
    lines.push(("next refresh", next_refresh(status)));
    lines.extend(status.next_scheduled.iter().map(|at| ("scheduled", moment(at))));
    let left = status.budget.left_today.map_or(String::new(), |left| format!(", {left} left"));
    lines.push(("fetches today", format!("{}{left}", status.budget.used_today)));
    lines.push(("reads", status.reads.to_string()));
    for (label, value) in lines {
        output::text(&format!("{label:<14} {value}"));
    }
    sinks(std::slice::from_ref(status));
    for (detail, next_step) in troubles(status) {
        output::text(&format!("\n{detail}\n  {next_step}"));
    }
    sink_troubles(std::slice::from_ref(status));
}

fn next_refresh(status: &CredentialStatus) -> String {
    match &status.next_refresh_at {
        _ if status.refreshing => "running".to_owned(),
        Some(at) => distance(at),
        None => "not planned".to_owned(),
    }
}

fn color(state: &str) -> Color {
    match state {
        "live" => Color::Green,
        "pending" | "retrying" | "contested" => Color::Yellow,
        _ => Color::Red,
    }
}

/// How far a moment is from now: `in 1h 12m`, `3m ago`.
fn distance(moment: &str) -> String {
    let Ok(at) = moment.parse::<Timestamp>() else { return moment.to_owned() };
    let seconds = at.as_second() - Timestamp::now().as_second();
    let text = span(seconds.abs());
    if seconds >= 0 { format!("in {text}") } else { format!("{text} ago") }
}

/// `1h 12m`
fn span(seconds: i64) -> String {
    let rounded = Span::new().seconds(seconds);
    let balanced = rounded.round(jiff::SpanRound::new().largest(Unit::Hour).smallest(Unit::Second));
    let text = balanced.map_or_else(|_| format!("{seconds}s"), |span| format!("{span:#}"));
    text.split_inclusive(' ').take(2).collect::<String>().trim().to_owned()
}
