//! Signatures made with a ticket. The names of the fields are those that the platform's own scripts take.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page that is to use the JS-SDK.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// Its address as the browser shows it; a fragment may be there and is not signed.
    #[schema(example = "https://shop.example.com/cart?id=1")]
    pub url: String,
}

/// What `wx.config` takes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageSignature {
    /// The app.
    #[schema(example = "wx0123456789abcdef")]
    pub app_id: String,
    /// When it was signed, in Unix seconds.
    #[schema(example = 1_414_587_457)]
    pub timestamp: u64,
    /// A text that is used once.
    #[schema(example = "Wm3WZYTPz0wzccnW")]
    pub nonce_str: String,
    /// SHA-1 in hexadecimal.
    #[schema(example = "0f9de62fce790f9a083d5c99e95740ceb90c27ed")]
    pub signature: String,
}

/// A card that is to be added.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardRequest {
    /// Which card.
    #[schema(example = "pjZ8Yt1XGILfi-FUsewpnnolGgZk")]
    pub card_id: String,
    /// The card's code, where the merchant chooses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The one user that may add it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
}

/// What `wx.addCard` takes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct CardSignature {
    /// Which card.
    #[serde(rename = "cardId")]
    pub card_id: String,
    /// When it was signed, in Unix seconds.
    pub timestamp: u64,
    /// A text that is used once.
    pub nonce_str: String,
    /// SHA-1 in hexadecimal.
    pub signature: String,
    /// All of it as the one text that `cardExt` of `wx.addCard` is.
    #[serde(rename = "cardExt")]
    pub card_ext: String,
}
