//! What a ticket is for: signatures that pages and cards show to WeChat's app.
//!
//! Sources: developers.weixin.qq.com, "JS-SDK" appendix 1 and "cards" appendix 4. Deliberately absent: where nonces
//! and the time come from, and whether a page may be signed.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokenward_core::secret::Secret;

use crate::wechat_callback;

/// The signature of a page for `wx.config`. `url` is its address as the browser shows it; a fragment is not part of
/// what is signed.
#[must_use]
pub fn js_sdk(ticket: &Secret, nonce: &str, timestamp: u64, url: &str) -> String {
    let page = url.split_once('#').map_or(url, |(page, _)| page);
    let text = format!("jsapi_ticket={}&noncestr={nonce}&timestamp={timestamp}&url={page}", ticket.expose());
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

/// The signature of a card for `wx.addCard`: over the values that are there, whatever they are called.
#[must_use]
pub fn card(ticket: &Secret, nonce: &str, timestamp: u64, values: &[&str]) -> String {
    let timestamp = timestamp.to_string();
    let mut parts = vec![ticket.expose(), nonce, &timestamp];
    parts.extend(values);
    wechat_callback::sign(&parts)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the JS-SDK's documentation.
    const TICKET: &str =
        "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg";

    fn page(url: &str) -> String {
        js_sdk(&Secret::new(TICKET), "Wm3WZYTPz0wzccnW", 1_414_587_457, url)
    }

    #[test]
    fn a_page_is_signed_as_the_documentation_has_it() {
        assert_eq!(page("http://mp.weixin.qq.com?params=value"), "0f9de62fce790f9a083d5c99e95740ceb90c27ed");
    }

    #[test]
    fn a_fragment_is_not_signed() {
        let signed = page("http://mp.weixin.qq.com?params=value#/cart?x=1#y");
        assert_eq!(signed, "0f9de62fce790f9a083d5c99e95740ceb90c27ed");
    }

    #[test]
    fn a_card_is_signed_as_the_documentation_has_it() {
        let ticket = Secret::new("ojZ8YtyVyr30HheH3CM73y7h4jJE");
        let values = ["1434008071", "pjZ8Yt1XGILfi-FUsewpnnolGgZk"];
        assert_eq!(card(&ticket, "123", 1_404_896_688, &values), "f137ab68b7f8112d20ee528ab6074564e2796250");
    }
}
