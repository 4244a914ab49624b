//! The same tests once more against containers: one protocol, one guest, whatever isolates
//! them. The hostile programs are `hostile_table`'s.

use super::containers::image;
use super::lab::IMAGE;
use crate::support::{pass_on_skips, skip};
use std::process::Command;

#[test]
fn containers_keep_the_promises_of_a_sandbox() {
    let Some(image) = image() else {
        return skip("the sandbox in containers", "no container engine with the test image");
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "sandbox::basics",
        "sandbox::beside",
        "sandbox::changes",
        "sandbox::copies",
        "sandbox::egress",
        "sandbox::forgeries",
        "sandbox::operations",
        "sandbox::rescans",
        "sandbox::services",
        "sandbox::still",
        "sandbox::terminals",
        "sandbox::tunnel",
        "--nocapture",
    ]);
    // The engine makes and removes containers for every test at once; more would only wait.
    let output = command.args(["--test-threads", "4"]).env(IMAGE, image).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let tally = text.lines().rfind(|line| line.starts_with("test result")).unwrap_or("no tally");
    eprintln!("in containers: {tally}");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    pass_on_skips(&output);
}
