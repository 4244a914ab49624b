//! What each step earned, for models that judge steps. The rewards are those of the row: the changes of
//! the milestone potential and the final score.

use super::chat_line::{ChatLine, chat_lines};
use super::chat_row::ChatRow;
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use super::reply_facts::reply_facts;
use super::trl::{STYLE, is_solved};
use serde::Serialize;
use synthd_actors::model::{DatasetRow, RowMessage, RowStep};

/// A line of `step-reward`.
#[derive(Serialize)]
struct RewardLine<'a> {
    messages: Vec<ChatLine<'a>>,
    /// The positions of the replies of the row's model.
    replies: &'a [usize],
    /// The reward of each of these replies.
    rewards: Vec<f64>,
    /// The sum of its reward and of all later ones.
    returns: Vec<f64>,
    /// Whether something went wrong in its step.
    errors: Vec<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// A line of `trl-stepwise`, which has texts and no messages.
#[derive(Serialize)]
struct StepwiseLine {
    prompt: String,
    completions: Vec<String>,
    labels: Vec<bool>,
}

/// The conversation with the reward of each reply.
pub(super) fn step_reward(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let (replies, steps) = judged_steps(row, &chat)?;
    let mut lost = LostParts::new();
    let messages = chat_lines(chat.messages, STYLE, &mut lost)?;
    // The positions say which replies are meant.
    lost.remove(&LostPart::OtherReplies);
    let line = RewardLine {
        messages,
        replies: &replies,
        rewards: steps.iter().map(|step| step.reward).collect(),
        returns: steps.iter().map(|step| step.return_to_go).collect(),
        errors: steps.iter().map(|step| step.error.is_some()).collect(),
        tools: chat.tools_text(),
    };
    ExportedRow::of(&line, lost)
}

/// The steps as texts, each with a label. A step is a reply and all messages up to the next one.
pub(super) fn stepwise(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let solved = is_solved(row)?;
    let chat = ChatRow::of(row)?;
    let (replies, steps) = judged_steps(row, &chat)?;
    let ends = replies.iter().skip(1).copied().chain([chat.messages.len()]);
    let parts: Vec<_> =
        replies.iter().zip(ends).map(|(&at, end)| &chat.messages[at..end]).collect();
    let last = steps.len().saturating_sub(1);
    let is_right = |(at, step): (usize, &&RowStep)| {
        step.error.is_none() && step.reward >= 0.0 && (at < last || solved)
    };
    let line = StepwiseLine {
        prompt: joined(chat.prompt()),
        completions: parts.iter().map(|part| joined(part)).collect(),
        labels: steps.iter().enumerate().map(is_right).collect(),
    };
    let mut lost = lost_of(chat.messages);
    if chat.prompt().len() > 1 || parts.iter().any(|part| part.len() > 1) {
        lost.insert(LostPart::Roles);
    }
    if chat.tools.is_some() {
        lost.insert(LostPart::Tools);
    }
    ExportedRow::of(&line, lost)
}

/// The positions of the replies of the row's model, and the steps that they belong to.
fn judged_steps<'a>(
    row: &'a DatasetRow,
    chat: &ChatRow<'a>,
) -> Result<(Vec<usize>, Vec<&'a RowStep>), LeftReason> {
    let milestones = row.as_trajectory().and_then(|row| row.milestones.as_ref());
    milestones.ok_or(LeftReason::NoMilestones)?;
    let facts = reply_facts(row, chat).ok_or(LeftReason::OddSteps)?;
    let each = facts.into_iter().filter_map(|(at, facts)| Some((at, facts.step?)));
    Ok(each.unzip())
}

/// The texts of messages, with an empty line between two.
fn joined(messages: &[RowMessage]) -> String {
    let texts: Vec<String> = messages.iter().map(text_of).collect();
    texts.join("\n\n")
}

/// A message as text. A call is the name of the tool and the arguments as the model wrote them.
fn text_of(message: &RowMessage) -> String {
    let calls = message.tool_calls.iter().flatten();
    let calls = calls.map(|call| format!("{} {}", call.name, call.arguments));
    let content = Some(message.content.clone()).filter(|content| !content.is_empty());
    let parts: Vec<String> = content.into_iter().chain(calls).collect();
    parts.join("\n\n")
}

/// What texts do not have of messages.
fn lost_of(messages: &[RowMessage]) -> LostParts {
    let any = |is: fn(&RowMessage) -> bool| messages.iter().any(is);
    let found = [
        (LostPart::Reasoning, any(|message| message.reasoning.is_some())),
        (LostPart::CallIds, any(|message| message.tool_calls.is_some())),
        (LostPart::CallIds, any(|message| message.tool_call_id.is_some())),
        (LostPart::ResultNames, any(|message| message.name.is_some())),
    ];
    found.into_iter().filter(|(_, is)| *is).map(|(part, _)| part).collect()
}
