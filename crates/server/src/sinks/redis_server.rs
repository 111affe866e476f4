//! A Redis server, a cluster, or a master that sentinels know, and the one connection to it that sinks share.
//!
//! A connection that fails is given up, and the next call makes another one: sinks try again anyway.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    RedisError, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;

use super::standing::SinkFailure;

/// Where tokens are kept for SDKs.
pub(crate) struct RedisServer {
    way: Mutex<Way>,
    /// Whether two keys may be on two machines.
    pub(super) is_cluster: bool,
    /// The same server has the same of these under another user, or another name of this machine.
    pub(super) places: BTreeSet<String>,
}

enum Way {
    Single(Box<Client>, Option<MultiplexedConnection>),
    Sentinel(Box<SentinelClient>, Option<MultiplexedConnection>),
    Cluster(Box<ClusterClient>, Option<Box<ClusterConnection>>),
}

/// A connection of any kind.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(Box<ClusterConnection>),
}

/// How long a connection, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);
const FORMS: &str = "Write redis://user:password@host:6379/0, rediss:// for TLS, redis-cluster://host:6379,host:6379 or \
                     redis-sentinel://host:26379,host:26379/master-name/0.";

impl std::fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisServer").field("is_cluster", &self.is_cluster).finish_non_exhaustive()
    }
}

impl RedisServer {
    /// Understands a URL, which may contain a password. `ca` is a certificate in PEM to be trusted in place of the
    /// system's.
    ///
    /// # Errors
    /// Says what is wrong, without the URL.
    pub(crate) fn open(url: &str, ca: Option<Vec<u8>>) -> Result<RedisServer, String> {
        let refused = |error: RedisError| format!("{}. {FORMS}", error.category());
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("this is no URL. {FORMS}"))?;
        let tls = scheme.starts_with("rediss");
        let certificates = TlsCertificates { client_tls: None, root_cert: ca.clone() };
        let (way, places) = match scheme.trim_start_matches("rediss").trim_start_matches("redis") {
            "" | "unix" => {
                let client = match ca {
                    None => Client::open(url),
                    Some(_) => Client::build_with_tls(url, certificates),
                };
                let client = client.map_err(refused)?;
                let info = client.get_connection_info();
                let place = format!("{}/{}", machine(info.addr()), info.redis_settings().db());
                (Way::Single(Box::new(client), None), vec![place])
            }
            "-cluster" => {
                let nodes = Parts::of(rest).nodes(tls).map_err(refused)?;
                let places = nodes.iter().map(|node| format!("{}/0", machine(node.addr()))).collect();
                let mut builder = ClusterClient::builder(nodes)
                    .connection_timeout(PATIENCE)
                    .response_timeout(PATIENCE)
                    .retries(2);
                if ca.is_some() {
                    builder = builder.certs(certificates);
                }
                (Way::Cluster(Box::new(builder.build().map_err(refused)?), None), places)
            }
            "-sentinel" => {
                let (client, places) = sentinel(rest, tls, ca.map(|_| certificates)).map_err(refused)?;
                (Way::Sentinel(Box::new(client), None), places)
            }
            _ => return Err(format!("{scheme:?} is no scheme of Redis. {FORMS}")),
        };
        let is_cluster = matches!(way, Way::Cluster(..));
        // Two addresses of one server are one place.
        let places = BTreeSet::from_iter(places);
        Ok(RedisServer { way: Mutex::new(way), is_cluster, places })
    }

    /// The connection; a new one if there is none.
    pub(super) async fn link(&self) -> RedisResult<Link> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        match &mut *self.way.lock().await {
            Way::Single(_, Some(link)) | Way::Sentinel(_, Some(link)) => Ok(Link::Single(link.clone())),
            Way::Cluster(_, Some(link)) => Ok(Link::Cluster(link.clone())),
            Way::Single(client, link) => {
                let fresh = client.get_multiplexed_async_connection_with_config(&config).await?;
                Ok(Link::Single(link.insert(fresh).clone()))
            }
            Way::Sentinel(client, link) => {
                let fresh = client.get_async_connection_with_config(&config).await?;
                Ok(Link::Single(link.insert(fresh).clone()))
            }
            Way::Cluster(client, link) => {
                let fresh = Box::new(client.get_async_connection().await?);
                Ok(Link::Cluster(link.insert(fresh).clone()))
            }
        }
    }

    /// The next call makes a new connection: a sentinel is asked again, and whoever comes back is met anew.
    pub(super) async fn give_up(&self) {
        match &mut *self.way.lock().await {
            Way::Single(_, link) | Way::Sentinel(_, link) => *link = None,
            Way::Cluster(_, link) => *link = None,
        }
    }
}

/// What a URL of several machines is made of, behind its scheme.
struct Parts<'a> {
    /// `user:password@`
    user: &'a str,
    hosts: &'a str,
    path: &'a str,
    /// `?…`
    query: &'a str,
}

impl Parts<'_> {
    fn of(rest: &str) -> Parts<'_> {
        let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = place.split_at(place.rfind('@').map_or(0, |at| at + 1));
        Parts { user, hosts, path, query }
    }

    /// Each of its machines, as a URL of one says it.
    fn nodes(&self, tls: bool) -> RedisResult<Vec<ConnectionInfo>> {
        let Parts { user, hosts, query, .. } = self;
        let node = |host| format!("{}://{user}{host}{query}", scheme(tls)).into_connection_info();
        hosts.split(',').map(node).collect()
    }
}

fn scheme(tls: bool) -> &'static str {
    if tls { "rediss" } else { "redis" }
}

/// A machine and its port, in one way of writing.
fn machine(address: &ConnectionAddr) -> String {
    let (host, port) = match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => (host, port),
        other => return other.to_string(),
    };
    match host.to_ascii_lowercase().as_str() {
        "localhost" | "[::1]" | "::1" => format!("127.0.0.1:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// A client, and what tells its master from others: sentinels know several.
fn sentinel(
    rest: &str,
    tls: bool,
    certificates: Option<TlsCertificates>,
) -> RedisResult<(SentinelClient, Vec<String>)> {
    let parts = Parts::of(rest);
    let (name, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    // The name, the password and the database are those of the master.
    let Parts { user, query, .. } = parts;
    let master = format!("{}://{user}localhost/{database}{query}", scheme(tls)).into_connection_info()?;
    let nodes = Parts { user: "", ..parts }.nodes(tls)?;
    let sentinels: Vec<ConnectionAddr> = nodes.iter().map(|node| node.addr().clone()).collect();
    let database = master.redis_settings().db();
    let places = sentinels.iter().map(|it| format!("{}/{name}/{database}", machine(it))).collect();
    let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)?
        .set_client_to_redis_db(database);
    if let Some(user) = master.redis_settings().username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = master.redis_settings().password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    Ok((builder.build()?, places))
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Link::Single(link) => link.req_packed_command(command),
            Link::Cluster(link) => link.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Link::Single(link) => link.req_packed_commands(commands, offset, count),
            Link::Cluster(link) => link.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Link::Single(link) => link.get_db(),
            Link::Cluster(link) => link.get_db(),
        }
    }
}

/// What an error of Redis means for whoever runs it. The server's own words are left out: some repeat what they were sent.
pub(super) fn failure(error: &RedisError) -> SinkFailure {
    let next_step = match error.code() {
        _ if error.kind() == ErrorKind::AuthenticationFailed => {
            "Correct user and password in the sink's `url`."
        }
        Some("WRONGPASS" | "NOAUTH") => "Correct user and password in the sink's `url`.",
        Some("NOPERM") => {
            "Allow the user GET, SET, PTTL, EVALSHA, SCRIPT|LOAD and PUBLISH on these keys and the channel."
        }
        Some("WRONGTYPE") => {
            "Something that is no text stands under the key: remove it, or choose another `prefix`."
        }
        Some("OOM") => "Redis is out of memory: raise `maxmemory`, or choose an eviction policy.",
        Some("READONLY") => "This is a replica: let `url` point to the master, or to sentinels.",
        _ => "See that Redis runs and can be reached from here.",
    };
    let code = error.code().map(|code| format!(" ({code})")).unwrap_or_default();
    SinkFailure::new(format!("Redis: {}{code}", error.category()), next_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(url: &str) -> Vec<String> {
        RedisServer::open(url, None).unwrap().places.into_iter().collect()
    }

    #[test]
    fn a_server_is_known_by_its_address_and_database() {
        assert_eq!(places("redis://user:secret@LocalHost"), places("rediss://127.0.0.1:6379/0"));
        assert_ne!(places("redis://127.0.0.1/1"), places("redis://127.0.0.1"));
        assert_eq!(places("redis-cluster://:secret@a:1,b:2"), ["a:1/0", "b:2/0"]);
        assert_eq!(places("redis-sentinel://a:1,b:2/main"), ["a:1/main/0", "b:2/main/0"]);
        assert_eq!(places("unix:///run/redis.sock?db=3"), ["/run/redis.sock/3"]);
    }

    #[test]
    fn what_is_left_out_of_a_url_makes_no_other_server() {
        assert_eq!(places("redis-cluster://10.0.0.1"), places("redis://10.0.0.1"));
        assert_eq!(places("redis-cluster://10.0.0.1"), places("rediss-cluster://10.0.0.1:6379/"));
        assert_eq!(places("redis-cluster://h:1?protocol=resp3"), places("redis-cluster://H:1/"));
        assert_eq!(places("redis-cluster://h:1/?protocol=resp3"), ["h:1/0"]);
        assert_eq!(places("redis-sentinel://h:1/main?protocol=resp3"), places("redis-sentinel://h:1/main/0"));
        assert_eq!(places("redis-sentinel://h:1/main/?protocol=resp3"), ["h:1/main/0"]);
    }

    #[test]
    fn one_server_under_two_names_is_one_place() {
        assert_eq!(places("redis-cluster://localhost:7000,127.0.0.1:7000,[::1]:7000"), ["127.0.0.1:7000/0"]);
    }
}
