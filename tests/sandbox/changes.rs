//! What a command did to the files of the workspace, told after each.

use super::lab::{Lab, ok, run};
use sha2::{Digest, Sha256};
use synthd_actors::model::{FileChangeKind, WorkspaceScan};
use synthd_actors::ports::Sandbox;

/// The changes of a command, each as one line.
async fn changes(sandbox: &mut dyn Sandbox, command: &str) -> Vec<String> {
    let scan = run(sandbox, command).await.scan.unwrap();
    assert_eq!(scan.changed as usize, scan.changes.len());
    let kind = |kind| match kind {
        FileChangeKind::Added => '+',
        FileChangeKind::Modified => '~',
        FileChangeKind::Removed => '-',
    };
    let line = |change: &synthd_actors::model::WorkspaceChange| {
        format!("{}{} {}", kind(change.kind), change.path, change.size)
    };
    scan.changes.iter().map(line).collect()
}

#[tokio::test]
async fn what_was_added_changed_and_removed_is_told() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let first = changes(&mut *sandbox, "mkdir d && echo a > d/a && echo b > b").await;
    assert_eq!(first, [""; 0], "what is there at the first look is no change");
    assert_eq!(changes(&mut *sandbox, "true").await, [""; 0]);
    assert_eq!(changes(&mut *sandbox, "echo c > c; echo aa > d/a").await, ["+c 2", "~d/a 3"]);
    assert_eq!(changes(&mut *sandbox, "rm b; mv c d/c").await, ["-b 0", "-c 0", "+d/c 2"]);
    // Written again with what it held: known, because it was read when it changed.
    assert_eq!(changes(&mut *sandbox, "cp d/c x && cat x > d/c && rm x").await, [""; 0]);
    assert_eq!(changes(&mut *sandbox, "chmod +x d/c").await, ["~d/c 2"]);
    // The same size, and the time it had.
    let sly = "touch -r d/a stamp && printf 'bb\\n' > d/a && touch -r stamp d/a && rm stamp";
    assert_eq!(changes(&mut *sandbox, sly).await, ["~d/a 3"]);
    let replaced = "rm d/a && ln -s /etc/passwd d/a && mkfifo pipe";
    assert_eq!(changes(&mut *sandbox, replaced).await, ["-d/a 0"]);
}

/// The guest's own hash is the one everybody else computes, whatever the length.
#[tokio::test]
async fn contents_are_told_by_their_hash() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    run(&mut *sandbox, "true").await;
    let lengths = [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 128, 16_383, 16_384, 16_385, 300_000];
    let write = lengths.map(|length| format!("head -c {length} /dev/zero > f{length};")).join(" ");
    let scan = run(&mut *sandbox, &write).await.scan.unwrap();
    assert_eq!(scan.changes.len(), lengths.len());
    for change in scan.changes {
        let length = usize::try_from(change.size).unwrap();
        assert_eq!(
            change.sha256.unwrap(),
            hex::encode(Sha256::digest(vec![0; length])),
            "{length}"
        );
    }
    let text = run(&mut *sandbox, "printf 'the quick brown fox' > text").await.scan.unwrap();
    let expected = hex::encode(Sha256::digest("the quick brown fox"));
    assert_eq!(text.changes[0].sha256.as_deref(), Some(expected.as_str()));
}

#[tokio::test]
async fn more_than_is_listed_is_counted_and_large_files_are_not_read() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    run(&mut *sandbox, "true").await;
    let many = "i=1000; while [ $i -lt 1500 ]; do : > f$i; i=$((i+1)); done";
    let scan = run(&mut *sandbox, many).await.scan.unwrap();
    assert_eq!((scan.changed, scan.changes.len()), (500, WorkspaceScan::MAX_FILES));
    assert_eq!(scan.changes.last().unwrap().path, "f1255");
    ok(&mut *sandbox, "rm f*").await;
    let large = run(&mut *sandbox, "truncate -s 100M a; head -c 1000 /dev/zero > b").await;
    let changes = large.scan.unwrap().changes;
    assert_eq!((changes[0].size, changes[0].sha256.is_some()), (100 << 20, false));
    assert!(changes[1].sha256.is_some());
}

/// Long names are listed only so far: each turn keeps its list.
#[tokio::test]
async fn lists_of_long_names_are_bounded() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, ":").await;
    let long = "n=$(printf '%0200d' 0); mkdir -p $n/$n/$n; cd $n/$n/$n; \
        for i in $(seq 300); do : > $n$i; done; cd /work; : > 0first";
    let scan = run(&mut *sandbox, long).await.scan.unwrap();
    let listed: usize = scan.files.iter().map(String::len).sum();
    let changed: usize = scan.changes.iter().map(|change| change.path.len()).sum();
    assert!(listed <= 32 << 10 && scan.files.len() > 30, "{listed}");
    assert!(changed <= 32 << 10 && scan.changes.len() > 30, "{changed}");
    assert_eq!((scan.changed, scan.files.len() < 256), (301, true));
}
