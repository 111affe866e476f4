//! Listeners and connections: accepting, limits, and the orderly end.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::uri::Scheme;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Api;
use super::aside::Aside;
use super::door::Door;
pub use super::door::Entrance;
use crate::process;

/// A bound listener and what may come in by it.
pub enum Listener {
    /// TCP, with TLS if it has a certificate.
    Tcp(TcpListener, Entrance, Option<TlsAcceptor>),
    /// The admin socket.
    Admin(UnixListener),
}

/// How often a connection is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// A connection on which no request head was completed in so many looks and nothing is being answered is
/// closed. Two minutes: longer than clients keep idle connections, so that it is they who close them, and no
/// request meets a closing one.
const IDLE_LOOKS: u32 = 12;
/// The same before the first request: whoever connects has something to ask.
const SILENT_LOOKS: u32 = 1;
/// How often a listener complains at the most.
const COMPLAINT: Duration = Duration::from_secs(60);
/// Bodies too.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connections get to finish what they are doing.
const DRAIN: Duration = Duration::from_secs(15);
/// Connections at once on the admin socket, and on the metrics listener.
const OPERATORS: usize = 64;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
const LARGEST_HEAD: usize = 32 * 1024;

impl Listener {
    /// Binds the admin socket, replacing one that a crashed process left behind; readable by its owner only.
    ///
    /// # Errors
    /// It cannot be bound.
    pub fn admin(path: &Path) -> std::io::Result<Listener> {
        use std::os::unix::fs::PermissionsExt as _;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Listener::Admin(listener))
    }
}

/// Serves one listener until `stop` turns true, then lets connections finish.
pub async fn serve(listener: Listener, api: Arc<Api>, mut stop: watch::Receiver<bool>) {
    let entrance = match &listener {
        Listener::Tcp(_, entrance, _) => *entrance,
        Listener::Admin(_) => Entrance::Admin,
    };
    let secure = matches!(&listener, Listener::Tcp(_, _, Some(_)));
    let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
    let door = Door::new(api, entrance, scheme);
    // The operator gets in even when the public door is crowded.
    let crowded = matches!(entrance, Entrance::Public | Entrance::Facade | Entrance::Callback);
    let places = if crowded { process::connections() } else { OPERATORS };
    let places = Arc::new(Semaphore::new(places));
    let mut complained: Option<tokio::time::Instant> = None;
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
            () = stopped(&mut stop) => break,
        };
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stopped(&mut stop) => break,
        };
        while connections.try_join_next().is_some() {}
        let stop = stop.clone();
        let door = door.for_connection();
        match accepted {
            Ok(Stream::Tcp(stream)) => connections.spawn(async move {
                converse(stream, door, stop).await;
                drop(place);
            }),
            Ok(Stream::Tls(stream, acceptor)) => connections.spawn(async move {
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, door, stop).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
                drop(place);
            }),
            Ok(Stream::Unix(stream)) => connections.spawn(async move {
                converse(stream, door, stop).await;
                drop(place);
            }),
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
                    tracing::warn!(%error, "cannot accept a connection");
                    complained = Some(tokio::time::Instant::now());
                }
                // Out of file descriptors, most likely: let some connections end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, finished).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

/// Completes when the server is told to stop, or nobody is left to tell it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Tls(tokio::net::TcpStream, TlsAcceptor),
    Unix(tokio::net::UnixStream),
}

async fn accept(listener: &Listener) -> std::io::Result<Stream> {
    match listener {
        Listener::Tcp(listener, _, tls) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(match tls {
                Some(acceptor) => Stream::Tls(stream, acceptor.clone()),
                None => Stream::Tcp(stream),
            })
        }
        Listener::Admin(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    door: Door,
    stop: watch::Receiver<bool>,
) {
    let activity = door.activity();
    // `pipeline_flush` would be faster for pipelined requests, and holds whole bodies in memory for slow readers.
    // hyper's own timer for request heads costs a clock reading and a timer for each request; looking at the
    // connection now and then does the same for nothing.
    let connection = http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .writev(false)
        .serve_connection(TokioIo::new(stream), door);
    let mut connection = std::pin::pin!(connection);
    let mut idle_looks = 0;
    let mut seen = (activity.begun(), activity.moves());
    let mut news = Aside::new(hear(stop.clone()));
    let ended = loop {
        let heard = poll_fn(|context| match connection.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Ok(ended)),
            Poll::Pending => news.poll(context).map(Err),
        });
        match heard.await {
            Ok(ended) => break ended,
            Err(News::Stop) => {
                connection.as_mut().graceful_shutdown();
                break connection.await;
            }
            Err(News::Look) => {
                let now = (activity.begun(), activity.moves());
                let quiet = now == seen && !activity.is_busy();
                seen = now;
                idle_looks = if quiet { idle_looks + 1 } else { 0 };
                let patience = if seen.0 == 0 { SILENT_LOOKS } else { IDLE_LOOKS };
                if idle_looks > patience {
                    return;
                }
                news = Aside::new(hear(stop.clone()));
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// What a connection hears beside its own business.
enum News {
    /// The server ends.
    Stop,
    /// It is time to look whether anything happens on it.
    Look,
}

async fn hear(mut stop: watch::Receiver<bool>) -> News {
    tokio::select! {
        () = stopped(&mut stop) => News::Stop,
        () = tokio::time::sleep(LOOK) => News::Look,
    }
}
