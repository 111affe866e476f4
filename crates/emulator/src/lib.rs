//! Token platforms as documented, run locally, with faults on demand.
//!
//! WeChat, Baidu and an OAuth 2.0 server share one listener and one list of apps. [`Machine`] decides: time is
//! an argument, chance is seeded, there is no IO in it. [`Emulator`] puts it behind a loopback HTTP/1.1
//! listener and reads the clock.
//!
//! The crate depends on no other crate of the workspace. It is a second, independent reading of the
//! platforms' documents, so that it cannot share a mistake with the code that is tested against it.
//! Deliberately absent: logging. Whoever wants to watch subscribes to [`Control::events`].
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use tokenward_emulator::{Emulator, Fault, FaultKind, Settings};
//!
//! let settings = Settings { listen: ([127, 0, 0, 1], 0).into(), ..Settings::default() };
//! let platform = Emulator::start(settings).await?;
//! let url = format!("{}/cgi-bin/token", platform.url());
//! platform.control().inject(Fault::new(FaultKind::Busy).on("/cgi-bin/token").times(1)).unwrap();
//! // … point a client at `url` …
//! assert_eq!(platform.control().stats().issued, 0);
//! platform.stop().await;
//! # let _ = url;
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```

mod answer;
mod app;
mod apps;
mod baidu;
mod chance;
mod clock;
mod cloud;
mod coexisting;
mod control;
mod control_calls;
mod cut_body;
mod dead_token_code;
mod desk;
mod duration_text;
mod emulator;
mod event;
mod fault;
mod ledger;
mod machine;
mod moment;
mod oauth2;
mod outcome;
mod params;
mod push;
mod reply;
mod request;
mod route;
mod running;
mod settings;
mod shell;
mod socket;
mod stand_in;
mod stats;
mod subject;
mod token_api;
mod wechat;

#[cfg(test)]
mod tests;

pub use app::{App, ParseAppError};
pub use cloud::{CloudSettings, Errand, FilePartFirst, Function, FunctionWork, ParseFunctionError, Trigger};
pub use control::Control;
pub use dead_token_code::DeadTokenCode;
pub use emulator::Emulator;
pub use event::{Event, Happening};
pub use fault::{ActiveFault, Fault, FaultError, FaultKind, ToldLife};
pub use machine::{Machine, UnknownApp};
pub use moment::Moment;
pub use outcome::{Delivery, Outcome};
pub use reply::Reply;
pub use request::Request;
pub use running::Running;
pub use settings::{Settings, SettingsError};
pub use stats::{ApiStats, AppStats, PathStats, Stats};
pub use token_api::TokenApi;
