//! Encryption of messages: AES-256-CBC around sixteen random bytes, a length, the text and whom it is for.

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

/// A key and, as documented, its first half as the initialization vector.
pub(super) struct Cipher {
    key: [u8; 32],
    iv: [u8; 16],
}

/// The documents' own sample keys end in bits that mean nothing and are not zero.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

impl Cipher {
    pub(super) fn parse(text: &str) -> Result<Cipher, String> {
        let wrong = || "\"aes_key\" is no EncodingAESKey: 43 letters and digits".to_owned();
        let bytes = BASE64.decode(format!("{text}=")).map_err(|_| wrong())?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
        let iv = *key.first_chunk().ok_or_else(wrong)?;
        Ok(Cipher { key, iv })
    }

    pub(super) fn encrypt(&self, text: &str, receiver: &str, random: &str) -> String {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let mut plain = random.as_bytes().to_vec();
        plain.extend(length.to_be_bytes());
        plain.extend(text.as_bytes());
        plain.extend(receiver.as_bytes());
        let filling = (32 - plain.len() % 32) as u8;
        plain.extend(std::iter::repeat_n(filling, filling.into()));
        let encryptor = cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.iv.into());
        BASE64.encode(encryptor.encrypt_padded_vec::<NoPadding>(&plain))
    }

    /// The text and whom it is for.
    pub(super) fn decrypt(&self, encrypted: &str) -> Option<(String, String)> {
        let encrypted = BASE64.decode(encrypted).ok()?;
        let decryptor = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.iv.into());
        let plain = decryptor.decrypt_padded_vec::<NoPadding>(&encrypted).ok()?;
        let filling = usize::from(*plain.last()?);
        let content = plain.get(16..plain.len().checked_sub(filling)?)?;
        let (length, rest) = content.split_first_chunk::<4>()?;
        let (text, receiver) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        Some((String::from_utf8(text.to_vec()).ok()?, String::from_utf8(receiver.to_vec()).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    /// Published by the platform.
    const SAMPLE: &str =
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";

    #[test]
    fn the_platforms_sample_is_encrypted_to_the_byte() {
        let cipher = Cipher::parse(KEY).unwrap();
        assert_eq!(cipher.encrypt("我是中文abcd123", "wxb11529c136998cb6", "aaaabbbbccccdddd"), SAMPLE);
    }

    #[test]
    fn the_platforms_sample_is_decrypted() {
        let (text, receiver) = Cipher::parse(KEY).unwrap().decrypt(SAMPLE).unwrap();
        assert_eq!((text.as_str(), receiver.as_str()), ("我是中文abcd123", "wxb11529c136998cb6"));
    }

    #[test]
    fn nonsense_is_not_decrypted() {
        for nonsense in ["", "AAAA", "jn1L23DB+6ELqJ+6bruv2w==", "!"] {
            assert_eq!(Cipher::parse(KEY).unwrap().decrypt(nonsense), None, "{nonsense}");
        }
    }
}
