//! The row of a completion. Everything here is pure: the same completion gives the same row.

use super::stages::{plain_labels, stages};
use crate::model::{
    AttemptNumber, COMPLETION_SCHEMA, ChatMessage, CompletionRow, MessageOrigin, PlannedEpisode,
    QualityPolicy, ReplyTokens, RowMessage, RowRecord, SOONEST, SamplingParams, SandboxFingerprint,
    Turn, digest_of,
};
use crate::policy::split_of;
use crate::quality::{FinishedUnit, run_stages};

/// Everything that is known of a finished completion.
#[derive(Clone, Debug)]
pub struct FinishedCompletion {
    pub plan: PlannedEpisode,
    /// The attempt that was answered.
    pub attempt: AttemptNumber,
    /// One turn: the request and the answer.
    pub turns: Vec<Turn>,
    /// Milliseconds since the Unix epoch.
    pub finished_at_ms: i64,
    /// What each stage does, as the campaign says.
    pub policy: QualityPolicy,
    /// Percentages of train, validation and test.
    pub splits: [u32; 3],
}

impl FinishedUnit for FinishedCompletion {
    fn plan(&self) -> &PlannedEpisode {
        &self.plan
    }

    fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn fingerprint(&self) -> Option<&SandboxFingerprint> {
        None
    }

    fn finished_at_ms(&self) -> i64 {
        self.finished_at_ms
    }

    fn judged(&self, stamp: String) -> RowRecord {
        let mut row = self.row(stamp);
        let findings =
            run_stages(&stages(), &self.policy, &row, plain_labels(&row, self.is_fallback()));
        row.labels = findings.labels;
        RowRecord {
            episode: self.plan.id.clone(),
            campaign: self.plan.campaign.clone(),
            ordinal: self.plan.ordinal,
            rejected: findings.rejected,
            findings: findings.found,
            // All answers to one prompt are in one split.
            split: split_of(self.plan.task.as_str(), self.splits),
            content_digest: content_digest(&row),
            row: row.into(),
        }
    }
}

impl FinishedCompletion {
    /// The row, without labels. A completion without its turn, which the journal does not make, has
    /// an empty answer.
    fn row(&self, stamp: String) -> CompletionRow {
        let turn = self.turns.first();
        let reply = turn.map(|turn| &turn.reply);
        let asked = turn.and_then(|turn| turn.opening.as_deref());
        let answered_by = turn.and_then(|turn| turn.model.as_deref()).unwrap_or(&self.plan.model);
        // A model name is `provider/model`.
        let (provider, model) = answered_by.split_once('/').unwrap_or(("", answered_by));
        let counted = reply.and_then(|reply| reply.counted());
        let tokens = reply.and_then(|reply| reply.tokens.as_deref());
        let thought = reply.and_then(|reply| reply.message.reasoning.as_ref());
        CompletionRow {
            schema_version: COMPLETION_SCHEMA.to_owned(),
            completion_id: self.plan.id.to_string(),
            campaign: self.plan.campaign.to_string(),
            prompt_id: self.plan.task.to_string(),
            source: self.plan.template.clone(),
            prompt_index: i64::from(self.plan.index),
            fields: turn.map(|turn| turn.step.action().arguments),
            messages: self.messages(),
            response: reply.map(|reply| reply.message.content.clone()).unwrap_or_default(),
            reasoning: thought.map(|it| it.text.clone()).filter(|text| !text.is_empty()),
            finish_reason: reply.map_or("", |reply| reply.finish.as_str()).to_owned(),
            llm_model: model.to_owned(),
            llm_provider: provider.to_owned(),
            model_version: reply.and_then(|reply| reply.answered_by.clone()),
            sampling: asked.and_then(|it| serde_json::to_string(&SamplingParams::of(it)).ok()),
            sample: i32::try_from(self.plan.id.sample()).unwrap_or(i32::MAX),
            labels: Vec::new(),
            input_tokens: counted.map(|usage| signed(usage.input_tokens)),
            output_tokens: counted.map(|usage| signed(usage.output_tokens)),
            prompt_token_ids: tokens.and_then(|tokens| tokens.prompt_ids.clone()),
            token_ids: tokens.and_then(|tokens| tokens.ids.clone()),
            logprobs: tokens.and_then(ReplyTokens::logprob_values),
            cost_usd: turn.map(|turn| turn.step.cost).unwrap_or_default(),
            model_ms: signed(turn.and_then(|turn| turn.step.model_ms).unwrap_or_default()),
            attempt: i32::try_from(self.attempt.0).unwrap_or(i32::MAX),
            calls: turn.map_or(0, |turn| i32::try_from(turn.calls).unwrap_or(i32::MAX)),
            created_at: stamp,
        }
    }

    /// Whether another model than the planned one has answered.
    fn is_fallback(&self) -> bool {
        let answered_by = self.turns.first().and_then(|turn| turn.model.as_deref());
        answered_by.is_some() && self.plan.model != SOONEST
    }

    /// The conversation as it was sent, and the answer behind it. A refusal without a word has no
    /// weight: the model did not say it.
    fn messages(&self) -> Vec<RowMessage> {
        let Some(turn) = self.turns.first() else { return Vec::new() };
        let asked = turn.opening.iter().flat_map(|request| &request.messages);
        let all: Vec<&ChatMessage> = asked.chain([&turn.reply.message]).collect();
        let own = all.len().checked_sub(1).filter(|_| !turn.reply.is_silent_refusal());
        let answer = MessageOrigin {
            own: true,
            step: Some(turn.step.index),
            failed: turn.step.error().is_some(),
        };
        let other = MessageOrigin::default();
        let mut messages =
            RowMessage::all_of(&all, |at| if Some(at) == own { answer } else { other });
        if let Some(last) = messages.last_mut().filter(|_| own.is_none()) {
            // Nobody said it.
            last.loss_hint = None;
        }
        messages
    }
}

/// Equal for answers that a trainer could not tell apart. Several samples of a prompt are wanted
/// even if they are equal, so the number of the sample is a part of the digest: only answers of
/// different models can be equal.
fn content_digest(row: &CompletionRow) -> String {
    let sample = row.sample.to_string();
    let reasoning = row.reasoning.as_deref().unwrap_or_default();
    digest_of(&["completion", &row.prompt_id, &sample, reasoning, &row.response])
}

/// Parquet columns are signed. A number that is too large becomes the largest one.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
