//! `tokenward emulate`

use std::path::Path;

use tokenward_emulator::{CloudSettings, Emulator, FilePartFirst, Function, Settings};

use crate::args::{self, Emulate};
use crate::failure::Failure;
use crate::output;

/// Plays the platforms until Ctrl-C or SIGTERM, and says what happens.
pub async fn run(flags: Emulate, json: bool) -> Result<(), Failure> {
    let mut signals = super::Signals::listen()?;
    let cloud = CloudSettings {
        folder: flags.cloud_dir,
        file_part_first: match flags.file_part_first {
            args::FilePartFirst::Refuse => FilePartFirst::Refuse,
            args::FilePartFirst::Accept => FilePartFirst::Accept,
        },
        ..cloud(flags.cloud.as_deref(), flags.env, flags.function)?
    };
    let settings = Settings {
        listen: flags.listen,
        apps: flags.app,
        token_ttl: flags.token_ttl,
        overlap: flags.overlap,
        renew_window: flags.renew_window,
        force_limit: flags.force_limit,
        force_interval: flags.force_interval,
        clock_skew: flags.clock_skew,
        daily_quota: flags.daily_quota,
        ticket_daily_quota: flags.ticket_daily_quota,
        repeat_tickets: flags.repeat_tickets,
        cloud,
        ..Settings::default()
    };
    let emulator = Emulator::start(settings).await.map_err(|error| {
        Failure::failed(
            format!("cannot start the emulator: {error}"),
            "Choose another --listen address, app, function or --cloud-dir.",
        )
    })?;
    if json {
        output::text(&serde_json::json!({ "url": emulator.url() }).to_string());
    } else {
        output::text(&format!("The emulator listens on {}", emulator.url()));
        output::remark(&format!("Control calls: curl {}/_emulator/", emulator.url()));
    }
    let mut events = emulator.control().events();
    loop {
        tokio::select! {
            () = signals.next() => break,
            event = events.recv() => match event {
                Ok(event) => output::remark(&event.to_string()),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                    output::remark(&format!("({missed} events not shown)"));
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break,
            }
        }
    }
    emulator.stop().await;
    Ok(())
}

/// The cloud of the file, if there is one, and what flags add to it.
fn cloud(
    file: Option<&Path>,
    environments: Vec<String>,
    functions: Vec<Function>,
) -> Result<CloudSettings, Failure> {
    let mut cloud = match file {
        Some(file) => CloudSettings::from_file(file).map_err(|error| {
            Failure::failed(format!("cannot read the cloud's file: {error}"), "Correct it, and start again.")
        })?,
        None => CloudSettings::default(),
    };
    cloud.environments.extend(environments);
    cloud.functions.extend(functions);
    Ok(cloud)
}
