//! TLS on our own listeners.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, ConfigError, TlsConfig};

/// What makes TLS of a listener's connections.
///
/// # Errors
/// Points at the certificate that cannot be used.
pub fn acceptor(all: &Config, tls: &TlsConfig) -> Result<TlsAcceptor, ConfigError> {
    load(tls).map_err(|why| all.unusable_tls(tls, why))
}

fn load(tls: &TlsConfig) -> Result<TlsAcceptor, String> {
    let unreadable = |path: &Path, why: rustls_pki_types::pem::Error| format!("{}: {why}", path.display());
    let certs = CertificateDer::pem_file_iter(&tls.cert).map_err(|why| unreadable(&tls.cert, why))?;
    let certs = certs.collect::<Result<Vec<_>, _>>().map_err(|why| unreadable(&tls.cert, why))?;
    if certs.is_empty() {
        return Err(format!("there is no certificate in {}", tls.cert.display()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|why| unreadable(&tls.key, why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .map_err(|why| why.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
