//! `[egress]`: the way out, for fetches and for the gateway alike. Proxy variables of the environment are
//! ignored, so that what stands here is the whole truth.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::reader::{Reader, Section};

/// `[egress]`. The proxy's URL may carry a password, so `Debug` shows only whether there is one.
#[derive(Clone, Default)]
pub struct EgressConfig {
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// The local address to call from.
    pub bind: Option<IpAddr>,
    /// Further certificate authorities, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether names may lead to addresses of a private network.
    pub allow_private: bool,
}

impl fmt::Debug for EgressConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EgressConfig { proxy, bind, ca_file, allow_private } = self;
        let mut shown = f.debug_struct("EgressConfig");
        shown.field("proxy", &proxy.is_some()).field("bind", bind).field("ca_file", ca_file);
        shown.field("allow_private", allow_private).finish()
    }
}

impl EgressConfig {
    pub(super) fn read(mut section: Section<'_>, reader: &mut Reader) -> EgressConfig {
        let proxy =
            section.string("proxy", reader).and_then(|proxy| match reqwest::Url::parse(&proxy.value) {
                Ok(url) if url.scheme() == "http" && url.has_host() => Some(proxy.value),
                _ => {
                    let message = "`egress.proxy` is not the URL of an HTTP proxy";
                    reader.error(proxy.span, message, "Write \"http://10.0.0.5:3128\".");
                    None
                }
            });
        let bind = section.string("bind", reader).and_then(|bind| match bind.value.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let message = format!("`egress.bind` is {:?}, not an IP address", bind.value);
                reader.error(bind.span, message, "Write an address of this machine, like \"10.0.0.9\".");
                None
            }
        });
        let ca_file = section.string("ca_file", reader);
        let ca_file = ca_file.map(|file| super::resolve(&reader.folder, &file.value));
        let allow_private = section.flag("allow_private", reader);
        section.finish(&["proxy", "bind", "ca_file", "allow_private"], reader);
        EgressConfig { proxy, bind, ca_file, allow_private }
    }
}
