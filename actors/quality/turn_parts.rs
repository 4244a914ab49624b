//! The parts of a trajectory's row that follow from its turns alone: the steps, the conversation and
//! the tools. The store keeps the turns, so it keeps a row without these parts and makes them again
//! when the row is read. So a trajectory is stored once.
//!
//! ```text
//!  turns ─► TurnParts ─► row                    (a unit is judged)
//!           row ─► TurnParts taken out, dropped (the row is stored)
//!  turns ─► TurnParts ─► put into the row       (the row is read)
//! ```
//! The invariant: the same turns and the same score give the same parts. A change of the code here
//! changes what earlier rows say when they are read again.

use super::conversations::conversations;
use crate::model::{
    ActionType, ChatMessage, ChatRequest, MessageOrigin, ReplyTokens, RowAction, RowConversation,
    RowMessage, RowState, RowStep, RowStepAction, Step, StepAction, ToolSchema, TrajectoryRow,
    Turn, TurnAction, milestone_changes, returns_to_go, rewards,
};
use crate::policy::same_message;

/// These parts, outside of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnParts {
    trajectory: Vec<RowStep>,
    messages: Option<Vec<RowMessage>>,
    tools: Option<String>,
    conversations: Option<Vec<RowConversation>>,
}

impl TurnParts {
    /// The parts of a row with these turns. `score` is the score of its verification: rewards come
    /// from the milestone potential and the score, and sum up to the score.
    pub fn of(turns: &[Turn], score: f64) -> Self {
        Self {
            trajectory: trajectory(turns, score),
            messages: messages(turns),
            tools: tools(turns),
            conversations: conversations(turns),
        }
    }

    /// Takes the parts out of a row.
    pub fn take(row: &mut TrajectoryRow) -> Self {
        Self {
            trajectory: std::mem::take(&mut row.trajectory),
            messages: row.messages.take(),
            tools: row.tools.take(),
            conversations: row.conversations.take(),
        }
    }

    /// Puts the parts into a row.
    pub fn put(self, row: &mut TrajectoryRow) {
        row.trajectory = self.trajectory;
        row.messages = self.messages;
        row.tools = self.tools;
        row.conversations = self.conversations;
    }

    /// The sum of the rewards.
    pub(super) fn total_reward(&self) -> f64 {
        self.trajectory.first().map_or(0.0, |step| step.return_to_go)
    }
}

/// The turns as steps of a row.
fn trajectory(turns: &[Turn], score: f64) -> Vec<RowStep> {
    let steps: Vec<Step> = turns.iter().map(|turn| turn.step.clone()).collect();
    let rewards = rewards(&steps, score);
    let returns = returns_to_go(&rewards);
    let numbered = turns.iter().enumerate();
    numbered
        .map(|(at, turn)| {
            let before = at.checked_sub(1).and_then(|before| turns.get(before));
            let milestones_changed = milestone_changes(before.map(|it| &it.step), &turn.step);
            let (prompt_kept, prompt_token_ids) = prompt_tokens(before, turn).unzip();
            let row = row_step(turn, rewards[at], returns[at], at + 1 == turns.len());
            RowStep { milestones_changed, prompt_kept, prompt_token_ids, ..row }
        })
        .collect()
}

/// How many tokens of the turn before, prompt and reply, are the beginning of a turn's prompt, and the
/// other tokens of the prompt. So the tokens of a long conversation stand in the row once. None if the
/// provider did not give the tokens of the prompt.
fn prompt_tokens(before: Option<&Turn>, turn: &Turn) -> Option<(i32, Vec<i32>)> {
    let prompt = turn.reply.tokens.as_ref()?.prompt_ids.as_deref()?;
    let known = before.and_then(|turn| turn.reply.tokens.as_deref());
    let known = known.filter(|tokens| tokens.prompt_ids.is_some());
    let known = known.into_iter().flat_map(|tokens| [&tokens.prompt_ids, &tokens.ids]);
    let known = known.flatten().flatten();
    let kept = prompt.iter().zip(known).take_while(|(one, other)| one == other).count();
    Some((i32::try_from(kept).ok()?, prompt[kept..].to_vec()))
}

/// The request with which the newest conversation began, and the position of its turn. An agent's
/// program may begin several. None if no request was recorded.
fn newest_opening(turns: &[Turn]) -> Option<(usize, &ChatRequest)> {
    let openings = turns.iter().enumerate().rev();
    openings.into_iter().find_map(|(at, turn)| Some((at, turn.opening.as_deref()?)))
}

/// The newest conversation: the messages of its first request, then those of each turn. Replies of
/// the model in this trajectory are marked, also those that an agent's program repeated in its
/// request. A refusal without a word is no message: the model did not say it.
fn messages(turns: &[Turn]) -> Option<Vec<RowMessage>> {
    let (start, opening) = newest_opening(turns)?;
    let (before, turns) = turns.split_at(start);
    let repeated = |message: &ChatMessage| {
        let mut spoken = before.iter().filter(|turn| !turn.reply.is_silent_refusal());
        let turn = spoken.find(|turn| same_message(&turn.reply.message, message));
        turn.map(|turn| origin_of(turn, true)).unwrap_or_default()
    };
    let mut origins: Vec<MessageOrigin> = opening.messages.iter().map(repeated).collect();
    for turn in turns {
        origins.extend(said(turn).map(|(is_reply, _)| origin_of(turn, is_reply)));
    }
    let added = turns.iter().flat_map(said).map(|(_, message)| message);
    let all: Vec<&ChatMessage> = opening.messages.iter().chain(added).collect();
    Some(RowMessage::all_of(&all, |at| origins.get(at).copied().unwrap_or_default()))
}

/// Where a message of a turn comes from. `own` says whether it is the reply.
fn origin_of(turn: &Turn, own: bool) -> MessageOrigin {
    MessageOrigin { own, step: Some(turn.step.index), failed: own && turn.step.error().is_some() }
}

/// The messages that a turn added, and for each whether it is the reply, which is the first one.
pub(super) fn said(turn: &Turn) -> impl Iterator<Item = (bool, &ChatMessage)> {
    let unsaid = usize::from(turn.reply.is_silent_refusal());
    turn.messages.iter().enumerate().map(|(at, message)| (at == 0, message)).skip(unsaid)
}

/// The tools of the newest conversation as JSON, in the form that trainers read. None if no request
/// was recorded.
fn tools(turns: &[Turn]) -> Option<String> {
    let (_, opening) = newest_opening(turns)?;
    serde_json::to_string(&opening.tools.iter().map(ToolSchema::shown).collect::<Vec<_>>()).ok()
}

/// One turn as the row shows it. `done` marks the last step. Which milestones changed and which tokens
/// of the prompt are new is not known from one turn.
fn row_step(turn: &Turn, reward: f64, return_to_go: f64, done: bool) -> RowStep {
    let step = &turn.step;
    let action = step.action();
    // None if the provider did not count the reply.
    let usage = turn.reply.counted().map(|_| step.usage);
    let tokens = turn.reply.tokens.as_deref();
    RowStep {
        step: i32::try_from(step.index).unwrap_or(i32::MAX),
        state: RowState { cwd: step.state.cwd.clone(), files: step.state.files.clone() },
        action: RowAction {
            kind: action.kind.as_str().to_owned(),
            arguments: arguments(&action),
            tool: action.tool,
        },
        observation: step.observation(),
        reward,
        reasoning: step.reasoning.clone(),
        return_to_go,
        done,
        error: step.error().map(str::to_owned),
        exit_code: step.end().map(crate::model::ExecEnd::exit_code),
        truncated: step.truncated(),
        input_tokens: usage.map(|usage| signed(usage.input_tokens)),
        output_tokens: usage.map(|usage| signed(usage.output_tokens)),
        cost_usd: step.cost,
        duration_ms: signed(step.duration_ms()),
        model_ms: step.model_ms.map(signed),
        finish_reason: Some(turn.reply.finish.as_str().to_owned()),
        calls: Some(i32::try_from(turn.calls).unwrap_or(i32::MAX)),
        actions: (step.actions.len() > 1).then(|| row_actions(turn)),
        milestones_changed: None,
        stage: step.stage.as_ref().map(|stage| stage.name.clone()),
        model_version: turn.reply.answered_by.clone(),
        fallback_model: turn.model.clone(),
        cached_tokens: usage.and_then(|usage| usage.cached_tokens).map(signed),
        reasoning_tokens: usage.and_then(|usage| usage.reasoning_tokens).map(signed),
        prompt_kept: None,
        prompt_token_ids: None,
        token_ids: tokens.and_then(|tokens| tokens.ids.clone()),
        logprobs: tokens.and_then(ReplyTokens::logprob_values),
    }
}

/// The actions of a step with several. The first action of a native agent always runs, so a turn in
/// which the engine ran nothing is one of an agent's program.
fn row_actions(turn: &Turn) -> Vec<RowStepAction> {
    let is_native = turn.ran().next().is_some();
    turn.step.actions.iter().map(|action| row_action(action, is_native)).collect()
}

/// One of several actions of a step.
fn row_action(action: &TurnAction, is_native: bool) -> RowStepAction {
    RowStepAction {
        kind: action.request.kind.as_str().to_owned(),
        tool: action.request.tool.clone(),
        arguments: arguments(&action.request),
        call_id: Some(action.call_id.clone()).filter(|id| !id.is_empty()),
        ran: is_native.then_some(action.ran),
        observation: action.observation.clone(),
        error: action.error.clone(),
        exit_code: action.end.as_ref().map(crate::model::ExecEnd::exit_code),
        truncated: action.truncated,
        duration_ms: signed(action.duration_ms),
    }
}

/// The arguments of an action as a JSON object in text. What a model wrote in place of an object is
/// kept inside one, as in `{"unparsed": "..."}`.
fn arguments(action: &StepAction) -> String {
    let written = &action.arguments;
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(written);
    if is_object.is_ok() || action.kind != ActionType::Malformed {
        return written.clone();
    }
    serde_json::json!({ "unparsed": written }).to_string()
}

/// Parquet columns are signed. A number that is too large becomes the largest one.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
