//! The key ring: the keys that seal what is stored.
//!
//! A small text file, readable by its owner only: a header line, then one key a line, `id base64`. The first
//! key seals, all of them open, so that keys can be replaced without a pause. The id is derived from the
//! key, so a damaged line is noticed.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::seal::{self, KeyId, OpenError, Place};

/// The keys that seal and open.
pub struct KeyRing {
    keys: Vec<Key>,
}

struct Key {
    id: KeyId,
    aead: RandomizedNonceKey,
    /// For keyed digests, derived so that one key serves one purpose.
    mac: hmac::Key,
}

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file could not be read or written.
    #[error("cannot use the key ring {0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// Others can read the file.
    #[error("the key ring {0} can be read by others (mode {1:o})")]
    TooOpen(PathBuf, u32),
    /// The text is not a key ring.
    #[error("line {0} of the key ring is damaged")]
    Damaged(usize),
    /// There is no key in it.
    #[error("the key ring holds no key")]
    Empty,
}

const HEADER: &str = "# Tokenward key ring, version 1: keep it secret, keep a copy. The first key seals.";
const KEY_LEN: usize = 32;

impl KeyRing {
    /// Makes a key ring with one new key and writes it, readable by its owner only. Never overwrites.
    ///
    /// # Errors
    /// The file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<KeyRing, KeyRingError> {
        let io = |error| KeyRingError::Io(path.to_owned(), error);
        let mut key = Zeroizing::new([0_u8; KEY_LEN]);
        rand::fill(key.as_mut_slice()).expect("the system's random generator works");
        let line = Zeroizing::new(STANDARD.encode(key.as_slice()));
        let id = id_of(key.as_slice());
        let text = Zeroizing::new(format!("{HEADER}\n{} {}\n", hex(id), line.as_str()));
        // Written beside its place and then linked there: a power cut leaves all of it or nothing.
        let draft = path.with_extension("draft");
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        std::fs::hard_link(&draft, path).map_err(io)?;
        std::fs::remove_file(&draft).map_err(io)?;
        if let Some(folder) = path.parent() {
            std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        KeyRing::parse(&text)
    }

    /// Reads a key ring from its file.
    ///
    /// # Errors
    /// The file cannot be read, others can read it, or it is damaged.
    pub fn load(path: &Path) -> Result<KeyRing, KeyRingError> {
        let io = |error| KeyRingError::Io(path.to_owned(), error);
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyRingError::TooOpen(path.to_owned(), mode));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
        KeyRing::parse(&text)
    }

    /// Reads a key ring from its text.
    ///
    /// # Errors
    /// The text is damaged or holds no key.
    pub fn parse(text: &str) -> Result<KeyRing, KeyRingError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(parse_key(line).ok_or(KeyRingError::Damaged(index + 1))?);
            }
        }
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        Ok(KeyRing { keys })
    }

    /// Seals a value for its place with the first key.
    #[must_use]
    pub fn seal(&self, place: &Place<'_>, value: &[u8]) -> Vec<u8> {
        let key = self.first();
        seal::seal(&key.aead, key.id, place, value)
    }

    /// Opens a sealed value in its place.
    ///
    /// # Errors
    /// The key is unknown, or the value was not sealed for this place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let id = seal::key_id(sealed)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(OpenError::UnknownKey)?;
        seal::open(&key.aead, id, place, sealed)
    }

    /// A keyed digest (HMAC-SHA-256) of some parts: tells whether something changed without telling what it
    /// is. Changes with the first key.
    #[must_use]
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.first().digest(parts)
    }

    /// The same digest with every key, the first key's first: to recognise what was made before keys were replaced.
    pub fn digests<'a>(&'a self, parts: &'a [&'a [u8]]) -> impl Iterator<Item = [u8; 32]> + 'a {
        self.keys.iter().map(|key| key.digest(parts))
    }

    fn first(&self) -> &Key {
        self.keys.first().expect("a key ring is never built without a key")
    }
}

impl Key {
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.mac);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0_u8; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

fn parse_key(line: &str) -> Option<Key> {
    let (id, encoded) = line.split_once(' ')?;
    let key = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let derived = id_of(&key);
    if key.len() != KEY_LEN || id != hex(derived) {
        return None;
    }
    let aead = RandomizedNonceKey::new(&AES_256_GCM, &key).ok()?;
    let root = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mac = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, b"tokenward keyed digests v1").as_ref());
    Some(Key { id: derived, aead, mac })
}

fn id_of(key: &[u8]) -> KeyId {
    let mut input = Zeroizing::new(b"tokenward key id v1".to_vec());
    input.extend_from_slice(key);
    let digest = digest::digest(&digest::SHA256, &input);
    let mut id = KeyId::default();
    id.copy_from_slice(digest.as_ref().first_chunk::<4>().expect("SHA-256 has 32 bytes"));
    id
}

fn hex(id: KeyId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| hex(key.id))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> =
        Place { credential: "shop", field: "token", generation: 17, fingerprint: &[3; 32] };

    fn ring() -> (tempfile::TempDir, PathBuf, KeyRing) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key-ring");
        let ring = KeyRing::create(&path).unwrap();
        (folder, path, ring)
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_after_the_ring_is_read_again() {
        let (_folder, path, ring) = ring();
        let sealed = ring.seal(&PLACE, b"a token");
        assert_eq!(KeyRing::load(&path).unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"a token");
    }

    #[test]
    fn the_sealed_value_does_not_contain_the_value() {
        let (_folder, _, ring) = ring();
        let sealed = ring.seal(&PLACE, b"a token");
        assert!(!sealed.windows(7).any(|window| window == b"a token"));
    }

    #[test]
    fn nothing_opens_in_another_place() {
        let (_folder, _, ring) = ring();
        let sealed = ring.seal(&PLACE, b"a token");
        let others = [
            Place { credential: "shop2", ..PLACE },
            Place { field: "secret", ..PLACE },
            Place { generation: 18, ..PLACE },
            Place { fingerprint: &[4; 32], ..PLACE },
        ];
        for other in others {
            assert_eq!(ring.open(&other, &sealed), Err(OpenError::NotAuthentic));
        }
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let (_folder, _, ring) = ring();
        let sealed = ring.seal(&PLACE, b"a token");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(ring.open(&PLACE, &changed).is_err(), "byte {index}");
        }
        assert_eq!(ring.open(&PLACE, &[]), Err(OpenError::Malformed));
    }

    #[test]
    fn another_ring_says_that_the_key_is_missing() {
        let (_a, _, one) = ring();
        let (_b, _, other) = ring();
        assert_eq!(other.open(&PLACE, &one.seal(&PLACE, b"x")), Err(OpenError::UnknownKey));
    }

    #[test]
    fn a_ring_with_the_old_key_second_still_opens() {
        let (_a, path_a, old) = ring();
        let (_b, path_b, _) = ring();
        let both = std::fs::read_to_string(path_b).unwrap() + &std::fs::read_to_string(path_a).unwrap();
        let sealed = old.seal(&PLACE, b"x");
        assert!(KeyRing::parse(&both).unwrap().open(&PLACE, &sealed).is_ok());
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_never_overwritten() {
        let (_folder, path, _) = ring();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(KeyRing::create(&path), Err(KeyRingError::Io(..))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyRing::load(&path), Err(KeyRingError::TooOpen(_, 0o644))));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let (_folder, path, _) = ring();
        let text = std::fs::read_to_string(path).unwrap().replace('=', "");
        assert!(matches!(KeyRing::parse(&text), Err(KeyRingError::Damaged(2))));
        assert!(matches!(KeyRing::parse("# nothing\n"), Err(KeyRingError::Empty)));
    }

    #[test]
    fn a_ring_with_the_old_key_second_still_knows_its_digests() {
        let (_a, path_a, old) = ring();
        let (_b, path_b, new) = ring();
        let both = std::fs::read_to_string(path_b).unwrap() + &std::fs::read_to_string(path_a).unwrap();
        let digests: Vec<_> = KeyRing::parse(&both).unwrap().digests(&[b"x"]).collect();
        assert_eq!(digests, [new.digest(&[b"x"]), old.digest(&[b"x"])]);
    }

    #[test]
    fn a_keyed_digest_depends_on_every_part_and_where_it_ends() {
        let (_folder, _, ring) = ring();
        assert_eq!(ring.digest(&[b"a", b"b"]), ring.digest(&[b"a", b"b"]));
        assert_ne!(ring.digest(&[b"a", b"b"]), ring.digest(&[b"ab"]));
    }
}
