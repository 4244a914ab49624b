//! How many valid mutants a second of processor time gives: by the way of `pack mine`, one process that
//! collects the tests once and forks for each candidate; and by a process of Python's own test runner
//! for each of the same candidates. All shipped packs in Python are measured.

use crate::Figure;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use synthd_actors::pack::{PACK_FILE, PROJECT_DIRECTORY, PackHead, PackRunner};

/// The miner, as `pack mine` runs it in a sandbox.
const MINER: &str = include_str!("../../src/packs/miner.py");
/// The peer.
const MUTANTS: &str = include_str!("mutants.py");
/// The number of candidates of each pack, evenly spread over the project.
const SAMPLE: usize = 20;
/// The number of candidates of a batch of `pack mine`. They share a start and two controls.
const BATCH: f64 = 100.0;

/// Valid mutants of one pack for each second of processor time.
struct MutantRates {
    name: String,
    miner: f64,
    /// A process for each candidate runs every test.
    whole: f64,
    /// A process for each candidate runs the tests that run the changed line.
    covering: f64,
}

pub fn measure() -> Vec<Figure> {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("SKIPPED mining: python3 is not installed");
        return Vec::new();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
    let mut packs: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    packs.sort();
    let rates: Vec<MutantRates> = packs.iter().filter_map(|pack| measured(pack)).collect();
    let figure = |pack: &MutantRates| {
        let what = format!("valid mutants a CPU second, {}", pack.name);
        Figure::rate_of_few(&what, pack.miner, pack.whole, "")
    };
    let mut figures: Vec<Figure> = rates.iter().map(figure).collect();
    let whole = middle(rates.iter().map(|pack| pack.miner / pack.whole));
    let covering = middle(rates.iter().map(|pack| pack.miner / pack.covering));
    figures.push(ratio("the median of the packs", whole, ">= 10x"));
    figures.push(ratio("the same, peers run covering tests only", covering, ""));
    figures
}

/// A figure that is only a ratio.
fn ratio(what: &str, ratio: f64, goal: &'static str) -> Figure {
    Figure { ratio: format!("{ratio:.1}x"), ..Figure::plain(what, "-".to_owned(), goal) }
}

/// The median.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The rates of a pack. None if its tests are no tests in Python.
fn measured(pack: &Path) -> Option<MutantRates> {
    let head: PackHead = toml::from_str(&fs::read_to_string(pack.join(PACK_FILE)).ok()?).unwrap();
    if head.runner != PackRunner::Unittest {
        return None;
    }
    let place = tempfile::tempdir().unwrap();
    lay(pack, &head, place.path());
    let python = |arguments: &[&str]| answer(place.path(), arguments);
    python(&["miner.py", "baseline"]);
    python(&["miner.py", "candidates"]);
    draw_sample(&place.path().join("state/candidates.json"));
    let (start, _) = counted(|| python(&["miner.py", "try", "0", "0"]));
    let (tried, found) = counted(|| python(&["miner.py", "try", "0", &SAMPLE.to_string()]));
    // The sample has its share of what a batch costs whatever it has.
    let share = start.mul_f64(SAMPLE as f64 / BATCH);
    let used = tried.saturating_sub(start) + share;
    let (whole, covering) = (python(&["mutants.py", "all"]), python(&["mutants.py", "covering"]));
    let peer = |found: &Value| number(found, "valid") / number(found, "seconds");
    Some(MutantRates {
        name: head.name,
        miner: number(&found["verdicts"], "valid") / used.as_secs_f64(),
        whole: peer(&whole),
        covering: peer(&covering),
    })
}

/// Lays the project, the miner and the peer into a directory.
fn lay(pack: &Path, head: &PackHead, place: &Path) {
    let from = pack.join(PROJECT_DIRECTORY);
    let copied = Command::new("cp").arg("-r").arg(from).arg(place.join("project")).status();
    assert!(copied.unwrap().success(), "{} cannot be copied", head.name);
    fs::create_dir(place.join("state")).unwrap();
    let deselected: Vec<&String> = head.deselected.keys().collect();
    let settings = json!({ "source": head.source, "tests": head.tests, "deselected": deselected });
    fs::write(place.join("state/settings.json"), settings.to_string()).unwrap();
    fs::write(place.join("miner.py"), MINER).unwrap();
    fs::write(place.join("mutants.py"), MUTANTS).unwrap();
}

/// Keeps some of the faults and stubs that the miner has found.
fn draw_sample(path: &Path) {
    let found: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let found: Vec<Value> = found.into_iter().filter(|one| one["kind"] != "twin").collect();
    let kept: Vec<&Value> =
        (0..SAMPLE).filter_map(|at| found.get(at * found.len() / SAMPLE)).collect();
    fs::write(path, serde_json::to_vec(&kept).unwrap()).unwrap();
}

/// Runs a program in Python, and returns the JSON that it says last.
fn answer(place: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new("python3");
    let done = command.arg("-B").args(arguments).current_dir(place).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let last = said.trim_end().lines().last().unwrap_or_default();
    let answer: Value = serde_json::from_str(last).unwrap_or_default();
    let is_found = answer.is_object() && answer.get("error").is_none();
    assert!(is_found, "{arguments:?}: {last} {}", String::from_utf8_lossy(&done.stderr));
    answer
}

/// The processor time of the processes that some work starts and waits for, with what came of it.
fn counted<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap())
    };
    let before = used();
    let done = work();
    (used() - before, done)
}

/// A number of an answer; 0 if it is not there.
fn number(answer: &Value, name: &str) -> f64 {
    answer[name].as_f64().unwrap_or_default()
}
