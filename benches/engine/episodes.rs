//! Where the processor time of an episode goes: a verified episode of ten turns with milestones and
//! a judge apart. Each stage is run by itself; what a whole campaign uses beyond them is the
//! engine's. Then as many episodes in flight as wait for a model of known slowness.

use crate::commands::spec;
use crate::cpu_meter::{CpuMeter, CpuTime};
use crate::server::ModelServer;
use crate::steps::{CampaignLoad, HEAD, TEMPLATE};
use crate::{Figure, synthd};
use std::sync::Arc;
use std::time::Duration;
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::agent::{MinimalScaffold, Scaffold};
use synthd_actors::judge::JudgeSandbox;
use synthd_actors::model::{
    ChatReply, FinishReason, MoveAction, SandboxSpec, ScriptedMove, Task, Usage, WorkspaceCopy,
};
use synthd_actors::pool::{PoolConfig, PoolHandle, SandboxLease};
use synthd_actors::ports::SandboxBackend;
use synthd_actors::task::Catalog;
use synthd_actors::work::trajectory::{ActionLimits, provision_task, run_action, verify_snapshot};

/// Turns of an episode. The last one submits.
const TURNS: usize = 10;
const COMMANDS: usize = TURNS - 1;
/// Every one of them changes a file, so milestones are measured after each.
const COMMAND: &str = "echo hi >>out.txt";
/// Episodes of which each stage is run.
const STAGED: usize = 20;
/// Episodes of the whole campaign, and of them at once.
const EPISODES: usize = 64;
const AT_ONCE: usize = 8;
/// The number of episodes that wait for a slow model, named by who runs the bench, where it is
/// another.
const CROWD: &str = "SYNTHD_BENCH_EPISODES";
/// Of the goal; fewer tell as much sooner.
const GOAL_CROWD: usize = 2_000;
const IN_FLIGHT: usize = 512;
const THINKS: Duration = Duration::from_secs(2);

const LIGHT: &str = r#"environment:
  files:
    - {path: a.txt, content: "{{ n }}\n"}
    - {path: count.sh, content: "wc -l <out.txt\n"}
verification:
  judge: apart
  files: [{path: expected, content: "hi\nhi\nhi\nhi\nhi\nhi\nhi\nhi\nhi\n"}]
  milestones:
    - {name: begun, weight: 0.5, run: "grep -q hi /sealed/submission/out.txt"}
    - {name: half, weight: 0.5, run: "[ $(wc -l </sealed/submission/out.txt) -ge 5 ]"}
  checks:
    - {name: lines, run: "cmp /sealed/expected /sealed/submission/out.txt"}
    - {name: counted, run: "[ $(/sealed/lib/judged run -- sh count.sh) -eq 9 ]"}
solution:
"#;

pub async fn measure(meter: Option<&CpuMeter>) -> Vec<Figure> {
    let server = ModelServer::start(THINKS, COMMAND);
    let mut figures = Vec::new();
    if let Some(meter) = meter {
        meter.leave_out(server.process());
        figures.push(staged(meter).await);
    }
    figures.extend(crowd(meter, &server).await);
    figures
}

fn light() -> String {
    let command = format!("  - {{think: Again., run: \"{COMMAND}\"}}\n");
    format!("{HEAD}{LIGHT}{}", command.repeat(COMMANDS))
}

/// The stages beside the whole.
async fn staged(meter: &CpuMeter) -> Figure {
    let catalog = Catalog::read([(TEMPLATE, light().as_str())]).unwrap();
    let task = catalog.get(TEMPLATE).unwrap().task(1, 0).unwrap();
    let stages = EpisodeStages::new(task).await;
    let stages = Box::pin(stages.measure(meter)).await;
    let (used, _) = whole(Some(meter), EPISODES, AT_ONCE, None).await;
    let whole = used.each(EPISODES);
    table(&stages, whole);
    Figure::plain("processor time of an episode of ten turns", millis(whole.whole), "")
}

/// Runs a campaign; what it used and how long it took.
async fn whole(
    meter: Option<&CpuMeter>,
    episodes: usize,
    at_once: usize,
    server: Option<&ModelServer>,
) -> (CpuTime, Duration) {
    let load = CampaignLoad {
        sandbox: spec(),
        template: light(),
        episodes,
        at_once,
        commands: COMMANDS,
        server: server.map(|server| server.url.clone()),
    };
    let running = Box::pin(load.run());
    let (used, (progress, took)) = match meter {
        Some(meter) => meter.of(running).await,
        None => (CpuTime::default(), running.await),
    };
    assert_eq!(progress.episodes.resolved, episodes as u64, "{progress:?}");
    (used, took)
}

/// The parts of an episode, each by itself.
struct EpisodeStages {
    backend: Arc<NamespaceBackend>,
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    task: Task,
}

type Stage = (&'static str, CpuTime);

impl EpisodeStages {
    /// With a pool that makes a sandbox only when it is asked for one, so that its work belongs to
    /// who asks.
    async fn new(task: Task) -> Self {
        let backend = Arc::new(NamespaceBackend::new(synthd()));
        let config = PoolConfig { warm: 0, ..PoolConfig::default() };
        let (pool, _life) = PoolHandle::start(backend.clone(), config);
        let stages = Self { backend, pool, spec: Arc::new(spec()), task };
        // The launcher starts with the first one.
        drop(stages.pool.acquire(&stages.spec).await.unwrap());
        stages.settle().await;
        stages
    }

    async fn settle(&self) {
        self.backend.settle().await.unwrap();
    }

    /// What each stage of one episode uses.
    async fn measure(&self, meter: &CpuMeter) -> Vec<Stage> {
        let (set_up, mut leases) = meter.of(self.set_up()).await;
        let (turns, ()) = meter.of(self.turns(&mut leases)).await;
        let (copying, copies) = meter.of(self.copies(&mut leases)).await;
        let removing = async {
            drop(leases);
            self.settle().await;
        };
        let (removed, ()) = meter.of(removing).await;
        let (milestones, ()) = meter.of(self.milestones(&copies)).await;
        let (verification, ()) = meter.of(self.verification(&copies)).await;
        self.pool.shut_down().await;
        let stages = [
            ("set-up and removal", set_up.plus(removed)),
            ("turns in the sandbox", turns),
            ("copies", copying),
            ("milestones", milestones),
            ("verification", verification),
        ];
        stages.map(|(name, used)| (name, used.each(STAGED))).to_vec()
    }

    async fn set_up(&self) -> Vec<SandboxLease> {
        let mut leases = Vec::new();
        for _ in 0..STAGED {
            leases.push(provision_task(&self.pool, &self.task, &self.spec).await.unwrap());
        }
        leases
    }

    /// The oracle's moves through the tools of the native agent.
    async fn turns(&self, leases: &mut [SandboxLease]) {
        let submit = ScriptedMove { think: String::new(), action: MoveAction::Submit };
        let left = Duration::from_secs(600);
        let limits = ActionLimits { operation: self.spec.limits.command_timeout, left };
        for lease in leases {
            let mut tools = MinimalScaffold.tools();
            for (at, step) in self.task.solution.iter().chain([&submit]).enumerate() {
                let message = MinimalScaffold.express(&step.think, &step.action, at as u32);
                let reply = ChatReply::new(message, FinishReason::ToolCalls, Usage::default());
                for call in MinimalScaffold.parse(&reply).unwrap() {
                    run_action(lease.sandbox(), &mut tools, &call, limits).await.unwrap();
                }
            }
        }
    }

    /// A copy after each turn that changed a file, and the last one.
    async fn copies(&self, leases: &mut [SandboxLease]) -> Vec<Arc<WorkspaceCopy>> {
        let mut copies = Vec::new();
        for lease in leases {
            let sandbox = lease.sandbox();
            for _ in 0..COMMANDS {
                sandbox.freeze().await.unwrap();
                sandbox.pack(false).await.unwrap();
                sandbox.thaw().await.unwrap();
            }
            copies.push(Arc::new(sandbox.pack(true).await.unwrap()));
        }
        copies
    }

    /// The milestones over each copy of an episode, in one judge's sandbox.
    async fn milestones(&self, copies: &[Arc<WorkspaceCopy>]) {
        for copy in copies {
            let mut judge = JudgeSandbox::new(self.pool.clone(), self.spec.clone());
            for _ in 0..COMMANDS {
                let copy = self.pool.store_copy(copy.clone()).await;
                judge.measure(&self.task, &copy).await.unwrap();
            }
        }
        self.settle().await;
    }

    async fn verification(&self, copies: &[Arc<WorkspaceCopy>]) {
        for copy in copies {
            let verdict = verify_snapshot(&self.pool, &self.task, &self.spec, copy.clone()).await;
            let verdict = verdict.unwrap();
            assert!(verdict.passed, "{verdict:?}");
        }
        self.settle().await;
    }
}

/// Prints the stages of one episode, the rest, which is the engine's, and the whole.
fn table(stages: &[Stage], whole: CpuTime) {
    let known = stages.iter().fold(CpuTime::default(), |sum, (_, used)| sum.plus(*used));
    let rest = [("engine: calls, records, dataset", whole.less(known)), ("the whole", whole)];
    println!("{:<40} {:>10} {:>10} {:>10} {:>7}", "", "engine", "sandboxes", "both", "share");
    for (name, used) in stages.iter().copied().chain(rest) {
        let share = used.whole.as_secs_f64() / whole.whole.as_secs_f64() * 100.0;
        let [engine, sandboxes, both] = [used.engine, used.sandboxes(), used.whole].map(millis);
        println!("{name:<40} {engine:>10} {sandboxes:>10} {both:>10} {share:>5.0} %");
    }
    println!();
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// Episodes in flight that mostly wait for their model.
async fn crowd(meter: Option<&CpuMeter>, server: &ModelServer) -> Vec<Figure> {
    let named = std::env::var(CROWD).ok();
    let episodes = named.map_or(2 * IN_FLIGHT, |number| number.parse().unwrap());
    if episodes < GOAL_CROWD {
        println!("SCALED DOWN: {episodes} episodes, not {GOAL_CROWD} (set {CROWD})");
    }
    let in_flight = IN_FLIGHT.min(episodes);
    let (used, took) = whole(meter, episodes, in_flight, Some(server)).await;
    let rate = episodes as f64 / took.as_secs_f64();
    let ideal = in_flight as f64 / (TURNS as f64 * THINKS.as_secs_f64());
    let what = format!("episodes, {in_flight} in flight at {THINKS:?}");
    let mut figures = vec![Figure::rate_of_few(&what, rate, ideal, ">= 0.56x of the ideal")];
    if meter.is_some() {
        let each = used.each(episodes);
        let engine = format!("{} of it", millis(each.engine));
        figures.push(Figure::plain("the same: processor time", millis(each.whole), "<= 122 ms"));
        figures.push(Figure::plain("the same: the engine's process", engine, ""));
    }
    figures
}
