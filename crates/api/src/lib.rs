//! The HTTP API's wire types, error codes and paths: a promise to clients.
//!
//! Depends on nothing of ours, so that a client can be built on it alone. Times are RFC 3339 in UTC, spans
//! whole seconds. Fields may be added; none is renamed or removed.

mod callback;
mod credential;
mod error;
mod sign;
mod token;

pub mod path;

pub use callback::{
    CallbackFailure, CallbackMessage, CallbackMessages, RedeliverRequest, Redelivered, WholeCallbackMessage,
};
pub use credential::{
    Budget, CredentialList, CredentialStatus, ForeignRefreshes, LastFailure, RefusalsKeptBack, SinkFailure,
    SinkStatus,
};
pub use error::{ErrorCode, PlatformError, Problem};
pub use sign::{CardRequest, CardSignature, PageRequest, PageSignature};
pub use token::{RefreshRequest, ReportRequest, Token};
