//! Compares conversations that an external agent sends. An external agent keeps its history itself
//! and sends all of it with each call. From these requests the engine finds out what the agent told
//! the model since the last reply, and whether the agent has begun a new conversation.

use crate::model::{ChatMessage, ChatRole};

/// Whether two messages say the same. Agents often leave out the reasoning and give tool calls new
/// ids, so neither is compared. The arguments of tool calls are compared as JSON values.
pub fn same_message(one: &ChatMessage, other: &ChatMessage) -> bool {
    same_message_by(one, other, |one, other| one == other)
}

/// Like [`same_message`], but `alike` compares the texts of the messages. Whitespace around the
/// texts is removed before.
pub fn same_message_by(
    one: &ChatMessage,
    other: &ChatMessage,
    alike: impl Fn(&str, &str) -> bool,
) -> bool {
    let calls = || one.tool_calls.iter().zip(&other.tool_calls);
    one.role == other.role
        && alike(one.content.trim(), other.content.trim())
        && one.tool_calls.len() == other.tool_calls.len()
        && calls().all(|(a, b)| a.name == b.name && same_arguments(&a.arguments, &b.arguments))
}

/// Whether two argument texts are the same JSON value; agents often write JSON again with other
/// spaces or another order of keys. Texts that are not JSON must be equal.
fn same_arguments(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|value| read(other).as_ref() == Some(&value))
}

/// Whether two messages have tool calls with the same ids. Such messages are the same reply, even
/// if the agent has changed the text beside the calls.
fn same_calls(one: &ChatMessage, other: &ChatMessage) -> bool {
    let names = |message: &ChatMessage| -> Vec<String> {
        message.tool_calls.iter().map(|call| call.id.clone()).collect()
    };
    !one.tool_calls.is_empty() && names(one) == names(other)
}

/// The messages of `now` after the last occurrence of `reply`. Empty if `reply` is not in `now`.
pub fn messages_since<'m>(reply: &ChatMessage, now: &'m [ChatMessage]) -> &'m [ChatMessage] {
    let is_it = |message: &ChatMessage| same_message(message, reply) || same_calls(message, reply);
    let at = now.iter().rposition(is_it);
    at.and_then(|at| now.get(at + 1..)).unwrap_or_default()
}

/// Whether both lists have the same messages in the same order.
pub fn same_conversation(before: &[ChatMessage], now: &[ChatMessage]) -> bool {
    before.len() == now.len() && before.iter().zip(now).all(|(one, other)| same_message(one, other))
}

/// The texts of all messages that are not the model's own, one after the other. It becomes the
/// observation of the agent's turn.
pub fn told(messages: &[ChatMessage]) -> String {
    let texts = messages.iter().filter(|message| message.role != ChatRole::Assistant);
    let texts: Vec<&str> = texts.map(|message| message.content.as_str()).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reasoning, ToolCall};

    fn call(arguments: &str) -> ChatMessage {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "bash".to_owned(),
            arguments: arguments.to_owned(),
        };
        ChatMessage { tool_calls: vec![call], ..ChatMessage::text(ChatRole::Assistant, "now") }
    }

    #[test]
    fn a_reply_is_known_again_however_it_is_written() {
        let reply = call(r#"{"a": 1,"b":2}"#);
        let thought = Reasoning { text: "hm".to_owned(), verbatim: None };
        let again = ChatMessage { reasoning: Some(thought), ..call(r#"{"b":2,"a":1}"#) };
        assert!(same_message(&reply, &again));
        assert!(!same_message(&reply, &call(r#"{"b":2,"a":3}"#)));
        assert!(!same_message(&reply, &ChatMessage::text(ChatRole::Assistant, "now")));
        assert!(!same_message(&call("{"), &call("{{")), "what is no JSON is compared as it is");
    }

    #[test]
    fn what_came_since_is_what_stands_behind_the_last_such_reply() {
        let reply = call("{}");
        let result = |text: &str| ChatMessage::tool_result("1", text);
        let now = [
            reply.clone(),
            result("old"),
            reply.clone(),
            result("new"),
            ChatMessage::text(ChatRole::User, "and"),
        ];
        assert_eq!(told(messages_since(&reply, &now)), "new\nand");
        let other = ChatMessage::text(ChatRole::Assistant, "something else");
        assert!(messages_since(&other, &now).is_empty());
        assert!(same_conversation(&now, &now));
        assert!(!same_conversation(&now[1..], &now));
    }
}
