//! The client against a guest made of bytes: whatever comes, a typed fault or an answer.

use crate::sandbox::lab::request;
use proptest::prelude::*;
use std::time::Duration;
use synthd::sandbox::guest::GuestClient;
use synthd::sandbox::guest::wire::{
    CHUNK, LOG_TOLD, MAX_FRAME, PROTOCOL, PayloadWriter, SKIPPED_NAMED, SKIPPED_PATH, change,
    encode, end, entry, kind, skipped,
};
use synthd_actors::model::{
    ExecEnd, ExecReport, Fault, FaultKind, FileSpec, SandboxLimits, SandboxTree, ServiceReport,
    ServiceRestart, TaskService, WorkspaceCopy,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A client whose guest says `answer` to whatever it is asked, and then waits or closes.
pub(super) fn client(answer: Vec<u8>, closes: bool) -> GuestClient<DuplexStream> {
    let (ours, mut theirs) = duplex(1 << 16);
    #[expect(clippy::disallowed_methods, reason = "lives as long as the test's runtime")]
    tokio::spawn(async move {
        let mut asked = vec![0; 1 << 16];
        let asks = theirs.read(&mut asked).await.is_ok_and(|count| count > 0);
        if asks {
            theirs.write_all(&answer).await.ok();
        }
        while !closes && theirs.read(&mut asked).await.is_ok_and(|count| count > 0) {}
    });
    GuestClient::new(ours)
}

async fn exec(client: &mut GuestClient<DuplexStream>) -> Result<ExecReport, Fault> {
    client.exec(&request("true", TIMEOUT), "/bin/sh", &SandboxLimits::default()).await
}

async fn exec_answered(answer: Vec<u8>) -> Result<ExecReport, Fault> {
    exec(&mut client(answer, true)).await
}

/// What a guest says first of a copy.
fn size(bytes: u64, entries: u64) -> (u8, Vec<u8>) {
    let mut said = PayloadWriter::default();
    said.u64(bytes).u64(entries);
    (kind::SIZE, said.0)
}

/// A guest that says how much it will send, and then does.
async fn pack_answered(
    frames: &[(u8, Vec<u8>)],
    limits: &SandboxLimits,
) -> Result<WorkspaceCopy, Fault> {
    let sent = frames.iter().map(|(_, payload)| payload.len() as u64).sum();
    pack_said(size(sent, frames.len() as u64 * 2), frames, limits).await
}

async fn pack_said(
    said: (u8, Vec<u8>),
    frames: &[(u8, Vec<u8>)],
    limits: &SandboxLimits,
) -> Result<WorkspaceCopy, Fault> {
    let all = std::iter::once(&said).chain(frames);
    let bytes = all.flat_map(|(kind, payload)| encode(1, *kind, payload)).collect();
    client(bytes, true).pack(limits, true).await
}

/// A whole answer to a command.
fn exited(ending: u8, files: u32) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer.u8(ending).i32(3).bytes(b"why");
    writer.u64(5).bytes(b"he").bytes(b"llo").u64(0).bytes(b"").bytes(b"");
    writer.bytes(b"/work").u64(42).u64(0).u8(1).u64(7).u32(files);
    for number in 0..files {
        writer.bytes(number.to_string().as_bytes());
    }
    writer.u32(2).u32(1).u8(change::MODIFIED).bytes(b"a").u64(9).bytes(&[7; 32]);
    writer.0
}

fn pong(version: u32) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer.u32(version).u8(1);
    writer.0
}

fn entries(list: &[(u8, &str, &[u8])]) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    for (kind, path, content) in list {
        writer.u8(*kind).bytes(path.as_bytes()).u32(0o644).bytes(content);
    }
    writer.0
}

fn kind_of<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> FaultKind {
    outcome.unwrap_err().kind
}

/// What a guest says of a service, with a log of so many bytes.
async fn served(healthy: u8, log: usize) -> Result<ServiceReport, Fault> {
    let service = TaskService {
        name: "one".to_owned(),
        run: "true".to_owned(),
        health: "true".to_owned(),
        healthy_within: TIMEOUT,
        restart: ServiceRestart::OnFailure,
        judged: false,
    };
    let mut said = PayloadWriter::default();
    said.u8(healthy).bytes(b"why").bytes(&vec![b'x'; log]);
    client(encode(1, kind::SERVING, &said.0), true).start_service(&service, "/bin/sh").await
}

#[tokio::test]
async fn what_is_told_of_a_service_is_checked() {
    let unhealthy = ServiceReport { trouble: Some("why".to_owned()), log: "xxx".to_owned() };
    assert_eq!(served(0, 3).await.unwrap(), unhealthy);
    assert_eq!(served(1, LOG_TOLD).await.unwrap().trouble, None);
    for (healthy, log) in [(2, 0), (1, LOG_TOLD + 1)] {
        assert_eq!(served(healthy, log).await.unwrap_err().kind, FaultKind::SandboxProtocol);
    }
}

#[tokio::test]
async fn a_right_answer_is_read() {
    let report = exec_answered(encode(1, kind::EXITED, &exited(end::EXITED, 2))).await.unwrap();
    assert_eq!((report.end, report.stdout.text()), (ExecEnd::Exited(3), "hello".to_owned()));
    let scan = report.scan.unwrap();
    assert_eq!(
        (scan.files.as_slice(), scan.changed),
        (["0".to_owned(), "1".to_owned()].as_slice(), 2)
    );
    assert_eq!(scan.changes[0].sha256, Some("07".repeat(32)));
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_told() {
    let right = exited(end::EXITED, 2);
    let mut longer = right.clone();
    longer.push(0);
    let mut broken = vec![
        encode(2, kind::EXITED, &right),
        encode(0, kind::EXITED, &right),
        encode(1, kind::DONE, &right),
        encode(1, 77, &right),
        encode(1, kind::EXITED, &longer),
        encode(1, kind::EXITED, &exited(6, 0)),
        encode(1, kind::EXITED, &exited(end::EXITED, 257)),
        encode(1, kind::FAILED, b"\xff\xff\xff\xff"),
        4_u32.to_le_bytes().to_vec(),
        0_u32.to_le_bytes().to_vec(),
        ((MAX_FRAME + 1) as u32).to_le_bytes().to_vec(),
        u32::MAX.to_le_bytes().to_vec(),
    ];
    broken.extend((0..right.len()).map(|cut| encode(1, kind::EXITED, &right[..cut])));
    for answer in broken {
        let shown = answer.clone();
        assert_eq!(kind_of(exec_answered(answer).await), FaultKind::SandboxProtocol, "{shown:?}");
    }
}

#[tokio::test]
async fn a_guest_that_closes_is_lost() {
    let right = encode(1, kind::EXITED, &exited(end::EXITED, 0));
    for cut in 0..right.len() {
        let fault = exec_answered(right[..cut].to_vec()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxLost, "{cut}: {fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_guest_is_given_up_after_the_commands_own_deadline() {
    let begun = Instant::now();
    let mut silent = client(Vec::new(), false);
    let first = exec(&mut silent).await.unwrap_err();
    assert_eq!(first.kind, FaultKind::SandboxLost);
    assert_eq!(begun.elapsed(), TIMEOUT + Duration::from_secs(10));
    // And not asked again.
    assert_eq!(exec(&mut silent).await.unwrap_err(), first);
    assert_eq!(silent.ping().await.unwrap_err(), first);
    assert_eq!(begun.elapsed(), TIMEOUT + Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_reads_nothing_is_given_up() {
    let (ours, _theirs) = duplex(64);
    let file = FileSpec { path: "f".to_owned(), content: "x".repeat(1000), mode: 0o644 };
    let fault = GuestClient::new(ours).lay(SandboxTree::Workspace, &[file]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SandboxLost, "{fault}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_never_ends_is_given_up() {
    let (ours, mut theirs) = duplex(1 << 16);
    let drip = async move {
        let (kind, said) = size(1 << 20, 1_000);
        theirs.write_all(&encode(1, kind, &said)).await.unwrap();
        for number in 0.. {
            let one = entries(&[(entry::FILE, &format!("f{number}"), b"")]);
            if theirs.write_all(&encode(1, kind::ENTRIES, &one)).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    };
    let begun = Instant::now();
    let mut client = GuestClient::new(ours);
    let limits = SandboxLimits::default();
    tokio::select! {
        () = drip => panic!("the client closed first"),
        outcome = client.pack(&limits, true) => assert_eq!(kind_of(outcome), FaultKind::SandboxLost),
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(120));
}

#[tokio::test]
async fn a_request_given_up_half_way_ends_the_client() {
    let mut waiting = client(Vec::new(), false);
    tokio::select! {
        biased;
        outcome = exec(&mut waiting) => panic!("{outcome:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(kind_of(waiting.ping().await), FaultKind::SandboxLost);
}

#[tokio::test]
async fn a_guest_of_another_version_is_refused() {
    let pong = |version: u32| encode(1, kind::PONG, &pong(version));
    assert!(client(pong(PROTOCOL), true).ping().await.is_ok());
    for other in [PROTOCOL - 1, PROTOCOL + 1] {
        assert_eq!(kind_of(client(pong(other), true).ping().await), FaultKind::SandboxProtocol);
    }
}

#[tokio::test]
async fn hostile_entries_are_told() {
    let file = |path| entries(&[(entry::FILE, path, b"x")]);
    let mut not_text = PayloadWriter::default();
    not_text.u8(entry::FILE).bytes(b"a\xff").u32(0).bytes(b"");
    let hostile = [
        file("../x"),
        file("/etc/passwd"),
        file(""),
        file("a/../b"),
        file("a//b"),
        file("./a"),
        file("a/"),
        file("a\0b"),
        not_text.0,
        Vec::new(),
        vec![1],
        entries(&[(9, "a", b"")]),
        entries(&[(entry::MORE, "a", b"x")]),
        entries(&[(entry::FILE, "a", b"x"), (entry::MORE, "b", b"x")]),
        entries(&[(entry::SYMLINK, "a", b"\xff")]),
        entries(&[(entry::HOLE, "a", &[0; 8])]),
        entries(&[(entry::FILE, "a", b""), (entry::HOLE, "a", &[0; 7])]),
        entries(&[(entry::FILE, "a", b""), (entry::HOLE, "b", &[0; 8])]),
        [file("a"), vec![0]].concat(),
    ];
    for payload in hostile {
        let frames = [(kind::ENTRIES, payload.clone()), (kind::DONE, vec![0; 4])];
        let outcome = pack_answered(&frames, &SandboxLimits::default()).await;
        assert_eq!(kind_of(outcome), FaultKind::SandboxProtocol, "{payload:?}");
    }
}

#[tokio::test]
async fn names_of_left_out_entries_are_checked() {
    let done = |count: u32, names: usize, why: u8, length: usize| {
        let mut done = PayloadWriter::default();
        done.u32(count);
        for _ in 0..names {
            done.u8(why).bytes(&vec![b'x'; length]);
        }
        [(kind::DONE, done.0)]
    };
    let limits = SandboxLimits::default();
    let right = done(40, SKIPPED_NAMED, skipped::ODD_LINK, SKIPPED_PATH);
    let copy = pack_answered(&right, &limits).await.unwrap();
    assert_eq!((copy.skipped, copy.skipped_entries.len()), (40, SKIPPED_NAMED));
    let hostile = [
        done(40, SKIPPED_NAMED + 1, skipped::FIFO, 3),
        done(1, 2, skipped::FIFO, 3),
        done(1, 1, skipped::FIFO, SKIPPED_PATH + 1),
        done(1, 1, skipped::ODD_LINK + 1, 3),
        [(kind::DONE, vec![1, 0, 0, 0, skipped::FIFO])],
    ];
    for frames in hostile {
        let outcome = pack_answered(&frames, &limits).await;
        assert_eq!(kind_of(outcome), FaultKind::SandboxProtocol);
    }
}

#[tokio::test]
async fn a_guest_that_sends_more_than_was_allowed_is_told() {
    let limits = SandboxLimits { copy_bytes: 2 << 20, inodes: 10, ..SandboxLimits::default() };
    let chunk = vec![0; CHUNK];
    let within = [
        (kind::ENTRIES, entries(&[(entry::FILE, "a", &chunk)])),
        (kind::ENTRIES, entries(&[(entry::MORE, "a", &chunk[..CHUNK - 2])])),
        (kind::DONE, vec![0; 4]),
    ];
    assert_eq!(pack_answered(&within, &limits).await.unwrap().entries.len(), 1);
    // More than was said, in bytes and in entries.
    let bytes = within.iter().map(|(_, payload)| payload.len() as u64).sum::<u64>() - 4;
    assert!(pack_said(size(bytes, 2), &within, &limits).await.is_ok());
    for said in [size(bytes - 1, 2), size(bytes, 1), size(0, 0)] {
        let outcome = pack_said(said, &within, &limits).await;
        assert_eq!(kind_of(outcome), FaultKind::SandboxProtocol);
    }
    // More than may be said, and no size at all.
    let most = (2 << 20) + 26;
    assert!(pack_said(size(most, 2), &within, &limits).await.is_ok());
    let strange =
        [size(most + 1, 2), size(0, 65_547), (kind::SIZE, vec![0; 17]), within[0].clone()];
    for said in strange {
        let outcome = pack_said(said, &within, &limits).await;
        assert_eq!(kind_of(outcome), FaultKind::SandboxProtocol);
    }
}

#[tokio::test]
async fn a_refusal_is_a_copy_fault_and_no_end() {
    let mut why = PayloadWriter::default();
    why.bytes(b"too large");
    let answer = [encode(1, kind::FAILED, &why.0), encode(2, kind::PONG, &pong(PROTOCOL))];
    let mut client = client(answer.concat(), false);
    let fault = client.pack(&SandboxLimits::default(), true).await.unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::SandboxCopy, "too large"));
    client.ping().await.unwrap();
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn no_bytes_make_the_client_panic_or_keep_more_than_came(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        framed in any::<bool>(),
        number in 128_u8..141,
    ) {
        let length = bytes.len();
        let answer = if framed { encode(1, number, &bytes) } else { bytes };
        let (report, snapshot) = run(async {
            let packed = client(answer.clone(), true).pack(&SandboxLimits::default(), false).await;
            (exec_answered(answer).await, packed)
        });
        if let Ok(report) = report {
            let kept = report.stdout.head.len() + report.stdout.tail.len() + report.stderr.head.len();
            prop_assert!(kept <= length);
        }
        if let Err(fault) = snapshot {
            prop_assert!(matches!(fault.kind, FaultKind::SandboxProtocol | FaultKind::SandboxLost | FaultKind::SandboxCopy));
        }
    }

    #[test]
    fn one_wrong_byte_never_panics(at in 0_usize..140, value in any::<u8>()) {
        let mut answer = encode(1, kind::EXITED, &exited(end::EXITED, 2));
        let place = at % answer.len();
        answer[place] = value;
        let outcome = run(exec_answered(answer));
        if let Err(fault) = outcome {
            prop_assert!(matches!(fault.kind, FaultKind::SandboxProtocol | FaultKind::SandboxLost));
        }
    }
}
