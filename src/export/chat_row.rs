//! What a row offers to formats of conversations: its messages and its tools.

use super::left_reason::LeftReason;
use super::plain_json::plain_list;
use serde_json::value::RawValue;
use synthd_actors::model::{DatasetRow, RowMessage};

/// The conversation of a row. It has a reply of the row's model.
pub(super) struct ChatRow<'a> {
    pub(super) messages: &'a [RowMessage],
    /// The tools as a JSON list; none if the model was given none.
    pub(super) tools: Option<Box<RawValue>>,
    /// The position of the first reply of the row's model.
    first: usize,
    /// The position of the last reply, whoever gave it.
    last: usize,
}

impl<'a> ChatRow<'a> {
    /// The conversation, or why the row has none.
    pub(super) fn of(row: &'a DatasetRow) -> Result<Self, LeftReason> {
        let (messages, tools) = match row {
            DatasetRow::Trajectory(row) => (row.messages.as_deref(), row.tools.as_deref()),
            DatasetRow::Completion(row) => (Some(row.messages.as_slice()), None),
        };
        let messages = messages.filter(|all| !all.is_empty()).ok_or(LeftReason::NoMessages)?;
        let first = messages.iter().position(is_own).ok_or(LeftReason::NoReply)?;
        let last = messages.iter().rposition(is_reply).ok_or(LeftReason::NoReply)?;
        let tools = match tools {
            Some(text) => Some(plain_list(text).ok_or(LeftReason::OddTools)?),
            None => None,
        };
        let tools = tools.filter(|list| list.get() != "[]");
        Ok(Self { messages, tools, first, last })
    }

    /// The messages before the first reply of the row's model.
    pub(super) fn prompt(&self) -> &'a [RowMessage] {
        &self.messages[..self.first]
    }

    /// The messages from the first reply of the row's model on.
    pub(super) fn completion(&self) -> &'a [RowMessage] {
        &self.messages[self.first..]
    }

    /// The messages up to the last reply.
    pub(super) fn until_last_reply(&self) -> &'a [RowMessage] {
        &self.messages[..=self.last]
    }

    /// The positions of the replies of the row's model.
    pub(super) fn own_replies(&self) -> Vec<usize> {
        let each = self.messages.iter().enumerate();
        each.filter(|(_, message)| is_own(message)).map(|(at, _)| at).collect()
    }

    /// The tools as JSON text.
    pub(super) fn tools_text(&self) -> Option<&str> {
        self.tools.as_deref().map(RawValue::get)
    }
}

/// Whether the row's model gave this reply.
pub(super) fn is_own(message: &RowMessage) -> bool {
    message.weight == Some(1) && is_reply(message)
}

/// Whether a message is a reply, of the row's model or of somebody else.
pub(super) fn is_reply(message: &RowMessage) -> bool {
    message.role == "assistant"
}
