//! Client of a Tokenward server: get tokens, report refused ones, look at credentials.
//!
//! ```no_run
//! # async fn example() -> Result<(), tokenward_client::ClientError> {
//! let tokenward = tokenward_client::Client::new("http://127.0.0.1:7600", "my client key")?;
//! let token = tokenward.token("shop").await?;
//! println!("generation {} for {} s", token.generation, token.expires_in);
//! # Ok(()) }
//! ```

mod client;
mod error;

pub use client::Client;
pub use error::ClientError;
pub use tokenward_api::{CredentialList, CredentialStatus, Problem, RefreshRequest, ReportRequest, Token};
