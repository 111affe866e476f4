//! Which addresses Tokenward connects to, for fetches and for the gateway alike.
//!
//! A base URL that names an address, or `localhost`, was written by the operator and is taken at its word. A
//! name that resolves to an address inside the network could have been turned there by whoever answers for the
//! name, and would make Tokenward a door into that network: it needs `egress.allow_private`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// How names are turned into addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether names may lead into the network that Tokenward stands in.
    pub allow_private: bool,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// It cannot be resolved.
    #[error("the name {0} cannot be resolved: {1}")]
    Unresolved(String, std::io::Error),
    /// It has no address at all.
    #[error("the name {0} has no address")]
    Nowhere(String),
    /// All its addresses are inside.
    #[error("{0} leads to {1}, an address of a private network; set egress.allow_private if it should")]
    Private(String, IpAddr),
}

impl Reach {
    /// Whether a host that no operator wrote may be resolved: it names no address inside, and not this machine.
    #[must_use]
    pub fn trusts(self, host: &str) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let inside = literal.parse::<IpAddr>().is_ok_and(is_private) || is_localhost(host);
        self.allow_private || !inside
    }

    /// The addresses of a host that may be connected to.
    ///
    /// # Errors
    /// There are none.
    pub async fn resolve(self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = tokio::net::lookup_host((host, port)).await;
        let all: Vec<SocketAddr> =
            found.map_err(|error| Unreachable::Unresolved(host.to_owned(), error))?.collect();
        let open = self.allow_private || is_localhost(host);
        let allowed: Vec<SocketAddr> =
            all.iter().copied().filter(|address| open || !is_private(address.ip())).collect();
        match (allowed.is_empty(), all.first()) {
            (false, _) => Ok(allowed),
            (true, Some(inside)) => Err(Unreachable::Private(host.to_owned(), inside.ip())),
            (true, None) => Err(Unreachable::Nowhere(host.to_owned())),
        }
    }
}

/// The same for fetches.
#[derive(Clone, Debug)]
pub struct Resolver {
    reach: Reach,
    /// The proxy's host: the operator wrote it, and it may stand wherever it stands.
    proxy: Option<String>,
}

impl Resolver {
    /// Resolves as `reach` says, and `proxy` in any case.
    #[must_use]
    pub fn new(reach: Reach, proxy: Option<String>) -> Resolver {
        Resolver { reach, proxy }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy.as_deref().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        let reach = if is_proxy { Reach { allow_private: true } } else { self.reach };
        Box::pin(async move {
            // The port is put in by the caller.
            let found = reach.resolve(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

/// Whether an address is not one of the public internet (IANA special-purpose registries).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_private_v4(inner);
    }
    let [first, second, ..] = address.segments();
    let translated = first == 0x64 && second == 0xff9b;
    let six_to_four = first == 0x2002;
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (first == 0x2001 && second == 0xdb8)
        || translated
        || six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_recognised() {
        for inside in [
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
        ] {
            assert!(is_private(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111"] {
            assert!(!is_private(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn an_address_that_the_operator_wrote_is_taken_at_its_word() {
        let closed = Reach { allow_private: false };
        for written in ["127.0.0.1", "[::1]", "10.0.0.1", "localhost"] {
            assert!(closed.resolve(written, 80).await.is_ok(), "{written}");
            assert!(!closed.trusts(written), "{written} is inside, whoever else names it");
        }
    }
}
