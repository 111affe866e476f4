//! Starting an emulator.

use std::io;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock;
use crate::cloud::Cloud;
use crate::control::Control;
use crate::machine::Machine;
use crate::running::Running;
use crate::settings::Settings;
use crate::shell;

/// The emulator: a [`Machine`] behind an HTTP/1.1 listener.
#[derive(Clone, Copy, Debug)]
pub struct Emulator;

impl Emulator {
    /// Binds the listener and serves in a task of the current Tokio runtime, which needs IO and time enabled.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] with a [`SettingsError`](crate::SettingsError) inside when the settings
    /// contradict themselves, which includes a listen address beyond loopback that was not allowed, or when a cloud
    /// function cannot be run as it is described; otherwise
    /// whatever binding the address says.
    pub async fn start(settings: Settings) -> io::Result<Running> {
        let seed = settings.seed.unwrap_or_else(clock::fresh_seed);
        let machine = Machine::new(&settings, seed)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let control = Control::new(machine);
        let cloud = Cloud::start(&settings.cloud, seed)?;
        let app_id = settings.known_apps().first().map(|app| app.id.clone()).unwrap_or_default();
        cloud.settle(&control, address, app_id);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(shell::serve(listener, control.clone(), cloud, stopped));
        Ok(Running::new(address, control, stop, serving))
    }
}
