//! The second step of an upload: a form around the file, of a length that is known before the file is read.
//!
//! The file is the last part; the storage ignores what follows it. What would break out of a part is refused.

use super::UploadFileAnswer;

/// What stands around the file in the body of the upload. It holds keys: it is not shown.
pub struct Form {
    /// Before the file.
    pub before: String,
    /// After the file.
    pub after: String,
    /// The `Content-Type` of the body.
    pub content_type: String,
}

/// A path that no file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is empty.
    #[error("the path of a file is empty")]
    Empty,
    /// It begins or ends with a slash, or has two in a row.
    #[error("the path of a file begins or ends with a slash, or has two in a row")]
    Slash,
    /// It has a segment that other programs would take for a way up.
    #[error("the path of a file has the segment `.` or `..`")]
    Dots,
    /// It has a backslash, which other programs would take for a slash.
    #[error("the path of a file has a backslash")]
    Backslash,
    /// It is too long.
    #[error("the path of a file has more than {LONGEST_PATH} bytes")]
    TooLong,
    /// It has characters that cannot be seen.
    #[error("the path of a file has a control character")]
    Control,
}

/// The answer of the platform cannot be put into a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the platform's answer to uploadfile has a line break in the field {0}")]
pub struct FormError(pub &'static str);

/// The longest path of a file, in bytes.
pub const LONGEST_PATH: usize = 850;

/// Whether a file can have this path.
///
/// # Errors
/// It cannot.
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.len() > LONGEST_PATH {
        return Err(PathError::TooLong);
    }
    if path.chars().any(char::is_control) {
        return Err(PathError::Control);
    }
    if path.contains('\\') {
        return Err(PathError::Backslash);
    }
    if path.split('/').any(str::is_empty) {
        return Err(PathError::Slash);
    }
    // Some servers cut a segment at a semicolon before they look for dots.
    let mut segments = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    if segments.any(|segment| matches!(segment, "." | "..")) { Err(PathError::Dots) } else { Ok(()) }
}

impl Form {
    /// The form for the path that was asked for. The boundary must not occur in the file: take one that nobody can
    /// guess.
    ///
    /// # Errors
    /// A field has a line break.
    pub fn new(answer: &UploadFileAnswer, path: &str, boundary: &str) -> Result<Form, FormError> {
        let mut before = String::new();
        for (name, value) in answer.form(path) {
            if value.contains(['\r', '\n']) {
                return Err(FormError(name));
            }
            before += &format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        before += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Ok(Form { before, after: format!("\r\n--{boundary}--\r\n"), content_type })
    }

    /// How long the whole body is, around a file of this length.
    #[must_use]
    pub fn len(&self, file: u64) -> u64 {
        file.saturating_add(self.before.len() as u64).saturating_add(self.after.len() as u64)
    }
}

/// The code and the message of a refusal of the storage, which speaks XML.
#[must_use]
pub fn storage_refusal(xml: &str) -> (String, String) {
    let inner = |tag: &str| {
        let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
        let (text, _) = rest.split_once(&format!("</{tag}>"))?;
        Some(text.chars().filter(|c| !c.is_control()).take(500).collect::<String>())
    };
    (inner("Code").unwrap_or_default(), inner("Message").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_last_part_and_the_length_is_known() {
        let answer = UploadFileAnswer { authorization: "sign".into(), ..UploadFileAnswer::default() };
        let form = Form::new(&answer, "a/b.png", "BOUND").unwrap();
        assert!(form.before.starts_with(
            "--BOUND\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/b.png\r\n--BOUND\r\n"
        ));
        assert!(form.before.contains("name=\"Signature\"\r\n\r\nsign\r\n"));
        let last = form.before.rsplit("--BOUND\r\n").next().unwrap();
        assert!(last.contains("name=\"file\""), "{last}");
        assert_eq!(form.len(5), (form.before.len() + 5 + form.after.len()) as u64);
    }

    #[test]
    fn a_field_that_would_break_out_is_refused() {
        let answer = UploadFileAnswer { token: "a\r\n--BOUND".into(), ..UploadFileAnswer::default() };
        assert_eq!(Form::new(&answer, "a", "BOUND").err(), Some(FormError("x-cos-security-token")));
    }

    #[test]
    fn paths_are_checked_before_anything_is_sent() {
        for (path, wrong) in [
            ("", PathError::Empty),
            ("/a", PathError::Slash),
            ("a//b", PathError::Slash),
            ("a/", PathError::Slash),
            ("a/../b", PathError::Dots),
            ("a/..;x/b", PathError::Dots),
            ("a\\b", PathError::Backslash),
            ("a\nb", PathError::Control),
            (&"x".repeat(851), PathError::TooLong),
        ] {
            assert_eq!(check_path(path), Err(wrong), "{path}");
        }
        assert_eq!(check_path("商品/图 1;2.png"), Ok(()));
    }

    #[test]
    fn a_refusal_of_the_storage_is_read() {
        let xml = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message><Resource/></Error>";
        assert_eq!(storage_refusal(xml), ("AccessDenied".to_owned(), "Request has expired".to_owned()));
        assert_eq!(storage_refusal("<html>"), (String::new(), String::new()));
    }
}
