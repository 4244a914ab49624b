//! Reads everything that the store has of one episode, and builds the JSON document of `episode
//! show --json` from it.

use super::origin::{EpisodeOrigin, campaign_config};
use crate::cli::TemplateDirs;
use crate::error::{Code, Error, Result};
use crate::running_engine::store_error;
use crate::store::{PruneRecord, Store};
use serde::Serialize;
use synthd_actors::agent::Agent;
use synthd_actors::model::{
    AttemptNumber, AttemptRecord, ChatMessage, ChatRole, DatasetRow, DatasetSplit, EpisodeRecord,
    QualityPolicy, Reverification, RowRecord, RowRejection, StageAction, ToolSchema, Turn,
    USUAL_OUTPUT_TOKENS,
};
use synthd_actors::ports::Journal;

/// Rows that are read at once while an equal row is looked for.
const PAGE: usize = 256;

/// An episode with everything that belongs to it.
pub(super) struct FullEpisode {
    pub(super) episode: EpisodeRecord,
    /// All attempts of the episode.
    pub(super) attempts: Vec<AttemptRecord>,
    /// The attempt whose turns are shown.
    pub(super) attempt: AttemptNumber,
    /// The turns of that attempt.
    pub(super) turns: Vec<Turn>,
    /// What rules of retention have removed.
    pub(super) pruned: Vec<PruneRecord>,
    /// The dataset row of the episode, accepted or rejected, as a dataset version has it or would
    /// have it. None before the episode was judged.
    pub(super) judged: Option<RowRecord>,
    /// The later verdicts on its kept workspace, oldest first.
    pub(super) later: Vec<Reverification>,
    /// The beginning of the conversation, or why it cannot be found out any more.
    pub(super) opening: Result<ConversationOpening>,
}

/// What the scaffold sends before the model has answered anything.
pub(super) struct ConversationOpening {
    /// The text of the task for the agent.
    pub(super) instruction: String,
    messages: Vec<ChatMessage>,
    /// The tools that the model may call.
    tools: Vec<ToolSchema>,
    max_output_tokens: u32,
}

/// The document of `episode show --json`. The request of turn n consists of `opening`, then the
/// messages of the turns before it, with `tools`.
#[derive(Serialize)]
struct EpisodeDocument<'a> {
    episode: &'a EpisodeRecord,
    attempts: &'a [AttemptRecord],
    /// The accepted row, as a dataset has it.
    row: Option<&'a DatasetRow>,
    /// The split of the accepted row.
    split: Option<DatasetSplit>,
    /// The rejected row; there is never an accepted one beside it.
    rejected: Option<RejectedRow<'a>>,
    /// The later verdicts, oldest first. The verdict of the episode itself is in `episode.outcome`.
    reverifications: &'a [Reverification],
    attempt: AttemptNumber,
    /// The first messages of the conversation. None if they cannot be found out any more.
    opening: Option<&'a [ChatMessage]>,
    tools: Option<&'a [ToolSchema]>,
    max_output_tokens: Option<u32>,
    turns: &'a [Turn],
    /// What rules of retention have removed of the episode.
    #[serde(skip_serializing_if = "is_whole")]
    pruned: &'a [PruneRecord],
}

/// Whether nothing was removed of an episode.
fn is_whole(pruned: &&[PruneRecord]) -> bool {
    pruned.is_empty()
}

/// A rejected row with the reason.
#[derive(Serialize)]
struct RejectedRow<'a> {
    #[serde(flatten)]
    why: &'a RowRejection,
    row: &'a DatasetRow,
}

impl FullEpisode {
    /// Reads an episode. `attempt` chooses an attempt; None means the newest. A campaign text that
    /// cannot be read any more is no error here: the episode is shown without the parts that need
    /// it.
    pub(super) async fn read(
        store: &Store,
        episode: EpisodeRecord,
        attempt: Option<u32>,
        templates: &TemplateDirs,
    ) -> Result<Self> {
        let id = episode.plan.id.clone();
        let attempts = store.attempts(&id).await.map_err(store_error)?;
        let attempt = chosen(&episode, &attempts, attempt)?;
        let turns = store.turns(&id, attempt).await.map_err(store_error)?;
        let pruned = store.pruned(&id).await.map_err(store_error)?;
        let config = campaign_config(store, &episode.plan).await;
        let quality =
            config.as_ref().map_or_else(|_| QualityPolicy::default(), |c| c.quality.clone());
        let judged = judged(store, &episode, &quality).await?;
        let later = store.reverifications_of(&id).await.map_err(store_error)?;
        let opening = match ConversationOpening::recorded(&turns) {
            Some(opening) => Ok(opening),
            // No turn is recorded. The opening is then what would be sent, from the task rendered
            // again.
            None => config
                .and_then(|c| EpisodeOrigin::of(&episode.plan, &c, &templates.directories))
                .map(|origin| ConversationOpening::of(&origin)),
        };
        Ok(Self { episode, attempts, attempt, turns, pruned, judged, later, opening })
    }

    /// The JSON document.
    pub(super) fn document(&self) -> impl Serialize + '_ {
        let taken = self.judged.as_ref().filter(|judged| judged.rejected.is_none());
        let opening = self.opening.as_ref().ok();
        EpisodeDocument {
            episode: &self.episode,
            attempts: &self.attempts,
            row: taken.map(|judged| &judged.row),
            split: taken.map(|judged| judged.split),
            rejected: self.judged.as_ref().and_then(|judged| {
                judged.rejected.as_ref().map(|why| RejectedRow { why, row: &judged.row })
            }),
            reverifications: &self.later,
            attempt: self.attempt,
            opening: opening.map(|opening| opening.messages.as_slice()),
            tools: opening.map(|opening| opening.tools.as_slice()),
            max_output_tokens: opening.map(|opening| opening.max_output_tokens),
            turns: &self.turns,
            pruned: &self.pruned,
        }
    }
}

impl ConversationOpening {
    /// The opening that was really sent, from the first turn. None if no turn is recorded.
    fn recorded(turns: &[Turn]) -> Option<Self> {
        let first = turns.first()?.opening.as_ref()?;
        let asked = first.messages.iter().rev().find(|message| message.role == ChatRole::User);
        Some(Self {
            instruction: asked.map(|message| message.content.clone()).unwrap_or_default(),
            messages: first.messages.clone(),
            tools: first.tools.clone(),
            max_output_tokens: first.max_output_tokens,
        })
    }

    /// The opening that a native agent would send for the rendered task. What a program would send
    /// is not known, so only the instruction stands in its opening.
    fn of(origin: &EpisodeOrigin) -> Self {
        let instruction = origin.task.instruction.clone();
        let Agent::Native(scaffold) = &origin.agent else {
            let (messages, tools) = (Vec::new(), Vec::new());
            return Self { instruction, messages, tools, max_output_tokens: USUAL_OUTPUT_TOKENS };
        };
        let messages = scaffold.open(&origin.task, &origin.limits);
        let first = scaffold.request(&messages);
        let (tools, max_output_tokens) = (first.tools, first.max_output_tokens);
        Self { instruction, messages, tools, max_output_tokens }
    }
}

/// The attempt that was asked for, or the newest one. An unknown number is an error that names the
/// known ones.
pub(super) fn chosen(
    episode: &EpisodeRecord,
    attempts: &[AttemptRecord],
    wanted: Option<u32>,
) -> Result<AttemptNumber> {
    let attempt = wanted.map_or(episode.attempt, AttemptNumber);
    if wanted.is_none() || attempts.iter().any(|known| known.attempt == attempt) {
        return Ok(attempt);
    }
    let id = &episode.plan.id;
    let hint = match attempts.len() {
        0 => "it has not been tried yet".to_owned(),
        1 => "it has one attempt, 1".to_owned(),
        count => format!("it has {count} attempts, 1 to {}", episode.attempt),
    };
    Err(Error::new(Code::EpisodeUnknown, format!("{id} has no attempt {attempt}")).hint(hint))
}

/// The row of the episode. Whether a row is a duplicate is decided only when a version is written,
/// so that decision is made here in the same way.
async fn judged(
    store: &Store,
    episode: &EpisodeRecord,
    quality: &QualityPolicy,
) -> Result<Option<RowRecord>> {
    let found = store.row(&episode.plan.id).await.map_err(store_error)?;
    let Some(mut record) = found else { return Ok(None) };
    if record.rejected.is_some() || quality.duplicates == StageAction::Off {
        return Ok(Some(record));
    }
    let Some(first) = first_equal(store, &record).await? else { return Ok(Some(record)) };
    if quality.duplicates == StageAction::Label {
        record.row.labels_mut().push("duplicate".to_owned());
    } else {
        let detail = format!("the same as {first}");
        record.rejected = Some(RowRejection { stage: "duplicates".to_owned(), detail });
    }
    Ok(Some(record))
}

/// The episode of the first accepted row in the plan with the same content, if it comes before this
/// one.
async fn first_equal(store: &Store, record: &RowRecord) -> Result<Option<String>> {
    let mut after = None;
    loop {
        let page = store.rows(&record.campaign, after, PAGE).await.map_err(store_error)?;
        for other in &page {
            if other.ordinal >= record.ordinal {
                return Ok(None);
            }
            if other.rejected.is_none() && other.content_digest == record.content_digest {
                return Ok(Some(other.episode.to_string()));
            }
        }
        let Some(last) = page.last() else { return Ok(None) };
        after = Some(last.ordinal);
    }
}
