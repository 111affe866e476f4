//! Where a file is: its environment and its path, and the names that the platform makes of the two.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::cloud::{CloudFailure, is_env};

/// What the paths of all files begin with.
const ROOT: &str = "/_storage/";
/// The number of the account that owns every bucket. It is one, so that ids outlive the emulator.
const ACCOUNT: &str = "1250000000";
/// The longest path, once it is encoded.
const LONGEST: usize = 850;
/// Everything but what RFC 3986 calls unreserved, and the slash.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The place of one file, whether or not there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    env: String,
    path: String,
}

impl Place {
    /// A path in an environment.
    ///
    /// # Errors
    /// No file can have this path.
    pub(crate) fn new(env: &str, path: &str) -> Result<Place, CloudFailure> {
        match reason_against(path) {
            None => Ok(Place { env: env.to_owned(), path: path.to_owned() }),
            Some(reason) => Err(CloudFailure::invalid(format!("invalid parameters, {reason}"))),
        }
    }

    /// What an id names. The bucket in it says nothing that the environment does not say, and old ids have a
    /// shorter one, so it is not looked at.
    pub(crate) fn of_id(id: &str) -> Option<Place> {
        let (authority, path) = id.strip_prefix("cloud://")?.split_once('/')?;
        let (env, _) = authority.split_once('.')?;
        is_env(env).then_some(())?;
        Place::new(env, path).ok()
    }

    /// What the path of a URL names.
    pub(crate) fn of_url(path: &str) -> Option<Place> {
        let (bucket, encoded) = path.strip_prefix(ROOT)?.split_once('/')?;
        let (_, rest) = bucket.split_once('-')?;
        let env = rest.strip_suffix(ACCOUNT)?.strip_suffix('-')?;
        let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
        let place = Place::new(env, &decoded).ok()?;
        (is_env(env) && place.bucket() == bucket).then_some(place)
    }

    /// Whether a path is of a file at all.
    pub(crate) fn is_below(path: &str) -> bool {
        path.starts_with(ROOT)
    }

    pub(crate) fn env(&self) -> &str {
        &self.env
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The id that programs keep.
    pub(crate) fn id(&self) -> String {
        format!("cloud://{}.{}/{}", self.env, self.bucket(), self.path)
    }

    /// Bucket and path: what signatures are about.
    pub(crate) fn object(&self) -> String {
        format!("{}/{}", self.bucket(), self.path)
    }

    /// Its URL, as a client calls this emulator.
    pub(crate) fn url(&self, host: Option<&str>) -> String {
        let path = utf8_percent_encode(&self.path, ENCODED);
        format!("http://{}{ROOT}{}/{path}", host.unwrap_or("localhost"), self.bucket())
    }

    /// Two characters in hexadecimal digits, the environment, the account.
    fn bucket(&self) -> String {
        let beginning: String = self.env.bytes().take(2).map(|byte| format!("{byte:02x}")).collect();
        format!("{beginning}-{}-{ACCOUNT}", self.env)
    }
}

/// Why no file can have this path.
fn reason_against(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("a path is not empty".to_owned());
    }
    if path.starts_with('/') || path.contains("//") {
        return Some("a path neither begins with a slash nor has two in a row".to_owned());
    }
    if path.bytes().any(|byte| (24..=27).contains(&byte)) {
        return Some("a path has none of the control characters 24 to 27".to_owned());
    }
    let length: usize = utf8_percent_encode(path, ENCODED).map(str::len).sum();
    (length > LONGEST).then(|| format!("a path has at most {LONGEST} bytes when encoded, this one {length}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("test2-4a89da", "图/a b.png").unwrap()
    }

    #[test]
    fn an_id_has_the_documented_form() {
        assert_eq!(place().id(), "cloud://test2-4a89da.7465-test2-4a89da-1250000000/图/a b.png");
    }

    #[test]
    fn an_id_names_its_place() {
        assert_eq!(Place::of_id(&place().id()), Some(place()));
    }

    #[test]
    fn an_old_id_without_account_names_the_same_place() {
        assert_eq!(Place::of_id("cloud://test2-4a89da.7465-test2-4a89da/图/a b.png"), Some(place()));
    }

    #[test]
    fn what_is_no_id_names_nothing() {
        for id in [
            "",
            "cloud://",
            "cloud://env",
            "cloud://env/a",
            "cloud://env.b/",
            "cloud://E.b/a",
            "http://e.b/a",
        ] {
            assert_eq!(Place::of_id(id), None, "{id}");
        }
    }

    #[test]
    fn a_url_names_its_place() {
        let url = place().url(Some("h:1"));
        assert_eq!(Place::of_url(url.strip_prefix("http://h:1").unwrap()), Some(place()));
    }

    #[test]
    fn the_bucket_in_a_url_is_looked_at() {
        for path in
            ["/_storage/0000-test-1250000000/a", "/_storage/7465-test/a", "/_storage/-/a", "/_storage/a"]
        {
            assert_eq!(Place::of_url(path), None, "{path}");
        }
    }

    #[test]
    fn paths_follow_the_rules() {
        let longest = "a".repeat(850);
        for good in ["a", "a/b", "..", "../../etc/passwd", longest.as_str(), "a\nb", "\0"] {
            assert_eq!(reason_against(good), None, "{good:?}");
        }
        let longer = "é".repeat(150);
        for bad in ["", "/a", "a//b", "a\u{1b}b", longer.as_str()] {
            assert!(reason_against(bad).is_some(), "{bad:?}");
        }
    }
}
