//! `tokenward emulate`

use tokenward_emulator::{CloudSettings, Emulator, FilePartFirst, Settings};

use crate::args::{self, Emulate};
use crate::failure::Failure;
use crate::output;

/// Plays the platforms until Ctrl-C or SIGTERM, and says what happens.
pub async fn run(flags: Emulate, json: bool) -> Result<(), Failure> {
    let mut signals = super::Signals::listen()?;
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
        cloud: CloudSettings {
            folder: flags.cloud_dir,
            file_part_first: match flags.file_part_first {
                args::FilePartFirst::Refuse => FilePartFirst::Refuse,
                args::FilePartFirst::Accept => FilePartFirst::Accept,
            },
            ..CloudSettings::default()
        },
        ..Settings::default()
    };
    let emulator = Emulator::start(settings).await.map_err(|error| {
        Failure::failed(
            format!("cannot start the emulator: {error}"),
            "Choose another --listen address, app or --cloud-dir.",
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
