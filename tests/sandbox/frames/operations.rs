//! The client's operations against a guest made of bytes: whatever comes, a typed fault or an
//! answer within what was asked for.

use super::fake::client;
use proptest::prelude::*;
use std::time::Duration;
use synthd::sandbox::guest::wire::{
    LISTED_PATHS, PayloadWriter, SHOWN_KEPT, encode, kind, listed, refusal,
};
use synthd_actors::model::{
    DirectoryRead, Fault, FaultKind, FileRead, FileWrite, OperationReport, OperationResult,
    RefusalKind, SandboxLimits, SandboxOperation, TerminalInput,
};

fn read(max_bytes: u64) -> SandboxOperation {
    SandboxOperation::ReadFile(FileRead { path: "/work/f".to_owned(), max_bytes })
}

fn write(length: usize) -> SandboxOperation {
    SandboxOperation::WriteFile(FileWrite { path: "/work/f".to_owned(), content: vec![7; length] })
}

fn list(max_entries: u32) -> SandboxOperation {
    SandboxOperation::ListDirectory(DirectoryRead {
        path: "/work".to_owned(),
        depth: 1,
        max_entries,
    })
}

fn keys() -> SandboxOperation {
    SandboxOperation::SendKeys(TerminalInput {
        terminal: "main".to_owned(),
        keys: b"ls\n".to_vec(),
        size: (80, 24),
        quiet: Duration::from_millis(1),
        timeout: Duration::from_secs(1),
    })
}

fn all() -> [SandboxOperation; 4] {
    [read(100), write(10), list(10), keys()]
}

/// What the client makes of frames that answer its first request.
async fn answered(
    operation: &SandboxOperation,
    frames: &[(u8, Vec<u8>)],
) -> Result<OperationReport, Fault> {
    let bytes = frames.iter().flat_map(|(kind, payload)| encode(1, *kind, payload)).collect();
    let limits = SandboxLimits::default();
    client(bytes, true).perform(operation, "/bin/sh", &limits).await
}

fn refused(code: u8, message: &[u8]) -> (u8, Vec<u8>) {
    let mut writer = PayloadWriter::default();
    writer.u8(code).bytes(message);
    (kind::REFUSED, writer.0)
}

fn entries(list: &[(u8, &[u8])]) -> (u8, Vec<u8>) {
    let mut writer = PayloadWriter::default();
    writer.u64(3);
    for (kind, path) in list {
        writer.u8(*kind).u64(9).bytes(path);
    }
    (kind::LISTED, writer.0)
}

/// A scan of an empty workspace.
fn scan(writer: &mut PayloadWriter) {
    writer.u8(1).u64(7).u32(0).u32(0).u32(0);
}

fn shown(alive: u8, bytes: &[u8]) -> (u8, Vec<u8>) {
    let mut writer = PayloadWriter::default();
    writer.u8(alive).u64(5).bytes(bytes);
    scan(&mut writer);
    (kind::SHOWN, writer.0)
}

fn written() -> (u8, Vec<u8>) {
    let mut writer = PayloadWriter::default();
    scan(&mut writer);
    (kind::WRITTEN, writer.0)
}

fn done() -> (u8, Vec<u8>) {
    (kind::DONE, vec![0; 4])
}

fn part(length: usize) -> (u8, Vec<u8>) {
    (kind::CONTENT, vec![b'x'; length])
}

#[tokio::test]
async fn right_answers_are_read() {
    let file = answered(&read(100), &[part(60), part(40), done()]).await.unwrap();
    assert_eq!(file.result, OperationResult::File(vec![b'x'; 100]));
    assert_eq!(answered(&read(0), &[done()]).await.unwrap().result, OperationResult::File(vec![]));
    let report = answered(&write(10), &[written()]).await.unwrap();
    assert_eq!((report.result, report.scan.unwrap().digest), (OperationResult::Written, 7));
    let names = [(listed::OTHER, &b"b"[..]), (listed::SYMLINK, b"a\xff")];
    let report = answered(&list(2), &[entries(&names)]).await.unwrap();
    let OperationResult::Listed(list) = report.result else { panic!("{:?}", report.result) };
    let paths: Vec<&str> = list.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!((paths, list.left_out), (vec!["a\u{fffd}", "b"], 3));
    let report = answered(&keys(), &[shown(0, b"\x1b[1m")]).await.unwrap();
    let OperationResult::Shown(output) = report.result else { panic!("{:?}", report.result) };
    assert_eq!(
        (output.bytes.as_slice(), output.dropped, output.alive),
        (&b"\x1b[1m"[..], 5, false)
    );
}

#[tokio::test]
async fn a_refusal_is_a_result() {
    let kinds = [
        (refusal::NOT_FOUND, RefusalKind::NotFound),
        (refusal::IS_DIRECTORY, RefusalKind::IsDirectory),
        (refusal::NOT_DIRECTORY, RefusalKind::NotDirectory),
        (refusal::NOT_REGULAR, RefusalKind::NotRegular),
        (refusal::TOO_LARGE, RefusalKind::TooLarge),
        (refusal::FAILED, RefusalKind::Failed),
    ];
    for operation in all() {
        for (code, kind) in kinds {
            let report = answered(&operation, &[refused(code, b"no \xff")]).await.unwrap();
            let OperationResult::Refused(refusal) = report.result else {
                panic!("{:?}", report.result)
            };
            assert_eq!((refusal.kind, refusal.message.as_str()), (kind, "no \u{fffd}"));
        }
    }
    // After a part of the file.
    let report = answered(&read(100), &[part(60), refused(refusal::TOO_LARGE, b"")]).await.unwrap();
    assert!(matches!(report.result, OperationResult::Refused(_)));
}

#[tokio::test]
async fn hostile_answers_are_told() {
    let long = vec![b'x'; 4_097];
    let many = [(listed::FILE, &b"a"[..]); 11];
    let paths = vec![b'p'; LISTED_PATHS / 2 + 1];
    let hostile = [
        (read(100), vec![part(101), done()]),
        (read(100), vec![part(60), part(41), done()]),
        (read(100), vec![part(0), done()]),
        (read(100), vec![part(1), (kind::DONE, vec![0; 5])]),
        (read(100), vec![(kind::ENTRIES, Vec::new())]),
        (read(100), vec![written()]),
        (write(10), vec![done()]),
        (write(10), vec![part(1)]),
        (write(10), vec![(kind::WRITTEN, Vec::new())]),
        (list(10), vec![entries(&many)]),
        (list(10), vec![entries(&[(4, b"a")])]),
        (list(10), vec![entries(&[(listed::FILE, b"")])]),
        (list(10), vec![entries(&[(listed::FILE, &paths), (listed::FILE, &paths)])]),
        (list(10), vec![(kind::LISTED, vec![0; 9])]),
        (keys(), vec![shown(2, b"")]),
        (keys(), vec![shown(1, &vec![0; SHOWN_KEPT + 1])]),
        (keys(), vec![(kind::SHOWN, vec![1])]),
    ];
    for (operation, frames) in hostile {
        let fault = answered(&operation, &frames).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxProtocol, "{operation:?}");
    }
    for operation in all() {
        for frame in [refused(6, b""), refused(0, &long), (kind::REFUSED, vec![0]), (77, vec![])] {
            let fault = answered(&operation, &[frame]).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::SandboxProtocol, "{operation:?}");
        }
        assert_eq!(answered(&operation, &[]).await.unwrap_err().kind, FaultKind::SandboxLost);
    }
}

/// What no guest would take is not sent: there is none here.
#[tokio::test]
async fn operations_that_cannot_be_are_refused_unsent() {
    let path = "/".repeat(4_096);
    let (name, keys) = ("x".repeat(65), vec![b'x'; TerminalInput::MAX_KEYS + 1]);
    let input = |terminal: &str, keys| TerminalInput {
        terminal: terminal.to_owned(),
        keys,
        size: (80, 24),
        quiet: Duration::ZERO,
        timeout: Duration::ZERO,
    };
    for operation in [
        SandboxOperation::ReadFile(FileRead { path: path.clone(), max_bytes: 1 }),
        SandboxOperation::WriteFile(FileWrite { path: path.clone(), content: Vec::new() }),
        SandboxOperation::ListDirectory(DirectoryRead { path, depth: 1, max_entries: 1 }),
        write((16 << 20) + 1),
        SandboxOperation::SendKeys(input("", Vec::new())),
        SandboxOperation::SendKeys(input(&name, Vec::new())),
        SandboxOperation::SendKeys(input("main", keys)),
    ] {
        let report = answered(&operation, &[]).await.unwrap();
        assert!(matches!(report.result, OperationResult::Refused(_)));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_an_operation_panic_or_keep_more_than_came(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        framed in any::<bool>(),
        number in 128_u8..141,
        which in 0_usize..4,
    ) {
        let length = bytes.len();
        let answer = if framed { encode(1, number, &bytes) } else { bytes };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limits = SandboxLimits::default();
        let outcome = runtime.block_on(async {
            client(answer, true).perform(&all()[which], "/bin/sh", &limits).await
        });
        match outcome.map(|report| report.result) {
            Ok(OperationResult::File(content)) => prop_assert!(content.len() <= length),
            Ok(OperationResult::Shown(output)) => prop_assert!(output.bytes.len() <= length),
            Ok(OperationResult::Listed(list)) => prop_assert!(list.entries.len() <= length / 13),
            Ok(_) => {}
            Err(fault) => prop_assert!(matches!(
                fault.kind,
                FaultKind::SandboxProtocol | FaultKind::SandboxLost | FaultKind::SandboxCopy
            )),
        }
    }
}
