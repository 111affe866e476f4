//! Cloud functions: what a person gave the emulator to run, called over HTTP, later, by the clock, or by each other.
//!
//! Invariants: a run takes no longer than its limit, and nothing of it is left when it, or the emulator, ends; at most 16
//! run at once; what is due by the emulator's clock is run, also when the clock jumps. Deliberately absent: warm
//! instances, versions, a memory limit.

mod agenda;
mod calls;
mod catalog;
mod command;
mod forward;
mod function;
mod jsonc;
mod limit;
mod run;
mod schedule;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use agenda::{Agenda, Appointment};
use catalog::{Catalog, Ready, Work};
pub(super) use function::LONGEST;
pub use function::{Function, FunctionWork, ParseFunctionError, Trigger};
use limit::Limit;
pub(crate) use run::FunctionRun;
pub(crate) use source::Source;

use super::{CloudFailure, CloudSettings, lock};
use crate::control::Control;
use crate::event::Happening;

/// The largest result, in bytes.
const LARGEST_RESULT: usize = 1024 * 1024;
/// Functions that run at the same time.
const AT_ONCE: usize = 16;
/// The longest sleep of the scheduler: a machine that was suspended is noticed then.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// What the folders of functions are run with.
const RUNNER: &str = include_str!("runner.js");

/// The functions of an emulator. Clones speak of the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Functions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalog: Catalog,
    agenda: Mutex<Agenda>,
    /// Rung when the agenda has something new.
    changed: Notify,
    permits: Semaphore,
    runs: Mutex<JoinSet<()>>,
    home: OnceLock<Home>,
}

/// The emulator around the functions.
#[derive(Debug)]
struct Home {
    control: Control,
    address: SocketAddr,
    app_id: String,
}

/// One call of a function that exists.
struct Call {
    function: Arc<Ready>,
    env: String,
    event: String,
    source: Source,
}

impl Functions {
    /// Checks what is to be run, without running anything.
    ///
    /// # Errors
    /// Says which function is wrong, and why.
    pub(super) fn open(settings: &CloudSettings) -> io::Result<Functions> {
        let shared = Shared {
            catalog: Catalog::open(settings)?,
            agenda: Mutex::default(),
            changed: Notify::new(),
            permits: Semaphore::new(AT_ONCE),
            runs: Mutex::default(),
            home: OnceLock::new(),
        };
        Ok(Functions { shared: Arc::new(shared) })
    }

    /// Says where the functions are, and whom timers run for. Timers count from now.
    pub(super) fn settle(
        &self,
        settings: &CloudSettings,
        control: &Control,
        address: SocketAddr,
        app_id: String,
    ) {
        let now = control.now();
        for (env, function, trigger, schedule) in self.shared.catalog.timers(settings) {
            lock(&self.shared.agenda).add_timer(&env, function, trigger, schedule, now);
        }
        // An emulator starts once, so nothing is set yet.
        let _ = self.shared.home.set(Home { control: control.clone(), address, app_id });
    }

    /// Runs what is due by the emulator's clock, until this is dropped.
    pub(crate) async fn keep_time(self, control: Control) {
        loop {
            let now = control.now();
            let (due, next) = {
                let mut agenda = lock(&self.shared.agenda);
                (agenda.take_due(now), agenda.next())
            };
            self.run_all(due);
            let sleep = next.map(|next| tokio::time::sleep(next.since(now).min(LONGEST_SLEEP)));
            tokio::select! {
                () = async { match sleep { Some(sleep) => sleep.await, None => std::future::pending().await } } => {}
                () = control.time_moves() => {}
                () = self.shared.changed.notified() => {}
            }
        }
    }

    /// Ends all runs; returns when they have ended.
    pub(crate) async fn stop(&self) {
        let mut runs = std::mem::take(&mut *lock(&self.shared.runs));
        runs.shutdown().await;
    }

    /// Calls a function with an event, a JSON object, and returns the JSON that it returned. The call goes on when the
    /// caller does not wait for it. Whether the environment exists is for the caller to know.
    ///
    /// # Errors
    /// There is no such function, the event is none, or the function failed.
    pub(crate) async fn invoke(
        &self,
        env: &str,
        name: &str,
        event: &str,
        source: Source,
    ) -> Result<String, CloudFailure> {
        let call = self.call(env, name, event, source)?;
        let (answer, answered) = oneshot::channel();
        let functions = self.clone();
        self.spawn(async move {
            // A caller who went away is not interested.
            let _ = answer.send(functions.run(call).await);
        });
        answered.await.unwrap_or_else(|_| Err(CloudFailure::system_error()))
    }

    /// Checks a call, and tells the event whose it is.
    fn call(&self, env: &str, name: &str, event: &str, source: Source) -> Result<Call, CloudFailure> {
        let function = self.shared.catalog.find(env, name).ok_or_else(CloudFailure::no_such_function)?;
        let mut event = super::fields(event.as_bytes())?;
        if let (Some(app_id), Some(event)) = (self.app_id(&source), event.as_object_mut()) {
            event.insert("userInfo".to_owned(), json!({ "appId": app_id }));
        }
        Ok(Call { function: function.clone(), env: env.to_owned(), event: event.to_string(), source })
    }

    fn app_id<'a>(&'a self, source: &'a Source) -> Option<&'a str> {
        source.app_id().or_else(|| self.shared.home.get().map(|home| home.app_id.as_str()))
    }

    /// Runs what is due: the calls of one function one after another, different functions at the same time.
    fn run_all(&self, due: Vec<Appointment>) {
        let mut by_function: BTreeMap<(String, String), Vec<Appointment>> = BTreeMap::new();
        for appointment in due {
            let key = (appointment.env.clone(), appointment.function.clone());
            by_function.entry(key).or_default().push(appointment);
        }
        for appointments in by_function.into_values() {
            let functions = self.clone();
            self.spawn(async move {
                for Appointment { env, function, event, source } in appointments {
                    // Results of such calls are for nobody; the list of runs has them.
                    if let Ok(call) = functions.call(&env, &function, &event, source) {
                        let _ = functions.run(call).await;
                    }
                }
            });
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut runs = lock(&self.shared.runs);
        while runs.try_join_next().is_some() {}
        runs.spawn(task);
    }

    /// Runs a function, no longer than it may, and writes down how it went.
    async fn run(&self, call: Call) -> Result<String, CloudFailure> {
        let limit = Limit::of(&call.source, call.function.time_limit);
        let at = self.shared.home.get().map(|home| home.control.now());
        let started = Instant::now();
        let work = async {
            let permit = tokio::time::timeout(limit.time, self.shared.permits.acquire()).await;
            let _permit = permit.map_err(|_| CloudFailure::too_many_at_once(AT_ONCE))?;
            let left = limit.time.saturating_sub(started.elapsed());
            tokio::time::timeout(left, self.work(&call)).await.unwrap_or_else(|_| Err(limit.failure()))
        };
        let result = Box::pin(work).await;
        if let (Some(home), Some(at)) = (self.shared.home.get(), at) {
            let Call { function, env, source, .. } = call;
            let run = FunctionRun {
                env,
                name: function.name.clone(),
                source,
                at,
                took: started.elapsed(),
                result: result.as_deref().map(FunctionRun::beginning).map_err(Clone::clone),
            };
            home.control.with(|machine, wall| machine.function_ended(wall, run));
        }
        result
    }

    /// What a call does.
    async fn work(&self, call: &Call) -> Result<String, CloudFailure> {
        let printed = match &call.function.work {
            Work::Answer(json) => json.clone().into_bytes(),
            Work::Forward(url) => {
                let headers = [
                    ("x-emulated-env", call.env.as_str()),
                    ("x-emulated-function", call.function.name.as_str()),
                    ("x-emulated-source", call.source.platform_word()),
                ];
                url.post(&call.event, &headers).await?
            }
            Work::Command(line, directory) => {
                let mut command = tokio::process::Command::new("sh");
                command.arg("-c").arg(line);
                if let Some(directory) = directory {
                    command.current_dir(directory);
                }
                self.run_command(command, call).await?
            }
            Work::Folder(folder) => {
                let mut command = tokio::process::Command::new("node");
                let told = json!({ "folder": folder, "context": context(call) });
                command.arg("-e").arg(RUNNER).arg(told.to_string()).current_dir(folder);
                let printed = self.run_command(command, call).await?;
                // Whatever its own children printed stands before.
                printed.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().to_vec()
            }
        };
        let result = as_json(&printed);
        if result.len() > LARGEST_RESULT {
            return Err(CloudFailure::result_too_large());
        }
        Ok(result)
    }

    async fn run_command(
        &self,
        mut command: tokio::process::Command,
        call: &Call,
    ) -> Result<Vec<u8>, CloudFailure> {
        command.envs(self.variables(call));
        let tell = |line: &str| {
            let Some(home) = self.shared.home.get() else { return };
            let (env, name, line) = (call.env.clone(), call.function.name.clone(), line.to_owned());
            let said = Happening::FunctionSaid { env, name, line };
            home.control.with(|machine, wall| machine.tell(wall, said));
        };
        command::run(command, &call.event, tell).await
    }

    /// The environment variables that the platform's runtime sets, as far as the vendor's SDKs read them.
    fn variables(&self, call: &Call) -> Vec<(String, String)> {
        let mut all = vec![("TZ", "UTC"), ("TCB_ENV", &call.env), ("SCF_NAMESPACE", &call.env)];
        let source = call.source.platform_word();
        all.extend([("SOURCE", source), ("TCB_SOURCE", source)]);
        if matches!(call.source, Source::Timer(_)) {
            all.push(("TRIGGER_SRC", "timer"));
        }
        if let Some(app_id) = self.app_id(&call.source) {
            all.extend([("WX_APPID", app_id), ("WX_CONTEXT_KEYS", "WX_APPID")]);
        }
        let mut all: Vec<(String, String)> =
            all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(home) = self.shared.home.get() {
            let context = json!({ "URL": format!("http://{}/admin", home.local_address()) });
            let known = [
                ("TCB_CONTEXT_CNFG", context.to_string()),
                // The emulator takes any; without them the SDKs refuse to start.
                ("TENCENTCLOUD_SECRETID", "emulated-id".to_owned()),
                ("TENCENTCLOUD_SECRETKEY", "emulated-key".to_owned()),
            ];
            all.extend(known.map(|(name, value)| (name.to_owned(), value)));
        }
        all.extend(call.function.variables.iter().cloned());
        all
    }
}

impl Home {
    /// Where the emulator can be reached from this machine.
    fn local_address(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        address
    }
}

/// The second argument of `main`.
fn context(call: &Call) -> Json {
    json!({
        "function_name": call.function.name,
        "function_version": "$LATEST",
        "namespace": call.env,
        "memory_limit_in_mb": 256,
        "time_limit_in_ms": u64::try_from(call.function.time_limit.as_millis()).unwrap_or(u64::MAX),
    })
}

/// What was printed, as JSON: as it is when it is some, `null` when it is nothing, and else as text.
fn as_json(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let text = text.trim();
    if text.is_empty() {
        return "null".to_owned();
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => Json::from(text).to_string(),
    }
}
