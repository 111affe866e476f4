//! What the machine hands to the cloud.

use bytes::Bytes;

use super::CloudCall;
use crate::moment::Moment;

/// A call of the cloud API whose token was found alive.
#[derive(Clone, Debug)]
pub struct Errand {
    pub(crate) call: CloudCall,
    /// The mini program whose token it carried.
    pub(crate) app_id: String,
    /// The emulator's time.
    pub(crate) now: Moment,
    /// The query string, still encoded.
    pub(crate) query: String,
    pub(crate) body: Bytes,
    /// What the client calls this emulator: links that it shall follow begin so.
    pub(crate) host: Option<String>,
}
