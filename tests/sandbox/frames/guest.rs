//! The real guest, in a real sandbox, against a host that breaks the protocol: it ends, and
//! the sandbox with it.

use crate::sandbox::lab::{Lab, request, spec};
use crate::support::synthd;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::time::Duration;
use synthd::sandbox::guest::GuestClient;
use synthd::sandbox::guest::wire::{
    MAX_FRAME, PROTOCOL, PayloadWriter, TUNNELLED, encode, kind, tree,
};
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::model::{FaultKind, SandboxLimits};
use synthd_actors::ports::SandboxBackend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Reached only by a guest that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn lay(path: &[u8], kind: u8) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer.u8(tree::WORKSPACE).u8(kind).bytes(path).u32(0o644).bytes(b"x");
    writer.0
}

/// A part of a file.
fn part(offset: u64, path: &[u8], content: usize) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer.u64(offset).u8(0).bytes(path).bytes(&vec![0; content]);
    writer.0
}

/// A service of this name.
fn service(name: &str) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer.u8(1).u64(1).bytes(b"/bin/sh").bytes(name.as_bytes()).bytes(b"true").bytes(b"true");
    writer.0
}

fn broken() -> Vec<Vec<u8>> {
    let frame = |kind, payload: &[u8]| encode(1, kind, payload);
    vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 4],
        4_u32.to_le_bytes().to_vec(),
        ((MAX_FRAME + 1) as u32).to_le_bytes().to_vec(),
        frame(0, b""),
        frame(99, b""),
        frame(kind::PONG, b""),
        frame(kind::PING, b"x"),
        frame(kind::EXEC, b""),
        frame(kind::EXEC, &[0xff; 40]),
        frame(kind::CLEAR, b""),
        frame(kind::CLEAR, &[9]),
        frame(kind::CLEAR, &[1, 1]),
        frame(kind::TUNNEL, b""),
        frame(kind::TUNNEL, &70_000_u32.to_le_bytes()),
        encode(TUNNELLED | 1, kind::DATA, b"x"),
        encode(TUNNELLED | 1, kind::RESET, b""),
        frame(kind::START, b""),
        frame(kind::AWAIT, &[1]),
        frame(kind::STOP, b""),
        frame(kind::PACK, &[0; 3]),
        frame(kind::PACK, &[0; 40]),
        frame(kind::LAY, b""),
        frame(kind::LAY, &[7, 1]),
        frame(kind::LAY, &lay(b"../x", 1)),
        frame(kind::LAY, &lay(b"/etc/x", 1)),
        frame(kind::LAY, &lay(b"", 1)),
        frame(kind::LAY, &lay(b"a\0b", 1)),
        frame(kind::LAY, &lay(b"a", 9)),
        frame(kind::LAY, &lay(b"a", 2)),
        frame(kind::READ, b""),
        frame(kind::READ, &[0; 13]),
        frame(kind::WRITE, b""),
        frame(kind::WRITE, &part(1, b"/work/f", 1)),
        frame(kind::LIST, &[0; 11]),
        frame(kind::KEYS, b""),
        frame(kind::KEYS, &[0xff; 60]),
        frame(kind::SERVICE, b""),
        frame(kind::SERVICE, &service("../x")),
        frame(kind::SERVICE, &service("")),
    ]
}

#[tokio::test]
async fn a_host_that_breaks_the_protocol_ends_the_guest() {
    let lab = Lab::new().await;
    let bare = NamespaceBackend::new(synthd());
    for bytes in broken() {
        let mut stream = bare.connect(&spec()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let said = to_the_end(&mut stream).await;
        assert!(said.is_empty(), "{bytes:?} was answered by {said:?}");
        let mut client = GuestClient::new(stream);
        let outcome =
            client.exec(&request("true", PATIENCE), "/bin/sh", &SandboxLimits::default()).await;
        assert_eq!(outcome.unwrap_err().kind, FaultKind::SandboxLost);
    }
    lab.is_well().await;
}

/// All the guest says until it closes.
async fn to_the_end(stream: &mut UnixStream) -> Vec<u8> {
    let mut said = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    if let Err(error) = read.expect("the guest neither answers nor ends") {
        // It closed with bytes of ours unread.
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    said
}

#[tokio::test]
async fn frames_cut_short_end_the_guest_with_the_stream() {
    let lab = Lab::new().await;
    let bare = NamespaceBackend::new(synthd());
    let whole = encode(1, kind::PING, b"");
    for cut in 0..whole.len() {
        let mut stream = bare.connect(&spec()).await.unwrap();
        stream.write_all(&whole[..cut]).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(to_the_end(&mut stream).await, b"");
    }
    bare.settle().await.unwrap();
    lab.is_well().await;
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_order() {
    let bare = NamespaceBackend::new(synthd());
    let mut stream = bare.connect(&spec()).await.unwrap();
    let pings: Vec<u8> = (1..=3).flat_map(|id| encode(id, kind::PING, b"")).collect();
    stream.write_all(&pings).await.unwrap();
    let mut said = vec![0; 3 * 14];
    stream.read_exact(&mut said).await.unwrap();
    for (frame, id) in said.chunks(14).zip(1..) {
        let mut pong = PayloadWriter::default();
        pong.u32(PROTOCOL).u8(frame[13]);
        assert_eq!(frame, encode(id, kind::PONG, &pong.0));
    }
}

/// Parts of a file that do not follow each other, and more of them than a file may have.
#[tokio::test]
async fn parts_of_a_file_must_follow_each_other() {
    let bare = NamespaceBackend::new(synthd());
    let whole: Vec<Vec<u8>> =
        (0..17).map(|number| part(number << 20, b"/work/f", 1 << 20)).collect();
    let gap = vec![whole[0].clone(), part(2 << 20, b"/work/f", 1)];
    let other = vec![whole[0].clone(), part(1 << 20, b"/work/g", 1)];
    for (answered, parts) in [(1, gap), (1, other), (16, whole)] {
        let mut stream = bare.connect(&spec()).await.unwrap();
        for (payload, id) in parts.iter().zip(1..) {
            stream.write_all(&encode(id, kind::WRITE, payload)).await.unwrap();
        }
        let expected: Vec<u8> =
            (1..=answered).flat_map(|id| encode(id, kind::DONE, &[0; 4])).collect();
        assert_eq!(to_the_end(&mut stream).await, expected);
    }
}

#[test]
fn no_babble_hangs_the_guest() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::new());
    let bare = NamespaceBackend::new(synthd());
    let babble = (
        prop::collection::vec(any::<u8>(), 0..300),
        prop::option::of(prop::sample::select((1_u8..=17).collect::<Vec<_>>())),
    );
    let mut runner =
        TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&babble, |(bytes, framed)| {
        let bytes = framed.map_or(bytes.clone(), |kind| encode(1, kind, &bytes));
        runtime.block_on(async {
            let mut stream = bare.connect(&spec()).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            // It may have ended by now, of what it has read.
            stream.shutdown().await.ok();
            to_the_end(&mut stream).await;
        });
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(lab.is_well());
}
