//! Operations of an agent's tools: files are read, written and listed with the rights of its
//! programs.

use super::lab::{Lab, ok, run, works};
use synthd_actors::model::{
    DirectoryEntries, DirectoryEntryKind, DirectoryRead, ExecEnd, FileRead, FileWrite,
    OperationReport, OperationResult, RefusalKind, SandboxLimits, SandboxOperation,
};
use synthd_actors::ports::Sandbox;

/// Performs an operation, which must not be a fault.
async fn perform(sandbox: &mut dyn Sandbox, operation: SandboxOperation) -> OperationReport {
    sandbox.perform(&operation).await.unwrap()
}

async fn read_up_to(
    sandbox: &mut dyn Sandbox,
    path: &str,
    max_bytes: u64,
) -> Result<Vec<u8>, RefusalKind> {
    let read = FileRead { path: path.to_owned(), max_bytes };
    match perform(sandbox, SandboxOperation::ReadFile(read)).await.result {
        OperationResult::File(content) => Ok(content),
        OperationResult::Refused(refusal) => Err(refusal.kind),
        other => panic!("{other:?}"),
    }
}

async fn read(sandbox: &mut dyn Sandbox, path: &str) -> Result<Vec<u8>, RefusalKind> {
    read_up_to(sandbox, path, FileRead::MAX_BYTES).await
}

async fn write(
    sandbox: &mut dyn Sandbox,
    path: &str,
    content: &[u8],
) -> Result<OperationReport, RefusalKind> {
    let write = FileWrite { path: path.to_owned(), content: content.to_vec() };
    let report = perform(sandbox, SandboxOperation::WriteFile(write)).await;
    match &report.result {
        OperationResult::Written => Ok(report),
        OperationResult::Refused(refusal) => Err(refusal.kind),
        other => panic!("{other:?}"),
    }
}

async fn list(
    sandbox: &mut dyn Sandbox,
    path: &str,
    depth: u32,
    max_entries: u32,
) -> Result<DirectoryEntries, RefusalKind> {
    let list = DirectoryRead { path: path.to_owned(), depth, max_entries };
    match perform(sandbox, SandboxOperation::ListDirectory(list)).await.result {
        OperationResult::Listed(entries) => Ok(entries),
        OperationResult::Refused(refusal) => Err(refusal.kind),
        other => panic!("{other:?}"),
    }
}

fn shown(listed: &DirectoryEntries) -> Vec<(&str, DirectoryEntryKind, u64)> {
    listed.entries.iter().map(|entry| (entry.path.as_str(), entry.kind, entry.size)).collect()
}

#[tokio::test]
async fn what_is_written_is_read_and_listed() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let report = write(&mut *sandbox, "/work/a/b/ä ö\n.bin", &every_byte).await.unwrap();
    assert_eq!(report.scan.unwrap().files, ["a/b/ä ö\n.bin"]);
    assert_eq!(read(&mut *sandbox, "/work/a/b/ä ö\n.bin").await, Ok(every_byte));
    write(&mut *sandbox, "/work/./a//empty", b"").await.unwrap();
    assert_eq!(read(&mut *sandbox, "/work/a/b/../empty").await, Ok(Vec::new()));
    // As a program would have made them.
    assert_eq!(
        ok(&mut *sandbox, "stat -c '%a %u' a a/b a/empty").await,
        "755 1000\n755 1000\n644 1000\n"
    );
    ok(&mut *sandbox, "ln -s a link; mkfifo fifo").await;
    let listed = list(&mut *sandbox, "/work", 1, 10).await.unwrap();
    let expected = [
        ("a", DirectoryEntryKind::Directory, 0),
        ("fifo", DirectoryEntryKind::Other, 0),
        ("link", DirectoryEntryKind::Symlink, 0),
    ];
    assert_eq!((shown(&listed).as_slice(), listed.left_out), (expected.as_slice(), 0));
    let listed = list(&mut *sandbox, "/work/link/", 2, 3).await.unwrap();
    let expected = [
        ("b", DirectoryEntryKind::Directory, 0),
        ("b/ä ö\n.bin", DirectoryEntryKind::File, 256),
        ("empty", DirectoryEntryKind::File, 0),
    ];
    assert_eq!((shown(&listed).as_slice(), listed.left_out), (expected.as_slice(), 0));
}

#[tokio::test]
async fn a_command_is_an_operation_too() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let request = super::lab::request("echo hi; : > made", std::time::Duration::from_secs(60));
    let report = perform(&mut *sandbox, SandboxOperation::Run(request)).await;
    let OperationResult::Ran(ran) = report.result else { panic!("{:?}", report.result) };
    assert_eq!((ran.end, ran.stdout.text().as_str()), (ExecEnd::Exited(0), "hi\n"));
    assert_eq!(report.scan.unwrap().files, ["made"]);
}

#[tokio::test]
async fn an_existing_file_keeps_its_mode_and_its_identity() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let facts = "stat -c '%i %a %h' f; cat g";
    ok(&mut *sandbox, "echo long and old > f; chmod 750 f; ln f g; ln -s f link; ln -s new gone")
        .await;
    let before = ok(&mut *sandbox, facts).await;
    write(&mut *sandbox, "/work/link", b"short\n").await.unwrap();
    assert_eq!(ok(&mut *sandbox, facts).await, before.replace("long and old", "short"));
    write(&mut *sandbox, "/work/f", b"longer than before\n").await.unwrap();
    assert_eq!(
        ok(&mut *sandbox, facts).await,
        before.replace("long and old", "longer than before")
    );
    write(&mut *sandbox, "/work/gone", b"made").await.unwrap();
    assert_eq!(ok(&mut *sandbox, "readlink link gone; cat new").await, "f\nnew\nmade");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_its_kind() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let make = "mkdir d; echo text > f; mkfifo p; ln -s loop loop; echo s > secret; chmod 000 secret; \
        echo r > r; chmod 400 r; mkdir closed; chmod 500 closed";
    ok(&mut *sandbox, make).await;
    let long = format!("/work/{}", "x/".repeat(5_000));
    let name = format!("/work/{}", "x".repeat(300));
    for (path, kind) in [
        ("/work/none", RefusalKind::NotFound),
        ("/work/none/deeper", RefusalKind::NotFound),
        ("/work/d", RefusalKind::IsDirectory),
        ("/", RefusalKind::IsDirectory),
        ("/work/f/below", RefusalKind::NotDirectory),
        ("/work/f/", RefusalKind::NotDirectory),
        ("/work/p", RefusalKind::NotRegular),
        ("/dev/zero", RefusalKind::NotRegular),
        ("/dev/ptmx", RefusalKind::NotRegular),
        ("/work/loop", RefusalKind::Failed),
        ("/work/secret", RefusalKind::Failed),
        ("f", RefusalKind::Failed),
        ("", RefusalKind::Failed),
        ("/work/a\0b", RefusalKind::Failed),
        (&long, RefusalKind::Failed),
        (&name, RefusalKind::Failed),
    ] {
        assert_eq!(read(&mut *sandbox, path).await, Err(kind), "{path:?}");
    }
    for (path, kind) in [
        ("/work/d", RefusalKind::IsDirectory),
        ("/work/new/", RefusalKind::IsDirectory),
        ("/work/f/below", RefusalKind::NotDirectory),
        ("/work/p", RefusalKind::NotRegular),
        ("/dev/null", RefusalKind::NotRegular),
        ("/work/loop", RefusalKind::Failed),
        ("/work/r", RefusalKind::Failed),
        ("/work/closed/new", RefusalKind::Failed),
        ("/usr/new", RefusalKind::Failed),
        ("/etc/passwd", RefusalKind::Failed),
        ("f", RefusalKind::Failed),
        (&long, RefusalKind::Failed),
        (&name, RefusalKind::Failed),
    ] {
        assert_eq!(write(&mut *sandbox, path, b"x").await.unwrap_err(), kind, "{path:?}");
    }
    for (path, kind) in [
        ("/work/f", RefusalKind::NotDirectory),
        ("/work/none", RefusalKind::NotFound),
        ("/work/p", RefusalKind::NotDirectory),
        (&long, RefusalKind::Failed),
    ] {
        assert_eq!(list(&mut *sandbox, path, 1, 10).await.unwrap_err(), kind, "{path:?}");
    }
    assert_eq!(read_up_to(&mut *sandbox, "/work/f", 4).await, Err(RefusalKind::TooLarge));
    assert_eq!(read_up_to(&mut *sandbox, "/work/f", 5).await, Ok(b"text\n".to_vec()));
    assert_eq!(ok(&mut *sandbox, "cat f r; ls d closed").await, "text\nr\nclosed:\n\nd:\n");
}

#[tokio::test]
async fn files_up_to_the_limit_pass_whole() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let most = usize::try_from(FileRead::MAX_BYTES).unwrap();
    let large: Vec<u8> = (0..most).map(|at| (at / 7 % 251) as u8).collect();
    for size in [most, 4 << 20, (4 << 20) + 1] {
        write(&mut *sandbox, "/work/large", &large[..size]).await.unwrap();
        assert!(read(&mut *sandbox, "/work/large").await.unwrap() == large[..size]);
    }
    let beyond = [large.as_slice(), b"x"].concat();
    assert_eq!(
        write(&mut *sandbox, "/work/large", &beyond).await.unwrap_err(),
        RefusalKind::TooLarge
    );
    ok(&mut *sandbox, "head -c 16777217 /dev/zero > beyond").await;
    let beyond = read_up_to(&mut *sandbox, "/work/beyond", u64::MAX).await;
    assert_eq!(beyond, Err(RefusalKind::TooLarge));
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let lab = Lab::new().await;
    let limits = SandboxLimits { disk_bytes: 1 << 20, ..SandboxLimits::default() };
    let mut sandbox = lab.limited(limits).await;
    ok(&mut *sandbox, "head -c 300000 /dev/zero | tr '\\0' k > kept; cksum kept > sum").await;
    for path in ["/work/kept", "/work/new/deep"] {
        let refused = write(&mut *sandbox, path, &vec![b'x'; 2 << 20]).await;
        assert_eq!(refused.unwrap_err(), RefusalKind::Failed, "{path}");
    }
    assert_eq!(ok(&mut *sandbox, "cksum kept | cmp - sum; ls new").await, "");
    write(&mut *sandbox, "/work/kept", &vec![b'y'; 600_000]).await.unwrap();
    assert_eq!(
        ok(&mut *sandbox, "tr -d y < kept | wc -c; wc -c < kept").await.replace(' ', ""),
        "0\n600000\n"
    );
}

#[tokio::test]
async fn a_directory_without_end_is_listed_in_part() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "mkdir d; cd d; seq -f 'f%05.0f' 1 18000 | xargs touch").await;
    let listed = list(&mut *sandbox, "/work/d", 1, 3).await.unwrap();
    let names: Vec<&str> = listed.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!((names, listed.left_out), (vec!["f00001", "f00002", "f00003"], 17_997));
    let listed = list(&mut *sandbox, "/work", u32::MAX, u32::MAX).await.unwrap();
    let most = DirectoryRead::MAX_ENTRIES;
    assert_eq!((listed.entries.len(), listed.left_out), (most as usize, 18_001 - u64::from(most)));
    assert_eq!(list(&mut *sandbox, "/work/d", 0, 0).await.unwrap().left_out, 18_000);
    // Longer than any path may be, and no text.
    let deep = "cd /work; for i in $(seq 100); do mkdir $(printf %0100d 0) && cd $(printf %0100d 0); done; \
        cd /work; printf x > \"$(printf 'a\\377b')\"";
    ok(&mut *sandbox, deep).await;
    let listed = list(&mut *sandbox, "/work", 99, 2).await.unwrap();
    let names: Vec<&str> = listed.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names[0], "0".repeat(100));
    assert_eq!(names[1], [names[0], names[0]].join("/"));
    let listed = list(&mut *sandbox, "/work", 1, 10).await.unwrap();
    assert!(listed.entries.iter().any(|entry| entry.path == "a\u{fffd}b"), "{listed:?}");
}

#[tokio::test]
async fn a_tree_that_changes_is_read_or_refused() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let swaps = "mkdir t; echo in > t/passwd; \
        (while :; do mv t t2; ln -s /etc t; rm t; mkfifo t; rm t; mv t2 t; done) > /dev/null 2>&1 & :";
    ok(&mut *sandbox, swaps).await;
    for _ in 0..200 {
        match read(&mut *sandbox, "/work/t/passwd").await {
            Ok(content) => assert!(content == b"in\n" || content.starts_with(b"root:")),
            Err(kind) => assert!(
                matches!(
                    kind,
                    RefusalKind::NotFound | RefusalKind::NotDirectory | RefusalKind::NotRegular
                ),
                "{kind:?}"
            ),
        }
        list(&mut *sandbox, "/work", 3, 10).await.unwrap();
    }
    ok(&mut *sandbox, "kill $!; wait; (while :; do mkdir x; rmdir x; done) > /dev/null 2>&1 & :")
        .await;
    for _ in 0..50 {
        write(&mut *sandbox, "/work/x/y", b"z").await.ok();
        run(&mut *sandbox, "rm -rf x").await;
    }
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn a_file_that_grows_comes_to_an_end() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "(yes > grows) > /dev/null 2>&1 & until test -s grows; do :; done").await;
    let refused = loop {
        match read_up_to(&mut *sandbox, "/work/grows", 1 << 20).await {
            Ok(content) => assert!(content.len() <= 1 << 20),
            Err(kind) => break kind,
        }
    };
    assert_eq!(refused, RefusalKind::TooLarge);
    works(&mut *sandbox).await;
}
