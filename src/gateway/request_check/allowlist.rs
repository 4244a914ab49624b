//! The allow-list: what a request to a model with a price may hold, so that its worst cost is
//! known. It lists every key, every type of a part and every tool of a wire format, in the folder
//! of that format (`formats/messages/allowlist.rs` and its like). A request that holds anything
//! else is refused before any money is held. So a feature that a provider adds later is refused
//! until somebody has looked at its price.
//!
//! `exchange` calls [`find_unbounded`] before it asks for a ticket. `request` uses [`images`] and
//! [`described_tools`] for the number of tokens. A model without a price accepts every request.

use crate::formats::IMAGE_PARTS;
use crate::formats::reading::allowed_shape::ShapeContext;
use crate::formats::reading::json_path::JsonPath;
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use serde_json::Value;

/// The refusal for a request whose worst cost is unknown with these limits, or None.
pub(in crate::gateway) fn find_unbounded(
    asked: &GatewayRequest,
    limits: ShapeContext,
) -> Option<GatewayRefusal> {
    if let Some(path) = &asked.repeated {
        let why = "this key occurs twice, and a provider may read either of them: leave one out";
        return Some(refusal(path, why));
    }
    let strange = asked.family.check(&asked.json, limits).err()?;
    Some(refusal(&strange.path, &strange.why))
}

/// The refusal of the value at `path`.
fn refusal(path: &JsonPath, why: &str) -> GatewayRefusal {
    let what = format!(
        "the worst case of this call is unknown: `{path}`: {why}. Leave it out, or ask a model \
         without a price"
    );
    GatewayRefusal { param: Some(path.to_string()), ..GatewayRefusal::invalid_request(what) }
}

/// How many images a conversation holds, also within tool results. The provider counts tokens for
/// each of them that the length of the body does not show.
pub(in crate::gateway) fn images(json: &Value) -> u64 {
    match json {
        Value::Array(items) => items.iter().map(images).sum(),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            let inside = ["content", "messages", "system", "input", "output"].into_iter();
            let inside: u64 = inside.filter_map(|key| object.get(key)).map(images).sum();
            u64::from(IMAGE_PARTS.contains(&kind)) + inside
        }
        _ => 0,
    }
}

/// How many tools the provider describes to the model in its own words, such as `bash_20250124`.
/// Their descriptions are not in the body but cost tokens. Their types contain an underscore; the
/// types of tools that the client describes do not.
pub(in crate::gateway) fn described_tools(json: &Value) -> u64 {
    let tools = json["tools"].as_array().into_iter().flatten();
    let own = |tool: &&Value| tool["type"].as_str().is_some_and(|kind| kind.contains('_'));
    tools.filter(own).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::WireFormat;
    use bytes::Bytes;
    use serde_json::json;

    const LIMITS: ShapeContext = ShapeContext { cap: 9, writes_priced: false, caps_thought: false };

    fn read(family: WireFormat, body: &str) -> GatewayRequest {
        GatewayRequest::read(family, Bytes::copy_from_slice(body.as_bytes())).ok().unwrap()
    }

    #[test]
    fn every_format_has_its_own_list() {
        let hello = json!([{ "role": "user", "content": "hello" }]);
        let chat = json!({ "model": "m", "messages": hello, "reasoning_effort": "low" });
        let anthropic = json!({ "model": "m", "messages": hello, "system": "be brief" });
        let responses = json!({ "model": "m", "input": hello, "text": { "verbosity": "low" } });
        let all = [
            (WireFormat::OpenAiChat, chat),
            (WireFormat::Anthropic, anthropic),
            (WireFormat::Responses, responses),
        ];
        for (own, body) in &all {
            for (family, _) in &all {
                let asked = read(*family, &body.to_string());
                assert_eq!(find_unbounded(&asked, LIMITS).is_none(), own == family, "{body}");
            }
        }
    }

    #[test]
    fn a_key_that_stands_twice_anywhere_is_named() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","t\u0065xt":"b"}]}]}"#;
        let refusal = find_unbounded(&read(WireFormat::OpenAiChat, body), LIMITS).unwrap();
        assert_eq!(refusal.param.as_deref(), Some("messages[0].content[0].text"));
    }

    #[test]
    fn what_a_provider_adds_of_its_own_is_counted() {
        let image = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "A" } });
        let result = json!({ "type": "tool_result", "tool_use_id": "t", "content": [image] });
        let json = json!({ "model": "m", "messages": [{ "role": "user", "content": [image, result] }],
            "tools": [{ "type": "bash_20250124", "name": "bash" }, { "name": "f", "input_schema": {} }] });
        assert_eq!((images(&json), described_tools(&json)), (2, 1));
    }
}
