//! Writes `"content": ""` where a message has a null beside its tool calls. Clients of the OpenAI
//! chat format may send the null, but the chat templates of some servers fail on it. The adapters
//! of the engine never send it.
//!
//! All other bytes of the body stay. A message that is no object, or has no tool calls, stays too.

use crate::gateway::request_check::raw_json::RawJsonObject;
use bytes::Bytes;
use serde_json::error::Error;
use serde_json::value::RawValue;
use std::ops::Range;

/// The body with a text in place of each such null. An error means that the body is no object.
pub(in crate::gateway) fn as_text(body: Bytes) -> Result<Bytes, Error> {
    let nulls = nulls_beside_calls(&body)?;
    if nulls.is_empty() {
        return Ok(body);
    }
    let mut written = body.to_vec();
    // The last one first, so that the places of the others stay right.
    for place in nulls.into_iter().rev() {
        written.splice(place, *b"\"\"");
    }
    Ok(Bytes::from(written))
}

/// Where such nulls stand in the body, in its order.
fn nulls_beside_calls(body: &[u8]) -> Result<Vec<Range<usize>>, Error> {
    let Some(messages) = RawJsonObject::read(body)?.place("messages", body) else {
        return Ok(Vec::new());
    };
    // A list of anything else is for the provider to refuse.
    let messages: Vec<&RawValue> = serde_json::from_slice(&body[messages]).unwrap_or_default();
    Ok(messages.into_iter().filter_map(|message| null_beside_calls(message, body)).collect())
}

/// Where the null of one message stands in the body. None if the message has none.
fn null_beside_calls(message: &RawValue, body: &[u8]) -> Option<Range<usize>> {
    let message = RawJsonObject::read(message.get().as_bytes()).ok()?;
    let calls = message.place("tool_calls", body)?;
    let content = message.place("content", body)?;
    (&body[calls] != b"null" && &body[content.clone()] == b"null").then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: &str) -> String {
        let body = as_text(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn only_a_null_beside_calls_becomes_a_text() {
        let body = r#"{ "n":1.50, "messages": [ {"content": null,"tool_calls":[{}]},
            {"tool_calls" :[], "content":null }, {"content":null}, 7,
            {"content":null,"tool_calls":null}, {"content":"null","tool_calls":[]} ] }"#;
        let expected = body
            .replacen(r#""content": null,"tool"#, r#""content": "","tool"#, 1)
            .replacen(r#""content":null }"#, r#""content":"" }"#, 1);
        assert_eq!(written(body), expected);
        for same in [r#"{"messages":"x"}"#, r#"{"messages":[]}"#, "{}"] {
            assert_eq!(written(same), same);
        }
        assert!(as_text(Bytes::from_static(b"[]")).is_err());
    }
}
