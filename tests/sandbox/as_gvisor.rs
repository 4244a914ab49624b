//! Tests of the shared suites under gVisor's runtime, on an engine of the test's own that
//! knows it.

use super::containers::{BASE, image};
use super::lab::{IMAGE, RUNTIME};
use crate::support::{OwnEngine, pass_on_skips, skip, synthd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What the runtime of Debian 12, of December 2022, does on a kernel of today. Others of the
/// suites meet calls it does not know, statx among them; `docs/SECURITY.md` says which.
const KEPT: [&str; 26] = [
    "basics::a_scan_lists_the_first_files_and_notices_every_change",
    "basics::a_session_survives_what_commands_do_to_their_shell",
    "basics::a_timeout_ends_the_whole_tree",
    "basics::background_work_of_earlier_turns_outlives_a_timeout",
    "basics::commands_outside_the_session_leave_it_alone",
    "basics::every_builtin_that_can_change_a_session_does",
    "basics::every_way_to_end_is_told_apart",
    "basics::exports_keep_every_byte",
    "basics::joined_streams_keep_the_order_in_which_they_were_written",
    "basics::output_is_cut_in_the_middle_and_counted",
    "basics::state_survives_from_turn_to_turn",
    "basics::streams_are_apart_and_any_bytes_pass",
    "basics::too_much_output_ends_a_command",
    "changes::",
    "copies::packing_ends_what_runs",
    "copies::paths_that_leave_their_tree_are_refused",
    "forgeries::",
    "operations::a_command_is_an_operation_too",
    "operations::a_file_that_grows_comes_to_an_end",
    "operations::a_tree_that_changes_is_read_or_refused",
    "operations::an_existing_file_keeps_its_mode_and_its_identity",
    "operations::files_up_to_the_limit_pass_whole",
    "services::a_service_that_always_fails_is_given_up",
    "services::a_service_that_was_killed_is_started_again",
    "terminals::keys_that_nobody_reads_are_bounded",
    "tunnel::",
];
/// Sixty-four threads are more than it gives a sandbox of this memory.
const BEYOND_IT: &str = "many_clients_are_served_at_once";

/// An engine that knows the runtime, and has the test image.
pub(crate) struct Gvisor {
    engine: OwnEngine,
    _wrapper: tempfile::TempDir,
}

impl Gvisor {
    /// None, said aloud, where there can be none.
    pub(crate) fn start(what: &str) -> Option<Self> {
        Self::with(what, without_network)
    }

    /// An engine with a runtime that the function makes in a directory.
    fn with(what: &str, runtime: fn(&Path) -> String) -> Option<Self> {
        if !Path::new("/usr/bin/runsc").exists() || image().is_none() {
            skip(what, "it needs runsc and the test image");
            return None;
        }
        let wrapper = tempfile::tempdir().unwrap();
        let runtime = format!("--add-runtime=runsc={}", runtime(wrapper.path()));
        let engine = OwnEngine::start(what, None, &[&runtime])?;
        let host = engine.address().host;
        let pipe = format!("docker save {BASE} | DOCKER_HOST={host} docker load");
        let loaded = Command::new("sh").args(["-c", &pipe]).output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        Some(Self { engine, _wrapper: wrapper })
    }

    pub(crate) fn host(&self) -> String {
        self.engine.address().host
    }

    /// What `synthd doctor` says of the runtime.
    fn examined(&self) -> String {
        let mut doctor = Command::new(synthd());
        let said = doctor.args(["doctor", "--json"]).env("DOCKER_HOST", self.host()).output();
        let said: serde_json::Value = serde_json::from_slice(&said.unwrap().stdout).unwrap();
        said["docker"]["host"]["engine"]["gvisor"].to_string()
    }

    /// The last of what dead processes had goes at the next one's start, which works.
    pub(crate) fn is_unharmed(&self) {
        let mut next = Command::new(synthd());
        let next = next.args(["image", "check", BASE]).env("DOCKER_HOST", self.host());
        assert!(next.output().unwrap().status.success());
        assert_eq!(self.engine.containers(), [""; 0]);
    }
}

/// A runtime whose kernel does not want the host's network where a container has none.
pub(crate) fn without_network(directory: &Path) -> String {
    let wrapper = directory.join("runsc-without-network");
    std::fs::write(&wrapper, "#!/bin/sh\nexec /usr/bin/runsc --network=none \"$@\"\n").unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    wrapper.display().to_string()
}

#[test]
fn gvisor_keeps_what_it_can() {
    let Some(gvisor) = Gvisor::start("the sandbox under gVisor") else { return };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(KEPT.map(|test| format!("sandbox::{test}"))).args(["--skip", BEYOND_IT]);
    command.args(["--test-threads", "2"]).env(IMAGE, BASE).env(RUNTIME, "runsc");
    let output = command.env("DOCKER_HOST", gvisor.host()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let tally = text.lines().rfind(|line| line.starts_with("test result")).unwrap_or("no tally");
    eprintln!("under gVisor: {tally}");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    pass_on_skips(&output);
    gvisor.is_unharmed();
}

/// A registered runtime is tried: that it is registered says nothing.
#[test]
fn doctor_starts_a_sandbox_with_the_runtime() {
    let Some(gvisor) = Gvisor::start("doctor and gVisor") else { return };
    let said = gvisor.examined();
    assert!(said.contains(&format!("{BASE} ran")), "{said}");
    gvisor.is_unharmed();
}

/// Registered without `--network=none` its second step fails, and Docker forgets the first.
#[test]
fn a_runtime_that_starts_nothing_leaves_no_process() {
    let plain = |_: &Path| "/usr/bin/runsc".to_owned();
    let Some(gvisor) = Gvisor::with("a failing runtime", plain) else { return };
    let said = gvisor.examined();
    assert!(said.contains("did not run") && said.contains("`--network=none`"), "{said}");
    let listed = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let root = gvisor.engine.path().display().to_string();
    let left = |line: &&str| line.contains(&root) && line.starts_with("runsc");
    assert_eq!(listed.lines().find(left), None);
    gvisor.is_unharmed();
}
