//! What is on disk: through restarts and crashes, within the folder, and never in memory as a whole.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("files/test")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn files_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    kit.upload("a", b"kept").await;
    kit.emulator.stop().await;
    assert_eq!(Kit::in_folder(folder.path()).await.content("a").await.unwrap(), b"kept");
}

#[tokio::test]
async fn a_file_is_replaced_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    kit.upload("a", b"old").await;
    kit.emulator.stop().await;
    let kit = Kit::in_folder(folder.path()).await;
    kit.upload("a", b"new").await;
    assert_eq!(kit.content("a").await.unwrap(), b"new");
    assert_eq!(names(folder.path()).len(), 2);
}

#[tokio::test]
async fn what_a_crash_left_over_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    kit.upload("a", b"kept").await;
    kit.emulator.stop().await;
    let env = folder.path().join("files/test");
    let hash = names(folder.path())[0].split('.').next().unwrap().to_owned();
    fs::write(env.join(format!("{hash}.99")), "half").unwrap();
    fs::write(env.join(format!("{hash}.99.draft")), "{").unwrap();
    fs::write(env.join("notes.txt"), "somebody's").unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    assert_eq!(kit.content("a").await.unwrap(), b"kept");
    let mut left = names(folder.path());
    left.sort();
    assert_eq!(left, [format!("{hash}.1"), format!("{hash}.json"), "notes.txt".to_owned()]);
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::in_folder(folder.path()).await;
    let long = "a".repeat(850);
    for path in ["../../../a", "a/../../../../b", "A", long.as_str()] {
        kit.upload(path, path.as_bytes()).await;
        assert_eq!(kit.content(path).await.unwrap(), path.as_bytes());
    }
    assert_eq!(names(folder.path()).len(), 8);
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let others = entries.filter(|name| !name.to_string_lossy().starts_with("database.sqlite"));
    assert_eq!(others.collect::<Vec<_>>(), ["files"]);
}

#[tokio::test]
async fn without_a_folder_nothing_is_left_when_it_stops() {
    let kit = Kit::new().await;
    kit.upload("only-of-this-test", b"x").await;
    let folders =
        fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let folders: Vec<_> = folders.filter(|path| holds(path)).collect();
    kit.emulator.stop().await;
    assert!(folders.iter().all(|path| !path.exists()), "{folders:?}");
    assert!(!folders.is_empty());
}

/// Whether a folder is a temporary one of an emulator that has our file.
fn holds(folder: &Path) -> bool {
    let env = folder.join("test");
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tokenward-emulator-"))
        && fs::read_dir(env).is_ok_and(|entries| {
            entries.filter_map(Result::ok).any(|entry| {
                fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("only-of-this-test"))
            })
        })
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_large_file_passes_in_little_memory() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 2_000;
    let kit = Kit::new().await;
    let ticket = kit.ticket("large").await;
    let small = kit.upload("small", &[1; CHUNK]).await;
    kit.get(&kit.link(&small, 60).await, "").await;
    let before = peak();

    let form = ticket.form(b"");
    let (head, tail) = form.split_at(form.len() - b"\r\n--XX--\r\n".len());
    let length = form.len() + CHUNK * CHUNKS;
    let mut stream = TcpStream::connect(kit.emulator.address()).await.unwrap();
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\n\r\n",
        ticket.target
    );
    stream.write_all(&[request.as_bytes(), head].concat()).await.unwrap();
    for _ in 0..CHUNKS {
        stream.write_all(&[b'\r'; CHUNK]).await.unwrap();
    }
    stream.write_all(tail).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");

    let link = kit.link(&ticket.file_id, 60).await;
    let mut stream = TcpStream::connect(kit.emulator.address()).await.unwrap();
    let request = format!("GET {link} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut buffer, mut received) = (vec![0; CHUNK], 0);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            count => received += count,
        }
    }
    assert!(received > CHUNK * CHUNKS);
    let grown = peak() - before;
    assert!(grown < 20 * 1024, "the process grew by {grown} KiB");
}
