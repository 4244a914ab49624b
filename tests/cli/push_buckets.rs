//! `dataset push` to a real S3 server.

use super::campaign::shared;
use super::harness::{Ran, command};
use crate::support::{BUCKET, Bucket, SECRET};
use std::fs;

fn push(bucket: &Bucket, extra: &[&str]) -> Ran {
    push_as(bucket, SECRET, extra)
}

/// Pushes the shared trajectories. Whatever happens, no output has the secret.
fn push_as(bucket: &Bucket, secret: &str, extra: &[&str]) -> Ran {
    let (dir, version) = (tempfile::tempdir().unwrap(), shared().dataset());
    let target = format!("s3://{BUCKET}/published/small");
    let args = ["dataset", "push", version.to_str().unwrap(), &target];
    let mut command = command(dir.path(), &[&args, extra].concat());
    command.env("AWS_ENDPOINT_URL", bucket.address()).env("AWS_ALLOW_HTTP", "true");
    command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "somebody");
    command.env("AWS_SECRET_ACCESS_KEY", secret);
    let ran = Ran::from(command.output().unwrap());
    for part in [&ran.stdout, &ran.stderr] {
        assert!(!part.contains("canary"), "{ran:?}");
    }
    ran
}

const TRAIN: &str = "published/small/v1/trajectories/train-00000-of-00001.parquet";
const SUMS: &str = "published/small/v1/SHA256SUMS";
const SFT: &str = "published/small/v1/sft/train-00000-of-00001.parquet";
const CARD: &str = "published/small/v1/README.md";

fn original() -> Vec<u8> {
    fs::read(shared().dataset().join("train.parquet")).unwrap()
}

#[test]
fn a_version_is_there_when_its_sums_are() {
    let bucket = Bucket::start();
    let plan = push(&bucket, &["--dry-run", "--json"]).succeeds().document();
    assert_eq!((&plan["state"], &plan["sent"]["files"]), (&"planned".into(), &plan["files"]));
    assert!(!bucket.object("published").exists());
    let report = push(&bucket, &["--json"]).succeeds().document();
    assert_eq!(report["state"], "published");
    assert_eq!(report["sent"]["files"], report["files"]);
    assert_eq!(fs::read(bucket.object(TRAIN)).unwrap(), original());
    let sums = fs::read_to_string(bucket.object(SUMS)).unwrap();
    assert!(sums.contains("  sft/train-00000-of-00001.parquet\n"), "{sums}");
    assert!(!bucket.object("published/small/v1/.push").exists());
    let again = push(&bucket, &["--json"]).succeeds().document();
    assert_eq!((&again["state"], &again["sent"]["files"]), (&"known".into(), &0.into()));
}

#[test]
fn a_push_sends_what_is_missing_or_has_other_bytes() {
    let bucket = Bucket::start();
    push(&bucket, &[]).succeeds();
    // As after a push that was cut off, and a disk that has turned a bit.
    fs::remove_file(bucket.object(SUMS)).unwrap();
    fs::remove_file(bucket.object(SFT)).unwrap();
    let mut card = fs::read(bucket.object(CARD)).unwrap();
    card[9] ^= 1;
    fs::write(bucket.object(CARD), &card).unwrap();
    let report = push(&bucket, &["--json"]).succeeds().document();
    assert_eq!((&report["state"], &report["sent"]["files"]), (&"published".into(), &3.into()));
    card[9] ^= 1;
    assert_eq!(fs::read(bucket.object(CARD)).unwrap(), card);
}

#[test]
fn an_overloaded_server_is_asked_again() {
    let bucket = Bucket::start();
    bucket.trouble(3);
    push(&bucket, &[]).succeeds();
    assert_eq!(bucket.troubles_left(), 0);
    assert_eq!(fs::read(bucket.object(TRAIN)).unwrap(), original());
}

#[test]
fn a_server_that_stays_out_of_order_cuts_the_push_off() {
    let bucket = Bucket::start();
    bucket.trouble(usize::MAX);
    push(&bucket, &[]).fails(1, "SYN-0709");
    bucket.trouble(0);
    push(&bucket, &[]).succeeds();
}

#[test]
fn credentials_that_may_not_write_are_told_before_a_row_is_sent() {
    let bucket = Bucket::start();
    push_as(&bucket, "another-canary", &[]).fails(2, "SYN-0708");
    bucket.reads_only(true);
    let ran = push(&bucket, &[]).fails(2, "SYN-0708");
    assert!(ran.stderr.contains("credentials"), "{ran:?}");
    assert!(!bucket.object("published").exists());
    bucket.reads_only(false);
    push(&bucket, &[]).succeeds();
    // Whoever may read sees that the version is there.
    bucket.reads_only(true);
    assert_eq!(push(&bucket, &["--json"]).succeeds().document()["state"], "known");
}

#[test]
fn what_else_is_there_is_not_touched() {
    let bucket = Bucket::start();
    let mine = bucket.object("published/small/v1/mine.txt");
    fs::create_dir_all(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "mine").unwrap();
    let ran = push(&bucket, &[]).fails(2, "SYN-0708");
    assert!(ran.stderr.contains("mine.txt"), "{ran:?}");
    fs::remove_file(&mine).unwrap();
    fs::write(bucket.object(SUMS), "another version\n").unwrap();
    push(&bucket, &[]).fails(2, "SYN-0708");
    assert_eq!(fs::read_to_string(bucket.object(SUMS)).unwrap(), "another version\n");
    assert!(!bucket.object(TRAIN).exists());
}
