//! `[facade.wechat]`: api.weixin.qq.com for unchanged SDKs.

use std::net::{Ipv4Addr, SocketAddr};

use super::listen::{self, TlsConfig};
use super::reader::{Reader, Section};

/// `[facade.wechat]`
#[derive(Clone, Debug)]
pub struct FacadeConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its certificate, if it speaks TLS.
    pub tls: Option<TlsConfig>,
    /// What SDKs are given in answer to a token request.
    pub hand_out: HandOut,
    /// Whether the real app secret opens the door like a client key: for a migration without any change.
    pub accept_app_secret: bool,
    /// Whether a refusal that persists after refresh and replay is passed on as it is. SDKs that repeat a refused
    /// call without a bound then do so.
    pub relay_refusals: bool,
}

/// What SDKs are given in answer to a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HandOut {
    /// The platform's token.
    #[default]
    Token,
    /// A handle, which is good here only.
    Handle,
}

const KNOWN: [&str; 6] =
    ["listen", "hand_out", "tls", "allow_plaintext", "accept_app_secret", "relay_refusals"];
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7601);

impl FacadeConfig {
    /// Reads `[facade]`, which knows one platform.
    pub(super) fn read_all(mut section: Section<'_>, reader: &mut Reader) -> Option<FacadeConfig> {
        let found = section.take("wechat").is_some();
        let wechat = section.section("wechat", reader);
        section.finish(&["wechat"], reader);
        found.then(|| FacadeConfig::read(wechat, reader))
    }

    fn read(mut section: Section<'_>, reader: &mut Reader) -> FacadeConfig {
        let listen = section.string("listen", reader);
        let tls = TlsConfig::read(&mut section, reader);
        let covered = section.flag("allow_plaintext", reader) || tls.is_some();
        let hand_out = match section.string("hand_out", reader) {
            Some(word) if word.value == "handle" => HandOut::Handle,
            Some(word) if word.value != "token" => {
                let message = format!("`facade.wechat.hand_out` is {:?}", word.value);
                reader.error(word.span, message, "Write \"token\" or \"handle\".");
                HandOut::Token
            }
            _ => HandOut::Token,
        };
        let accept_app_secret = section.flag("accept_app_secret", reader);
        if accept_app_secret {
            reader.warn(
                section.span.clone(),
                "whoever has an app secret is served by the facade like a client that may do everything with it",
                "Give services client keys as their secret, then remove `accept_app_secret`.",
            );
        }
        let relay_refusals = section.flag("relay_refusals", reader);
        section.finish(&KNOWN, reader);
        FacadeConfig {
            listen: listen::address(listen, covered, "127.0.0.1:7601", reader).unwrap_or(DEFAULT_LISTEN),
            tls,
            hand_out,
            accept_app_secret,
            relay_refusals,
        }
    }
}
