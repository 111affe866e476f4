//! The vendors' vectors, and what must hold for every other message. The vectors stand in
//! `callback/vectors.json`; all of them were published by the platforms.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use tokenward_core::secret::Secret;
use tokenward_providers::wechat_callback::{AesKey, Callback, Format, Mode, Query, Refused, Stamp, sign};

fn vectors(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("callback/vectors.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().unwrap_or_default()
}

fn callback(vector: &Value, mode: Mode) -> Callback {
    Callback {
        mode,
        token: Secret::new(text(vector, "token")),
        keys: vector["aes_key"].as_str().map(|key| AesKey::parse(key).unwrap()).into_iter().collect(),
        receivers: vec![text(vector, "receiver").to_owned()],
    }
}

fn query(vector: &Value) -> Query {
    let optional = |name: &str| vector[name].as_str().map(str::to_owned);
    Query {
        timestamp: text(vector, "timestamp").to_owned(),
        nonce: text(vector, "nonce").to_owned(),
        signature: optional("signature"),
        msg_signature: optional("msg_signature"),
        echostr: optional("echostr"),
    }
}

fn envelope(vector: &Value) -> String {
    let encrypt = text(vector, "encrypt");
    match text(vector, "format") {
        "json" => format!("{{\"ToUserName\":\"gh_1\",\"Encrypt\":\"{encrypt}\"}}"),
        _ => format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
        ),
    }
}

#[test]
fn handshakes_are_echoed() {
    for vector in vectors("handshakes") {
        let echoed = callback(&vector, Mode::Secure).greet(&query(&vector));
        assert_eq!(echoed, Ok(text(&vector, "answer").to_owned()), "{}", vector["name"]);
    }
}

#[test]
fn a_handshake_with_another_signature_is_refused() {
    for mut vector in vectors("handshakes") {
        vector["token"] = "other".into();
        let refused = callback(&vector, Mode::Secure).greet(&query(&vector));
        assert_eq!(refused, Err(Refused::BadSignature), "{}", vector["name"]);
    }
}

#[test]
fn plain_messages_are_read() {
    for vector in vectors("plain") {
        let body = "<xml><MsgType>event</MsgType><Event>subscribe</Event></xml>";
        let message = callback(&vector, Mode::Plain).open(&query(&vector), body.as_bytes()).unwrap();
        assert_eq!((message.text.as_str(), message.kind.as_str()), (body, "event:subscribe"));
    }
}

#[test]
fn encrypted_messages_are_read_to_the_byte() {
    for vector in vectors("encrypted") {
        for mode in [Mode::Secure, Mode::Compatible] {
            let message =
                callback(&vector, mode).open(&query(&vector), envelope(&vector).as_bytes()).unwrap();
            assert_eq!(message.text, text(&vector, "text"), "{}", vector["name"]);
            assert_eq!(message.text.len() as u64, vector["length"].as_u64().unwrap());
            assert_eq!(message.kind, text(&vector, "kind"));
            assert_eq!(message.format.as_str(), text(&vector, "format"));
        }
    }
}

#[test]
fn answers_are_the_vendors_to_the_byte() {
    for vector in vectors("answers") {
        let callback = callback(&vector, Mode::Secure);
        let nonce = text(&vector, "nonce");
        let random = text(&vector, "random").as_bytes().try_into().unwrap();
        let message =
            callback.open(&signed_query(&vector, &own(&vector)), own_envelope(&vector).as_bytes()).unwrap();
        let stamp = Stamp { timestamp: vector["timestamp"].as_i64().unwrap(), nonce, random };
        let answer = callback.answer(&message, text(&vector, "text"), &stamp).unwrap();
        let (encrypt, signature) = (text(&vector, "encrypt"), text(&vector, "msg_signature"));
        let made = sign(&[text(&vector, "token"), &vector["timestamp"].to_string(), nonce, encrypt]);
        if !signature.is_empty() {
            assert_eq!(made, signature, "{}", vector["name"]);
        }
        let expected = match message.format {
            Format::Json => format!(
                "{{\"Encrypt\":\"{encrypt}\",\"MsgSignature\":\"{made}\",\"TimeStamp\":{},\"Nonce\":\"{nonce}\"}}",
                vector["timestamp"]
            ),
            Format::Xml => format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{made}]]></MsgSignature>\
                 <TimeStamp>{}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>",
                vector["timestamp"]
            ),
        };
        assert_eq!(answer, expected, "{}", vector["name"]);
    }
}

/// An encrypted empty message for the receiver of a vector.
fn own(vector: &Value) -> String {
    let inner = if vector["format"] == "json" { "{}" } else { "<xml/>" };
    encrypt_for(text(vector, "aes_key"), inner, text(vector, "receiver"))
}

/// The platform's layout by another hand: aws-lc's own padding, cut off behind ours.
fn encrypt_for(key: &str, inner: &str, receiver: &str) -> String {
    use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
    use base64::Engine as _;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let key = engine.decode(format!("{key}=")).unwrap();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let mut plain =
        [b"0123456789abcdef".as_slice(), &(inner.len() as u32).to_be_bytes(), inner.as_bytes()].concat();
    plain.extend_from_slice(receiver.as_bytes());
    let padding = 32 - plain.len() % 32;
    plain.extend(vec![padding as u8; padding]);
    let length = plain.len();
    let unbound = UnboundCipherKey::new(&AES_256, &key).unwrap();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(unbound).unwrap();
    cipher.less_safe_encrypt(&mut plain, EncryptionContext::Iv128(iv.into())).unwrap();
    engine.encode(&plain[..length])
}

fn signed_query(vector: &Value, encrypt: &str) -> Query {
    let nonce = text(vector, "nonce").to_owned();
    let signature = sign(&[text(vector, "token"), "1700000000", &nonce, encrypt]);
    Query { timestamp: "1700000000".to_owned(), nonce, msg_signature: Some(signature), ..Query::default() }
}

fn own_envelope(vector: &Value) -> String {
    let mut with = vector.clone();
    with["encrypt"] = own(vector).into();
    envelope(&with)
}

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const OLD_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn ours(keys: &[&str]) -> Callback {
    Callback {
        mode: Mode::Secure,
        token: Secret::new("spamtest"),
        keys: keys.iter().map(|key| AesKey::parse(key).unwrap()).collect(),
        receivers: vec!["wxours".to_owned()],
    }
}

fn send(callback: &Callback, key: &str, inner: &str, receiver: &str) -> Result<String, Refused> {
    let encrypt = encrypt_for(key, inner, receiver);
    let signature = sign(&["spamtest", "1700000000", "abc", &encrypt]);
    let query = Query {
        timestamp: "1700000000".to_owned(),
        nonce: "abc".to_owned(),
        msg_signature: Some(signature),
        ..Query::default()
    };
    let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
    callback.open(&query, body.as_bytes()).map(|message| message.text)
}

#[test]
fn the_previous_key_still_opens() {
    assert_eq!(send(&ours(&[KEY, OLD_KEY]), OLD_KEY, "<xml/>", "wxours"), Ok("<xml/>".to_owned()));
}

#[test]
fn a_message_for_another_receiver_is_refused() {
    assert_eq!(send(&ours(&[KEY]), KEY, "<xml/>", "wxother"), Err(Refused::NotForUs));
}

#[test]
fn a_message_under_an_unknown_key_is_refused() {
    assert_eq!(send(&ours(&[KEY]), OLD_KEY, "<xml/>", "wxours"), Err(Refused::Undecipherable));
}

#[test]
fn a_document_type_is_refused_inside_too() {
    let bomb = "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml>&a;</xml>";
    assert!(matches!(send(&ours(&[KEY]), KEY, bomb, "wxours"), Err(Refused::Malformed(_))));
}

#[test]
fn depth_is_no_danger() {
    for deep in ["<a>".repeat(4_000) + &"</a>".repeat(4_000), "[".repeat(20_000), "<a>".repeat(20_000)] {
        drop(send(&ours(&[KEY]), KEY, &deep, "wxours"));
    }
}

#[test]
fn in_secure_mode_the_plain_signature_is_worth_nothing() {
    let callback = ours(&[KEY]);
    let query = Query {
        timestamp: "1700000000".to_owned(),
        nonce: "abc".to_owned(),
        signature: Some(callback.sign_plain("1700000000", "abc")),
        ..Query::default()
    };
    assert_eq!(callback.open(&query, b"<xml/>"), Err(Refused::Unsigned));
}

#[test]
fn an_encrypted_message_cannot_be_had_decrypted_as_an_echo() {
    let encrypt = encrypt_for(KEY, "<xml>private</xml>", "wxours");
    let signature = sign(&["spamtest", "1700000000", "abc", &encrypt]);
    let query = Query {
        timestamp: "1700000000".to_owned(),
        nonce: "abc".to_owned(),
        msg_signature: Some(signature),
        echostr: Some(encrypt),
        ..Query::default()
    };
    assert!(matches!(ours(&[KEY]).greet(&query), Err(Refused::Malformed(_))));
}

#[test]
fn a_key_has_43_characters() {
    for wrong in ["", "abc", &KEY[1..], &format!("{KEY}H"), &KEY.replace('a', "!"), &KEY.replace("ab", "é")]
    {
        assert!(AesKey::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(format!("{:?}", AesKey::parse(KEY).unwrap()), "AesKey(…)");
}

#[test]
fn a_query_is_read_with_its_escapes() {
    let query = Query::parse("signature=ab&openid=x&timestamp=12&nonce=34&echostr=a%2Bb%3D").unwrap();
    assert_eq!(query.echostr.as_deref(), Some("a+b="));
    assert_eq!(query.unix_seconds(), Some(12));
}

#[test]
fn a_query_without_its_parts_is_refused() {
    for wrong in [
        "",
        "timestamp=1",
        "nonce=1",
        "timestamp=x&nonce=1",
        "timestamp=1&nonce=",
        "timestamp=1&nonce=a%5D%5D",
        "timestamp=1&timestamp=2&nonce=1",
        "timestamp=-1&nonce=1",
        "timestamp=9999999999999&nonce=1",
    ] {
        assert!(Query::parse(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_sent_nothing_panics_and_nothing_unsigned_is_read(query in ".{0,200}", body in vec(any::<u8>(), 0..300)) {
        if let Ok(query) = Query::parse(&query) {
            prop_assert!(ours(&[KEY]).open(&query, &body).is_err());
            prop_assert!(ours(&[KEY]).greet(&query).is_err());
        }
    }

    #[test]
    fn whatever_a_key_is_given_to_open_nothing_panics(bytes in vec(any::<u8>(), 0..200)) {
        use base64::Engine as _;
        let encrypt = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let signature = sign(&["spamtest", "1", "2", &encrypt]);
        let query = Query { timestamp: "1".to_owned(), nonce: "2".to_owned(), msg_signature: Some(signature), ..Query::default() };
        let body = format!("{{\"Encrypt\":\"{encrypt}\"}}");
        prop_assert!(ours(&[KEY, OLD_KEY]).open(&query, body.as_bytes()).is_err());
    }

    #[test]
    fn what_one_hand_encrypts_the_other_reads(inner in "[a-z]{0,70}") {
        let inner = format!("<xml><a>{inner}</a></xml>");
        prop_assert_eq!(send(&ours(&[KEY]), KEY, &inner, "wxours"), Ok(inner));
    }
}
