//! Laying files, copying a workspace out of one sandbox and into another.

use super::lab::{ALONE, Lab, ok, run, works};
use nix::sys::resource::UsageWho;
use synthd::sandbox::guest::COPY_MEMORY;
use synthd_actors::model::{
    ExecEnd, FaultKind, FileSegment, FileSpec, SandboxLimits, SandboxTree, SkippedKind, TreeEntry,
    TreeEntryKind, WorkspaceCopy,
};

fn file(path: &str, content: &str, mode: u32) -> FileSpec {
    FileSpec { path: path.to_owned(), content: content.to_owned(), mode }
}

/// Everything of a tree that a copy must keep, told by the sandbox itself.
const FACTS: &str = "find . -mindepth 1 -printf '%p %y %m %s %l\\n' | sort; \
    find . -type f -perm -400 | sort | xargs cat | cksum";

#[tokio::test]
async fn files_are_laid_with_their_modes() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let files =
        [file("a/b/c.sh", "echo hi\n", 0o755), file("ä ö\n", "", 0o600), file("r", "x", 0o444)];
    sandbox.write_files(SandboxTree::Workspace, &files).await.unwrap();
    assert_eq!(ok(&mut *sandbox, "a/b/c.sh; stat -c %a 'ä ö\n' r; cat r").await, "hi\n600\n444\nx");
    // Again, over what is there, read-only or not.
    sandbox.write_files(SandboxTree::Workspace, &[file("r", "y", 0o444)]).await.unwrap();
    assert_eq!(ok(&mut *sandbox, "cat r").await, "y");
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn paths_that_leave_their_tree_are_refused() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    for path in ["../x", "/etc/x", "", "a/../../x", ".", "a//b", "a/", "a\0b"] {
        let fault = sandbox
            .write_files(SandboxTree::Workspace, &[file(path, "", 0o644)])
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxCopy, "{path:?}");
        let entry =
            TreeEntry { path: path.to_owned(), kind: TreeEntryKind::Directory { mode: 0o755 } };
        let copy = WorkspaceCopy { entries: vec![entry], ..WorkspaceCopy::default() };
        assert_eq!(sandbox.unpack(&copy).await.unwrap_err().kind, FaultKind::SandboxCopy);
    }
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn a_copy_is_the_same_tree() {
    let lab = Lab::new().await;
    let (mut from, mut to) = (lab.sandbox().await, lab.sandbox().await);
    let build = "mkdir -p empty deep/er closed; echo 1 > deep/er/f; ln -s deep/er/f link; \
        ln -s /etc/passwd out; ln -s nowhere dangling; ln deep/er/f hard; mkfifo fifo; \
        head -c 3500000 /dev/urandom > big; chmod 444 big; head -c 1048576 /dev/zero > chunk; \
        echo s > secret; chmod 000 secret; head -c 2000000 /dev/zero > nobig; chmod 000 nobig; \
        echo c > closed/in; chmod 4755 deep/er/f; chmod 000 closed; : > 'nl\n name'; \
        mkdir sticky group; chmod 1777 sticky; chmod 2755 group; cp big ids; chmod 6751 ids";
    ok(&mut *from, build).await;
    let copy = from.pack(true).await.unwrap();
    let named: Vec<_> = copy.skipped_entries.iter().map(|e| (e.shown_path(), e.kind)).collect();
    assert_eq!((copy.skipped, named), (1, vec![("fifo".to_owned(), SkippedKind::Fifo)]));
    to.unpack(&copy).await.unwrap();
    assert_eq!(ok(&mut *to, "stat -c '%a' secret closed nobig big").await, "0\n0\n0\n444\n");
    // Set-id bits are kept, special files left behind, hard links are files of their own.
    assert_eq!(ok(&mut *to, "stat -c %a hard ids group").await, "4755\n6751\n2755\n");
    ok(&mut *from, "rm fifo").await;
    let opened = format!("chmod 700 closed; chmod 400 secret nobig; {FACTS}");
    assert_eq!(ok(&mut *to, &opened).await, ok(&mut *from, &opened).await);
    let again = to.pack(true).await.unwrap();
    assert_eq!(again.entries.len(), copy.entries.len());
}

/// A listing of what was laid is the same at any time, and in a copy.
#[tokio::test]
async fn what_is_laid_has_a_fixed_time() {
    let lab = Lab::new().await;
    let (mut from, mut to) = (lab.sandbox().await, lab.sandbox().await);
    // Not of the workspace itself: some engines give it to root, who alone may set its time.
    let times = "find . -mindepth 1 -printf '%TY-%Tm-%Td\\n' | sort -u";
    let files = [file("a/b/c", "x", 0o644), file("d", "y", 0o600)];
    from.write_files(SandboxTree::Workspace, &files).await.unwrap();
    assert_eq!(ok(&mut *from, times).await, "2024-01-01\n");
    let build = "ln -s d link; ln -s a tree; ln -s nowhere dangling; mkdir -p closed/sub empty; \
        echo z > closed/sub/f; chmod 000 closed";
    ok(&mut *from, build).await;
    to.unpack(&from.pack(true).await.unwrap()).await.unwrap();
    let opened = format!("stat -c %y closed | cut -d' ' -f1; chmod 700 closed; {times}");
    assert_eq!(ok(&mut *to, &opened).await, "2024-01-01\n2024-01-01\n");
}

#[tokio::test]
async fn packing_ends_what_runs() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "(trap '' TERM; while :; do date > f; done) & setsid sleep 1000 &").await;
    sandbox.pack(true).await.unwrap();
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
}

#[tokio::test]
async fn a_copy_of_what_still_runs_disturbs_nobody_and_never_leaves_the_tree() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let busy = "mkdir d; echo s > d/s; echo h > closed; chmod 000 closed; \
        (while :; do mv d e; ln -s /proc/1 d; rm d; mv e d; done) 2>/dev/null & \
        (while :; do echo x >> grows; mv grows moved; mv moved grows; done) 2>/dev/null & \
        (i=0; while :; do mkfifo f$i; rm f$i; i=$((i+1)); done) 2>/dev/null & :";
    ok(&mut *sandbox, busy).await;
    for _ in 0..50 {
        let copy = sandbox.pack(false).await.unwrap();
        let inside = |path: &str| {
            let first = path.split('/').next().unwrap_or(path);
            ["d", "e", "d/s", "e/s", "closed", "grows", "moved"].contains(&path)
                || first.starts_with('f')
        };
        assert!(copy.entries.iter().all(|entry| inside(&entry.path)), "{:?}", copy.entries);
    }
    assert_eq!(
        ok(
            &mut *sandbox,
            "stat -c %a closed; jobs; set -- /proc/[0-9]*; [ $# -gt 4 ] && echo runs"
        )
        .await,
        "0\nruns\n"
    );
}

#[tokio::test]
async fn a_copy_has_caps() {
    let lab = Lab::new().await;
    let limits = SandboxLimits { copy_bytes: 1 << 20, inodes: 300, ..SandboxLimits::default() };
    for (fill, refused) in [
        ("head -c 900000 /dev/zero > f", false),
        ("head -c 1100000 /dev/zero > f", true),
        ("truncate -s 100M f", false),
        ("truncate -s 100M f; head -c 1100000 /dev/zero >> f", true),
        ("seq 1 250 | xargs touch", false),
        ("d=.; for i in $(seq 70); do d=$d/d; done; mkdir -p $d", true),
    ] {
        let mut sandbox = lab.limited(limits.clone()).await;
        ok(&mut *sandbox, fill).await;
        match sandbox.pack(true).await {
            Ok(_) => assert!(!refused, "{fill}"),
            Err(fault) => {
                assert!(refused && fault.kind == FaultKind::SandboxCopy, "{fill}: {fault}")
            }
        }
        works(&mut *sandbox).await;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_a_copy_fault() {
    let lab = Lab::new().await;
    let mut sandbox =
        lab.limited(SandboxLimits { disk_bytes: 1 << 20, ..SandboxLimits::default() }).await;
    let fault = sandbox
        .write_files(SandboxTree::Workspace, &[file("big", &"x".repeat(3 << 20), 0o644)])
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::SandboxCopy, "{fault}");
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn names_that_are_no_text_are_left_behind_and_counted() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(
        &mut *sandbox,
        "touch \"$(printf 'a\\377')\" \"$(printf 'a\\376')\" b; ln -s \"$(printf '\\377')\" l",
    )
    .await;
    let copy = sandbox.pack(true).await.unwrap();
    assert_eq!((copy.entries.len(), copy.skipped), (1, 3));
    let named: Vec<_> = copy.skipped_entries.iter().map(|e| (e.shown_path(), e.kind)).collect();
    let expected = [
        (r"a\xfe", SkippedKind::OddName),
        (r"a\xff", SkippedKind::OddName),
        ("l", SkippedKind::OddLink),
    ];
    assert_eq!(named, expected.map(|(path, kind)| (path.to_owned(), kind)));
    // As many names as there may be, each as long as it may be.
    let many = "d=$(printf %0200d 0); mkdir $d; for n in $(seq 100 150); do \
        mkfifo $d/$(printf %0200d $n); done";
    ok(&mut *sandbox, many).await;
    let copy = sandbox.pack(true).await.unwrap();
    let long = copy.skipped_entries.iter().all(|entry| entry.path.len() == 256);
    assert_eq!((copy.skipped, copy.skipped_entries.len(), long), (54, 32, true));
}

/// An agent finds no place for checks, and nothing can be laid there by mistake.
#[tokio::test]
async fn only_a_judges_sandbox_has_a_place_for_sealed_files() {
    let lab = Lab::new().await;
    let mut agents = lab.sandbox().await;
    assert_eq!(ok(&mut *agents, "ls -d /sealed 2>/dev/null || echo none").await, "none\n");
    let sealed = [file("check", "true\n", 0o644)];
    let fault = agents.write_files(SandboxTree::Sealed, &sealed).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SandboxCopy, "{fault}");
    ok(&mut *agents, "echo x > kept; echo y > /tmp/left").await;
    agents.reset().await.unwrap();
    assert_eq!(ok(&mut *agents, "ls -A /work /tmp | grep -v :").await.trim(), "");
    let mut judges = lab.judge().await;
    judges.write_files(SandboxTree::Sealed, &sealed).await.unwrap();
    assert_eq!(ok(&mut *judges, "cat /sealed/check").await, "true\n");
}

#[tokio::test]
async fn the_sealed_tree_is_emptied_at_each_lay() {
    let lab = Lab::new().await;
    let mut sandbox = lab.judge().await;
    // What an earlier check's program may leave: forgeries, traps, and someone who puts
    // them back.
    let hostile = "cd /sealed; echo forged > check; mkdir -p x/y .cleared-1/z .cleared-2; touch .cleared-3; \
        chmod 000 x; mkdir -p $(printf 'd/%.0s' $(seq 2000)); \
        (trap '' TERM; while :; do echo forged > /sealed/check; done) 2>/dev/null & sleep 0";
    ok(&mut *sandbox, hostile).await;
    sandbox.write_files(SandboxTree::Sealed, &[file("check", "true\n", 0o755)]).await.unwrap();
    assert_eq!(
        ok(&mut *sandbox, "cd /sealed && find . -type f && cat check").await,
        "./check\ntrue\n"
    );
    sandbox.write_files(SandboxTree::Sealed, &[]).await.unwrap();
    assert_eq!(ok(&mut *sandbox, "ls -A /sealed").await, "");
}

#[tokio::test]
async fn traps_at_a_path_to_be_laid_do_not_hold_the_guest() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    for trap in ["mkfifo t", "ln -s /tmp/elsewhere t", "touch o; ln o t", "ln -s t t"] {
        ok(&mut *sandbox, &format!("rm -f t o; {trap}")).await;
        sandbox.write_files(SandboxTree::Workspace, &[file("t", "laid", 0o644)]).await.unwrap();
        let seen = ok(&mut *sandbox, "stat -c '%F %h' t; cat t; ls /tmp").await;
        assert_eq!(seen, "regular file 1\nlaid", "{trap}");
    }
    ok(&mut *sandbox, "rm t; mkdir -p t/full").await;
    let fault =
        sandbox.write_files(SandboxTree::Workspace, &[file("t", "laid", 0o644)]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SandboxCopy);
    assert_eq!(run(&mut *sandbox, "true").await.end, ExecEnd::Exited(0));
}

/// Whatever the code of a workspace did in an earlier check, the next one finds its files,
/// room to work, and nothing but the workspace.
#[tokio::test]
async fn sealed_files_are_laid_into_a_clean_place() {
    let lab = Lab::new().await;
    for mischief in [
        "chmod 000 /sealed",
        "cat /dev/zero > /tmp/full 2>/dev/null; :",
        "mkdir -p /tmp/a/b /run/c; chmod 000 /tmp/a /run/c ~; chmod 000 /dev/shm || :",
        "echo bad > ~/.gitconfig; mkdir -p ~/.local/lib; echo bad > /dev/shm/x; echo bad > /tmp/.x",
    ] {
        let mut sandbox = lab.judge().await;
        sandbox.write_files(SandboxTree::Sealed, &[file("first", "1", 0o644)]).await.unwrap();
        ok(&mut *sandbox, &format!("echo mine > kept; {mischief}")).await;
        sandbox.write_files(SandboxTree::Sealed, &[file("second", "2", 0o644)]).await.unwrap();
        let left = "ls -A /sealed /tmp /home/agent /run /dev/shm | grep -v :; cat /work/kept; \
            for d in /tmp ~ /run /dev/shm; do head -c 1000000 /dev/zero > $d/x || echo no $d; done";
        let seen = ok(&mut *sandbox, left).await;
        assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["second", "mine"], "{mischief}");
    }
}

/// What a check has of a workspace is data, and git of a check obeys nothing of it. The library of
/// checks says so.
#[tokio::test]
async fn a_submission_is_data() {
    let lab = Lab::new().await;
    let (mut from, mut judge) = (lab.sandbox().await, lab.judge().await);
    let build = "mkdir -p .git/hooks out; echo x > .git/HEAD; echo y > .git/config; \
        echo z > .git/hooks/h; echo 1 > out/a; chmod 6755 out/a; ln -s out/a link";
    ok(&mut *from, build).await;
    let copy = from.pack(true).await.unwrap();
    let left_out = "link -> out/a\n.git/config: a setting of git\n";
    let files = [
        file("lib/checks.sh", include_str!("../../actors/judge/library/checks.sh"), 0o444),
        file("expected", "1\n", 0o444),
        file("submission.left-out", left_out, 0o444),
    ];
    judge.lay_judge(&files, &copy).await.unwrap();
    let there = "cd /sealed/submission; find . -type f | sort; stat -c %a out/a; cd /work";
    assert_eq!(ok(&mut *judge, there).await, "./.git/HEAD\n./out/a\n444\n");
    let why = "  only regular files are judged, and no settings of git\n";
    let differs = "out/a: not as expected (1 lines expected, 1 found)\n  \
        expected: line 1: 2\n  found:    line 1: 1\n";
    let newline = "out/a: not as expected (0 lines expected, 1 found)\n  \
        they differ in the newline at the end, or in bytes that are no text\n";
    for (command, code, said) in [
        ("same out/a /sealed/expected", 0, String::new()),
        ("have link", 1, format!("link -> out/a\n{why}")),
        ("have .git/config", 1, format!(".git/config: a setting of git\n{why}")),
        ("have none", 1, "none is missing, or is no regular file\n".to_owned()),
        ("echo 2 > /tmp/two; same out/a /tmp/two", 1, differs.to_owned()),
        ("printf 1 > /tmp/one; same out/a /tmp/one", 1, newline.to_owned()),
    ] {
        let command = format!("sh -c '. /sealed/lib/checks.sh; {command}'");
        let report = run(&mut *judge, &command).await;
        let found = (report.end, report.stdout.text());
        assert_eq!(found, (ExecEnd::Exited(code), said), "{command}");
    }
}

/// A path too long to be written again is the agent's doing, told when it is copied out.
#[tokio::test]
async fn a_path_too_long_to_copy_is_refused() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let nest = "n=$(printf '%0250d' 0); for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do \
        mkdir $n && cd $n || exit 1; done; cd /work";
    ok(&mut *sandbox, nest).await;
    let fault = sandbox.pack(true).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SandboxCopy, "{fault}");
    works(&mut *sandbox).await;
}

/// What one copy left, the next one does not find.
#[tokio::test]
async fn a_sandbox_that_is_emptied_keeps_nothing_that_ran_or_was_written() {
    let lab = Lab::new().await;
    let mut sandbox = lab.judge().await;
    sandbox.write_files(SandboxTree::Workspace, &[file("kept/deep", "1", 0o644)]).await.unwrap();
    sandbox.write_files(SandboxTree::Sealed, &[file("check", "2", 0o644)]).await.unwrap();
    let mischief = "echo 3 > /tmp/x; echo 4 > ~/.profile; echo 5 > /dev/shm/y; mkfifo pipe; \
        chmod 000 kept; sleep 1000 & setsid sleep 1000 &";
    ok(&mut *sandbox, mischief).await;
    sandbox.reset().await.unwrap();
    let left = "ls -A /work /sealed /tmp /home/agent /run /dev/shm | grep -v :; \
        set -- /proc/[0-9]*; echo $#";
    assert_eq!(ok(&mut *sandbox, left).await.split_whitespace().collect::<Vec<_>>(), ["2"]);
    sandbox.write_files(SandboxTree::Workspace, &[file("kept", "again", 0o644)]).await.unwrap();
    assert_eq!(ok(&mut *sandbox, "cat kept").await, "again");
}

/// Holes cost the engine nothing, and are holes again where they are laid.
#[tokio::test]
async fn holes_stay_holes() {
    let lab = Lab::new().await;
    let (mut from, mut to) = (lab.sandbox().await, lab.sandbox().await);
    let sparse = "truncate -s 63M all; printf begin > some; truncate -s 20M some; \
        printf middle >> some; truncate -s 40M some; printf end >> some; \
        head -c 100000 /dev/zero > zeros; : > empty; printf x > close; truncate -s 9000 close";
    ok(&mut *from, sparse).await;
    let copy = from.pack(true).await.unwrap();
    let bytes = copy.entries.iter().flat_map(|entry| match &entry.kind {
        TreeEntryKind::File { content, .. } => content.as_slice(),
        _ => &[],
    });
    let kept: usize = bytes.map(|p| if let FileSegment::Bytes(b) = p { b.len() } else { 0 }).sum();
    assert!(kept < 1 << 20, "{kept}");
    to.unpack(&copy).await.unwrap();
    let facts = "stat -c '%n %s' *; cksum *";
    assert_eq!(ok(&mut *to, facts).await, ok(&mut *from, facts).await);
    let taken: u64 = ok(&mut *to, "du -sk . | cut -f1").await.trim().parse().unwrap();
    assert!(taken < 1_024, "{taken} KiB of the disk");
}

/// So many workspaces at their cap are more than all copies together may take.
const LARGE: usize = 10;

/// Runs in a process of its own, whose memory is looked at.
#[tokio::test]
#[ignore = "run by copies_of_all_sandboxes_have_one_bound"]
async fn many_large_copies() {
    let lab = Lab::new().await;
    let copied = (0..LARGE).map(|_| async {
        let mut sandbox = lab.sandbox().await;
        ok(&mut *sandbox, "head -c 66000000 /dev/urandom > large").await;
        let copy = sandbox.pack(true).await.unwrap();
        let mut other = lab.sandbox().await;
        other.unpack(&copy).await.unwrap();
        drop(copy);
        ok(&mut *other, "wc -c < large").await
    });
    let copied = futures_util::future::join_all(copied).await;
    assert!(copied.iter().all(|size| size == "66000000\n"), "{copied:?}");
    // This program itself, and a frame of each copy that is on its way.
    let most = COPY_MEMORY / 1_024 + (160 << 10);
    let peak = nix::sys::resource::getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss();
    assert!((peak as u64) < most && most < LARGE as u64 * 64_000, "{peak} KiB of {most}");
}

/// Whatever agents write, and however many end at once: `docs/ARCHITECTURE.md` states the peak.
#[test]
fn copies_of_all_sandboxes_have_one_bound() {
    let test = "sandbox::copies::many_large_copies";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--ignored", "--exact", test]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}");
}
