//! Tickets: what they are for, whose token they are fetched with, and which pages may be signed with them.

use reqwest::Url;
use tokenward_core::fleet::CredentialId;
use tokenward_core::name::Name;
use tokenward_providers::TicketKind;

/// What is known of a ticket beside its value.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// What it is for.
    pub kind: TicketKind,
    /// The app.
    pub app_id: String,
    /// The credential whose token it is fetched with.
    pub from: Name,
    /// Where that one is in the fleet.
    pub source: CredentialId,
    /// The domains of pages that may be signed.
    pub domains: Vec<Domain>,
}

/// A domain whose pages may be signed: a name, or `*.` and a name for everything beneath it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// As the URL standard writes it: in lower case, other alphabets in Punycode.
    host: String,
    beneath: bool,
}

/// Why a page is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// It is not the address of a page as a browser shows it.
    #[error(
        "the url is not the address of a page as `location.href` shows it: http:// or https://, the host in small \
         letters and without a user name, no spaces"
    )]
    NotAPage,
    /// What is signed could be read as the signature of another page.
    #[error("the url holds `&timestamp=` and then `&url=`: its signature would be good for other pages, too")]
    Ambiguous,
    /// Its domain is not one of the ticket's.
    #[error("the domain of this page is none of the ticket's `domains`")]
    OtherDomain,
}

/// No browser sends longer ones.
const LONGEST_URL: usize = 8 * 1024;

impl Domain {
    /// Reads a domain: no scheme, no port, no path. `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Domain> {
        let (name, beneath) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        if name.is_empty() || name.ends_with('.') || name.contains(['/', ':', '@', '?', '#', '*', '\\', ' '])
        {
            return None;
        }
        let url = Url::parse(&format!("https://{name}/")).ok()?;
        let host = url.host_str()?.to_owned();
        // Nothing is beneath an address, and what is beneath a whole top-level domain belongs to everybody.
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        let has_star_of_its_own = !beneath || (host.contains('.') && !is_address);
        has_star_of_its_own.then_some(Domain { host, beneath })
    }

    /// Whether a host, as the URL standard writes it, is of this domain.
    fn covers(&self, host: &str) -> bool {
        if self.beneath {
            host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        }
    }
}

impl Ticket {
    /// Whether a page may be signed. It is read as a browser would read it, so that nothing in the text can make it
    /// look like a page of another domain; and it must be written as a browser shows it, because that is what WeChat
    /// compares.
    ///
    /// The platform signs names and values without escaping them, and whoever shows a signature chooses its nonce and
    /// time: a page with `&timestamp=…&url=…` in its own query could be shown as another page with a longer nonce.
    ///
    /// # Errors
    /// It may not, and why.
    pub fn admit(&self, page: &str) -> Result<(), NotSigned> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control();
        if page.len() > LONGEST_URL || !page.chars().all(plain) {
            return Err(NotSigned::NotAPage);
        }
        let url = Url::parse(page).map_err(|_| NotSigned::NotAPage)?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or(NotSigned::NotAPage)?;
        let rest = page.strip_prefix(&url.origin().ascii_serialization()).ok_or(NotSigned::NotAPage)?;
        if !(rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
            return Err(NotSigned::NotAPage);
        }
        let signed = page.split_once('#').map_or(page, |(signed, _)| signed);
        if signed.split_once("&timestamp=").is_some_and(|(_, after)| after.contains("&url=")) {
            return Err(NotSigned::Ambiguous);
        }
        let covered = self.domains.iter().any(|domain| domain.covers(host));
        if covered { Ok(()) } else { Err(NotSigned::OtherDomain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(domain: &str, page: &str) -> Result<(), NotSigned> {
        let ticket = Ticket {
            kind: TicketKind::Jsapi,
            app_id: "wx1".to_owned(),
            from: Name::parse("shop").unwrap(),
            source: CredentialId(0),
            domains: vec![Domain::parse(domain).unwrap()],
        };
        ticket.admit(page)
    }

    #[test]
    fn a_domain_covers_its_own_pages_and_no_others() {
        assert_eq!(admits("shop.example.com", "https://shop.example.com/cart?x=1"), Ok(()));
        assert_eq!(admits("shop.example.com", "http://shop.example.com:8080?x"), Ok(()));
        for page in
            ["https://example.com/", "https://a.shop.example.com/", "https://shop.example.com.evil.com/"]
        {
            assert_eq!(admits("shop.example.com", page), Err(NotSigned::OtherDomain), "{page}");
        }
    }

    #[test]
    fn a_star_covers_what_is_beneath() {
        assert_eq!(admits("*.example.com", "https://a.b.example.com/"), Ok(()));
        for page in ["https://example.com/", "https://evilexample.com/", "https://.example.com/"] {
            assert!(admits("*.example.com", page).is_err(), "{page}");
        }
    }

    #[test]
    fn a_page_that_only_looks_like_one_of_the_domain_is_refused() {
        for page in [
            "https://evil.com/https://shop.example.com/",
            "https://evil.com#shop.example.com",
            "https://evil.com?shop.example.com",
        ] {
            assert_eq!(admits("shop.example.com", page), Err(NotSigned::OtherDomain), "{page}");
        }
    }

    #[test]
    fn a_page_whose_signature_could_be_shown_by_another_page_is_refused() {
        let page = "https://shop.example.com/?a&timestamp=123&url=https://evil.com/";
        assert_eq!(admits("shop.example.com", page), Err(NotSigned::Ambiguous));
        assert_eq!(
            admits("shop.example.com", "https://shop.example.com/?timestamp=1&url=b#&timestamp=1&url=c"),
            Ok(())
        );
    }

    #[test]
    fn only_pages_are_signed() {
        for page in [
            "",
            "shop.example.com/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://shop.example.com/a b",
            "https://shop.example.com/\n",
            "https://shop.example.com@evil.com/",
            "https://user:word@shop.example.com/",
            "https://evil.com\\@shop.example.com/",
            "https:shop.example.com/",
            "https://SHOP.example.com/",
            "https://shop.example.com:443/",
        ] {
            assert_eq!(admits("shop.example.com", page), Err(NotSigned::NotAPage), "{page:?}");
        }
    }

    #[test]
    fn other_alphabets_are_compared_in_punycode() {
        assert_eq!(admits("商店.example.com", "https://xn--czrs0t.example.com/"), Ok(()));
        assert_eq!(admits("*.例子.cn", "https://xn--hxt.xn--fsqu00a.cn/"), Ok(()));
    }

    #[test]
    fn a_domain_is_a_name_and_nothing_else() {
        for text in [
            "",
            "*",
            "*.",
            "https://shop.example.com",
            "shop.example.com:443",
            "shop.example.com/cart",
            "shop.example.com.",
            "*.com",
            "*.10.0.0.1",
            "a b",
        ] {
            assert_eq!(Domain::parse(text), None, "{text}");
        }
    }
}
