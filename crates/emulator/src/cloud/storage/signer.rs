//! Signatures: of permits to upload, as COS has them, and of links to download.
//!
//! Nothing is remembered of what was signed: whatever this emulator signed is valid for its time, and nothing else is.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};

use super::place::Place;
use super::refusal::CosRefusal;
use crate::moment::Moment;

/// How long a permit to upload is valid.
const WINDOW: Duration = Duration::from_secs(900);
/// Whose signature it is.
const KEY_ID: &str = "AKIDTokenwardEmulator";

/// Signs, and recognises its own signatures.
pub(crate) struct Signer {
    secret: String,
}

/// What lets a client upload one file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Permit {
    /// The field `Signature`.
    pub(crate) authorization: String,
    /// The field `x-cos-security-token`.
    pub(crate) token: String,
    /// The field `x-cos-meta-fileid`.
    pub(crate) cos_file_id: String,
}

impl Signer {
    pub(crate) fn new(secret: String) -> Signer {
        Signer { secret }
    }

    /// Permits an upload from now on.
    pub(crate) fn permit(&self, place: &Place, now: Moment) -> Permit {
        let window = format!("{};{}", now.unix_seconds(), now.plus(WINDOW).unix_seconds());
        self.permit_for(place, &window)
    }

    /// Whether a permit is for this place and this time.
    pub(crate) fn check(&self, place: &Place, permit: &Permit, now: Moment) -> Result<(), CosRefusal> {
        let window = permit.authorization.split('&').find_map(|pair| pair.strip_prefix("q-sign-time="));
        let window = window.ok_or_else(|| CosRefusal::denied("The signature has no q-sign-time."))?;
        if *permit != self.permit_for(place, window) {
            return Err(CosRefusal::denied("Signature, token and file id are not those of this upload."));
        }
        // It is our own, so the window is as we write it.
        let ends = window.split_once(';').and_then(|(_, end)| end.parse::<i64>().ok());
        if ends.is_some_and(|ends| now.unix_seconds() <= ends) {
            return Ok(());
        }
        Err(CosRefusal::denied("Request has expired"))
    }

    /// What a link carries that is valid until a moment, in Unix seconds.
    pub(crate) fn link(&self, place: &Place, until: i64) -> String {
        hex(&sign(&self.secret, &format!("get\n{}\n{until}\n", place.object())))
    }

    fn permit_for(&self, place: &Place, window: &str) -> Permit {
        let key = hex(&sign(&self.secret, window));
        let request = format!("post\n/{}\n\n\n", place.object());
        let to_sign = format!("sha1\n{window}\n{}\n", hex(&Sha1::digest(request)));
        let signature = hex(&sign(&key, &to_sign));
        let authorization = format!(
            "q-sign-algorithm=sha1&q-ak={KEY_ID}&q-sign-time={window}&q-key-time={window}\
             &q-header-list=&q-url-param-list=&q-signature={signature}"
        );
        Permit {
            token: URL_SAFE_NO_PAD.encode(sign(&self.secret, &format!("token\n{signature}"))),
            cos_file_id: STANDARD.encode(sign(&self.secret, &format!("file\n{}", place.id()))),
            authorization,
        }
    }
}

/// The secret stays where it is.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// So do permits.
impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

fn sign(key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_557_307_130;

    fn at(seconds: i64) -> Moment {
        Moment::from_unix_seconds(START + seconds)
    }

    fn place(path: &str) -> Place {
        Place::new("test", path).unwrap()
    }

    fn signer() -> Signer {
        Signer::new("secret".to_owned())
    }

    #[test]
    fn a_signature_is_hmac_sha1() {
        // RFC 2202, test case 2.
        let code = hex(&sign("Jefe", "what do ya want for nothing?"));
        assert_eq!(code, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn an_authorization_has_the_documented_form() {
        let text = signer().permit(&place("a"), at(0)).authorization;
        let beginning = "q-sign-algorithm=sha1&q-ak=AKIDTokenwardEmulator&q-sign-time=1557307130;1557308030\
                         &q-key-time=1557307130;1557308030&q-header-list=&q-url-param-list=&q-signature=";
        assert_eq!(text.strip_prefix(beginning).map(str::len), Some(40));
    }

    #[test]
    fn a_permit_is_valid_for_its_window() {
        let permit = signer().permit(&place("a"), at(0));
        assert!(signer().check(&place("a"), &permit, at(900)).is_ok());
        assert!(signer().check(&place("a"), &permit, at(901)).is_err());
    }

    #[test]
    fn a_permit_is_for_one_place() {
        let permit = signer().permit(&place("a"), at(0));
        assert!(signer().check(&place("b"), &permit, at(0)).is_err());
    }

    #[test]
    fn every_part_of_a_permit_counts() {
        let good = signer().permit(&place("a"), at(0));
        let longer = good.authorization.replace("1557308030", "1957308030");
        for bad in [
            Permit { authorization: longer, ..good.clone() },
            Permit { authorization: String::new(), ..good.clone() },
            Permit { token: "other".to_owned(), ..good.clone() },
            Permit { cos_file_id: String::new(), ..good.clone() },
        ] {
            assert!(signer().check(&place("a"), &bad, at(0)).is_err());
        }
    }

    #[test]
    fn another_emulator_signs_otherwise() {
        let other = Signer::new("other".to_owned());
        assert!(signer().check(&place("a"), &other.permit(&place("a"), at(0)), at(0)).is_err());
        assert_ne!(signer().link(&place("a"), START), other.link(&place("a"), START));
    }
}
