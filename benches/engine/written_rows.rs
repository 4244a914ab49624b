//! Trajectories of twenty steps, from rows in memory to a published version in Parquet. Beside it, zstd at
//! the same level over the same rows as JSON, on one thread: less than that nobody writes.

use crate::Figure;
use crate::peak_memory::{megabytes, reset_peak};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd::dataset::ParquetSink;
use synthd_actors::model::{
    CampaignName, DatasetSplit, EpisodeId, Fault, ROW_SCHEMA, RowFormat, RowRecord, TrajectoryRow,
};
use synthd_actors::ports::{DatasetSink, DatasetWriteRequest, RowPages, SetReview};

const ROWS: u64 = 40_000;
const STEPS: u64 = 20;
const ZSTD_LEVEL: i32 = 3;
/// Rows that are made at once, as the sink asks for them.
const PAGE: u64 = 64;

pub async fn measure() -> Vec<Figure> {
    let (making, bytes, packing) = tokio::task::spawn_blocking(floor).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    reset_peak();
    let begun = Instant::now();
    ParquetSink::new(dir.path()).write(request()).await.unwrap();
    let writing = begun.elapsed().saturating_sub(making);
    let peak = megabytes();
    let rate = |time: Duration| ROWS as f64 / time.as_secs_f64();
    let what = format!("trajectories of {STEPS} steps as Parquet");
    vec![
        Figure::rate(&what, rate(writing), rate(packing), ">= 45,000/s"),
        Figure::plain("bytes of a row as JSON", (bytes / ROWS).to_string(), ""),
        Figure::plain("the most memory meanwhile", format!("{peak} MiB"), "< 300 MiB"),
    ]
}

/// The time that making the rows takes, their bytes as JSON, and the time of compressing them.
fn floor() -> (Duration, u64, Duration) {
    let rows = MadeRows::new();
    let (mut making, mut packing, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    for first in (0..ROWS).step_by(PAGE as usize) {
        let begun = Instant::now();
        let page = rows.between(first, first + PAGE);
        making += begun.elapsed();
        let text = page.iter().flat_map(|row| serde_json::to_vec(row).unwrap()).collect::<Vec<_>>();
        bytes += text.len() as u64;
        let begun = Instant::now();
        zstd::bulk::compress(&text, ZSTD_LEVEL).unwrap();
        packing += begun.elapsed();
    }
    (making, bytes, packing)
}

fn request() -> DatasetWriteRequest {
    DatasetWriteRequest {
        campaign: CampaignName("bench".to_owned()),
        rows: Arc::new(MadeRows::new()),
        review: Box::new(NoReview),
        format: RowFormat::Trajectory,
        faulted: 0,
        planned: ROWS,
        licence: "other".to_owned(),
        seed: 0,
        config_digest: String::new(),
        now_ms: 0,
    }
}

struct NoReview;

impl SetReview for NoReview {
    fn review(&mut self, _: &mut RowRecord) {}
}

/// Rows that are made when they are asked for.
struct MadeRows {
    first: TrajectoryRow,
}

impl MadeRows {
    fn new() -> Self {
        Self { first: serde_json::from_value(trajectory()).unwrap() }
    }

    fn between(&self, first: u64, end: u64) -> Vec<RowRecord> {
        (first..end.min(ROWS)).map(|ordinal| self.row(ordinal)).collect()
    }

    /// A row whose texts differ from those of the others.
    fn row(&self, ordinal: u64) -> RowRecord {
        let mut row = self.first.clone();
        let id = format!("ep-{ordinal:016x}");
        row.trajectory_id.clone_from(&id);
        row.task_id = format!("bench/task@{:08x}", ordinal / 4);
        for (step, at) in row.trajectory.iter_mut().zip(0_u64..) {
            let number = ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32);
            step.observation.push_str(&format!("{number:x} {at} of {ordinal}"));
            step.reasoning.push_str(&number.to_string());
        }
        RowRecord {
            episode: EpisodeId(id),
            campaign: CampaignName("bench".to_owned()),
            ordinal,
            rejected: None,
            findings: Vec::new(),
            split: DatasetSplit::Train,
            content_digest: ordinal.to_string(),
            row: row.into(),
        }
    }
}

#[async_trait]
impl RowPages for MadeRows {
    async fn page(&self, after: Option<u64>, limit: usize) -> Result<Vec<RowRecord>, Fault> {
        let first = after.map_or(0, |after| after + 1);
        Ok(self.between(first, first + limit as u64))
    }

    async fn recorded_version(&self) -> Result<u32, Fault> {
        Ok(0)
    }
}

/// A trajectory with a listing as observation, a command and a thought in each step.
fn trajectory() -> Value {
    let listing: String =
        (0..12).map(|n| format!("-rw-r--r-- 1 agent agent {n}04 part-{n}.py\n")).collect();
    let step = |at: u64| {
        json!({
            "step": at, "state": {"cwd": "/work", "files": ["src/a.py", "src/b.py", "tests/test_a.py"]},
            "action": {"type": "tool_call", "tool": "bash", "arguments": format!("{{\"command\":\"sed -n {at},40p src/a.py; ls -l\"}}")},
            "observation": format!("<returncode>0</returncode>\n<output>\n{listing}"),
            "reward": 0.0, "reasoning": "Let me look at the next part of the module, and then at its tests: ",
            "return_to_go": 1.0, "done": at + 1 == STEPS, "error": null, "exit_code": 0, "truncated": false,
            "input_tokens": 900 + at, "output_tokens": 40, "cost_usd": "0.001", "duration_ms": 12, "model_ms": 900,
        })
    };
    json!({
        "schema_version": ROW_SCHEMA, "trajectory_id": "", "campaign": "bench", "task_id": "", "template": "bench/task",
        "task_seed": 1, "task_instruction": "Mend the module so that its tests pass.", "category": "debugging",
        "difficulty": "medium", "llm_model": "large", "llm_provider": "acme", "scaffold": "minimal", "sample": 0,
        "sandbox": {"backend": "namespace", "root": "host", "kernel": "6.1", "shell": "bash 5.2", "enforced": {}},
        "trajectory": (0..STEPS).map(step).collect::<Vec<_>>(), "final_result": "resolved", "total_reward": 1.0,
        "verification": {"score": 1.0, "passed": true, "checks": []}, "labels": ["stop:submitted"],
        "execution_time_seconds": 18.2, "total_tokens": 19_000, "cost_usd": "0.02", "attempt": 1,
        "canary": "canary-0", "created_at": "2026-01-02T03:04:05.678Z",
    })
}
