//! Sealing: AES-256-GCM with the place of the value as associated data.
//!
//! A sealed value is `version (1) ‖ key id (4) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. Whoever can write to
//! the store cannot move a sealed token to another credential, field or generation: it would not open there.

use aws_lc_rs::aead::{Aad, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// Where a value belongs. All of it is authenticated, none of it is stored with the value.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The credential.
    pub credential: &'a str,
    /// Which of its values: `token`.
    pub field: &'a str,
    /// The generation of the value.
    pub generation: u64,
    /// The fingerprint of the credential's identity.
    pub fingerprint: &'a [u8; 32],
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not a sealed value of this version.
    #[error("this is not a value sealed by this version")]
    Malformed,
    /// The key is not on the key ring.
    #[error("the key it was sealed with is not on the key ring")]
    UnknownKey,
    /// It was changed, or sealed for another place.
    #[error("it was changed, or sealed for another credential or generation")]
    NotAuthentic,
}

pub(crate) type KeyId = [u8; 4];

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;

pub(crate) fn seal(key: &RandomizedNonceKey, id: KeyId, place: &Place<'_>, value: &[u8]) -> Vec<u8> {
    let mut sealed = Zeroizing::new(value.to_vec());
    let nonce = key
        .seal_in_place_append_tag(Aad::from(associated_data(id, place)), &mut *sealed)
        .expect("AES-GCM seals any value that fits into memory");
    let mut out = Vec::with_capacity(1 + id.len() + NONCE_LEN + sealed.len());
    out.push(VERSION);
    out.extend_from_slice(&id);
    out.extend_from_slice(nonce.as_ref());
    out.extend_from_slice(&sealed);
    out
}

pub(crate) fn key_id(sealed: &[u8]) -> Result<KeyId, OpenError> {
    match sealed {
        [VERSION, a, b, c, d, ..] => Ok([*a, *b, *c, *d]),
        _ => Err(OpenError::Malformed),
    }
}

pub(crate) fn open(
    key: &RandomizedNonceKey,
    id: KeyId,
    place: &Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let body = sealed.get(1 + id.len()..).ok_or(OpenError::Malformed)?;
    let (nonce, ciphertext) = body.split_at_checked(NONCE_LEN).ok_or(OpenError::Malformed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Malformed)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let opened = key
        .open_in_place(nonce, Aad::from(associated_data(id, place)), &mut buffer)
        .map_err(|_| OpenError::NotAuthentic)?
        .len();
    buffer.truncate(opened);
    Ok(buffer)
}

/// Each part with its length before it, so that no two places share one encoding.
fn associated_data(id: KeyId, place: &Place<'_>) -> Vec<u8> {
    let generation = place.generation.to_be_bytes();
    let parts: [&[u8]; 5] =
        [place.credential.as_bytes(), place.field.as_bytes(), &generation, place.fingerprint, &id];
    let mut data = Vec::with_capacity(128);
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}
