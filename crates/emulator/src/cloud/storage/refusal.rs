//! What the object storage says when it refuses: its own XML, with an HTTP status that means something.

use http::StatusCode;

use crate::reply::Reply;

/// A refusal of the object storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CosRefusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl CosRefusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> CosRefusal {
        CosRefusal { status, code, message: message.into() }
    }

    /// The request is not allowed.
    pub(crate) fn denied(message: impl Into<String>) -> CosRefusal {
        CosRefusal::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// The form is not as it has to be.
    pub(crate) fn malformed(message: impl Into<String>) -> CosRefusal {
        CosRefusal::new(StatusCode::BAD_REQUEST, "MalformedPOSTRequest", message)
    }

    /// There is no such file.
    pub(crate) fn no_such_key() -> CosRefusal {
        CosRefusal::new(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
    }

    /// The file is larger than files may be.
    pub(crate) fn too_large(most: u64) -> CosRefusal {
        let message = format!("A file may have {most} bytes at most.");
        CosRefusal::new(StatusCode::BAD_REQUEST, "EntityTooLarge", message)
    }

    /// The emulator cannot write or read what it keeps.
    pub(crate) fn internal(error: &std::io::Error) -> CosRefusal {
        let message = format!("The emulator cannot get at its files: {}", error.kind());
        CosRefusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// The answer to a request for this path.
    pub(crate) fn reply(&self, path: &str, request_id: &str) -> Reply {
        let xml = format!(
            "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>{}</Code>\n\t<Message>{}</Message>\n\
             \t<Resource>{}</Resource>\n\t<RequestId>{request_id}</RequestId>\n\t<TraceId>{request_id}</TraceId>\n\
             </Error>\n",
            self.code,
            escaped(&self.message),
            escaped(path),
        );
        Reply::raw(self.status, "application/xml", xml)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
