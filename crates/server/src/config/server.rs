//! `[server]`: where Tokenward listens and keeps its data.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::SecretRef;
use super::listen::{self, TlsConfig};
use super::reader::{Reader, Section};

/// `[server]`
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// API, gateway, console.
    pub listen: SocketAddr,
    /// The certificate, if TLS is spoken there.
    pub tls: Option<TlsConfig>,
    /// Embedded store, key ring, admin socket.
    pub data_dir: PathBuf,
    /// Metrics without a key; else `/metrics` needs one.
    pub metrics_listen: Option<SocketAddr>,
    /// The key ring's text, if it is not the file in `data_dir`.
    pub key_ring: Option<SecretRef>,
    /// How logs are written.
    pub log_format: LogFormat,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

const KNOWN: [&str; 7] =
    ["listen", "data_dir", "metrics_listen", "allow_plaintext", "tls", "key_ring", "log_format"];
const LATER: [&str; 2] = ["database", "trusted_proxies"];
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7600);

impl ServerConfig {
    pub(super) fn read(mut section: Section<'_>, reader: &mut Reader) -> ServerConfig {
        let listen = section.string("listen", reader);
        let metrics = section.string("metrics_listen", reader);
        let data_dir =
            section.string("data_dir", reader).map_or("tokenward-data".to_owned(), |dir| dir.value);
        let tls = TlsConfig::read(&mut section, reader);
        let plaintext = section.flag("allow_plaintext", reader);
        let key_ring = section.secrets("key_ring", false, reader).into_iter().next();
        let log_format = match section.string("log_format", reader) {
            Some(format) if format.value == "json" => LogFormat::Json,
            Some(format) if format.value != "text" => {
                let message = format!("`server.log_format` is {:?}", format.value);
                reader.error(format.span, message, "Write \"text\" or \"json\".");
                LogFormat::Text
            }
            _ => LogFormat::Text,
        };
        section.later(&LATER, reader);
        section.finish(&KNOWN, reader);
        ServerConfig {
            listen: listen::address(listen, plaintext || tls.is_some(), "127.0.0.1:7600", reader)
                .unwrap_or(DEFAULT_LISTEN),
            metrics_listen: listen::address(metrics, plaintext, "127.0.0.1:7609", reader),
            tls,
            data_dir: super::resolve(&reader.folder, &data_dir),
            key_ring,
            log_format,
        }
    }
}
