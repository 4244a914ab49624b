//! The real binary, killed again and again in the middle of a campaign. Promise 1: nothing
//! paid for is lost, nothing is there twice.

mod completions;
mod drafts;
mod lost;
mod outage;
mod pruning;

use crate::support::synthd;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use synthd::store::Store;
use synthd_actors::model::{AttemptNumber, CampaignName, Outcome};
use synthd_actors::ports::Journal;

const KILLS: usize = 50;
const CAMPAIGN: &str = r#"
[campaign]
name = "crash"
concurrency = 4

[tasks]
templates = ["crash/*"]
per_template = 60

[[models]]
name = "scripted/oracle"
price = { input = "1.00", output = "2.00" }
[[models]]
name = "scripted/detour"
[[models]]
name = "scripted/cheat"

[budget]
usd = "100.00"
"#;

fn start(dir: &Path) -> Child {
    Command::new(synthd())
        .args(["run", "crash.toml", "--data-dir", "data", "--templates"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the run at the instant drawn for it; whether it was still running then.
fn kill_at(dir: &Path, instant: Duration) -> bool {
    let mut child = start(dir);
    let mut words = child.stderr.take().unwrap();
    let (ended, end) = channel();
    let reader = std::thread::spawn(move || {
        let said = std::io::read_to_string(&mut words).unwrap_or_default();
        ended.send(said).ok();
    });
    let early = end.recv_timeout(instant);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    reader.join().unwrap();
    match early {
        Err(RecvTimeoutError::Timeout) => status.code().is_none(),
        _ => {
            assert!(status.success(), "the run failed by itself: {status} {early:?}");
            false
        }
    }
}

/// How long a run takes here that nobody disturbs.
fn whole_run() -> Duration {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("crash.toml"), CAMPAIGN).unwrap();
    let began = Instant::now();
    assert!(start(dir.path()).wait_with_output().unwrap().status.success());
    began.elapsed()
}

/// Instants spread over so much of a run: start-up, planning, turns, verification.
fn instants(whole: Duration) -> impl Iterator<Item = Duration> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let whole = u64::try_from(whole.as_millis()).unwrap();
    std::iter::from_fn(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(Duration::from_millis(5 + (state >> 33) % whole))
    })
}

#[test]
fn fifty_kills_lose_and_double_nothing() {
    if !crate::support::sandboxes_run() {
        return crate::support::skip("the crash test", "this host runs no sandboxes");
    }
    // Fifty kills over a long run would take long, and over a short one hit nothing.
    let (least, most) = (Duration::from_millis(900), Duration::from_millis(2_500));
    let mut instants = instants(whole_run().clamp(least, most));
    let (mut killed, mut interrupted) = (0, 0);
    // However fast the host: a campaign that completes is examined, and the next begins.
    while killed < KILLS {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("crash.toml"), CAMPAIGN).unwrap();
        let dataset = dir.path().join("data/datasets/crash/v1");
        while killed < KILLS && !dataset.exists() {
            killed += usize::from(kill_at(dir.path(), instants.next().unwrap()));
        }
        let last = start(dir.path()).wait_with_output().unwrap();
        assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        interrupted += runtime.block_on(examine(&dir.path().join("data")));
    }
    // The last campaign may have had a kill or two only, before its first episode.
    assert!(interrupted > 0, "no kill hit an episode");
}

/// Examines a campaign that has ended. How many of its episodes a kill has hit.
async fn examine(data: &Path) -> usize {
    let store = Store::open_read_only(data).unwrap();
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
    let name = CampaignName("crash".to_owned());
    let episodes = store.episodes(&name).await.unwrap();
    assert_eq!(episodes.len(), 180);
    let mut expected: BTreeMap<String, bool> = BTreeMap::new();
    let mut interrupted = 0;
    for episode in &episodes {
        let Some(Outcome::Judged { .. }) = &episode.outcome else {
            panic!("{} has no result: {:?}", episode.plan.id, episode.outcome);
        };
        assert!(episode.judged.is_some(), "{} was never judged", episode.plan.id);
        interrupted += usize::from(episode.attempt > AttemptNumber(1));
        let turns = store.turns(&episode.plan.id, episode.attempt).await.unwrap();
        let indices: Vec<u32> = turns.iter().map(|turn| turn.step.index).collect();
        let whole: Vec<u32> = (0..indices.len() as u32).collect();
        assert_eq!(indices, whole, "steps of {}", episode.plan.id);
        let paid = turns.iter().map(|turn| turn.step.cost).sum();
        assert!(episode.cost >= paid, "{} costs less than its turns", episode.plan.id);
        expected.insert(episode.plan.id.to_string(), false);
    }
    dataset_holds(data, &store, &name).await;
    interrupted
}

async fn dataset_holds(data: &Path, store: &Store, name: &CampaignName) {
    let datasets = store.datasets(name).await.unwrap();
    assert_eq!(datasets.len(), 1, "{datasets:?}");
    let report = synthd::dataset::verify(&data.join("datasets/crash/v1")).unwrap();
    let rows = store.rows(name, None, 1_000).await.unwrap();
    let ids: HashSet<_> = rows.iter().map(|row| row.episode.clone()).collect();
    assert_eq!(ids.len(), rows.len(), "an episode has two rows");
    let duplicates: u64 = datasets[0].rejected.values().sum();
    assert_eq!(report.rows + duplicates, 180);
}
