//! Configuration → build → run. Whatever can be wrong is found before the first request is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokenward_core::fleet::{Effects, Fleet, Settings};
use tokenward_core::record::Record;
use tokenward_core::secret::Secret;
use tokenward_core::time::Span;
use tokenward_store::{Sql, Store, StoreError, Stored};
use tokenward_vault::{KeyRing, OpenError};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::callback;
use crate::clients::Clients;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::data_dir::DataDir;
use crate::driver::{Driver, Input};
use crate::facade::{self, Facade};
use crate::feed::Feed;
use crate::fetch::Egress;
use crate::gateway::Gateway;
use crate::http::{self, Api, Entrance, FileRoots, Listener, RequestIds};
use crate::keeper::{Health, Job, Keeper, place};
use crate::material::Material;
use crate::sinks::{self, Sink};
use crate::telemetry::{Seen, Telemetry};
use crate::token_index::TokenIndex;

/// A server that is built and bound, and not running yet.
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Addresses,
    api: Arc<Api>,
    driver: Driver,
    inputs: mpsc::UnboundedReceiver<Input>,
    keeper: Keeper,
    jobs: mpsc::UnboundedReceiver<Job>,
    store: Arc<dyn Store>,
    sinks: Vec<Sink>,
    deliveries: Option<callback::Deliveries>,
    stop: (watch::Sender<bool>, watch::Receiver<bool>),
    _data_dir: DataDir,
}

/// Ends a running server in good order.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Begins the end: no new connections, running fetches are kept, then the store is closed.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Server {
    /// Opens the data folder and the store, reads every secret, and binds every listener.
    ///
    /// # Errors
    /// Something that the configuration promises is not there.
    pub async fn build(config: &Config) -> Result<Server, ConfigError> {
        let data_dir = DataDir::open(&config.server.data_dir)?;
        let keys = Arc::new(data_dir.key_ring(config)?);
        let materials =
            config.credentials.iter().map(|credential| Material::gather(config, credential).map(Arc::new));
        let materials = materials.collect::<Result<Vec<_>, ConfigError>>()?;
        let clients = Clients::gather(config)?;
        let egress = Egress::new(&config.egress)?;
        let gateway = Gateway::new(config, &materials)?;
        let store = open_store(&data_dir).await?;
        let (listeners, addresses) = bind(config, &data_dir).await?;

        let (inputs_sender, inputs) = mpsc::unbounded_channel();
        let (jobs_sender, jobs) = mpsc::unbounded_channel();
        let token_index = Arc::new(TokenIndex::new(Arc::clone(&keys), covered(config, &materials)));
        let (fleet, feed) = restore(config, &materials, &keys, store.as_ref(), &token_index).await?;
        let callbacks = callback::start(config, &store, &keys, &jobs_sender).await?;
        let (callbacks, deliveries) = callbacks.unzip();
        let facade = Facade::new(config, &materials, &keys, &token_index);
        let (feed, telemetry) = (Arc::new(feed), Arc::new(Telemetry::new()));
        let health = Arc::new(Health::default());
        let known = materials.clone();
        let driver = Driver {
            fleet,
            materials,
            feed: Arc::clone(&feed),
            token_index: Arc::clone(&token_index),
            keeper: jobs_sender,
            egress,
            keys: Arc::clone(&keys),
            telemetry: Arc::clone(&telemetry),
            inputs: inputs_sender.clone(),
        };
        let keeper = Keeper {
            store: Arc::clone(&store),
            keys,
            token_index: Arc::clone(&token_index),
            health: Arc::clone(&health),
            driver: inputs_sender.clone(),
        };
        let api = Api {
            feed,
            clients,
            gateway,
            facade,
            callbacks,
            driver: inputs_sender,
            store: health,
            telemetry,
            request_ids: RequestIds::new(),
            file_roots: FileRoots::default(),
            draining: false.into(),
        };
        let api = Arc::new(api);
        let sinks = sinks::gather(config, &api, &token_index, &known, store.opened().epoch)?;
        let stop = watch::channel(false);
        Ok(Server {
            listeners,
            addresses,
            api,
            driver,
            inputs,
            keeper,
            jobs,
            store,
            sinks,
            deliveries,
            stop,
            _data_dir: data_dir,
        })
    }

    /// Where the API listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.addresses.api
    }

    /// Where the facade listens, with the real port.
    #[must_use]
    pub fn facade_address(&self) -> Option<SocketAddr> {
        self.addresses.facade
    }

    /// What ends the server.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.0.clone())
    }

    /// From now on, everything that happens to credentials.
    #[must_use]
    pub fn watch(&self) -> tokio::sync::broadcast::Receiver<Seen> {
        self.api.telemetry.watch()
    }

    /// Serves until stopped, then ends in good order: connections finish, running fetches are kept, the store
    /// is closed.
    ///
    /// # Errors
    /// A part of it broke down, which is a defect. What was stored is safe.
    pub async fn run(self) -> Result<(), BrokeDown> {
        let Server {
            listeners,
            api,
            driver,
            inputs,
            keeper,
            jobs,
            store,
            sinks,
            deliveries,
            stop,
            addresses,
            ..
        } = self;
        if let Some(address) = addresses.facade {
            tracing::info!(%address, "the facade listens");
        }
        if let Some(address) = addresses.callback {
            tracing::info!(%address, "callbacks are awaited");
        }
        tracing::info!(address = %addresses.api, "listening");
        let inputs_sender = driver.inputs.clone();
        let mut driving = tokio::spawn(driver.run(inputs));
        let mut keeping = tokio::spawn(keeper.run(jobs));
        let mut sinking: JoinSet<()> = sinks.into_iter().map(Sink::run).collect();
        let delivering = deliveries.map(|(dispatcher, inputs)| tokio::spawn(dispatcher.run(inputs)));
        let serving: Vec<_> = listeners
            .into_iter()
            .map(|listener| tokio::spawn(crate::http::serve(listener, Arc::clone(&api), stop.1.clone())))
            .collect();
        let mut stopped = stop.1.clone();
        tokio::select! {
            // The sender lives as long as this function: waiting for it cannot fail.
            _ = stopped.wait_for(|stop| *stop) => {}
            _ = &mut driving => return Err(BrokeDown("the driver")),
            _ = &mut keeping => return Err(BrokeDown("the keeper")),
        }
        tracing::info!("shutting down");
        api.draining.store(true, Ordering::Relaxed);
        drop(inputs_sender.send(Input::Drain));
        for task in serving {
            drop(task.await);
        }
        if let (Some(callbacks), Some(delivering)) = (&api.callbacks, delivering) {
            callbacks.drain();
            drop(delivering.await);
        }
        let all_stored = driving.await.unwrap_or(false);
        // What is not delivered by now is the first thing that the next process does.
        sinking.shutdown().await;
        drop(api);
        drop(keeping.await);
        if !all_stored {
            // The next run must know that tokens were handed out that the store has not heard of.
            tracing::error!("ended with tokens that could not be stored");
        } else if let Err(error) = store.close().await {
            tracing::warn!(%error, "the store could not be closed in good order");
        }
        tracing::info!("ended");
        Ok(())
    }
}

/// A part of the server ended although nobody told it to.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0} of the server ended unexpectedly")]
pub struct BrokeDown(&'static str);

async fn open_store(data_dir: &DataDir) -> Result<Arc<dyn Store>, ConfigError> {
    let path = data_dir.store();
    let store = Sql::open(&path).await.map_err(|error| unopened(&path, &error))?;
    Ok(Arc::new(store))
}

/// The store as somebody finds it who comes between two runs of the server.
pub(crate) async fn visit_store(data_dir: &DataDir) -> Result<Sql, ConfigError> {
    let path = data_dir.store();
    Sql::visit(&path).await.map_err(|error| unopened(&path, &error))
}

fn unopened(path: &Path, error: &StoreError) -> ConfigError {
    ConfigError::outside(
        format!("cannot open the store {}: {error}.", path.display()),
        match error {
            StoreError::TooNew { .. } => {
                "Run the version of Tokenward that wrote it, or restore a backup made with this version."
            }
            StoreError::Locked => "End the program that holds store.db open.",
            StoreError::Full => "Free space on the disk.",
            _ => "Check the disk and the permissions of data_dir, or restore a backup.",
        },
    )
}

/// What fits into a `sockaddr_un` on Linux.
const LONGEST_SOCKET: usize = 107;

/// Where the listeners are, with their real ports.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    api: SocketAddr,
    facade: Option<SocketAddr>,
    callback: Option<SocketAddr>,
}

async fn bind(config: &Config, data_dir: &DataDir) -> Result<(Vec<Listener>, Addresses), ConfigError> {
    let cannot = |what: String, error: std::io::Error| {
        ConfigError::outside(
            format!("cannot listen on {what}: {error}."),
            "End the program that listens there, or choose another address.",
        )
    };
    let facade = config.facade.as_ref().map(|facade| (facade.listen, Entrance::Facade, facade.tls.as_ref()));
    let callback =
        config.callback.as_ref().map(|listen| (listen.listen, Entrance::Callback, listen.tls.as_ref()));
    let metrics = config.server.metrics_listen.map(|address| (address, Entrance::Metrics, None));
    let api = (config.server.listen, Entrance::Public, config.server.tls.as_ref());
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    for (wanted, entrance, tls) in [Some(api), facade, callback, metrics].into_iter().flatten() {
        let tls = tls.map(|tls| http::acceptor(config, tls)).transpose()?;
        let listener = TcpListener::bind(wanted).await.map_err(|error| cannot(wanted.to_string(), error))?;
        bound.push((entrance, listener.local_addr().map_err(|error| cannot(wanted.to_string(), error))?));
        listeners.push(Listener::Tcp(listener, entrance, tls));
    }
    let place = |wanted| bound.iter().find(|(entrance, _)| *entrance == wanted).map(|(_, address)| *address);
    let addresses = Addresses {
        api: place(Entrance::Public).unwrap_or(config.server.listen),
        facade: place(Entrance::Facade),
        callback: place(Entrance::Callback),
    };
    let socket = data_dir.admin_socket();
    if socket.as_os_str().len() > LONGEST_SOCKET {
        return Err(ConfigError::outside(
            format!("the path of the admin socket is too long for the system: {}.", socket.display()),
            "Choose a shorter `server.data_dir`.",
        ));
    }
    let admin = Listener::admin(&socket).map_err(|error| cannot(socket.display().to_string(), error))?;
    listeners.push(admin);
    Ok((listeners, addresses))
}

/// Puts the configuration and what the store knows together.
async fn restore(
    config: &Config,
    materials: &[Arc<Material>],
    keys: &KeyRing,
    store: &dyn Store,
    token_index: &TokenIndex,
) -> Result<(Fleet, Feed), ConfigError> {
    let wanted: HashMap<&str, usize> =
        materials.iter().enumerate().map(|(index, material)| (material.name.as_str(), index)).collect();
    let mut stored: HashMap<usize, (Record, Option<Secret>)> = HashMap::new();
    let (mut seals, mut foreign_seals) = (0_u32, 0_u32);
    let mut each = |Stored { record, token }: Stored| {
        if let Some(index) = wanted.get(record.name.as_str()) {
            let token = token.and_then(|sealed| {
                seals += 1;
                unseal(keys, &record, &sealed).unwrap_or_else(|error| {
                    foreign_seals += u32::from(error == OpenError::UnknownKey);
                    None
                })
            });
            stored.insert(*index, (record, token));
        }
    };
    store.load(&mut each).await.map_err(|error| {
        ConfigError::outside(format!("{error}."), "Restore a backup, or move store.db away to begin anew.")
    })?;
    if foreign_seals > 0 && foreign_seals == seals {
        return Err(ConfigError::outside(
            "the key ring opens none of the tokens in the store: it is another store's key ring.",
            "Let `server.key_ring` point to the key ring that belongs to this store. If it is lost for good, move \
             store.db away: every token is then fetched anew, once.",
        ));
    }

    let opened = store.opened();
    let now = clock::now();
    let (salt, boot_id) = (clock::entropy(), clock::boot_id());
    let settings =
        Settings { epoch: opened.epoch, last_crash: opened.last_crash, salt, boot_id, embedded: true };
    let mut fleet = Fleet::new(settings, now);
    let mut feed = Feed::default();
    let mut effects = Effects::new();
    for (index, (material, config)) in materials.iter().zip(&config.credentials).enumerate() {
        let known = stored.remove(&index);
        let known = known.as_ref().map(|(record, token)| (record, token.clone()));
        let credential = fleet.build(material.spec(config, keys), known, now);
        let id = fleet.add(credential, now, &mut effects);
        let standings = config.sinks.iter().map(|sink| Arc::new(sinks::standing(sink))).collect();
        let platform = material.provider.platform();
        let (schedule, ticket) = (config.schedule.clone(), config.ticket.clone());
        feed.add(material.name.clone(), id, platform, schedule, ticket, standings);
    }
    for (index, ticket) in config.credentials.iter().enumerate() {
        if let (Some(ticket), Some(entry)) = (&ticket.ticket, feed.iter().nth(index)) {
            fleet.derive(entry.id, ticket.source).map_err(|_| {
                ConfigError::outside(
                    "a ticket needs itself.",
                    "Derive it from the credential that holds the app's secret.",
                )
            })?;
        }
    }
    for (id, effect) in effects {
        if let (tokenward_core::effect::Effect::Publish { view }, Some(entry)) = (effect, feed.get(id)) {
            if let Some(offer) = &view.offer {
                token_index.note(id, offer);
            }
            entry.publish(*view);
        }
    }
    restore_past_tokens(store, &feed, token_index).await?;
    Ok((fleet, feed))
}

/// Which credentials have tokens that must be known again: those that a facade serves, and those whose sinks tell their own
/// tokens from those of others.
fn covered(config: &Config, materials: &[Arc<Material>]) -> Vec<bool> {
    let is_served = |material: &Arc<Material>| {
        config.facade.is_some() && material.provider.platform() == facade::PLATFORM
    };
    let pairs = materials.iter().zip(&config.credentials);
    pairs.map(|(material, credential)| is_served(material) || sinks::know_tokens(credential)).collect()
}

async fn restore_past_tokens(
    store: &dyn Store,
    feed: &Feed,
    token_index: &TokenIndex,
) -> Result<(), ConfigError> {
    let now = clock::now();
    let mut each = |past: tokenward_store::PastToken| {
        let left = past.known_until - now.wall;
        if let Some(entry) = feed.find(past.credential.as_str()).filter(|_| left > Span::ZERO) {
            token_index.note_past(entry.id, past.digest, now.boot + left);
        }
    };
    store.load_past_tokens(&mut each).await.map_err(|error| {
        ConfigError::outside(format!("{error}."), "Restore a backup, or move store.db away to begin anew.")
    })
}

/// A stored token that does not open is as good as lost: it is fetched anew.
fn unseal(keys: &KeyRing, record: &Record, sealed: &[u8]) -> Result<Option<Secret>, OpenError> {
    let opened = keys.open(&place(record), sealed).inspect_err(|error| {
        tracing::warn!(credential = %record.name, %error, "the stored token cannot be read and is fetched anew");
    })?;
    Ok(std::str::from_utf8(&opened).ok().map(Secret::new))
}
