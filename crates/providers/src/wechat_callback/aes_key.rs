//! The EncodingAESKey: AES-256-CBC with padding to blocks of 32 bytes around a text and its receiver.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::LENIENT;

/// A key that was agreed with the platform.
#[derive(Clone)]
pub struct AesKey(Zeroizing<[u8; 32]>);

/// The text is no EncodingAESKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an EncodingAESKey has 43 letters and digits")]
pub struct BadAesKey;

const LENGTH: usize = 43;
const RANDOM: usize = 16;
const HEAD: usize = RANDOM + 4;
/// Padding fills blocks of this length, although those of the cipher are half as long.
const BLOCK: usize = 32;

impl AesKey {
    /// Reads the 43 characters that the platform shows.
    ///
    /// # Errors
    /// They are not that.
    pub fn parse(text: &str) -> Result<AesKey, BadAesKey> {
        if text.len() != LENGTH {
            return Err(BadAesKey);
        }
        let padded = Zeroizing::new(format!("{text}="));
        let bytes = Zeroizing::new(LENIENT.decode(padded.as_bytes()).map_err(|_| BadAesKey)?);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(BadAesKey);
        }
        key.copy_from_slice(&bytes);
        Ok(AesKey(key))
    }

    /// The text and its receiver, if this key encrypted them.
    pub(super) fn decrypt(&self, encrypted: &[u8]) -> Option<(String, String)> {
        let context = DecryptionContext::Iv128(self.iv());
        let mut buffer = Zeroizing::new(encrypted.to_vec());
        let plain = DecryptingKey::cbc(self.unbound()?).ok()?.decrypt(&mut buffer, context).ok()?;
        let padding = usize::from(*plain.last()?);
        let (content, padded) = plain.split_at_checked(plain.len().checked_sub(padding)?)?;
        if padding > BLOCK || padded.iter().any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        let (head, rest) = content.split_at_checked(HEAD)?;
        let (_, length) = head.split_last_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (text, receiver) = rest.split_at_checked(length)?;
        let owned = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        Some((owned(text)?, owned(receiver)?))
    }

    /// A text for a receiver.
    pub(super) fn encrypt(&self, text: &str, receiver: &str, random: [u8; RANDOM]) -> Option<String> {
        let length = u32::try_from(text.len()).ok()?.to_be_bytes();
        let mut buffer = Zeroizing::new(Vec::with_capacity(HEAD + text.len() + receiver.len() + BLOCK));
        for part in [random.as_slice(), &length, text.as_bytes(), receiver.as_bytes()] {
            buffer.extend_from_slice(part);
        }
        let padding = BLOCK - buffer.len() % BLOCK;
        let padded = buffer.len() + padding;
        buffer.resize(padded, u8::try_from(padding).ok()?);
        let context = EncryptionContext::Iv128(self.iv());
        EncryptingKey::cbc(self.unbound()?).ok()?.less_safe_encrypt(&mut buffer, context).ok()?;
        Some(STANDARD.encode(&*buffer))
    }

    fn unbound(&self) -> Option<UnboundCipherKey> {
        UnboundCipherKey::new(&AES_256, self.0.as_slice()).ok()
    }

    /// The platform's choice: the first half of the key.
    fn iv(&self) -> FixedLength<16> {
        let mut iv = [0; 16];
        for (to, from) in iv.iter_mut().zip(self.0.iter()) {
            *to = *from;
        }
        FixedLength::from(iv)
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(…)")
    }
}
