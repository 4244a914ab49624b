//! Gemini, OpenAI Responses and Ollama's own format: what is sent, what is made of what comes,
//! and what goes back.

use super::host::{Act, Host, event, events_begin, status};
use super::{ask, config, made, model, say_hello_to};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    CallCharge, ChatMessage, ChatReply, ChatRole, FaultKind, FinishReason, ModelConfig,
    ProviderEndpoint,
};
use synthd_actors::ports::ChatModel;

fn told(pieces: &[Value]) -> Vec<Act> {
    let mut acts = vec![events_begin()];
    acts.extend(pieces.iter().map(|piece| event(&piece.to_string())));
    acts
}

fn whole(json: &Value) -> Vec<Act> {
    status("200 OK", "", &json.to_string())
}

async fn reply_to(dialect: &'static str, acts: Vec<Act>) -> (Host, ChatReply) {
    let host = Host::doing(acts);
    let reply = say_hello_to(&*model(&host, dialect)).await.unwrap();
    (host, reply)
}

async fn fails(dialect: &'static str, acts: Vec<Act>) -> FaultKind {
    let host = Host::doing(acts);
    say_hello_to(&*model(&host, dialect)).await.unwrap_err().fault.kind
}

/// The conversation after a reply, with a result for each of its calls.
fn after(reply: &ChatReply) -> Vec<ChatMessage> {
    let results = reply.message.tool_calls.iter();
    let results: Vec<ChatMessage> =
        results.map(|call| ChatMessage::tool_result(&call.id, "done")).collect();
    let begun = vec![
        ChatMessage::text(ChatRole::System, "be brief"),
        ChatMessage::text(ChatRole::User, "hello"),
        reply.message.clone(),
    ];
    [begun, results].concat()
}

async fn sent_after(dialect: &'static str, reply: &ChatReply) -> Value {
    let host = Host::doing(status("500 Internal Server Error", "", "{}"));
    ask(&*model(&host, dialect), after(reply)).await.unwrap_err();
    host.heard()[0].body.clone()
}

fn parts(parts: Value) -> Value {
    json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": parts } }] })
}

fn gemini_end(reason: &str) -> Value {
    json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": [] },
            "finishReason": reason }],
        "usageMetadata": { "promptTokenCount": 100, "cachedContentTokenCount": 40,
            "candidatesTokenCount": 7, "thoughtsTokenCount": 5, "totalTokenCount": 112 },
        "modelVersion": "gemini-x-001" })
}

#[tokio::test]
async fn gemini_is_put_together_and_goes_back_as_it_came() {
    let pieces = [
        parts(json!([{ "text": "Let me ", "thought": true }])),
        parts(json!([{ "text": "see.", "thought": true }, { "text": "I look." }])),
        parts(json!([{ "functionCall": { "name": "bash", "args": { "command": "ls" } },
            "thoughtSignature": "c2ln" }])),
        parts(json!([{ "functionCall": { "id": "own", "name": "look", "args": {} } }])),
        gemini_end("STOP"),
    ];
    let (host, reply) = reply_to("gemini", told(&pieces)).await;
    let sent = &host.heard()[0];
    assert!(
        sent.line.contains("/models/some/model-1:streamGenerateContent?alt=sse"),
        "{}",
        sent.line
    );
    assert_eq!(sent.body["generationConfig"]["maxOutputTokens"], 77);
    assert_eq!(sent.body["tools"][0]["functionDeclarations"][0]["name"], "bash");
    assert_eq!(reply.finish, FinishReason::ToolCalls);
    assert_eq!(reply.message.thoughts(), "Let me see.\n\nI look.");
    assert_eq!(reply.answered_by.as_deref(), Some("gemini-x-001"));
    let usage = reply.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (100, 12));
    assert_eq!((usage.cached_tokens, usage.reasoning_tokens), (Some(40), Some(5)));

    let body = sent_after("gemini", &reply).await;
    assert_eq!(body["systemInstruction"]["parts"][0]["text"], "be brief");
    let turns = body["contents"].as_array().unwrap();
    assert_eq!(turns.len(), 3);
    let said: Vec<Value> = pieces[..4]
        .iter()
        .flat_map(|piece| piece["candidates"][0]["content"]["parts"].as_array().unwrap().clone())
        .collect();
    assert_eq!(turns[1], json!({ "role": "model", "parts": said }));
    let results = turns[2]["parts"].as_array().unwrap();
    assert_eq!(
        results[0],
        json!({ "functionResponse": { "name": "bash",
        "response": { "result": "done" } } })
    );
    assert_eq!(results[1]["functionResponse"]["id"], "own");
    assert_eq!(results[1]["functionResponse"]["name"], "look");
}

#[tokio::test]
async fn gemini_tells_its_ends_apart() {
    let ended = |reason: &str| told(&[parts(json!([{ "text": "so" }])), gemini_end(reason)]);
    for (reason, finish) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::Refusal),
        ("RECITATION", FinishReason::Refusal),
    ] {
        let (_host, reply) = reply_to("gemini", ended(reason)).await;
        assert_eq!(reply.finish, finish, "{reason}");
    }
    for reason in ["MALFORMED_FUNCTION_CALL", "MISSING_THOUGHT_SIGNATURE", "TOMORROWS"] {
        assert_eq!(fails("gemini", ended(reason)).await, FaultKind::ModelTransient, "{reason}");
    }
    let blocked = json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" },
        "usageMetadata": { "promptTokenCount": 9 } });
    let (_host, reply) = reply_to("gemini", told(&[blocked])).await;
    assert_eq!((reply.finish, reply.usage.input_tokens), (FinishReason::Refusal, 9));
    assert!(!reply.uncounted);
    // Cut: there is no reason.
    assert_eq!(
        fails("gemini", told(&[parts(json!([{ "text": "so" }]))])).await,
        FaultKind::ModelTransient
    );
    // From a host that does not stream.
    let pieces = json!([parts(json!([{ "text": "so" }])), gemini_end("STOP")]);
    let (_host, reply) = reply_to("gemini", whole(&pieces)).await;
    assert_eq!(reply.message.content, "so");
}

#[tokio::test]
async fn gemini_says_in_its_body_how_long_to_wait() {
    let refusal = |details: Value| {
        let error = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED",
            "message": "Quota exceeded", "details": details } });
        Host::doing(status("429 Too Many Requests", "", &error.to_string()))
    };
    let host = refusal(json!([{ "@type": "x.RetryInfo", "retryDelay": "45.5s" }]));
    let told = say_hello_to(&*model(&host, "gemini")).await.unwrap_err();
    assert_eq!(told.retry_after, Some(Duration::from_millis(45_500)));
    assert!(told.rate_limited && told.charge == CallCharge::Nothing);
    let daily = json!([{ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProject" }] }]);
    let told = say_hello_to(&*model(&refusal(daily), "gemini")).await.unwrap_err();
    assert_eq!(told.fault.kind, FaultKind::ModelPermanent);
    let long = "The input token count (9) exceeds the maximum number of tokens allowed (8).";
    let long = json!({ "error": { "code": 400, "message": long, "status": "INVALID_ARGUMENT" } });
    let kind = fails("gemini", status("400 Bad Request", "", &long.to_string())).await;
    assert_eq!(kind, FaultKind::ContextFull);
}

#[tokio::test]
async fn a_foreign_conversation_is_told_to_gemini_with_a_placeholder() {
    let pieces = [
        json!({ "type": "response.output_item.done", "item": { "type": "function_call",
            "id": "fc_1", "call_id": "call_9", "name": "bash", "arguments": "{\"command\":\"ls\"}" } }),
        json!({ "type": "response.completed", "response": { "status": "completed" } }),
    ];
    let (_host, reply) = reply_to("responses", told(&pieces)).await;
    let body = sent_after("gemini", &reply).await;
    let call = &body["contents"][1]["parts"][0];
    assert_eq!(call["functionCall"]["args"], json!({ "command": "ls" }));
    assert_eq!(call["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["id"], "call_9");
}

fn item(item: Value) -> Value {
    json!({ "type": "response.output_item.done", "item": item })
}

fn response(kind: &str, status: &str, more: Value) -> Value {
    let mut response = json!({ "status": status, "model": "gpt-x-2026", "output": [],
        "usage": { "input_tokens": 100, "input_tokens_details": { "cached_tokens": 60 },
            "output_tokens": 20, "output_tokens_details": { "reasoning_tokens": 8 },
            "total_tokens": 120 } });
    for (key, value) in more.as_object().unwrap() {
        response[key] = value.clone();
    }
    json!({ "type": kind, "response": response })
}

#[tokio::test]
async fn responses_are_put_together_and_go_back_as_they_came() {
    let thought = json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "b3BhcXVl",
        "summary": [{ "type": "summary_text", "text": "Let me see." }] });
    let said = json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "I look.", "annotations": [] }] });
    let called = json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "bash",
        "arguments": "{\"command\":\"ls\"}", "status": "completed" });
    let lost = json!({ "type": "reasoning", "id": "rs_2", "summary": [] });
    let pieces = [
        json!({ "type": "response.created", "response": {} }),
        item(thought.clone()),
        item(said),
        item(lost),
        item(called),
        response("response.completed", "completed", json!({})),
    ];
    let (host, reply) = reply_to("responses", told(&pieces)).await;
    let sent = &host.heard()[0];
    assert!(sent.line.contains("/v1/responses "), "{}", sent.line);
    assert_eq!((&sent.body["store"], &sent.body["stream"]), (&json!(false), &json!(true)));
    assert_eq!(sent.body["max_output_tokens"], 77);
    assert_eq!(reply.finish, FinishReason::ToolCalls);
    assert_eq!(reply.message.thoughts(), "Let me see.\n\nI look.");
    assert_eq!(reply.message.tool_calls[0].id, "call_1");
    assert_eq!(reply.answered_by.as_deref(), Some("gpt-x-2026"));
    assert_eq!((reply.usage.cached_tokens, reply.usage.reasoning_tokens), (Some(60), Some(8)));

    let body = sent_after("responses", &reply).await;
    let input = body["input"].as_array().unwrap();
    assert_eq!(input[0]["role"], "developer");
    assert_eq!(input[2], thought);
    // Nobody keeps what these are called; and a thought that nobody can read is left out.
    assert_eq!((&input[3]["id"], input[3]["type"].as_str()), (&Value::Null, Some("message")));
    assert_eq!(input[4]["type"], "function_call");
    assert_eq!(
        input[5],
        json!({ "type": "function_call_output", "call_id": "call_1", "output": "done" })
    );
}

#[tokio::test]
async fn responses_tell_their_ends_apart() {
    let said = |part: Value| item(json!({ "type": "message", "content": [part] }));
    let text = || said(json!({ "type": "output_text", "text": "so" }));
    let cut = |reason: &str| {
        let details = json!({ "incomplete_details": { "reason": reason } });
        told(&[text(), response("response.incomplete", "incomplete", details)])
    };
    let done = || response("response.completed", "completed", json!({}));
    for (acts, finish) in [
        (told(&[text(), done()]), FinishReason::Stop),
        (
            told(&[said(json!({ "type": "refusal", "refusal": "no" })), done()]),
            FinishReason::Refusal,
        ),
        (cut("max_output_tokens"), FinishReason::Length),
        (cut("content_filter"), FinishReason::Refusal),
    ] {
        let (_host, reply) = reply_to("responses", acts).await;
        assert_eq!(reply.finish, finish);
    }
    let failed = json!({ "type": "response.failed",
        "response": { "error": { "code": "server_error", "message": "oh" } } });
    assert_eq!(fails("responses", told(&[text(), failed])).await, FaultKind::ModelTransient);
    let broke = json!({ "type": "error", "code": "insufficient_quota", "message": "no money" });
    assert_eq!(fails("responses", told(&[broke])).await, FaultKind::ModelPermanent);
    assert_eq!(fails("responses", told(&[text()])).await, FaultKind::ModelTransient);
    let all = json!({ "status": "completed", "output": [text()["item"].clone()] });
    let (_host, reply) = reply_to("responses", whole(&all)).await;
    assert_eq!((reply.message.content.as_str(), reply.uncounted), ("so", true));
}

fn ollama(host: &Host, context: u64) -> Arc<dyn ChatModel> {
    let base_url = host.url().trim_end_matches("/v1").to_owned();
    let endpoint = ProviderEndpoint::new("ollama-native", base_url, None);
    made(&ModelConfig { context: Some(context), ..config(endpoint) })
}

#[tokio::test]
async fn ollama_is_asked_for_its_context_and_says_when_it_is_full() {
    let line = |json: Value| format!("{json}\n");
    let said = json!({ "model": "m", "message": { "role": "assistant", "content": "I look.",
        "thinking": "Let me see." }, "done": false });
    let called = json!({ "model": "m", "message": { "role": "assistant", "content": "",
        "tool_calls": [{ "function": { "name": "bash", "arguments": { "command": "ls" } } }] },
        "done": false });
    let done = json!({ "model": "m:8b", "message": { "role": "assistant", "content": "" },
        "done": true, "done_reason": "stop", "prompt_eval_count": 3_000, "eval_count": 20 });
    let body = [said, called, done].map(line).concat();
    let acts = || {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
        vec![Act::Say([head, &body].concat().into_bytes())]
    };
    let host = Host::doing(acts());
    let reply = say_hello_to(&*ollama(&host, 4_096)).await.unwrap();
    let sent = &host.heard()[0];
    assert!(sent.line.starts_with("POST /api/chat "), "{}", sent.line);
    assert_eq!(sent.body["options"], json!({ "num_ctx": 4_096, "num_predict": 77 }));
    assert_eq!(reply.finish, FinishReason::ToolCalls);
    assert_eq!(reply.message.thoughts(), "Let me see.\n\nI look.");
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (3_000, 20));
    // A context that is full has been cut, and nobody was told.
    let host = Host::doing(acts());
    let told = say_hello_to(&*ollama(&host, 3_000)).await.unwrap_err();
    assert_eq!(told.fault.kind, FaultKind::ContextFull);
    // Results are told by the name of what was called.
    let host = Host::doing(status("500 Internal Server Error", "", "{\"error\":\"oh\"}"));
    ask(&*ollama(&host, 4_096), after(&reply)).await.unwrap_err();
    let messages = &host.heard()[0].body["messages"];
    assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], json!({ "command": "ls" }));
    assert_eq!((&messages[3]["role"], &messages[3]["tool_name"]), (&json!("tool"), &json!("bash")));
    // A stream that ends without its last line was cut.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
    let cut = [head, body.lines().next().unwrap(), "\n"].concat().into_bytes();
    let host = Host::doing(vec![Act::Say(cut)]);
    let told = say_hello_to(&*ollama(&host, 4_096)).await.unwrap_err();
    assert_eq!((told.fault.kind, told.charge), (FaultKind::ModelTransient, CallCharge::Unknown));
}
