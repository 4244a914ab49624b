//! Steps a second of the whole engine with a scripted model and a trivial command, against a
//! bare loop over guests on all cores.

use crate::commands::{spec, through_guest};
use crate::{Figure, synthd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd::running_engine::{EngineOptions, RunningEngine};
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::{CampaignConfig, SandboxSpec};
use synthd_actors::pool::PoolConfig;
use synthd_actors::ports::SandboxBackend;
use synthd_actors::supervisor::spawn;
use synthd_actors::task::Catalog;

const TURNS: usize = 100;
const LOOP: usize = 1_500;
/// The id of the benches' templates.
pub const TEMPLATE: &str = "bench/steps";
/// What the benches' templates have in common.
pub const HEAD: &str = "schema: synthd/template@1\nid: bench/steps\ntitle: Steps\n\
    category: bench\ndifficulty: easy\nexpected_steps: {min: 1, max: 1000}\n\
    parameters: {n: {token: {length: 8}}}\ninstruction: Run commands.\n";

pub async fn measure() -> Vec<Figure> {
    let mut figures = Vec::new();
    for episodes in [1, 8, 64] {
        let floor = bare_loop(episodes).await;
        let (progress, took) = campaign(episodes, "echo hi", TURNS).await;
        let rate = progress.steps as f64 / took.as_secs_f64();
        let what = format!("engine steps, {episodes} episodes at once");
        figures.push(Figure::rate(&what, rate, floor, ">= 0.5x"));
    }
    figures
}

/// As many guests as episodes, but no more than could be busy at once.
async fn bare_loop(episodes: usize) -> f64 {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let backend = Arc::new(NamespaceBackend::new(synthd()));
    let mut sandboxes = Vec::new();
    for _ in 0..episodes.min(2 * cores) {
        sandboxes.push(backend.create(&spec()).await.unwrap());
    }
    let started = Instant::now();
    let many = sandboxes.len();
    let loops: Vec<_> = sandboxes
        .into_iter()
        .map(|mut sandbox| {
            spawn("bare loop", async move {
                for _ in 0..LOOP {
                    through_guest(&mut *sandbox, "echo hi").await;
                }
            })
        })
        .collect();
    for one in loops {
        one.await.unwrap();
    }
    let rate = (many * LOOP) as f64 / started.elapsed().as_secs_f64();
    backend.settle().await.unwrap();
    rate
}

/// Runs one campaign in a fresh data directory; the time from admission to rest.
pub async fn campaign(
    episodes: usize,
    command: &str,
    turns: usize,
) -> (CampaignProgress, Duration) {
    campaign_in(&spec(), episodes, command, turns, None).await
}

/// The same in sandboxes of that kind, with the model of a server where one is named.
pub async fn campaign_in(
    sandbox: &SandboxSpec,
    episodes: usize,
    command: &str,
    turns: usize,
    server: Option<&str>,
) -> (CampaignProgress, Duration) {
    let load = CampaignLoad {
        sandbox: sandbox.clone(),
        template: template(command, turns),
        episodes: episodes.max(4),
        at_once: episodes,
        commands: turns,
        server: server.map(str::to_owned),
    };
    load.run().await
}

/// A campaign of the benches.
pub struct CampaignLoad {
    pub sandbox: SandboxSpec,
    /// The text of the template [`TEMPLATE`].
    pub template: String,
    /// Episodes in all.
    pub episodes: usize,
    pub at_once: usize,
    /// The commands of an episode, before it submits.
    pub commands: usize,
    /// The URL of the model's server. None: the oracle.
    pub server: Option<String>,
}

impl CampaignLoad {
    /// Runs it in a fresh data directory; the time from admission to rest.
    pub async fn run(&self) -> (CampaignProgress, Duration) {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::read([(TEMPLATE, self.template.as_str())]).unwrap();
        let engine = RunningEngine::start(EngineOptions {
            data_dir: dir.path().to_owned(),
            executable: synthd(),
            max_episodes: self.at_once,
            pool: PoolConfig { warm: self.at_once.min(16), ..PoolConfig::default() },
            catalog: Arc::new(catalog),
        })
        .await
        .unwrap();
        let sandbox = self.sandbox.clone();
        let config = Arc::new(CampaignConfig { sandbox, ..self.config() });
        let campaign = engine.handle.submit(config, String::new()).await.unwrap();
        let started = Instant::now();
        let progress = campaign.wait_until_settled().await;
        let took = started.elapsed();
        engine.shut_down().await.unwrap();
        (progress, took)
    }

    /// With the oracle, or the model of a server.
    fn config(&self) -> CampaignConfig {
        let (model, provider) = match &self.server {
            None => ("scripted/oracle".to_owned(), String::new()),
            Some(url) => (
                format!("bench/m-{}", self.commands),
                format!(
                    "[providers.bench]\ndialect = \"vllm\"\nbase_url = \"{url}\"\nfree = true\n"
                ),
            ),
        };
        let source = format!(
            "[campaign]\nname = \"bench\"\nconcurrency = {}\n\
             [tasks]\ntemplates = [\"bench/*\"]\nper_template = {}\n\
             {provider}[[models]]\nname = \"{model}\"\nconcurrency = 4096\n\
             [sandbox]\nshell = \"sh\"\n[episode]\nmax_turns = 1000\n",
            self.at_once, self.episodes
        );
        synthd::config::parse_campaign("bench.toml", &source).unwrap().config
    }
}

fn template(command: &str, turns: usize) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "environment: {files: [{path: a.txt, content: \"{{ n }}\"}]}\n\
         verification: {run: \"true\"}\nsolution:\n",
    );
    for _ in 0..turns {
        text.push_str(&format!("  - {{think: Again., run: \"{command}\"}}\n"));
    }
    text
}
