//! Skipped tests count as passed, so they are counted and named once more when all have run.
//! The harness tells nobody that it ends; a process that reads from it is told by the kernel.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};

const TELL: &str = r#"
!lines[$0]++ { all = all "\n  " $0 }
!tests[$1]++ { count++ }
END { printf "\n%d of the tests that passed were skipped, wholly or in part:%s\n", count, all }
"#;

static TELLER: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let mut command = Command::new("awk");
    command.args(["-F", ": ", TELL]).stdin(Stdio::piped()).stdout(std::io::stderr());
    Mutex::new(command.spawn().unwrap())
});

/// Notes that the test of this thread does not run in full.
pub(super) fn count(what: &str, why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let mut teller = TELLER.lock().unwrap();
    let line = format!("{test}: {what} ({why})\n");
    teller.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
}

/// Skips in the name of this test what the tests that it ran in another process have skipped.
pub(crate) fn pass_on_skips(ran: &Output) {
    for line in String::from_utf8_lossy(&ran.stderr).lines() {
        let skipped = line.strip_prefix("SKIPPED ").and_then(|line| line.split_once(": "));
        if let Some((what, why)) = skipped {
            super::skip(what, why);
        }
    }
}

/// Runs one of the ignored tests of this file, outside of CI.
fn run_alone(test: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--test-threads", "2", "--exact", test]);
    command.env_remove("CI").output().unwrap()
}

#[test]
#[ignore = "run by skipped_tests_are_counted_and_named_at_the_end"]
fn skips_twice() {
    super::skip("one thing", "it is not here");
    super::skip("another", "nor is that");
}

#[test]
#[ignore = "run by skipped_tests_are_counted_and_named_at_the_end"]
fn skips_elsewhere() {
    pass_on_skips(&run_alone("support::skipped::skips_twice"));
}

/// Whether the test itself skips, or a process that it has started.
#[test]
fn skipped_tests_are_counted_and_named_at_the_end() {
    for test in ["support::skipped::skips_twice", "support::skipped::skips_elsewhere"] {
        let output = run_alone(test);
        let said = String::from_utf8_lossy(&output.stderr);
        let told = format!(
            "\n1 of the tests that passed were skipped, wholly or in part:\n  \
             {test}: one thing (it is not here)\n  {test}: another (nor is that)\n"
        );
        assert!(output.status.success() && said.ends_with(&told), "{said}");
    }
}
