//! What a file is said to be when it is downloaded.

/// What uploads say when they do not know, or say without looking.
const UNSPECIFIC: [&str; 2] = ["application/octet-stream", "application/x-www-form-urlencoded"];

/// What the upload said, or what the name suggests.
pub(crate) fn of(said: Option<&str>, path: &str) -> String {
    let specific = said.filter(|said| !said.is_empty() && !UNSPECIFIC.contains(said));
    specific.unwrap_or_else(|| of_name(path)).to_owned()
}

fn of_name(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "bmp" => "image/bmp",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "txt" | "log" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "text/javascript",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upload_knows_best_and_then_the_name() {
        assert_eq!(of(Some("text/x-own"), "a.png"), "text/x-own");
        assert_eq!(of(Some("application/octet-stream"), "b/a.PNG"), "image/png");
        assert_eq!(of(None, "a.b/png"), "application/octet-stream");
    }
}
