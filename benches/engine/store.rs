//! Turns made durable a second, against raw group commits of rows of the same size.

use crate::Figure;
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Instant;
use synthd::store::Store;
use synthd_actors::model::{
    ActionType, AttemptNumber, CampaignName, CampaignRecord, CampaignState, ChatMessage, ChatReply,
    ChatRole, EpisodeId, ExecEnd, FinishReason, JournalEntry, Money, PlannedEpisode, Step,
    StepAction, StepState, TaskId, Turn, TurnAction, Usage,
};
use synthd_actors::ports::Journal;
use synthd_actors::supervisor::spawn;

const EPISODES: usize = 512;
const TURNS: u32 = 200;
/// What the store's writer takes in one transaction at most.
const GROUP: usize = 512;

pub async fn measure() -> Vec<Figure> {
    let total = EPISODES as f64 * f64::from(TURNS);
    let raw = tokio::task::spawn_blocking(raw_commits).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let store =
        Arc::new(tokio::task::spawn_blocking(move || Store::open(&path).unwrap()).await.unwrap());
    prepare(&store).await;
    let started = Instant::now();
    let writers: Vec<_> =
        (0..EPISODES).map(|episode| spawn("writer", write(store.clone(), episode))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let ours = total / started.elapsed().as_secs_f64();
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
    vec![Figure::rate("steps made durable", ours, raw, ">= 0.5x, >= 50,000/s")]
}

async fn prepare(store: &Store) {
    let name = CampaignName("bench".to_owned());
    let record = CampaignRecord {
        name: name.clone(),
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
    store.append(vec![JournalEntry::CampaignOpened(record)]).await.unwrap();
    let plan = (0..EPISODES).map(|n| PlannedEpisode {
        id: id(n),
        campaign: name.clone(),
        ordinal: n as u64,
        task: TaskId("t".to_owned()),
        template: "t".to_owned(),
        index: 0,
        category: "c".to_owned(),
        difficulty: "easy".to_owned(),
        model: "scripted/oracle".to_owned(),
        scaffold: "minimal".to_owned(),
        reason: None,
    });
    store.append(vec![JournalEntry::Planned(plan.collect())]).await.unwrap();
    for n in 0..EPISODES {
        let start = JournalEntry::AttemptStarted {
            episode: id(n),
            attempt: AttemptNumber(1),
            resumed_from: None,
            at_ms: 0,
        };
        store.append(vec![start]).await.unwrap();
    }
}

fn id(n: usize) -> EpisodeId {
    EpisodeId(format!("ep-{n:016}"))
}

/// As an episode does: each turn waits for the one before it.
async fn write(store: Arc<Store>, episode: usize) {
    for index in 0..TURNS {
        let entry = JournalEntry::TurnTaken {
            episode: id(episode),
            attempt: AttemptNumber(1),
            turn: Box::new(turn(index)),
        };
        store.append(vec![entry]).await.unwrap();
    }
}

fn turn(index: u32) -> Turn {
    let reply = ChatMessage::text(ChatRole::Assistant, "Let me look at the files first.");
    let step = Step {
        index,
        state: StepState { cwd: "/work".to_owned(), files: vec!["a.txt".to_owned()] },
        actions: vec![TurnAction {
            request: StepAction {
                kind: ActionType::ToolCall,
                tool: "bash".to_owned(),
                arguments: "{\"command\":\"ls -la\"}".to_owned(),
            },
            call_id: "call_0".to_owned(),
            ran: true,
            observation: "<returncode>0</returncode>\n<output>\na.txt\n</output>".to_owned(),
            error: None,
            end: Some(ExecEnd::Exited(0)),
            truncated: false,
            duration_ms: 1,
        }],
        reasoning: "Let me look at the files first.".to_owned(),
        potential: 0.0,
        milestones: None,
        usage: Usage::of(300, 20),
        cost: Money::ZERO,
        model_ms: Some(1),
        failed_ms: None,
        stage: None,
    };
    Turn {
        messages: vec![reply.clone(), ChatMessage::tool_result("call_0", step.observation())],
        reply: ChatReply::new(reply, FinishReason::ToolCalls, step.usage),
        changes: Vec::new(),
        calls: 1,
        model: None,
        opening: None,
        step,
    }
}

/// The floor: one statement a turn, the same rows in the same order and groups, in a table
/// from which they could be found again.
fn raw_commits() -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Connection::open(dir.path().join("raw.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "NORMAL").unwrap();
    db.pragma_update(None, "cache_size", -16_384).unwrap();
    db.pragma_update(None, "wal_autocheckpoint", 65_536).unwrap();
    db.execute_batch(
        "CREATE TABLE step (key INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, \
         step INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (attempt, step)) STRICT",
    )
    .unwrap();
    let total = EPISODES * TURNS as usize;
    let started = Instant::now();
    for first in (0..total).step_by(GROUP) {
        let group = db.transaction().unwrap();
        insert(&group, first..(first + GROUP).min(total));
        group.commit().unwrap();
    }
    total as f64 / started.elapsed().as_secs_f64()
}

/// Encoded one by one, as the store must.
fn insert(group: &Connection, turns: std::ops::Range<usize>) {
    let mut insert =
        group.prepare_cached("INSERT INTO step (attempt, step, body) VALUES (?1, ?2, ?3)").unwrap();
    for n in turns {
        let index = (n / EPISODES) as u32;
        let body = serde_json::to_vec(&turn(index)).unwrap();
        insert.execute(((n % EPISODES) as i64, index, body)).unwrap();
    }
}
