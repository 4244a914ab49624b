//! Reading a conversation from outside: what has been said since its last reply, and whether it
//! is the one it was before.

use crate::model::{Message, Role};

/// Whether two messages say the same. What a model thought may have been left out since, and
/// the names of calls given anew.
pub fn same(one: &Message, other: &Message) -> bool {
    says_as(one, other, |one, other| one == other)
}

/// The same, as `alike` has it of their texts.
pub fn says_as(one: &Message, other: &Message, alike: impl Fn(&str, &str) -> bool) -> bool {
    let calls = || one.tool_calls.iter().zip(&other.tool_calls);
    one.role == other.role
        && alike(one.content.trim(), other.content.trim())
        && one.tool_calls.len() == other.tool_calls.len()
        && calls().all(|(a, b)| a.name == b.name && same_arguments(&a.arguments, &b.arguments))
}

/// As JSON, where they are that: clients write it anew.
fn same_arguments(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|value| read(other).as_ref() == Some(&value))
}

/// Calls that were given the same names are the same, whatever was said beside them.
fn same_calls(one: &Message, other: &Message) -> bool {
    let names = |message: &Message| -> Vec<String> {
        message.tool_calls.iter().map(|call| call.id.clone()).collect()
    };
    !one.tool_calls.is_empty() && names(one) == names(other)
}

/// What has been said since that reply; nothing where the reply is not in there.
pub fn since<'m>(reply: &Message, now: &'m [Message]) -> &'m [Message] {
    let is_it = |message: &Message| same(message, reply) || same_calls(message, reply);
    let at = now.iter().rposition(is_it);
    at.and_then(|at| now.get(at + 1..)).unwrap_or_default()
}

/// Whether `now` is `before`, word for word.
pub fn goes_on(before: &[Message], now: &[Message]) -> bool {
    before.len() == now.len() && before.iter().zip(now).all(|(one, other)| same(one, other))
}

/// What was told to a model, as one text.
pub fn told(messages: &[Message]) -> String {
    let texts = messages.iter().filter(|message| message.role != Role::Assistant);
    let texts: Vec<&str> = texts.map(|message| message.content.as_str()).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reasoning, ToolCall};

    fn call(arguments: &str) -> Message {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "bash".to_owned(),
            arguments: arguments.to_owned(),
        };
        Message { tool_calls: vec![call], ..Message::text(Role::Assistant, "now") }
    }

    #[test]
    fn a_reply_is_known_again_however_it_is_written() {
        let reply = call(r#"{"a": 1,"b":2}"#);
        let thought = Reasoning { text: "hm".to_owned(), verbatim: None };
        let again = Message { reasoning: Some(thought), ..call(r#"{"b":2,"a":1}"#) };
        assert!(same(&reply, &again));
        assert!(!same(&reply, &call(r#"{"b":2,"a":3}"#)));
        assert!(!same(&reply, &Message::text(Role::Assistant, "now")));
        assert!(!same(&call("{"), &call("{{")), "what is no JSON is compared as it is");
    }

    #[test]
    fn what_came_since_is_what_stands_behind_the_last_such_reply() {
        let reply = call("{}");
        let result = |text: &str| Message::tool_result("1", text);
        let now = [
            reply.clone(),
            result("old"),
            reply.clone(),
            result("new"),
            Message::text(Role::User, "and"),
        ];
        assert_eq!(told(since(&reply, &now)), "new\nand");
        let other = Message::text(Role::Assistant, "something else");
        assert!(since(&other, &now).is_empty());
        assert!(goes_on(&now, &now));
        assert!(!goes_on(&now[1..], &now));
    }
}
