//! What the object storage takes, and what it refuses.

use super::*;

fn denied() -> (u16, String) {
    (403, "AccessDenied".to_owned())
}

fn malformed() -> (u16, String) {
    (400, "MalformedPOSTRequest".to_owned())
}

#[tokio::test]
async fn success_is_204_without_a_body() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let answer = kit.post(&ticket, &ticket.form(b"hello")).await;
    assert_eq!((answer.status(), answer.body.len()), (204, 0));
    // MD5, as the platform has it.
    assert_eq!(answer.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
}

#[tokio::test]
async fn a_put_is_taken_with_200() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("dir/a").await;
    let answer = kit.put(&ticket, b"hello").await;
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
    assert_eq!(kit.content("dir/a").await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_put_with_another_key_is_refused() {
    let kit = Kit::new().await;
    let ticket = Ticket { path: "b".to_owned(), ..kit.ticket("a").await };
    assert_eq!(kit.put(&ticket, b"x").await.refusal(), denied());
}

#[tokio::test]
async fn texts_may_carry_a_file_name() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let text = |name: &str, value: &str| part(name, &format!("; filename=\"{name}\""), value.as_bytes());
    let form = [
        text("key", "a"),
        text("Signature", &ticket.authorization),
        text("x-cos-security-token", &ticket.token),
        text("x-cos-meta-fileid", &ticket.cos_file_id),
        text("file", "content"),
        b"--XX--\r\n".to_vec(),
    ];
    assert_eq!(kit.post(&ticket, &form.concat()).await.status(), 204);
    assert_eq!(kit.content("a").await.unwrap(), b"content");
}

#[tokio::test]
async fn texts_come_in_any_order() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let mut texts = ticket.texts();
    texts.reverse();
    let form = [texts.concat(), part("file", "", b"x"), b"--XX--".to_vec()].concat();
    assert_eq!(kit.post(&ticket, &form).await.status(), 204);
}

#[tokio::test]
async fn what_follows_the_file_is_ignored() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let rest = [part("key", "", b"other"), part("file", "", b"other"), b"--XX--".to_vec()].concat();
    let form = [ticket.texts().concat(), part("file", "", b"x"), rest].concat();
    assert_eq!(kit.post(&ticket, &form).await.status(), 204);
    assert_eq!(kit.content("a").await.unwrap(), b"x");
}

fn file_first(ticket: &Ticket) -> Vec<u8> {
    [part("file", "", b"x"), ticket.texts().concat(), b"--XX--".to_vec()].concat()
}

#[tokio::test]
async fn a_file_before_the_texts_is_refused() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    assert_eq!(kit.post(&ticket, &file_first(&ticket)).await.refusal(), malformed());
}

async fn lenient() -> Kit {
    Kit::with(CloudSettings { file_part_first: FilePartFirst::Accept, ..CloudSettings::default() }).await
}

#[tokio::test]
async fn a_file_before_the_texts_is_accepted_when_told_so() {
    let kit = lenient().await;
    let ticket = kit.ticket("a").await;
    assert_eq!(kit.post(&ticket, &file_first(&ticket)).await.status(), 204);
    assert_eq!(kit.content("a").await.unwrap(), b"x");
}

#[tokio::test]
async fn a_file_before_wrong_texts_is_refused_all_the_same() {
    let kit = lenient().await;
    let ticket = Ticket { token: "other".to_owned(), ..kit.ticket("a").await };
    assert_eq!(kit.post(&ticket, &file_first(&ticket)).await.refusal(), denied());
    assert_eq!(kit.content("a").await, None);
}

#[tokio::test]
async fn what_is_not_permitted_is_refused() {
    let kit = Kit::new().await;
    let (good, other) = (kit.ticket("a").await, kit.ticket("b").await);
    for bad in [
        Ticket { authorization: other.authorization, ..good.clone() },
        Ticket { authorization: "q-sign-time=".to_owned(), ..good.clone() },
        Ticket { token: String::new(), ..good.clone() },
        Ticket { cos_file_id: other.cos_file_id, ..good.clone() },
        Ticket { path: "b".to_owned(), ..good.clone() },
        Ticket { target: other.target, ..good.clone() },
    ] {
        assert_eq!(kit.post(&bad, &bad.form(b"x")).await.refusal(), denied(), "{bad:?}");
        assert_eq!(kit.put(&bad, b"x").await.refusal(), denied(), "{bad:?}");
    }
    assert_eq!((kit.content("a").await, kit.content("b").await), (None, None));
}

#[tokio::test]
async fn another_emulators_permit_is_refused() {
    let (one, other) = (Kit::new().await, Kit::new().await);
    let ticket = one.ticket("a").await;
    assert_eq!(other.post(&ticket, &ticket.form(b"x")).await.refusal(), denied());
}

#[tokio::test]
async fn a_permit_lasts_a_quarter_of_an_hour() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    kit.emulator.control().advance(seconds(890));
    assert_eq!(kit.post(&ticket, &ticket.form(b"x")).await.status(), 204);
    kit.emulator.control().advance(seconds(11));
    let answer = kit.post(&ticket, &ticket.form(b"y")).await;
    assert_eq!(answer.refusal(), denied());
    assert!(String::from_utf8_lossy(&answer.body).contains("<Message>Request has expired</Message>"));
}

#[tokio::test]
async fn a_form_without_its_end_is_refused_and_the_old_file_stays() {
    let kit = Kit::new().await;
    kit.upload("a", b"old").await;
    let ticket = kit.ticket("a").await;
    let form = ticket.form(b"new");
    let half = &form[..form.len() - b"\r\n--XX--\r\n".len()];
    assert_eq!(kit.post(&ticket, half).await.refusal(), malformed());
    assert_eq!(kit.content("a").await.unwrap(), b"old");
}

#[tokio::test]
async fn a_connection_that_ends_early_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    kit.upload("a", b"old").await;
    let ticket = kit.ticket("a").await;
    let Ticket { authorization, token, cos_file_id, target, .. } = &ticket;
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nSignature: {authorization}\r\n\
         x-cos-security-token: {token}\r\nx-cos-meta-fileid: {cos_file_id}\r\n\r\nonly this"
    );
    kit.hang_up_after(head.as_bytes()).await;
    assert_eq!(kit.content("a").await.unwrap(), b"old");
    // What was written of the new one goes when the emulator has noticed.
    while std::fs::read_dir(folder.path().join("files/test")).unwrap().count() > 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let headers = "Content-Type: application/json\r\n";
    assert_eq!(kit.request("POST", &ticket.target, headers, b"{}").await.refusal(), malformed());
    assert_eq!(kit.post(&ticket, b"").await.refusal(), malformed());
    let without_file = [ticket.texts().concat(), b"--XX--".to_vec()].concat();
    assert_eq!(kit.post(&ticket, &without_file).await.refusal(), malformed());
}

#[tokio::test]
async fn what_says_that_it_is_too_large_is_not_read() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999\r\n\
         Expect: 100-continue\r\nContent-Type: multipart/form-data; boundary=XX\r\n\r\n",
        ticket.target
    );
    let answer = kit.try_send(head.as_bytes()).await.unwrap();
    assert_eq!(answer.refusal(), (400, "EntityTooLarge".to_owned()));
}

#[tokio::test]
async fn a_refusal_is_read_by_a_client_that_was_asked_for_the_body_and_sends_it() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    // Refused at the beginning of the file, which goes on for longer than a connection holds by itself.
    let form = [part("file", "", &vec![b'x'; 16 << 20]), b"--XX--".to_vec()].concat();
    let headers = "Expect: 100-continue\r\nContent-Type: multipart/form-data; boundary=XX\r\n";
    let answer = kit.request("POST", &ticket.target, headers, &form).await;
    assert!(answer.head.starts_with("HTTP/1.1 100"), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.body).starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a").await;
    let answer = kit.request("DELETE", &ticket.target, "", b"").await;
    assert_eq!(answer.refusal(), (405, "MethodNotAllowed".to_owned()));
}

#[tokio::test]
async fn a_new_file_takes_the_place_of_the_old_one() {
    let kit = Kit::new().await;
    kit.upload("a", b"old").await;
    kit.upload("a", b"new").await;
    assert_eq!(kit.content("a").await.unwrap(), b"new");
}

#[tokio::test]
async fn uploads_of_one_path_at_once_leave_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    let one = async { kit.upload("a", &[b'1'; 200_000]).await };
    let two = async { kit.upload("a", &[b'2'; 200_000]).await };
    let three = async { kit.upload("a", &[b'3'; 200_000]).await };
    tokio::join!(one, two, three);
    let content = kit.content("a").await.unwrap();
    assert!(content.len() == 200_000 && content.iter().all(|byte| *byte == content[0]));
    assert_eq!(std::fs::read_dir(folder.path().join("files/test")).unwrap().count(), 2);
}
