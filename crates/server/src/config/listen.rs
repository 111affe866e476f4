//! What listeners have in common: an address, and TLS or the reason to do without it.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use super::reader::{Placed, Reader, Section};

/// The files of a listener's certificate.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The certificate and what leads from it to its authority, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    pub(super) span: std::ops::Range<usize>,
}

impl TlsConfig {
    /// Reads `tls = { cert = "…", key = "…" }`.
    pub(super) fn read<'a>(section: &mut Section<'a>, reader: &mut Reader) -> Option<TlsConfig> {
        section.take("tls")?;
        let mut tls = section.section("tls", reader);
        let span = tls.span.clone();
        let cert = tls.required_string("cert", "cert = \"cert.pem\", the certificate as PEM", reader);
        let key = tls.required_string("key", "key = \"key.pem\", its private key as PEM", reader);
        tls.finish(&["cert", "key"], reader);
        let file = |file: Placed<String>| super::resolve(&reader.folder, &file.value);
        Some(TlsConfig { cert: file(cert?), key: file(key?), span })
    }
}

/// An address to listen on; beyond this machine only if `covered`: TLS, or something in front that encrypts.
pub(super) fn address(
    text: Option<Placed<String>>,
    covered: bool,
    example: &str,
    reader: &mut Reader,
) -> Option<SocketAddr> {
    let Placed { value, span } = text?;
    let Some(address) = value.to_socket_addrs().ok().and_then(|mut found| found.next()) else {
        let message = format!("{value:?} is not an address to listen on");
        reader.error(span, message, format!("Write \"{example}\"."));
        return None;
    };
    if !address.ip().is_loopback() && !covered {
        reader.error(
            span,
            format!("{value} can be reached from other machines, and tokens would travel unencrypted"),
            "Listen on 127.0.0.1, add `tls = { cert = \"…\", key = \"…\" }`, or set `allow_plaintext = true` if \
             something in front of it encrypts.",
        );
    }
    Some(address)
}
