//! What is known of each reply of the row's model: its tokens, its cost, and what its step earned.

use super::chat_row::ChatRow;
use serde_json::value::RawValue;
use synthd_actors::model::{CompletionRow, DatasetRow, Money, RowStep};

/// What is known of one reply.
#[derive(Clone, Copy)]
pub(super) struct ReplyFacts<'a> {
    pub(super) input_tokens: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    pub(super) cached_tokens: Option<i64>,
    /// The ids of its tokens.
    pub(super) token_ids: Option<&'a [i32]>,
    /// The logarithms of their probabilities.
    pub(super) logprobs: Option<&'a [f64]>,
    pub(super) cost: Money,
    pub(super) calls: Option<i32>,
    pub(super) finish_reason: Option<&'a str>,
    /// The time of the model in milliseconds.
    pub(super) model_ms: i64,
    /// The step of the reply; a completion has none.
    pub(super) step: Option<&'a RowStep>,
}

impl<'a> ReplyFacts<'a> {
    fn of_step(step: &'a RowStep) -> Self {
        Self {
            input_tokens: step.input_tokens,
            output_tokens: step.output_tokens,
            cached_tokens: step.cached_tokens,
            token_ids: step.token_ids.as_deref(),
            logprobs: step.logprobs.as_deref(),
            cost: step.cost_usd,
            calls: step.calls,
            finish_reason: step.finish_reason.as_deref(),
            model_ms: step.model_ms.unwrap_or(0),
            step: Some(step),
        }
    }

    fn of_answer(row: &'a CompletionRow) -> Self {
        Self {
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cached_tokens: None,
            token_ids: row.token_ids.as_deref(),
            logprobs: row.logprobs.as_deref(),
            cost: row.cost_usd,
            calls: Some(row.calls),
            finish_reason: Some(&row.finish_reason),
            model_ms: row.model_ms,
            step: None,
        }
    }
}

/// The position of each reply of the row's model, with what is known of it. None if the replies of the
/// conversation are not those of the steps, one to one: an agent's program began several conversations,
/// or the model declined without a word.
pub(super) fn reply_facts<'a>(
    row: &'a DatasetRow,
    chat: &ChatRow<'a>,
) -> Option<Vec<(usize, ReplyFacts<'a>)>> {
    let replies = chat.own_replies();
    let facts: Vec<_> = match row {
        DatasetRow::Trajectory(row) => row.trajectory.iter().map(ReplyFacts::of_step).collect(),
        DatasetRow::Completion(row) => vec![ReplyFacts::of_answer(row)],
    };
    (replies.len() == facts.len()).then(|| replies.into_iter().zip(facts).collect())
}

/// An amount in dollars as a JSON number with all its digits.
pub(super) fn exact_dollars(money: Money) -> Option<Box<RawValue>> {
    RawValue::from_string(money.to_string()).ok()
}
