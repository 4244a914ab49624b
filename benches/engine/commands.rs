//! A command through the guest, against the same command spawned by a bare parent.

use crate::{Figure, median, synthd};
use std::process::Command;
use std::time::{Duration, Instant};
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::model::{ExecRequest, SandboxLimits, SandboxSpec, ShellChoice};
use synthd_actors::ports::{Sandbox, SandboxBackend};

const ROUNDS: usize = 1_000;
/// The command of a turn, by its number.
type TurnCommand = fn(usize) -> String;
/// Turns on a large workspace: how many directories of a hundred files it has, what a turn does, and
/// the goal.
const LARGE: [(usize, &str, TurnCommand, &str); 3] = [
    (50, "a turn on 5,000 files, with its changes", write, "<= 3x of the same without"),
    (500, "a turn on 50,000 files, with its changes", write, "<= 30 ms"),
    (50, "a turn on 5,000 files that makes a directory", make, "of the same without"),
];

pub fn spec() -> SandboxSpec {
    SandboxSpec { image: "base".to_owned(), shell: ShellChoice::Sh, ..SandboxSpec::default() }
}

pub async fn measure() -> Vec<Figure> {
    let backend = NamespaceBackend::new(synthd());
    let mut sandbox = backend.create(&spec()).await.unwrap();
    let mut figures = Vec::new();
    for (name, command) in [("builtin", "echo hi"), ("program", "/bin/ls / > /dev/null; echo hi")] {
        // In turns, so that a machine that slows down slows both.
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(through_guest(&mut *sandbox, command).await);
            bare.push(spawned(command));
        }
        figures.push(Figure::time(
            &format!("command in a sandbox ({name}), p50"),
            median(&mut ours),
            Some(median(&mut bare)),
            "<= 1.3x",
        ));
    }
    drop(sandbox);
    for (directories, what, command, goal) in LARGE {
        figures.push(listing(&backend, directories, what, command, goal).await);
    }
    backend.settle().await.unwrap();
    figures
}

fn write(round: usize) -> String {
    format!("echo {round} > /work/d1/f1")
}

fn make(round: usize) -> String {
    format!("mkdir /work/n{round}")
}

/// What a turn's list of changes costs on a large tree.
async fn listing(
    backend: &NamespaceBackend,
    directories: usize,
    what: &str,
    command: TurnCommand,
    goal: &'static str,
) -> Figure {
    let limits = SandboxLimits { inodes: 100_000, ..SandboxLimits::default() };
    let mut sandbox = backend.create(&SandboxSpec { limits, ..spec() }).await.unwrap();
    let tree = format!(
        "cd /work; for d in $(seq {directories}); do mkdir d$d; \
         (cd d$d; seq 100 | sed s/^/f/ | xargs touch); done"
    );
    through_guest(&mut *sandbox, &tree).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS / 10 {
        with.push(exec(&mut *sandbox, &command(2 * round), true).await);
        without.push(exec(&mut *sandbox, &command(2 * round + 1), false).await);
    }
    Figure::time(what, median(&mut with), Some(median(&mut without)), goal)
}

pub async fn through_guest(sandbox: &mut dyn Sandbox, command: &str) -> Duration {
    exec(sandbox, command, false).await
}

async fn exec(sandbox: &mut dyn Sandbox, command: &str, scan: bool) -> Duration {
    let request = ExecRequest {
        command: command.to_owned(),
        session: true,
        timeout: Duration::from_secs(30),
        scan,
        output_kept: None,
        joined: false,
    };
    let started = Instant::now();
    assert!(sandbox.exec(&request).await.unwrap().end.success());
    started.elapsed()
}

fn spawned(command: &str) -> Duration {
    let started = Instant::now();
    let output = Command::new("/bin/sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success());
    started.elapsed()
}
