//! All that is known of one episode, and the one JSON document it is printed as.

use super::origin::{EpisodeOrigin, campaign_config};
use crate::cli::TemplateDirs;
use crate::engine::store_error;
use crate::error::{Code, Error, Result};
use crate::store::Store;
use serde::Serialize;
use synthd_actors::model::{
    AttemptNumber, AttemptRecord, ChatMessage, ChatRole, DatasetSplit, EpisodeRecord,
    QualityPolicy, RowRecord, RowRejection, StageAction, ToolSchema, TrajectoryRow, Turn,
};
use synthd_actors::ports::Journal;

/// Rows read at once while looking for an equal one.
const PAGE: usize = 256;

/// An episode with everything that belongs to it.
pub(super) struct FullEpisode {
    pub(super) episode: EpisodeRecord,
    pub(super) attempts: Vec<AttemptRecord>,
    /// The attempt whose turns these are.
    pub(super) attempt: AttemptNumber,
    pub(super) turns: Vec<Turn>,
    /// As the dataset has it or would have it, whether it was taken or not.
    pub(super) judged: Option<RowRecord>,
    /// How the conversation began, or why that is not known any more.
    pub(super) opening: Result<ConversationOpening>,
}

/// What the scaffold sends before the model has said anything.
pub(super) struct ConversationOpening {
    pub(super) instruction: String,
    messages: Vec<ChatMessage>,
    tools: Vec<ToolSchema>,
    max_output_tokens: u32,
}

/// The document of `episode show --json`. The request of turn n is `opening` followed by the
/// messages of the turns before it, with `tools`.
#[derive(Serialize)]
struct EpisodeDocument<'a> {
    episode: &'a EpisodeRecord,
    attempts: &'a [AttemptRecord],
    row: Option<&'a TrajectoryRow>,
    split: Option<DatasetSplit>,
    rejected: Option<RejectedRow<'a>>,
    attempt: AttemptNumber,
    opening: Option<&'a [ChatMessage]>,
    tools: Option<&'a [ToolSchema]>,
    max_output_tokens: Option<u32>,
    turns: &'a [Turn],
}

/// Why a row is in no dataset, and what it would have been.
#[derive(Serialize)]
struct RejectedRow<'a> {
    #[serde(flatten)]
    why: &'a RowRejection,
    row: &'a TrajectoryRow,
}

impl FullEpisode {
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
        let config = campaign_config(store, &episode.plan).await;
        let quality =
            config.as_ref().map_or_else(|_| QualityPolicy::default(), |c| c.quality.clone());
        let judged = judged(store, &episode, &quality).await?;
        let opening = match ConversationOpening::recorded(&turns) {
            Some(opening) => Ok(opening),
            // Nothing was sent yet: what would be.
            None => config
                .and_then(|c| EpisodeOrigin::of(&episode.plan, &c, &templates.directories))
                .map(|origin| ConversationOpening::of(&origin)),
        };
        Ok(Self { episode, attempts, attempt, turns, judged, opening })
    }

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
            attempt: self.attempt,
            opening: opening.map(|opening| opening.messages.as_slice()),
            tools: opening.map(|opening| opening.tools.as_slice()),
            max_output_tokens: opening.map(|opening| opening.max_output_tokens),
            turns: &self.turns,
        }
    }
}

impl ConversationOpening {
    /// What was really sent, from the first turn.
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

    fn of(origin: &EpisodeOrigin) -> Self {
        let messages = origin.scaffold.open(&origin.task);
        let first = origin.scaffold.request(&messages);
        Self {
            instruction: origin.task.instruction.clone(),
            messages,
            tools: first.tools,
            max_output_tokens: first.max_output_tokens,
        }
    }
}

/// The attempt that was asked for, or the newest.
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

/// The row with what is only found when rows are seen together, as datasets have it.
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
        record.row.labels.push("duplicate".to_owned());
    } else {
        let detail = format!("the same as {first}");
        record.rejected = Some(RowRejection { stage: "duplicates".to_owned(), detail });
    }
    Ok(Some(record))
}

/// The first row of the plan with the same content, where it is not this one.
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
