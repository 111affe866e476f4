//! What the machine hands to the cloud.

use bytes::Bytes;

use super::CloudCall;
use crate::desk::Desk;
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

impl Errand {
    /// A request that carries no token, and belongs to no app: one to the object storage, whose body is not here, or one
    /// of an SDK.
    pub(crate) fn of_nobody(desk: &Desk<'_>, call: CloudCall) -> Errand {
        Errand {
            call,
            app_id: String::new(),
            now: desk.now,
            query: desk.request.query.clone(),
            body: desk.request.body.clone(),
            host: desk.request.header("host").map(str::to_owned),
        }
    }
}
