//! Where a conversation was begun anew, and what the new one no longer has of the one before. An agent's
//! program does so when it has become too long, or with each of its tasks.

use super::turn_parts::said;
use crate::model::{ChatMessage, RowConversation, Turn};
use serde_json::Value;
use std::collections::HashMap;

/// The conversations after the first one. None if no request was recorded.
pub(super) fn conversations(turns: &[Turn]) -> Option<Vec<RowConversation>> {
    let opened = turns.iter().enumerate().filter(|(_, turn)| turn.opening.is_some());
    let starts: Vec<usize> = opened.map(|(at, _)| at).collect();
    let pairs = starts.windows(2);
    let begun = pairs.map(|pair| begun(&turns[pair[0]..pair[1]], &turns[pair[1]]));
    (!starts.is_empty()).then(|| begun.collect())
}

/// The conversation that the turn `next` began, after that of the turns `before`. A message that is
/// there twice must be there twice again.
fn begun(before: &[Turn], next: &Turn) -> RowConversation {
    let mut there: HashMap<String, usize> = HashMap::new();
    let opening = asked(next);
    for message in opening {
        *there.entry(sense_of(message)).or_default() += 1;
    }
    let mut dropped = Vec::new();
    let first = before.first().map(asked).unwrap_or_default();
    let first = first.iter().map(|message| (None, message));
    let said = before.iter().flat_map(|turn| {
        said(turn).map(move |(is_reply, message)| (is_reply.then_some(turn.step.index), message))
    });
    for (reply_of, message) in first.chain(said) {
        match there.get_mut(&sense_of(message)).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => dropped.push(reply_of),
        }
    }
    RowConversation {
        step: i32::try_from(next.step.index).unwrap_or(i32::MAX),
        messages: i32::try_from(opening.len()).unwrap_or(i32::MAX),
        dropped: i32::try_from(dropped.len()).unwrap_or(i32::MAX),
        dropped_steps: dropped.into_iter().flatten().filter_map(|at| at.try_into().ok()).collect(),
    }
}

/// The messages of the request with which a turn began a conversation.
fn asked(turn: &Turn) -> &[ChatMessage] {
    turn.opening.as_deref().map(|request| request.messages.as_slice()).unwrap_or_default()
}

/// A text that is equal for messages that say the same, as `policy::same_message` compares them: ids of
/// calls, reasoning, and the order of the keys of arguments are not compared.
fn sense_of(message: &ChatMessage) -> String {
    let calls = message.tool_calls.iter();
    let calls: Vec<Value> = calls
        .map(|call| {
            let read = serde_json::from_str(&call.arguments);
            let mut arguments = read.unwrap_or_else(|_| Value::from(call.arguments.clone()));
            arguments.sort_all_objects();
            serde_json::json!([call.name, arguments])
        })
        .collect();
    serde_json::json!([message.role, message.content.trim(), calls]).to_string()
}
