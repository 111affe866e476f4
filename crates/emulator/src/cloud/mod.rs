//! Cloud development (云开发), played: what is behind `/tcb/`.
//!
//! The [machine](crate::Machine) checks a call's token and hands it over as an [`Errand`]; here it is carried out, beside
//! the machine and without holding it up. Query texts are evaluated over a whitelist, and carried out with the semantics
//! of MongoDB 3.6.

mod call;
mod civil;
mod collection;
mod database;
mod ejson;
mod environment;
mod errand;
mod failure;
mod file;
mod functions;
mod index;
mod journal;
mod lenient;
mod measure;
mod records;
mod request;
mod script;
mod sdk;
mod settings;
mod storage;
mod temporary_key;
mod transfer;
mod value;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::DATE;
use serde_json::{Value as Json, json};

pub(crate) use call::CloudCall;
use environment::{Around, Environment, LARGEST_RESULT, text};
pub use errand::Errand;
pub(crate) use failure::CloudFailure;
pub use functions::{Function, FunctionWork, ParseFunctionError, Trigger};
pub(crate) use functions::{FunctionRun, Functions};
use journal::Journal;
use sdk::Transactions;
pub use settings::CloudSettings;
pub use storage::FilePartFirst;
pub(crate) use storage::{Arrival, Storage};
use temporary_key::TemporaryKeys;
use transfer::Jobs;

use crate::chance::Chance;
use crate::control::Control;
use crate::moment::Moment;
use crate::reply::Reply;
use crate::wechat::json_reply;

/// All environments of an emulator. Clones speak of the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: CloudSettings,
    stored: Mutex<Stored>,
    /// Where ids of documents come from.
    chance: Mutex<Chance>,
    /// Where hints and numbers of requests come from. Nobody holds it while working.
    hints: Mutex<Chance>,
    storage: Storage,
    functions: Functions,
    temporary_keys: Mutex<TemporaryKeys>,
    jobs: Mutex<Jobs>,
}

/// The databases.
#[derive(Debug, Default)]
struct Stored {
    environments: BTreeMap<String, Environment>,
    transactions: Transactions,
    journal: Option<Journal>,
}

/// What a call answers beside `errcode` and `errmsg`.
type Done = Result<Json, CloudFailure>;

impl Cloud {
    /// The cloud as it was left in the settings' folder, or an empty one. Everything random comes from `seed`.
    ///
    /// # Errors
    /// What is kept in the folder cannot be read, or a function cannot be run as it is described.
    pub(crate) fn start(settings: &CloudSettings, seed: u64) -> io::Result<Cloud> {
        if let Some(wrong) = settings.environments.iter().find(|env| !is_env(env)) {
            let text = format!("{wrong:?} is no environment: its letters are a-z, 0-9, _ and -, at most 40");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let stored = match &settings.folder {
            Some(folder) => {
                let (journal, environments) = Journal::open(folder)?;
                Stored { environments, transactions: Transactions::default(), journal: Some(journal) }
            }
            None => Stored::default(),
        };
        let shared = Shared {
            settings: settings.clone(),
            stored: Mutex::new(stored),
            chance: Mutex::new(Chance::seeded(seed)),
            hints: Mutex::new(Chance::seeded(seed ^ 0x0068_696e_7473)),
            storage: Storage::open(settings, seed)?,
            functions: Functions::open(settings)?,
            temporary_keys: Mutex::default(),
            jobs: Mutex::default(),
        };
        Ok(Cloud { shared: Arc::new(shared) })
    }

    /// Says where this cloud is: functions call back there, and keep to that clock.
    pub(crate) fn settle(&self, control: &Control, address: SocketAddr, app_id: String) {
        self.shared.functions.settle(&self.shared.settings, control, address, app_id);
    }

    /// The functions of all environments.
    pub(crate) fn functions(&self) -> &Functions {
        &self.shared.functions
    }

    /// Carries out an errand, and answers as the platform does: HTTP 200 and an `errcode`.
    pub(crate) async fn reply(&self, errand: Errand) -> Reply {
        let date = errand.now.http_date();
        if errand.call == CloudCall::Sdk {
            return self.sdk(&errand).await.with(DATE, &date);
        }
        let (code, text, fields) = match self.carry_out(errand).await {
            Ok(fields) => (0, "ok".to_owned(), fields),
            Err(CloudFailure { code, text }) => {
                let hint = lock(&self.shared.hints).token_text(16);
                (code, format!("{text} hint: [{hint}]"), Json::Null)
            }
        };
        let mut answer = json!({ "errcode": code, "errmsg": text });
        if let (Some(answer), Json::Object(fields)) = (answer.as_object_mut(), fields) {
            answer.extend(fields);
        }
        json_reply(&answer).with(DATE, &date)
    }

    async fn carry_out(&self, errand: Errand) -> Done {
        if errand.body.is_empty() && errand.call != CloudCall::Other {
            return Err(CloudFailure::new(44002, "empty post data"));
        }
        match errand.call {
            CloudCall::Query
            | CloudCall::Add
            | CloudCall::Update
            | CloudCall::Delete
            | CloudCall::Count
            | CloudCall::Aggregate
            | CloudCall::CollectionAdd
            | CloudCall::CollectionDelete
            | CloudCall::CollectionGet
            | CloudCall::UpdateIndex => self.database(errand).await,
            CloudCall::Upload | CloudCall::DownloadLinks | CloudCall::DeleteFiles => self.files(errand).await,
            CloudCall::Invoke => self.invoke(errand).await,
            CloudCall::Import => self.import(errand).await,
            CloudCall::Export => self.export(errand).await,
            CloudCall::JobInfo => self.job(errand).await,
            CloudCall::DelayedTask => self.invoke_later(errand),
            CloudCall::CloudKey => {
                lock(&self.shared.temporary_keys).make(&errand, &mut lock(&self.shared.hints))
            }
            _ => Err(CloudFailure::new(40066, "invalid url (this emulator has no such call)")),
        }
    }

    async fn database(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let env = self.existing(text(&body, "env")?)?.to_owned();
        let cloud = self.clone();
        let work = move || {
            cloud.with_environment(&env, errand.now, |environment, around| {
                environment.carry_out(errand.call, &body, around)
            })
        };
        // Much data takes long, and other connections must not wait for it.
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(CloudFailure::system_error()))
    }

    /// Ends what is under way, and returns when it is over.
    pub(crate) async fn stop(&self) {
        self.functions().stop().await;
        self.stop_jobs().await;
    }

    /// Lets `work` at an environment. It may take long, and holds others up.
    fn with_environment<T>(
        &self,
        env: &str,
        now: Moment,
        work: impl FnOnce(&mut Environment, &mut Around<'_>) -> T,
    ) -> T {
        let mut stored = lock(&self.shared.stored);
        let mut chance = lock(&self.shared.chance);
        let Stored { environments, journal, .. } = &mut *stored;
        let mut around = Around {
            env,
            now: now.unix_millis(),
            chance: &mut chance,
            journal: journal.as_mut(),
            largest_result: LARGEST_RESULT,
        };
        at_environment(environments, env, |environment| work(environment, &mut around))
    }

    /// The files of all environments.
    pub(crate) fn storage(&self) -> &Storage {
        &self.shared.storage
    }

    async fn files(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let env = self.existing(text(&body, "env")?)?;
        match errand.call {
            CloudCall::Upload => self.storage().upload(env, &body, &errand),
            CloudCall::DownloadLinks => self.storage().download_links(env, &body, &errand).await,
            _ => self.storage().delete_files(env, &body).await,
        }
    }

    /// The name of an environment that exists.
    fn existing<'e>(&self, env: &'e str) -> Result<&'e str, CloudFailure> {
        let known = &self.shared.settings.environments;
        if is_env(env) && (known.is_empty() || known.iter().any(|it| it == env)) {
            return Ok(env);
        }
        Err(CloudFailure::no_such_env(env))
    }
}

/// A body as the object that it has to be, read as leniently as the platform does.
fn fields(body: &[u8]) -> Result<Json, CloudFailure> {
    lenient::parse(body).filter(Json::is_object).ok_or_else(CloudFailure::data_format)
}

/// Lets `work` at an environment. One without collections is not remembered, whatever names are asked for.
fn at_environment<T>(
    environments: &mut BTreeMap<String, Environment>,
    env: &str,
    work: impl FnOnce(&mut Environment) -> T,
) -> T {
    match environments.get_mut(env) {
        Some(environment) => work(environment),
        None => {
            let mut environment = Environment::default();
            let done = work(&mut environment);
            if !environment.is_empty() {
                environments.insert(env.to_owned(), environment);
            }
            done
        }
    }
}

impl Stored {
    fn has_collection(&self, env: &str, name: &str) -> bool {
        self.environments.get(env).is_some_and(|environment| environment.collection(name).is_some())
    }
}

/// `[a-z0-9_-]{1,40}`
fn is_env(env: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    (1..=40).contains(&env.len()) && env.bytes().all(known)
}

/// What a panic elsewhere left behind is still consistent: every change is made in one piece.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod stopwatch;
#[cfg(test)]
mod tests;
