//! `tokenward sign`

use clap::Subcommand;
use tokenward_client::{CardRequest, Client};

use crate::failure::Failure;
use crate::output;

/// What is signed.
#[derive(Debug, Subcommand)]
pub enum Sign {
    /// A page that is to use the JS-SDK: prints what `wx.config` takes
    JsSdk {
        /// A ticket of the kind "jsapi"
        ticket: String,
        /// The page's address as the browser shows it
        url: String,
    },
    /// A card that is to be added: prints what `wx.addCard` takes
    Card {
        /// A ticket of the kind "wx_card"
        ticket: String,
        /// Which card
        card_id: String,
        /// Its code, where the merchant chooses it
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// The one user that may add it
        #[arg(long, value_name = "OPENID")]
        openid: Option<String>,
    },
}

/// Signs, and prints the signature with what it was made of.
///
/// It is JSON in any case: pasted into a page, or read by a program.
pub async fn run(client: &Client, what: Sign) -> Result<(), Failure> {
    match what {
        Sign::JsSdk { ticket, url } => output::json(&client.sign_page(&ticket, &url).await?),
        Sign::Card { ticket, card_id, code, openid } => {
            let card = CardRequest { card_id, code, openid };
            output::json(&client.sign_card(&ticket, &card).await?);
        }
    }
    Ok(())
}
