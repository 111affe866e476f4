//! Client of a Tokenward server: get tokens, report refused ones, look at credentials.
//!
//! ```no_run
//! # async fn example() -> Result<(), tokenward_client::ClientError> {
//! let tokenward = tokenward_client::Client::new("http://127.0.0.1:7600", "my client key")?;
//! let token = tokenward.token("shop").await?;
//! println!("generation {} for {} s", token.generation, token.expires_in);
//! # Ok(()) }
//! ```

//! Cloud development of a WeChat app:
//!
//! ```no_run
//! use futures_util::TryStreamExt as _;
//! use tokenward_client::cloud_statements::{collection, field};
//!
//! # async fn example(tokenward: tokenward_client::Client) -> Result<(), tokenward_client::CallError> {
//! #[derive(serde::Deserialize)]
//! struct Order { _id: String, total: f64 }
//!
//! let cloud = tokenward.cloud("shop", "prod-1a2b")?;
//! let big = collection("orders").filter(field("total").gt(100));
//! let mut orders = std::pin::pin!(cloud.documents::<Order>(big));
//! while let Some(order) = orders.try_next().await? {
//!     let picture = cloud.download(&cloud.file_id(&format!("{}.png", order._id)).await?).await?;
//!     println!("{}: {} bytes", order.total, picture.len().unwrap_or(0));
//! }
//! let sum: i64 = cloud.invoke("sum", &[1, 2]).await?;
//! # Ok(()) }
//! ```

mod callbacks;
mod client;
mod cloud;
mod error;

pub use client::Client;
pub use cloud::{
    CallError, Cloud, CredentialTokens, Download, FixedToken, ImportOptions, Job, Link, PAGE, Page, Progress,
    Refused, Removed, SourceError, TokenSource,
};
pub use error::ClientError;
pub use tokenward_api::{
    CallbackFailure, CallbackMessage, CardRequest, CardSignature, CredentialList, CredentialStatus,
    PageRequest, PageSignature, Problem, RefreshRequest, ReportRequest, SinkStatus, Token,
    WholeCallbackMessage,
};
/// Statements for the cloud database, and the platform's wire types.
pub use tokenward_cloud as cloud_statements;
