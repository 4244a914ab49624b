//! The OpenAI chat format as clients speak it, for translated calls. [`canonical`] reads a request
//! into the engine's own form, [`whole`] and [`events`] write a reply. `translate` calls them.
//!
//! Nothing that means something is dropped: a key that cannot be carried to another format is
//! refused by its name. The helpers [`number`] and [`texts`] serve the other formats too.

use crate::gateway::calls::translate::{
    ReplyEnvelope, each, end_user, flag, items, refuse_untranslatable, text_of, word,
};
use crate::gateway::refusal::GatewayRefusal;
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatMessage, ChatReply, ChatRequest, ChatRole, FinishReason, Reasoning, RequestSettings,
    ToolCall, ToolChoice, ToolSchema, Usage,
};

/// Top-level keys that are carried over, or that may be ignored in a translated call.
const KNOWN: [&str; 16] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "stream_options",
    "n",
    "user",
    "safety_identifier",
    // A hint for the provider's cache. It changes no answer, so it may be ignored.
    "prompt_cache_key",
];

/// Reads a request. `cap` is the output limit in tokens, which the gateway has read already. A key
/// that is not known and not one of the values in `idle` (which ask for nothing) is refused.
pub(in crate::gateway) fn canonical(json: &Value, cap: u32) -> Result<ChatRequest, GatewayRefusal> {
    // Values that ask for nothing, so they need no field in another format.
    let idle = [
        ("store", json!(false)),
        ("metadata", json!({})),
        ("logprobs", json!(false)),
        ("presence_penalty", json!(0)),
        ("presence_penalty", json!(0.0)),
        ("frequency_penalty", json!(0)),
        ("frequency_penalty", json!(0.0)),
        ("service_tier", json!("auto")),
        ("response_format", json!({ "type": "text" })),
    ];
    refuse_untranslatable(json, &KNOWN, &idle)?;
    // The adapters ask for one answer. A missing `n` means one.
    if json["n"].as_u64().is_some_and(|n| n != 1) {
        return Err(GatewayRefusal::invalid_request(
            "the model behind this name gives one answer: `n` must be 1",
        ));
    }
    let Some(messages) = json["messages"].as_array() else {
        return Err(GatewayRefusal::invalid_request("`messages` is not a list"));
    };
    Ok(ChatRequest {
        messages: each("messages", messages, message)?,
        tools: each("tools", items(json, "tools")?, whole_tool)?,
        max_output_tokens: cap,
        settings: settings(json)?,
    })
}

/// An optional number. A value of another type is refused, never ignored.
pub(in crate::gateway) fn number(json: &Value, key: &str) -> Result<Option<f64>, GatewayRefusal> {
    match &json[key] {
        Value::Null => Ok(None),
        value => match value.as_f64() {
            Some(number) => Ok(Some(number)),
            None => Err(GatewayRefusal::invalid_request(format!("`{key}` is not a number"))),
        },
    }
}

/// One text or a list of texts, such as `"stop": "END"` or `"stop": ["END"]`. Empty if the key is
/// missing.
pub(in crate::gateway) fn texts(json: &Value, key: &str) -> Result<Vec<String>, GatewayRefusal> {
    let odd = || {
        GatewayRefusal::invalid_request(format!("`{key}` is neither a text nor a list of texts"))
    };
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(odd);
    match &json[key] {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

/// The sampling parameters and the other settings of a request.
fn settings(json: &Value) -> Result<RequestSettings, GatewayRefusal> {
    Ok(RequestSettings {
        temperature: number(json, "temperature")?,
        top_p: number(json, "top_p")?,
        stop: texts(json, "stop")?,
        tool_choice: choice(&json["tool_choice"])?,
        parallel_calls: flag(json, "parallel_tool_calls")?,
        end_user: end_user(&[&json["safety_identifier"], &json["user"]])?,
        ..RequestSettings::default()
    })
}

/// Reads `tool_choice`: a word, or `{"type": "function", "function": {"name": "search"}}`.
fn choice(json: &Value) -> Result<Option<ToolChoice>, GatewayRefusal> {
    let unknown = || GatewayRefusal::invalid_request("`tool_choice` has an unknown value");
    Ok(Some(match (json, json.as_str()) {
        (Value::Null, _) => return Ok(None),
        (_, Some("auto")) => ToolChoice::Auto,
        (_, Some("none")) => ToolChoice::None,
        (_, Some("required")) => ToolChoice::Required,
        (choice, None) => {
            let name = choice["function"]["name"].as_str().ok_or_else(unknown)?;
            let within = |refusal: GatewayRefusal| refusal.within("tool_choice");
            let idle = [("type", json!("function"))];
            refuse_untranslatable(choice, &["function"], &idle).map_err(within)?;
            refuse_untranslatable(&choice["function"], &["name"], &[]).map_err(within)?;
            ToolChoice::Tool(name.to_owned())
        }
        _ => return Err(unknown()),
    }))
}

/// Reads one tool and refuses everything in it that [`tool`] does not read.
fn whole_tool(json: &Value) -> Result<ToolSchema, GatewayRefusal> {
    let read = tool(json)?;
    // `cache_control` is a hint for the cache of its own provider. It changes no answer.
    refuse_untranslatable(json, &["type", "function", "cache_control"], &[])?;
    let (function, idle) = (&json["function"], [("strict", json!(false))]);
    refuse_untranslatable(function, &["name", "description", "parameters"], &idle)?;
    word(function, "description").map(|_| read)
}

/// Reads one tool. `strict` is refused, because models of other formats do not enforce the schema.
pub(in crate::gateway) fn tool(json: &Value) -> Result<ToolSchema, GatewayRefusal> {
    let function = &json["function"];
    // A `custom` tool has no schema, and the engine's own form needs one.
    let Some(name) = function["name"].as_str().filter(|_| json["type"] == "function") else {
        return Err(GatewayRefusal::invalid_request("a tool is not a function with a name"));
    };
    if function["strict"] == true {
        return Err(GatewayRefusal::new(
            400,
            "unsupported_parameter",
            "the model behind this name enforces no schema: leave `strict` out",
        ));
    }
    // A function without parameters takes an empty object.
    let parameters = match &function["parameters"] {
        Value::Null => json!({ "type": "object", "properties": {} }),
        parameters => parameters.clone(),
    };
    let description = function["description"].as_str().unwrap_or_default().to_owned();
    Ok(ToolSchema { name: name.to_owned(), description, parameters })
}

/// Reads one message. A refusal of an earlier reply counts as its text, because the next model
/// must see what was said.
fn message(json: &Value) -> Result<ChatMessage, GatewayRefusal> {
    let role = match json["role"].as_str() {
        Some("system" | "developer") => ChatRole::System,
        Some("user") => ChatRole::User,
        Some("assistant") => ChatRole::Assistant,
        Some("tool") => ChatRole::Tool,
        _ => return Err(GatewayRefusal::invalid_request("a message has an unknown role")),
    };
    // `name` is not among them: the engine's own form has no field for it, so it is refused.
    let known = ["role", "content", "tool_calls", "tool_call_id", "reasoning_content", "refusal"];
    refuse_untranslatable(json, &known, &[("annotations", json!([]))])?;
    let thought = word(json, "reasoning_content")?.map(str::to_owned);
    let refused = word(json, "refusal")?.unwrap_or_default();
    Ok(ChatMessage {
        role,
        content: text_of(&json["content"])? + refused,
        tool_calls: each("tool_calls", items(json, "tool_calls")?, call)?,
        tool_call_id: word(json, "tool_call_id")?.map(str::to_owned),
        reasoning: thought.map(|text| Reasoning { text, verbatim: None }),
    })
}

/// Reads a tool call of an earlier reply. Its arguments stay text, as in the format.
fn call(json: &Value) -> Result<ToolCall, GatewayRefusal> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let function = &json["function"];
    // `index` is the number of a call in a stream, which some clients send back.
    let idle = [("type", json!("function"))];
    refuse_untranslatable(json, &["id", "function", "index"], &idle)?;
    refuse_untranslatable(function, &["name", "arguments"], &[])?;
    let parts = (text(&json["id"]), text(&function["name"]), text(&function["arguments"]));
    match parts {
        (Some(id), Some(name), Some(arguments)) => Ok(ToolCall { id, name, arguments }),
        _ => Err(GatewayRefusal::invalid_request(
            "a tool call lacks its id, its name or its arguments",
        )),
    }
}

/// The format's word for why the reply ended.
fn finish(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
        FinishReason::Refusal => "content_filter",
    }
}

/// The tool calls of a reply. In a stream they are `numbered`: each piece says its index.
fn calls(reply: &ChatReply, numbered: bool) -> Value {
    let calls = reply.message.tool_calls.iter().enumerate().map(|(index, call)| {
        let function = json!({ "name": call.name, "arguments": call.arguments });
        let mut json = json!({ "id": call.id, "type": "function", "function": function });
        if numbered {
            json["index"] = json!(index);
        }
        json
    });
    calls.collect()
}

/// The reply as a message, or as the delta of one chunk. The content is `null` if the reply
/// consists of tool calls alone, as in this format.
fn said(told: &ReplyEnvelope<'_>, numbered: bool) -> Value {
    let message = &told.reply.message;
    // A reply of tool calls alone has the content `null`, not an empty text.
    let silent = message.content.is_empty() && !message.tool_calls.is_empty();
    let content = if silent { Value::Null } else { json!(message.content) };
    let mut json = json!({ "role": "assistant", "content": content, "refusal": Value::Null });
    if !message.tool_calls.is_empty() {
        json["tool_calls"] = calls(told.reply, numbered);
    }
    if let Some(reasoning) = &message.reasoning {
        json["reasoning_content"] = json!(reasoning.text);
    }
    json
}

/// The token counts in this format. Details that nobody counted are left out.
fn usage(usage: Usage) -> Value {
    let mut json = json!({ "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens, "total_tokens": usage.total() });
    if let Some(cached) = usage.cached_tokens {
        json["prompt_tokens_details"] = json!({ "cached_tokens": cached });
    }
    if let Some(reasoning) = usage.reasoning_tokens {
        json["completion_tokens_details"] = json!({ "reasoning_tokens": reasoning });
    }
    json
}

/// The reply as one body, of `"object": "chat.completion"`. Without counts it has no `usage`.
pub(in crate::gateway) fn whole(told: &ReplyEnvelope<'_>) -> Value {
    let mut json = json!({
        "id": format!("chatcmpl-{}", told.id), "object": "chat.completion",
        "created": told.created, "model": told.model,
        "choices": [{ "index": 0, "message": said(told, false), "logprobs": Value::Null,
            "finish_reason": finish(told.reply) }],
    });
    if !told.reply.uncounted {
        json["usage"] = usage(told.reply.usage);
    }
    json
}

/// The reply as the events of a stream: the message in one chunk, then the reason for the end,
/// then the counts if the client asked for them (`counts`), then `data: [DONE]`.
pub(in crate::gateway) fn events(told: &ReplyEnvelope<'_>, counts: bool) -> Vec<String> {
    let chunk = |choices: Value| {
        json!({ "id": format!("chatcmpl-{}", told.id), "object": "chat.completion.chunk",
            "created": told.created, "model": told.model, "choices": choices })
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": Value::Null, "finish_reason": finish }]);
    // The reply is complete already, so its whole message is one chunk.
    let mut chunks = vec![
        chunk(choice(said(told, true), Value::Null)),
        chunk(choice(json!({}), json!(finish(told.reply)))),
    ];
    // The counts come in a chunk of their own, which has no choices.
    if counts && !told.reply.uncounted {
        let mut last = chunk(json!([]));
        last["usage"] = usage(told.reply.usage);
        chunks.push(last);
    }
    let mut events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events.push("data: [DONE]\n\n".to_owned());
    events
}
