//! Writes a request body in the format of `generateContent`.

use super::FAMILY;
use super::reply_reader::UNNAMED;
use crate::formats::writing::extra::merge;
use crate::formats::writing::fields::put_fields;
use crate::formats::writing::tool_arguments::arguments_object;
use crate::formats::writing::tool_call_names::name_of_call;
use crate::formats::writing::unsaid::{END_USER, ONE_CALL, first_of};
use crate::formats::writing::verbatim::own_parts;
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, RequestSettings, ToolCall, ToolChoice, ToolSchema,
};

/// A value that Gemini accepts in place of a thought signature. It is sent with tool calls that
/// come from another family's model, or whose signature was not kept.
const FOREIGN: &str = "skip_thought_signature_validator";

/// The first setting that the format has no field for, in words.
pub(crate) fn unsaid(settings: &RequestSettings) -> Option<&'static str> {
    first_of(&[
        (settings.end_user.is_some(), END_USER),
        (settings.parallel_calls == Some(false), ONE_CALL),
    ])
}

/// The body of a request. It always sets the output cap. The model's name is part of the address,
/// and so is the request for a stream.
pub(crate) fn body(request: &ChatRequest) -> Value {
    let system = request.messages.iter().filter(|message| message.role == ChatRole::System);
    let system: Vec<Value> = system.map(|message| json!({ "text": message.content })).collect();
    let mut body = json!({ "contents": contents(&request.messages),
        "generationConfig": settings(request) });
    if !system.is_empty() {
        body["systemInstruction"] = json!({ "parts": system });
    }
    if !request.tools.is_empty() {
        let functions: Vec<Value> = request.tools.iter().map(tool).collect();
        body["tools"] = json!([{ "functionDeclarations": functions }]);
    }
    if let Some(choice) = &request.settings.tool_choice {
        body["toolConfig"] = json!({ "functionCallingConfig": chosen(choice) });
    }
    merge(&mut body, &request.settings.extra);
    body
}

/// The sampling parameters (`generationConfig`).
fn settings(request: &ChatRequest) -> Value {
    let RequestSettings { temperature, top_p, stop, seed, .. } = &request.settings;
    let budget = request.settings.thinking_budget;
    let effort = request.settings.reasoning_effort;
    let mut config = json!({ "maxOutputTokens": request.max_output_tokens });
    let fields = [
        ("temperature", temperature.map(Value::from)),
        ("topP", top_p.map(Value::from)),
        ("stopSequences", (!stop.is_empty()).then(|| json!(stop))),
        ("seed", seed.map(Value::from)),
        // If both are set, the effort replaces the budget.
        ("thinkingConfig", budget.map(|budget| json!({ "thinkingBudget": budget }))),
        ("thinkingConfig", effort.map(|effort| json!({ "thinkingLevel": effort.as_str() }))),
    ];
    put_fields(&mut config, fields);
    config
}

/// Which tools the model may or must call.
fn chosen(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!({ "mode": "AUTO" }),
        ToolChoice::None => json!({ "mode": "NONE" }),
        ToolChoice::Required => json!({ "mode": "ANY" }),
        ToolChoice::Tool(name) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    }
}

/// A tool as a function declaration.
fn tool(tool: &ToolSchema) -> Value {
    let ToolSchema { name, description, parameters, .. } = tool;
    json!({ "name": name, "description": description, "parametersJsonSchema": parameters })
}

/// The turns of the user and of the model. Consecutive messages of one side are joined into one
/// turn, because Gemini wants the sides to alternate. System messages have a field of their own.
fn contents(messages: &[ChatMessage]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let (role, parts) = match message.role {
            ChatRole::System => continue,
            ChatRole::Assistant => ("model", said(message)),
            ChatRole::User | ChatRole::Tool => ("user", vec![told(message, &messages[..at])]),
        };
        match turns.last_mut() {
            Some((last, known)) if *last == role => known.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    turns.into_iter().map(|(role, parts)| json!({ "role": role, "parts": parts })).collect()
}

/// A message of the user's side: a text, or the result of a tool. A result names its tool, and the
/// name is looked up in the messages `before`.
fn told(message: &ChatMessage, before: &[ChatMessage]) -> Value {
    let Some(id) = &message.tool_call_id else { return json!({ "text": message.content }) };
    let name = name_of_call(id, before);
    let mut response = json!({ "name": name, "response": { "result": message.content } });
    if !id.starts_with(UNNAMED) {
        response["id"] = json!(id);
    }
    json!({ "functionResponse": response })
}

/// A message of the model. If it came from this family, its parts go back exactly as they came,
/// with their signatures. Otherwise only its text and its calls are sent.
fn said(message: &ChatMessage) -> Vec<Value> {
    if let Some(parts) = own_parts(message, FAMILY) {
        return parts;
    }
    let mut parts = Vec::new();
    if !message.content.is_empty() || message.tool_calls.is_empty() {
        parts.push(json!({ "text": message.content }));
    }
    parts.extend(message.tool_calls.iter().map(call));
    parts
}

/// A tool call. Gemini wants the arguments as an object.
fn call(call: &ToolCall) -> Value {
    let mut function = json!({ "name": call.name, "args": arguments_object(call) });
    if !call.id.starts_with(UNNAMED) {
        function["id"] = json!(call.id);
    }
    json!({ "functionCall": function, "thoughtSignature": FOREIGN })
}
