//! Containers: a command against a bare spawn and `docker exec`, a warm lease, containers
//! brought to ready against `docker run`, and whole campaigns against mini-swe-agent.

use crate::commands::through_guest;
use crate::starts::warm;
use crate::steps::campaign_in;
use crate::{Figure, median, synthd};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd::sandbox::SandboxBackends;
use synthd_actors::model::{BackendKind, SandboxSpec, ShellChoice};
use synthd_actors::ports::{Sandbox, SandboxBackend};
use synthd_actors::supervisor::spawn;

/// Named by who runs the bench, where it is another.
const IMAGE: &str = "SYNTHD_BENCH_IMAGE";
/// A Python with mini-swe-agent installed.
const PEER: &str = "SYNTHD_BENCH_PEER";
const ROUNDS: usize = 300;
const EXECS: usize = 30;
const BROUGHT_UP: usize = 40;
const PARALLEL: usize = 4;
/// Live at once.
const CROWD: usize = 200;
/// As the engine knows it.
const GVISOR: &str = "runsc";
const TURNS: usize = 50;
/// Of the peer: its steps take so long that fewer tell as much.
const PEER_TURNS: usize = 10;
const COMMAND: &str = "/bin/ls / > /dev/null; echo hi";

fn image() -> String {
    std::env::var(IMAGE).unwrap_or_else(|_| "synthd-test/base:latest".to_owned())
}

pub fn spec() -> SandboxSpec {
    SandboxSpec {
        backend: BackendKind::Docker,
        image: image(),
        shell: ShellChoice::Sh,
        ..SandboxSpec::default()
    }
}

/// None, said aloud, where no engine has the image.
pub async fn engine(bench: &str) -> Option<Arc<SandboxBackends>> {
    let guest_dir = std::env::temp_dir().join("synthd-bench-guest");
    let backend = Arc::new(SandboxBackends::new(synthd(), &guest_dir));
    if backend.check(&spec()).await.is_err() {
        println!("SKIPPED {bench}: no engine with {} (set {IMAGE})", image());
        return None;
    }
    Some(backend)
}

pub async fn measure() -> Vec<Figure> {
    let Some(backend) = engine("containers").await else { return Vec::new() };
    let mut figures = commands(&backend).await;
    let lease = warm(backend.clone(), spec(), EXECS).await;
    figures.push(Figure::time("lease of a warm container, p50", lease, None, "<= 1 ms"));
    figures.push(bring_up(backend.clone()).await);
    figures.extend(crowd(&backend).await);
    figures.extend(under_gvisor(&backend).await);
    figures.extend(campaigns().await);
    figures
}

async fn commands(backend: &SandboxBackends) -> Vec<Figure> {
    let mut sandbox = backend.create(&spec()).await.unwrap();
    let (mut ours, mut bare, mut execs) = (Vec::new(), Vec::new(), Vec::new());
    // In turns, so that a machine that slows down slows all.
    for _ in 0..ROUNDS {
        ours.push(through_guest(&mut *sandbox, COMMAND).await);
        bare.push(run("/bin/sh", &["-c", COMMAND]));
    }
    drop(sandbox);
    let held = started(&["run", "-d", "--rm", "--network", "none", &image(), "sleep", "1000"]);
    for _ in 0..EXECS {
        execs.push(run("docker", &["exec", &held, "/bin/sh", "-c", COMMAND]));
    }
    run("docker", &["rm", "-f", &held]);
    backend.settle().await.unwrap();
    let (ours, bare, execs) = (median(&mut ours), median(&mut bare), median(&mut execs));
    vec![
        Figure::time("command in a container, p50", ours, Some(bare), "<= 1.3x of a bare spawn"),
        Figure::time("the same", ours, Some(execs), "of docker exec"),
    ]
}

fn run(program: &str, arguments: &[&str]) -> Duration {
    let started = Instant::now();
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    started.elapsed()
}

fn started(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Many at once, each of them used.
async fn crowd(backend: &SandboxBackends) -> Vec<Figure> {
    let (before, begun) = (available_kib(), Instant::now());
    let making = (0..CROWD).map(|_| async { backend.create(&spec()).await });
    let mut sandboxes: Vec<Box<dyn Sandbox>> =
        stream::iter(making).buffer_unordered(PARALLEL).try_collect().await.unwrap();
    let took = begun.elapsed();
    for sandbox in &mut sandboxes {
        through_guest(&mut **sandbox, COMMAND).await;
    }
    let each = before.saturating_sub(available_kib()) / CROWD as u64;
    drop(sandboxes);
    backend.settle().await.unwrap();
    let what = format!("{CROWD} live containers, brought up and used");
    vec![
        Figure::plain(&what, format!("{:.0} s", took.as_secs_f64()), ""),
        Figure::plain("memory of one, its shim included", format!("{each} KiB"), ""),
    ]
}

/// Of the whole machine: shims, the engine and the kernel take their part.
fn available_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The same commands under gVisor, where the engine knows it.
async fn under_gvisor(backend: &SandboxBackends) -> Vec<Figure> {
    let spec = SandboxSpec { runtime: Some(GVISOR.to_owned()), ..spec() };
    let mut sandbox = match backend.create(&spec).await {
        Ok(sandbox) => sandbox,
        Err(fault) => {
            println!("SKIPPED gVisor: {fault}");
            return Vec::new();
        }
    };
    let held = ["run", "-d", "--rm", "--network", "none", "--runtime", GVISOR];
    let held = started(&[&held[..], &[&image(), "sleep", "1000"]].concat());
    let (mut ours, mut execs) = (Vec::new(), Vec::new());
    for _ in 0..EXECS {
        ours.push(through_guest(&mut *sandbox, COMMAND).await);
        execs.push(run("docker", &["exec", &held, "/bin/sh", "-c", COMMAND]));
    }
    run("docker", &["rm", "-f", &held]);
    drop(sandbox);
    backend.settle().await.unwrap();
    let (ours, execs) = (median(&mut ours), median(&mut execs));
    vec![Figure::time("command under gVisor, p50", ours, Some(execs), "of docker exec")]
}

/// To the guest's answer, against a container that runs `true` and is gone.
async fn bring_up(backend: Arc<SandboxBackends>) -> Figure {
    let begun = Instant::now();
    let workers: Vec<_> = (0..PARALLEL)
        .map(|_| {
            let backend = backend.clone();
            spawn("bring up", async move {
                for _ in 0..BROUGHT_UP / PARALLEL {
                    drop(backend.create(&spec()).await.unwrap());
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    backend.settle().await.unwrap();
    let ours = BROUGHT_UP as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                for _ in 0..BROUGHT_UP / PARALLEL {
                    run("docker", &["run", "--rm", "--network", "none", &image(), "true"]);
                }
            });
        }
    });
    let theirs = BROUGHT_UP as f64 / begun.elapsed().as_secs_f64();
    Figure::rate("containers ready and gone again", ours, theirs, "of docker run")
}

async fn campaigns() -> Vec<Figure> {
    let mut figures = Vec::new();
    let server = crate::server::start("echo hi");
    for at_once in [1, 8, 32] {
        let (progress, took) = campaign_in(&spec(), at_once, "echo hi", TURNS, Some(&server)).await;
        let seconds = took.as_secs_f64();
        let steps = progress.steps as f64 / seconds;
        let episodes = progress.episodes.finished as f64 / seconds;
        let Some(peer) = peer(at_once, &server) else {
            figures.push(Figure::plain(
                &format!("steps on docker, {at_once} at once"),
                format!("{steps:.0}/s"),
                ">= 100x of mini-swe-agent",
            ));
            continue;
        };
        let what = format!("steps on docker, {at_once} at once");
        figures.push(Figure::rate(&what, steps, peer.0, ">= 100x of mini-swe-agent"));
        let what = format!("episodes on docker, {at_once} at once");
        figures.push(Figure::rate_of_few(&what, episodes, peer.1, "of mini-swe-agent's"));
    }
    figures
}

/// Its steps and episodes a second.
fn peer(at_once: usize, server: &str) -> Option<(f64, f64)> {
    let Ok(python) = std::env::var(PEER) else {
        println!("SKIPPED mini-swe-agent: name a Python that has it in {PEER}");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/mini_swe_agent.py");
    let numbers = [at_once, at_once.max(4), PEER_TURNS].map(|number| number.to_string());
    let mut command = Command::new(python);
    // Its table of prices comes from the network otherwise, at every start.
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    command.arg(script).arg(image()).args(numbers).arg(server).stderr(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last =
        text.lines().rfind(|line| line.starts_with("{\"steps\"")).expect("the peer's figures");
    let told: serde_json::Value = serde_json::from_str(last).unwrap();
    let number = |key: &str| told[key].as_f64().unwrap();
    Some((number("steps") / number("seconds"), number("episodes") / number("seconds")))
}
