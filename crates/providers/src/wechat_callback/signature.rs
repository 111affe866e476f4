//! Signatures: the SHA-1 of sorted parts, in hexadecimal.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::Refused;

/// The signature of some parts. They are sorted byte by byte and written one after another.
#[must_use]
pub fn sign(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, sorted.concat().as_bytes());
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a signature is that of these parts, in constant time.
pub(super) fn check(signature: &str, parts: &[&str]) -> Result<(), Refused> {
    verify_slices_are_equal(signature.as_bytes(), sign(parts).as_bytes()).map_err(|_| Refused::BadSignature)
}
