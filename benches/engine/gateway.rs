//! The gateway between clients and a provider that answers at once: what it adds, and how many
//! it serves, with durable holds and the record on; beside the provider asked directly, a proxy
//! that does nothing (the floor), and LiteLLM's. And the ledger by itself.

use crate::floor::Floor;
use crate::load::{Load, Made, TOKEN, load, provider};
use crate::{Figure, synthd};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use synthd::store::Store;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::*;
use synthd_actors::ports::Journal;
use synthd_actors::supervisor::spawn;

/// A Python with `litellm[proxy]` installed.
const PEER: &str = "SYNTHD_BENCH_LITELLM";
const AT_ONCE: [usize; 3] = [1, 16, 64];
/// For calls that wait for their model.
const CROWD: usize = 512;
const THINKS: Duration = Duration::from_millis(50);

pub async fn measure() -> Vec<Figure> {
    let mock = provider(Made::ByHand).await;
    let directory = tempfile::tempdir().unwrap();
    let (ours, floor) = (Ours::start(directory.path(), &mock), Floor::start(&mock));
    let mut figures = Vec::new();
    let mut best = Rates::default();
    for at_once in AT_ONCE {
        figures.extend(beside(&ours, &floor, &mock, at_once, &mut best).await);
    }
    figures.push(Figure::rate("the best of them", best.ours, best.direct, ">= 0.15x"));
    figures.push(Figure::rate("the best of the floor", best.floor, best.direct, ""));
    figures.extend(crowd(&ours, &floor, &mock).await);
    drop((ours, floor));
    figures.push(ordinary().await);
    for workers in [1, 2] {
        figures.extend(peer(&mock, workers, best.ours).await);
    }
    figures.push(ledger().await);
    figures
}

/// The best of each.
#[derive(Default)]
struct Rates {
    direct: f64,
    floor: f64,
    ours: f64,
}

/// What it adds at so many at once, beside what a proxy adds that does nothing.
async fn beside(
    ours: &Ours,
    floor: &Floor,
    mock: &str,
    at_once: usize,
    best: &mut Rates,
) -> [Figure; 3] {
    // In turns, so that a machine that slows down slows all.
    let direct = load(Made::ByHand, mock, "m-0", at_once).await;
    let through = load(Made::ByHand, &ours.address, "local/m-0", at_once).await;
    let least = load(Made::ByHand, &floor.address, "m-0", at_once).await;
    best.direct = best.direct.max(direct.rate);
    best.floor = best.floor.max(least.rate);
    best.ours = best.ours.max(through.rate);
    let added = |load: &Load, of: fn(&Load) -> Duration| of(load).saturating_sub(of(&direct));
    let figure = |what: &str, of, goal| {
        Figure::time(what, added(&through, of), Some(added(&least, of)), goal)
    };
    let (p50, p99) = match at_once {
        1 => ("< 0.5 ms", ""),
        16 => ("< 0.5 ms", "< 2 ms"),
        _ => ("", ""),
    };
    [
        figure(&format!("gateway adds, p50, {at_once} at once"), |load| load.p50, p50),
        figure("the same, p99", |load| load.p99, p99),
        Figure::rate("requests, beside direct ones", through.rate, direct.rate, ""),
    ]
}

/// As many calls in flight as wait for a model of known slowness.
async fn crowd(ours: &Ours, floor: &Floor, mock: &str) -> Vec<Figure> {
    let ideal = CROWD as f64 / THINKS.as_secs_f64();
    let model = format!("m-{}", THINKS.as_millis());
    let direct = load(Made::ByHand, mock, &model, CROWD).await;
    let least = load(Made::ByHand, &floor.address, &model, CROWD).await;
    let through = load(Made::ByHand, &ours.address, &format!("local/{model}"), CROWD).await;
    let what = format!("{CROWD} in flight at {THINKS:?}");
    vec![
        Figure::rate(&format!("{what}, directly"), direct.rate, ideal, ""),
        Figure::rate("the same through the floor", least.rate, ideal, ""),
        Figure::rate(&what, through.rate, ideal, ">= 0.95x of the ideal"),
    ]
}

/// The same where clients and provider are made as most are.
async fn ordinary() -> Figure {
    let mock = provider(Made::WithHyper).await;
    let directory = tempfile::tempdir().unwrap();
    let ours = Ours::start(directory.path(), &mock);
    let (mut direct, mut through) = (0.0_f64, 0.0_f64);
    for at_once in AT_ONCE {
        direct = direct.max(load(Made::WithHyper, &mock, "m-0", at_once).await.rate);
        through =
            through.max(load(Made::WithHyper, &ours.address, "local/m-0", at_once).await.rate);
    }
    Figure::rate("clients and provider made with hyper", through, direct, ">= 0.15x")
}

/// The real program.
struct Ours {
    child: Child,
    address: String,
}

impl Ours {
    fn start(directory: &Path, mock: &str) -> Self {
        let models: String = [0, THINKS.as_millis()]
            .map(|millis| {
                format!(
                    "[[models]]\nname = \"local/m-{millis}\"\nconcurrency = 4096\n\
                     price = {{ input = \"0.10\", output = \"0.20\" }}\n"
                )
            })
            .concat();
        let config = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\n[budget]\nusd = \"1000000\"\n\
             [providers.local]\ndialect = \"vllm\"\nbase_url = \"http://{mock}/v1\"\n{models}"
        );
        std::fs::write(directory.join("gateway.toml"), config).unwrap();
        let mut command = Command::new(synthd());
        command.args(["gateway", "gateway.toml", "--data-dir", "data"]).current_dir(directory);
        command.env("SYNTHD_GATEWAY_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// LiteLLM's proxy with so many workers, its logging off.
async fn peer(mock: &str, workers: usize, ours: f64) -> Vec<Figure> {
    let Ok(python) = std::env::var(PEER) else {
        println!("SKIPPED LiteLLM: name a Python that has litellm[proxy] in {PEER}");
        return Vec::new();
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/litellm_proxy.py");
    let mut command = Command::new(python);
    command.args([script, &format!("http://{mock}/v1"), &workers.to_string()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().to_owned();
    let mut figures = Vec::new();
    let mut best = 0.0_f64;
    for at_once in AT_ONCE {
        let direct = load(Made::ByHand, mock, "m-0", at_once).await;
        let through = load(Made::ByHand, &address, "m-0", at_once).await;
        let added = through.p50.saturating_sub(direct.p50);
        let what = format!("LiteLLM ({workers}) adds, p50, {at_once} at once");
        figures.push(Figure::time(&what, added, None, ""));
        best = best.max(through.rate);
    }
    figures.push(Figure::rate(
        &format!("our best beside LiteLLM's ({workers})"),
        ours,
        best,
        ">= 40x",
    ));
    // It ends when nobody holds its input open any more.
    child.stdin.take().unwrap().flush().unwrap();
    child.wait().unwrap();
    figures
}

/// Hold and settlement, each durable before it is answered.
async fn ledger() -> Figure {
    const PAIRS: u64 = 200_000;
    const TASKS: u64 = 1_024;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let campaign = CampaignName("bench".to_owned());
    let episode = EpisodeId("ep-0".to_owned());
    let plan = PlannedEpisode {
        id: episode.clone(),
        campaign: campaign.clone(),
        ordinal: 0,
        task: TaskId("t".to_owned()),
        template: "t".to_owned(),
        index: 0,
        category: String::new(),
        difficulty: String::new(),
        model: String::new(),
        scaffold: String::new(),
        reason: None,
    };
    let record = CampaignRecord {
        name: campaign.clone(),
        kind: Default::default(),
        identity: "x".to_owned(),
        sampling: None,
        config: String::new(),
        images: Default::default(),
        price_table: None,
        state: CampaignState::Running,
        reason: None,
        created_at_ms: 0,
    };
    let opened = vec![JournalEntry::CampaignOpened(record), JournalEntry::Planned(vec![plan])];
    store.append(opened).await.unwrap();
    let collector = CollectorHandle::new(Arc::new(store.clone()));
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (collector, next) = (collector.clone(), next.clone());
            let (campaign, episode) = (campaign.clone(), episode.clone());
            spawn("pairs", async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PAIRS {
                        return;
                    }
                    let (id, amount) = (format!("ep-0/1/{number}/0"), Money::from_nanos(10));
                    let held = JournalEntry::Held {
                        id: id.clone(),
                        campaign: campaign.clone(),
                        episode: episode.clone(),
                        attempt: AttemptNumber(1),
                        amount,
                        model: "vllm/m".to_owned(),
                        at_ms: 0,
                    };
                    collector.record(vec![held]).await.unwrap();
                    let settled = JournalEntry::Settled { id, amount: Money::from_nanos(7) };
                    collector.record(vec![settled]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rate = PAIRS as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(store.spent(&campaign).await.unwrap(), Money::from_nanos(7 * PAIRS));
    Figure::plain("holds settled, durable", format!("{rate:.0}/s"), ">= 50,000/s")
}
