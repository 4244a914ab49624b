//! What the verification of one episode costs with judge and judged apart, beside the same checks in
//! one shared sandbox. Both are measured in turns, with warm sandboxes of one pool.

use crate::cpu_meter::{CpuMeter, CpuTime};
use crate::steps::{HEAD, TEMPLATE};
use crate::{Figure, commands, containers, median, synthd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd::sandbox::SandboxBackends;
use synthd_actors::model::{SandboxSpec, Task, WorkspaceCopy};
use synthd_actors::policy::PauseSlot;
use synthd_actors::pool::{PoolConfig, PoolHandle, SandboxLease};
use synthd_actors::ports::SandboxBackend;
use synthd_actors::task::Catalog;
use synthd_actors::work::trajectory::{MilestoneSandbox, provision_task, verify_snapshot};

const ROUNDS: usize = 40;
/// Containers take longer.
const CONTAINER_ROUNDS: usize = 10;
/// How often an episode measures its milestones.
const MEASURED: usize = 5;

/// The templates by what they check. `JUDGE` stands for the place of the judge, `FILES` for the
/// files that the agent left, and `RUN ` for what runs their programs.
const TEMPLATES: [(&str, &str); 3] = [
    (
        "files only",
        r#"environment:
  files:
    - {path: a.txt, content: "{{ n }}\n"}
    - {path: out/one.txt, content: "one {{ n }}\n"}
    - {path: out/two.txt, content: "two {{ n }}\n"}
verification:
  judge: JUDGE
  files:
    - {path: one.txt, content: "one {{ n }}\n"}
    - {path: two.txt, content: "two {{ n }}\n"}
  checks:
    - {name: one, run: "cmp /sealed/one.txt FILES/out/one.txt"}
    - {name: two, run: "cmp /sealed/two.txt FILES/out/two.txt"}
solution: [{run: "true"}]
"#,
    ),
    (
        "python, 4 times",
        r#"environment:
  files:
    - {path: square.py, content: "import sys\nprint(int(sys.argv[1]) ** 2)\n"}
  setup: ["command -v python3"]
verification:
  judge: JUDGE
  files:
    - path: check.sh
      content: |
        for number in 3 7 11 19; do
          [ "$(RUN python3 square.py "$number")" = $((number * number)) ] || exit 1
        done
  checks:
    - {name: squares, run: "sh /sealed/check.sh"}
solution: [{run: "true"}]
"#,
    ),
    (
        "milestones",
        r#"environment:
  files:
    - {path: out.txt, content: "{{ n }} done\n"}
    - {path: square.sh, content: "echo $(($1 * $1))\n"}
verification:
  judge: JUDGE
  milestones:
    - {name: begun, weight: 0.3, run: "test -s FILES/out.txt"}
    - {name: done, weight: 0.3, run: "grep -q done FILES/out.txt"}
    - {name: squares, weight: 0.4, run: "[ $(RUN sh square.sh 3) -eq 9 ]"}
  checks:
    - {name: done, run: "grep -q done FILES/out.txt"}
    - {name: squares, run: "[ $(RUN sh square.sh 7) -eq 49 ]"}
solution: [{run: "true"}]
"#,
    ),
];

pub async fn measure(meter: Option<&CpuMeter>) -> Vec<Figure> {
    let guest_dir = std::env::temp_dir().join("synthd-bench-guest");
    let backend = Arc::new(SandboxBackends::new(synthd(), &guest_dir));
    let bench = VerificationBench::new("namespace", backend, commands::spec(), ROUNDS);
    let mut figures = bench.measure(meter).await;
    if let Some(backend) = containers::engine("verification on docker").await {
        let spec = containers::spec();
        let bench = VerificationBench::new("docker", backend, spec, CONTAINER_ROUNDS);
        // A container's processes are not this process's.
        figures.extend(bench.measure(None).await);
    }
    figures
}

/// The task of a template with its judge shared or apart.
fn task(template: &str, place: &str) -> Task {
    let (files, run) = match place {
        "apart" => ("/sealed/submission", "/sealed/lib/judged run -- "),
        _ => ("/work", ""),
    };
    let body = template.replace("JUDGE", place).replace("FILES", files).replace("RUN ", run);
    let text = format!("{HEAD}{body}");
    let catalog = Catalog::read([(TEMPLATE, text.as_str())]).unwrap();
    catalog.get(TEMPLATE).unwrap().task(1, 0).unwrap()
}

/// Verifications on one backend.
struct VerificationBench {
    name: &'static str,
    backend: Arc<SandboxBackends>,
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    rounds: usize,
}

/// What verifications of one kind took, and the processor time of all.
#[derive(Default)]
struct VerificationCost {
    times: Vec<Duration>,
    used: CpuTime,
}

impl VerificationBench {
    fn new(
        name: &'static str,
        backend: Arc<SandboxBackends>,
        spec: SandboxSpec,
        rounds: usize,
    ) -> Self {
        let (pool, _life) = PoolHandle::start(backend.clone(), PoolConfig::default());
        Self { name, backend, pool, spec: Arc::new(spec), rounds }
    }

    async fn measure(&self, meter: Option<&CpuMeter>) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (what, template) in TEMPLATES {
            let tasks = ["apart", "shared"].map(|place| task(template, place));
            match provision_task(&self.pool, &tasks[0], &self.spec).await {
                Ok(mut live) => {
                    let measuring = Box::pin(self.in_turns(&tasks, &mut live, meter));
                    let [apart, shared] = measuring.await;
                    figures.extend(self.figures(what, apart, shared, meter.is_some()));
                }
                Err(fault) => println!("SKIPPED {what} on {}: {fault}", self.name),
            }
        }
        self.pool.shut_down().await;
        self.backend.settle().await.unwrap();
        figures
    }

    /// In turns, so that a machine that slows down slows both. The first round warms up.
    async fn in_turns(
        &self,
        tasks: &[Task; 2],
        live: &mut SandboxLease,
        meter: Option<&CpuMeter>,
    ) -> [VerificationCost; 2] {
        let mut costs = [VerificationCost::default(), VerificationCost::default()];
        let copy = Arc::new(live.sandbox().pack(false).await.unwrap());
        for round in 0..=self.rounds {
            for (task, cost) in tasks.iter().zip(&mut costs) {
                let before = meter.map(CpuMeter::read);
                let took = self.verify(task, live, copy.clone()).await;
                self.rest().await;
                if round > 0 {
                    cost.times.push(took);
                    let used = meter.zip(before).map(|(meter, before)| meter.read().less(before));
                    cost.used = cost.used.plus(used.unwrap_or_default());
                }
            }
        }
        costs
    }

    /// Measures the milestones as often as an episode does, and verifies. How long it took.
    async fn verify(
        &self,
        task: &Task,
        live: &mut SandboxLease,
        copy: Arc<WorkspaceCopy>,
    ) -> Duration {
        let started = Instant::now();
        let (pool, spec) = (self.pool.clone(), self.spec.clone());
        let mut milestones = MilestoneSandbox::new(pool, spec, PauseSlot::NONE);
        for _ in 0..MEASURED {
            let measured = milestones.evaluate(task, live.sandbox(), &[]).await.unwrap();
            assert!(measured.is_some());
        }
        drop(milestones);
        let verdict = verify_snapshot(&self.pool, task, &self.spec, copy).await.unwrap();
        assert!(verdict.passed, "{verdict:?}");
        started.elapsed()
    }

    /// Waits until every used sandbox is gone and replaced. That is part of what it costs.
    async fn rest(&self) {
        loop {
            let stats = self.pool.stats().await;
            if stats.creating == 0 && stats.waiting == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.backend.settle().await.unwrap();
    }

    fn figures(
        &self,
        what: &str,
        mut apart: VerificationCost,
        mut shared: VerificationCost,
        has_used: bool,
    ) -> Vec<Figure> {
        let name = format!("verified apart, {what}, {}", self.name);
        let (ours, old) = (median(&mut apart.times), median(&mut shared.times));
        let mut figures = vec![Figure::time(&name, ours, Some(old), "<= 1.5x of shared")];
        if has_used {
            let [ours, old] = [apart.used, shared.used].map(|used| used.each(self.rounds).whole);
            figures.push(Figure::time("the same: processor time", ours, Some(old), ""));
        }
        figures
    }
}
