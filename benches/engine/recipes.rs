//! A recipe over many rows of a real store: its first build, one with a stage changed, and the time of each
//! stage. Beside each build, reading the rows alone.

use crate::Figure;
use crate::peak_memory::{megabytes, reset_peak};
use std::path::Path;
use std::time::{Duration, Instant};
use synthd::config::parse_recipe;
use synthd::curation::{BuiltRecipe, build};
use synthd::store::Store;
use synthd_actors::model::{
    COMPLETION_SCHEMA, CampaignName, CampaignRecord, CampaignState, CompletionRow, DatasetSplit,
    EpisodeId, JournalEntry, Money, PlannedEpisode, RowMessage, RowRecord, TaskId, WorkName,
};
use synthd_actors::ports::Journal;

/// The goal is a million; `SYNTHD_BENCH_ROWS` sets another number.
const ROWS: u64 = 100_000;
/// Entries of the journal that are sent at once.
const GROUP: u64 = 1_000;
const CONFIG: &str = "[campaign]\nname = \"answers\"\nkind = \"completions\"\n\
    [completions]\nprompts = [\"prompts.txt\"]\n[[models]]\nname = \"scripted/echo\"\n";
/// A stage that needs all rows in the middle: so rows are read three times.
const STAGES: [&str; 7] = [
    "kind = \"secrets\"\naction = \"replace\"",
    "kind = \"personal-data\"\naction = \"label\"",
    "kind = \"host-leaks\"\naction = \"label\"",
    "kind = \"near-duplicates\"\naction = \"label\"\nof = \"answer\"",
    "kind = \"identity\"\naction = \"label\"",
    "kind = \"refusals\"\naction = \"label\"",
    "kind = \"length\"\naction = \"label\"\nof = \"characters\"\nmost = 400",
];

pub async fn measure() -> Vec<Figure> {
    let rows = std::env::var("SYNTHD_BENCH_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), rows).await;
    let reading = read_alone(dir.path()).await;
    reset_peak();
    let (first, whole) = built(dir.path(), &STAGES).await;
    let peak = megabytes();
    let changed = STAGES.map(|stage| stage.replace("400", "300"));
    let (_, again) = built(dir.path(), &changed).await;
    let mut figures = vec![
        Figure::time(&format!("a recipe over {rows} rows"), whole, Some(reading), ""),
        Figure::time("the same with its last stage changed", again, Some(reading), ""),
        Figure::plain("the most memory meanwhile", format!("{peak} MiB"), "bounded"),
    ];
    let stages = first.stages.iter();
    figures
        .extend(stages.map(|(kind, report)| {
            Figure::time(&format!("  of it: {kind}"), report.took, None, "")
        }));
    figures
}

/// Builds the recipe with these stages.
async fn built(dir: &Path, stages: &[impl AsRef<str>]) -> (BuiltRecipe, Duration) {
    let stages: String =
        stages.iter().map(|stage| format!("[[stages]]\n{}\n", stage.as_ref())).collect();
    let text = format!("[recipe]\nname = \"bench\"\n[[sources]]\ncampaign = \"answers\"\n{stages}");
    let loaded = parse_recipe("recipe.toml", &text).unwrap();
    let begun = Instant::now();
    let built = build(&loaded, dir, &|_, _| ()).await.unwrap();
    (built, begun.elapsed())
}

/// The time of reading every row once.
async fn read_alone(dir: &Path) -> Duration {
    let store = Store::open_read_only(dir).unwrap();
    let begun = Instant::now();
    let mut after = None;
    while let Some(last) = store.rows(&name(), after, 64).await.unwrap().last() {
        after = Some(last.ordinal);
    }
    begun.elapsed()
}

fn name() -> CampaignName {
    CampaignName("answers".to_owned())
}

/// A store with a complete campaign of so many rows.
async fn fill(dir: &Path, rows: u64) {
    let path = dir.to_owned();
    let store = tokio::task::spawn_blocking(move || Store::open(&path).unwrap()).await.unwrap();
    let record = CampaignRecord {
        name: name(),
        kind: WorkName::Completions,
        identity: "x".to_owned(),
        sampling: None,
        config: CONFIG.to_owned(),
        images: Default::default(),
        price_table: None,
        state: CampaignState::Complete,
        reason: None,
        created_at_ms: 0,
    };
    store.append(vec![JournalEntry::CampaignOpened(record)]).await.unwrap();
    for first in (0..rows).step_by(GROUP as usize) {
        let group = first..(first + GROUP).min(rows);
        let plan = group.clone().map(planned).collect();
        store.append(vec![JournalEntry::Planned(plan)]).await.unwrap();
        let judged = group.map(|at| JournalEntry::Judged(Box::new(row(at))));
        store.append(judged.collect()).await.unwrap();
    }
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
}

fn id(at: u64) -> EpisodeId {
    EpisodeId(format!("ep-{at:016x}"))
}

fn planned(at: u64) -> PlannedEpisode {
    PlannedEpisode {
        id: id(at),
        campaign: name(),
        ordinal: at,
        task: TaskId(format!("prompts@{at:08x}")),
        template: "prompts".to_owned(),
        index: at as u32,
        category: "completions".to_owned(),
        difficulty: "easy".to_owned(),
        model: "scripted/echo".to_owned(),
        scaffold: "none".to_owned(),
        reason: None,
    }
}

/// A row with an answer of about a hundred drawn words.
fn row(at: u64) -> RowRecord {
    let mut state = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{:x} ", (state >> 40) % 60_000)
    };
    let response: String = (0..100).map(|_| word()).collect();
    let message = |role: &str, content: &str| RowMessage {
        role: role.to_owned(),
        content: content.to_owned(),
        reasoning: None,
        tool_calls: None,
        tool_call_id: None,
        name: None,
        weight: None,
        step: None,
        loss_hint: None,
    };
    let row = CompletionRow {
        schema_version: COMPLETION_SCHEMA.to_owned(),
        completion_id: id(at).0,
        campaign: "answers".to_owned(),
        prompt_id: format!("prompts@{at:08x}"),
        source: "prompts.txt".to_owned(),
        prompt_index: at as i64,
        fields: None,
        messages: vec![message("user", "Say something."), message("assistant", &response)],
        response,
        reasoning: None,
        finish_reason: "stop".to_owned(),
        llm_model: "echo".to_owned(),
        llm_provider: "scripted".to_owned(),
        model_version: None,
        sampling: None,
        sample: 0,
        labels: Vec::new(),
        input_tokens: Some(4),
        output_tokens: Some(100),
        cost_usd: Money::ZERO,
        model_ms: 1,
        attempt: 1,
        calls: 1,
        prompt_token_ids: None,
        token_ids: None,
        logprobs: None,
        created_at: "2026-01-02T03:04:05.678Z".to_owned(),
    };
    RowRecord {
        episode: id(at),
        campaign: name(),
        ordinal: at,
        rejected: None,
        findings: Vec::new(),
        split: DatasetSplit::Train,
        content_digest: format!("{at:016x}"),
        row: row.into(),
    }
}
