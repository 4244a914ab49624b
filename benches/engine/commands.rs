//! A command through the guest, against the same command spawned by a bare parent.

use crate::{Figure, median, synthd};
use std::process::Command;
use std::time::{Duration, Instant};
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::model::{ExecRequest, SandboxSpec, ShellChoice};
use synthd_actors::ports::{Sandbox, SandboxBackend};

const ROUNDS: usize = 1_000;
const FILES: usize = 5_000;
const TREE: &str = "cd /work; for d in $(seq 1 50); do mkdir d$d; (cd d$d; seq 1 100 | sed s/^/f/ | xargs touch); done";

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
    figures.push(listing(&mut *sandbox).await);
    drop(sandbox);
    backend.settle().await.unwrap();
    figures
}

/// What a turn's list of changes costs on a large tree.
async fn listing(sandbox: &mut dyn Sandbox) -> Figure {
    through_guest(sandbox, TREE).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS / 10 {
        let command = format!("echo {round} > /work/d1/f1");
        with.push(exec(sandbox, &command, true).await);
        without.push(exec(sandbox, &command, false).await);
    }
    let what = format!("a turn on {FILES} files, with its changes");
    Figure::time(&what, median(&mut with), Some(median(&mut without)), "of the same without")
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
