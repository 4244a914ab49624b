//! What came of each hostile program under each kind of isolation, as `docs/SECURITY.md`
//! shows it. The programs are run, and the table is made of what they met.
//!
//! `SYNTHD_UPDATE_DOCS=1` writes the table anew.

use super::as_gvisor::Gvisor;
use super::containers::{BASE, image};
use super::hostile::OUTCOMES;
use super::lab::{IMAGE, RUNTIME};
use crate::support::{pass_on_skips, skip};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const PROGRAMS: [&str; 22] = [
    "fork bomb",
    "memory bomb",
    "disk fill",
    "endless computing",
    "refusing to end",
    "child holding the output",
    "zombie flood",
    "output flood",
    "the guest's channel",
    "traps at output paths",
    "hostile archive",
    "mounts, namespaces",
    "gaining privilege",
    "other processes",
    "what the kernel shows",
    "network",
    "services, secrets",
    "crossing over",
    "attacks on the kernel",
    "engine killed",
    "container engine killed, hung",
    "the agent's tools as a deputy",
];
/// What is promised under gVisor. Its kernel answers the other programs in its own way, and some of
/// them now so and now otherwise.
const HELD_BY_GVISOR: [usize; 6] = [5, 6, 8, 20, 21, 22];
/// The names of the tests of all programs.
const EVERY: [&str; 1] = ["sandbox::hostile::"];
/// Asks for the other programs under gVisor too, of which only the host's state is asserted. They take
/// minutes, so `just prove` sets it.
const WHOLE: &str = "SYNTHD_TEST_WHOLE";
const BEGIN: &str = "<!-- made by tests/sandbox/hostile_table.rs: begin -->\n";
const END: &str = "<!-- end -->\n";

/// What one kind of isolation made of the programs.
#[derive(Default)]
struct Column {
    /// Whether all tests of a program held.
    held: BTreeMap<usize, bool>,
    /// How commands were ended and what calls were answered, where that is worth a word.
    met: BTreeMap<usize, BTreeSet<String>>,
    /// The programs that are promised to be held, if not all are.
    only: Option<&'static [usize]>,
}

impl Column {
    /// Runs the programs as other tests run them: by this binary, in a process of its own.
    fn run(
        environment: &[(&str, &str)],
        threads: &str,
        programs: &[&str],
        others: &[(usize, &str)],
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let outcomes = directory.path().join("outcomes");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(programs).args(["--test-threads", threads]);
        command.args(others.iter().map(|(_, test)| *test));
        command.envs(environment.iter().copied()).env(OUTCOMES, &outcomes);
        let output = command.output().unwrap();
        pass_on_skips(&output);
        let mut column = Self::default();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            let why = said.split_once("\nfailures:\n").map_or("", |(_, why)| why);
            eprintln!("{environment:?}: {}", why.split("\nfailures:\n").next().unwrap_or(why));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some((test, verdict)) =
                line.strip_prefix("test ").and_then(|l| l.split_once(" ... "))
            else {
                continue;
            };
            let other = others.iter().find(|(_, name)| test == *name).map(|(number, _)| *number);
            let Some(number) = other.or_else(|| number_of(test)) else { continue };
            let held = column.held.entry(number).or_insert(true);
            *held &= verdict == "ok";
            if verdict != "ok" {
                eprintln!("{environment:?}: {test} {verdict}");
            }
        }
        for line in std::fs::read_to_string(outcomes).unwrap().lines() {
            let (test, met) = line.split_once(' ').unwrap();
            let met = met.to_owned();
            column.met.entry(number_of(test).unwrap()).or_default().insert(met);
        }
        column
    }

    fn cell(&self, number: usize) -> String {
        if self.only.is_some_and(|kept| !kept.contains(&number)) {
            return "may answer otherwise".to_owned();
        }
        match self.held.get(&number) {
            None => "-".to_owned(),
            Some(false) => "did not hold".to_owned(),
            Some(true) => {
                let met: Vec<&str> =
                    self.met.get(&number).into_iter().flatten().map(String::as_str).collect();
                if met.is_empty() { "held".to_owned() } else { format!("held: {}", met.join(" ")) }
            }
        }
    }

    fn all_held(&self) -> bool {
        self.held.len() >= PROGRAMS.len() - 1 && self.held.values().all(|held| *held)
    }
}

/// `…::program_07_zombie_flood` is the seventh.
fn number_of(test: &str) -> Option<usize> {
    test.split_once("program_")?.1.get(..2)?.parse().ok()
}

const LEFT: (usize, &str) =
    (20, "sandbox::containers::nothing_of_a_killed_engine_is_left_and_strangers_are_left_alone");
const DAEMON: [(usize, &str); 2] = [
    (21, "sandbox::engines::a_killed_engine_is_told_apart_and_works_again_after_its_restart"),
    (21, "sandbox::engines::a_hung_engine_is_given_up_at_the_deadline"),
];
const NAMESPACE: [(usize, &str); 2] = [
    (20, "sandbox::lifetime::a_killed_engine_leaves_nothing"),
    (
        20,
        "sandbox::lifetime::engine_and_launcher_killed_at_once_leave_only_what_the_next_start_sweeps",
    ),
];

#[test]
fn the_document_shows_what_the_programs_met() {
    let what = "the table of hostile programs";
    let root = nix::unistd::geteuid().is_root();
    let Some(gvisor) = Gvisor::start(what).filter(|_| root && image().is_some()) else {
        return skip(what, "it needs root, the test image and runsc");
    };
    let namespace = Column::run(&[], "2", &EVERY, &NAMESPACE);
    let others = [LEFT, DAEMON[0], DAEMON[1]];
    let docker = Column::run(&[(IMAGE, BASE)], "4", &EVERY, &others);
    let host = gvisor.host();
    let under = [(IMAGE, BASE), (RUNTIME, "runsc"), ("DOCKER_HOST", host.as_str())];
    let kept = HELD_BY_GVISOR.map(|number| format!("::program_{number:02}_"));
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    let programs = if std::env::var_os(WHOLE).is_some() { &EVERY[..] } else { &kept };
    let runsc = Column::run(&under, "2", programs, &others);
    let runsc = Column { only: Some(&HELD_BY_GVISOR), ..runsc };
    assert!(namespace.all_held() && docker.all_held());
    assert!(HELD_BY_GVISOR.iter().all(|number| runsc.held.get(number) == Some(&true)));
    // Whatever a program was answered inside of gVisor, the host is as it was.
    gvisor.is_unharmed();
    let made = table(&[namespace, docker, runsc]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SECURITY.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("SYNTHD_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(made, shown, "SYNTHD_UPDATE_DOCS=1 writes it anew");
}

fn table(columns: &[Column; 3]) -> String {
    let mut text = "| # | program | namespace | docker | docker, runsc |\n".to_owned();
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for (index, program) in PROGRAMS.iter().enumerate() {
        let number = index + 1;
        let cells: Vec<String> = columns.iter().map(|column| column.cell(number)).collect();
        text.push_str(&format!("| {number} | {program} | {} |\n", cells.join(" | ")));
    }
    text
}
