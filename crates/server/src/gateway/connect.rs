//! Connections to platforms: address rules, the proxy, TLS, one HTTP/1.1 handshake.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::body::CallBody;
use crate::config::{ConfigError, EgressConfig};
use crate::reach::{Reach, Unreachable};

/// The way out for the gateway: what `[egress]` says, as a maker of connections.
#[derive(Clone)]
pub struct Connector {
    reach: Reach,
    bind: Option<IpAddr>,
    proxy: Option<Proxy>,
    tls: TlsConnector,
}

#[derive(Clone)]
struct Proxy {
    host: String,
    port: u16,
    /// `Proxy-Authorization`, ready to send.
    authorization: Option<String>,
}

/// A connection to a platform. It moves only while it is polled: whoever uses it polls it in his own task, so that
/// what comes in on one side goes out on the other without a change of threads.
pub struct Line {
    sender: SendRequest<CallBody>,
    connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    ended: bool,
}

impl Line {
    /// Lets the connection do what it can do now.
    pub fn advance(&mut self, context: &mut Context<'_>) {
        if !self.ended && self.connection.as_mut().poll(context).is_ready() {
            self.ended = true;
        }
    }

    /// Whether it can carry another request.
    pub async fn is_ready(&mut self) -> bool {
        poll_fn(|context| {
            self.advance(context);
            Poll::Ready(!self.ended && matches!(self.sender.poll_ready(context), Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ended || self.sender.is_closed()
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// None came; the request is given back if nothing of it was sent.
    pub async fn send(
        &mut self,
        request: Request<CallBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<CallBody>>> {
        let mut answer = Box::pin(self.sender.try_send_request(request));
        poll_fn(|context| {
            if !self.ended && self.connection.as_mut().poll(context).is_ready() {
                self.ended = true;
            }
            answer.as_mut().poll(context)
        })
        .await
    }
}

/// Whom a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// Why there is no connection. Nothing has been sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host has no address that may be used.
    #[error("{0}")]
    Unreachable(#[from] Unreachable),
    /// Nobody accepts the connection.
    #[error("cannot connect to {0}: {1}")]
    Refused(String, std::io::Error),
    /// It took too long.
    #[error("cannot connect to {0} in time")]
    TimedOut(String),
    /// The platform's certificate or protocol is not trusted.
    #[error("no secure connection to {0}: {1}")]
    Tls(String, std::io::Error),
    /// The proxy does not let us through.
    #[error("the proxy of [egress] refuses: {0}")]
    Proxy(String),
    /// What was accepted does not speak HTTP.
    #[error("no HTTP connection to {0}: {1}")]
    Http(String, hyper::Error),
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What is read at once, and the largest head of an answer: large enough to be fast, small enough that a thousand
/// streams fit into memory.
const BUFFER: usize = 64 * 1024;
const LONGEST_PROXY_ANSWER: usize = 8 * 1024;

impl Connector {
    /// Prepares connections as `[egress]` says.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(egress: &EgressConfig) -> Result<Connector, ConfigError> {
        let reach = Reach { allow_private: egress.allow_private };
        let proxy = egress.proxy.as_deref().map(Proxy::parse).transpose()?;
        let tls = TlsConnector::from(Arc::new(tls_config(egress)?));
        Ok(Connector { reach, bind: egress.bind, proxy, tls })
    }

    /// Whether plain requests go through a proxy, which wants the whole URL as their target.
    #[must_use]
    pub fn wants_whole_url(&self, authority: &Authority) -> bool {
        self.proxy.is_some() && !authority.tls
    }

    /// What the proxy wants in plain requests.
    #[must_use]
    pub fn proxy_authorization(&self) -> Option<&str> {
        self.proxy.as_ref()?.authorization.as_deref()
    }

    /// Whether a host that a platform named, and no operator wrote, may be asked for its addresses.
    #[must_use]
    pub fn trusts(&self, host: &str) -> bool {
        self.reach.trusts(host)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// There is none, and nothing was sent.
    pub async fn open(&self, authority: &Authority) -> Result<Line, ConnectError> {
        let place = authority.to_string();
        let opening = async {
            let tcp = self.reach(authority, &place).await?;
            if !authority.tls {
                return shake_hands(tcp, &place).await;
            }
            let name = ServerName::try_from(authority.host.clone()).map_err(|error| {
                ConnectError::Tls(place.clone(), std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
            })?;
            let secured = self.tls.connect(name, tcp).await;
            shake_hands(secured.map_err(|error| ConnectError::Tls(place.clone(), error))?, &place).await
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::TimedOut(place)),
        }
    }

    async fn reach(&self, authority: &Authority, place: &str) -> Result<TcpStream, ConnectError> {
        let Some(proxy) = &self.proxy else {
            let addresses = self.reach.resolve(&authority.host, authority.port).await?;
            return self.connect(&addresses, place).await;
        };
        // The operator wrote the proxy's name: it may stand wherever it stands.
        let addresses = Reach { allow_private: true }.resolve(&proxy.host, proxy.port).await?;
        let mut tcp = self.connect(&addresses, &format!("{}:{}", proxy.host, proxy.port)).await?;
        if authority.tls {
            proxy.open_tunnel(&mut tcp, place).await?;
        }
        Ok(tcp)
    }

    async fn connect(&self, addresses: &[SocketAddr], place: &str) -> Result<TcpStream, ConnectError> {
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        // One address that swallows everything must not use up the time of the others.
        let share = CONNECT_TIMEOUT / u32::try_from(addresses.len().clamp(1, 5)).unwrap_or(1);
        for address in addresses {
            match tokio::time::timeout(share, self.connect_to(*address)).await {
                Ok(Ok(tcp)) => return Ok(tcp),
                Ok(Err(error)) => last = error,
                Err(_) => last = std::io::ErrorKind::TimedOut.into(),
            }
        }
        Err(ConnectError::Refused(place.to_owned(), last))
    }

    async fn connect_to(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bind) = self.bind {
            socket.bind(SocketAddr::new(bind, 0))?;
        }
        let tcp = socket.connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Authority { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Proxy {
    fn parse(url: &str) -> Result<Proxy, ConfigError> {
        let unusable =
            || ConfigError::outside("`egress.proxy` is not the URL of an HTTP proxy.", "Correct it.");
        let url = reqwest::Url::parse(url).map_err(|_| unusable())?;
        let host = url.host_str().ok_or_else(unusable)?.to_owned();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let authorization = (!url.username().is_empty()).then(|| {
            let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        Ok(Proxy { host, port: url.port_or_known_default().unwrap_or(80), authorization })
    }

    /// `CONNECT` (RFC 9110 §9.3.6).
    async fn open_tunnel(&self, tcp: &mut TcpStream, place: &str) -> Result<(), ConnectError> {
        let broke = |error: std::io::Error| ConnectError::Proxy(error.to_string());
        let authorization = self.authorization.as_ref();
        let authorization =
            authorization.map_or(String::new(), |value| format!("Proxy-Authorization: {value}\r\n"));
        let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{authorization}\r\n");
        tcp.write_all(request.as_bytes()).await.map_err(broke)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            // Byte by byte: what follows the answer belongs to the platform.
            answer.push(tcp.read_u8().await.map_err(broke)?);
            if answer.len() > LONGEST_PROXY_ANSWER {
                return Err(ConnectError::Proxy("its answer has no end".to_owned()));
            }
        }
        let line = String::from_utf8_lossy(&answer);
        let line = line.lines().next().unwrap_or_default();
        match line.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(()),
            _ => Err(ConnectError::Proxy(line.chars().take(100).collect())),
        }
    }
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: &str,
) -> Result<Line, ConnectError> {
    let shaken =
        http1::Builder::new().writev(false).max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| ConnectError::Http(place.to_owned(), error))?;
    Ok(Line { sender, connection: Box::pin(connection), ended: false })
}

fn tls_config(egress: &EgressConfig) -> Result<rustls::ClientConfig, ConfigError> {
    let unusable = |error: &dyn std::fmt::Display| {
        let message = format!("the certificates for [egress] cannot be used: {error}.");
        ConfigError::outside(message, "Name a file with certificates in PEM form in `egress.ca_file`.")
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut further = Vec::new();
    if let Some(file) = &egress.ca_file {
        use rustls_pki_types::pem::PemObject as _;
        let certificates =
            rustls_pki_types::CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
        for certificate in certificates {
            further.push(certificate.map_err(|error| unusable(&error))?);
        }
    }
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(further, Arc::clone(&provider));
    let verifier = verifier.map_err(|error| unusable(&error))?;
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| unusable(&error))?;
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
