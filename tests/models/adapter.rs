//! What is sent to a host of the OpenAI chat format, and what is made of its answers.

use super::host::{Host, delta, event, events_begin, finish, status, stream_of, usage};
use super::{ask, at, model, say_hello};
use serde_json::{Value, json};
use synthd_actors::model::{
    CallCharge, CallFault, ChatMessage, ChatRole, FaultKind, FinishReason, ProviderEndpoint,
    Reasoning, ToolCall,
};

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: "bash".to_owned(), arguments: arguments.to_owned() }
}

#[tokio::test]
async fn a_stream_is_put_together() {
    let piece = |index: u64, id: Option<&str>, text: &str| {
        let name = id.map(|_| "bash");
        delta(json!({ "tool_calls": [{ "index": index, "id": id, "type": "function",
            "function": { "name": name, "arguments": text } }] }))
    };
    let host = Host::doing(stream_of(&[
        delta(json!({ "role": "assistant", "content": [], "reasoning_content": "Hm",
            "reasoning": "Hm" })),
        delta(json!({ "reasoning_content": null, "reasoning": "m." , "content": null })),
        delta(json!({ "content": [{ "type": "text", "text": "Let me " }] })),
        delta(json!({ "content": "look é" , "obfuscation": "xyz" })),
        piece(0, Some("a"), "{\"command\":"),
        piece(1, Some("b"), "{\"command\": \"p"),
        piece(0, None, " \"ls\"}"),
        piece(1, None, "wd\"}"),
        finish("tool_calls"),
        json!({ "choices": [], "usage": { "prompt_tokens": 20, "completion_tokens": 9,
            "total_tokens": 29, "prompt_tokens_details": { "cached_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 4 } } }),
    ]));
    let reply = say_hello(&host).await.unwrap();
    assert_eq!(reply.finish, FinishReason::ToolCalls);
    assert_eq!(reply.message.content, "Let me look é");
    assert_eq!(reply.message.reasoning.unwrap().text, "Hmm.");
    let calls = [call("a", "{\"command\": \"ls\"}"), call("b", "{\"command\": \"pwd\"}")];
    assert_eq!(reply.message.tool_calls, calls);
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (20, 9));
    // Nothing cached was said; nothing of a cache was not.
    assert_eq!((reply.usage.cached_tokens, reply.usage.reasoning_tokens), (Some(0), Some(4)));
    assert!(!reply.uncounted);
}

/// As vLLM gives them if it is asked to: ids of the prompt with the first chunk, and those of the reply
/// with each.
#[tokio::test]
async fn tokens_are_those_that_the_host_gives() {
    let piece = |text: &str, ids: &[i32], logprobs: &[f64]| {
        let mut piece = delta(json!({ "content": text }));
        let content: Vec<Value> = logprobs
            .iter()
            .map(|logprob| json!({ "token": "t", "logprob": logprob, "bytes": null, "top_logprobs": [] }))
            .collect();
        piece["choices"][0]["token_ids"] = json!(ids);
        piece["choices"][0]["logprobs"] = json!({ "content": content });
        piece
    };
    let mut begun = delta(json!({ "role": "assistant", "content": "" }));
    begun["prompt_token_ids"] = json!([9, 8, 7]);
    let chunks = [
        begun,
        piece("Let", &[1], &[-0.5]),
        piece(" me", &[2, 3], &[-0.25, -2.0]),
        finish("stop"),
        usage(3, 3),
    ];
    let reply = say_hello(&Host::doing(stream_of(&chunks))).await.unwrap();
    let tokens = reply.tokens.unwrap();
    assert_eq!(tokens.prompt_ids, Some(vec![9, 8, 7]));
    assert_eq!(tokens.ids, Some(vec![1, 2, 3]));
    assert_eq!(tokens.logprob_values(), Some(vec![-0.5, -0.25, -2.0]));
    let whole = json!({ "prompt_token_ids": [4], "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": "Hi" }, "token_ids": [5],
        "logprobs": { "content": [{ "token": "Hi", "logprob": -1.5 }] } },
        { "index": 1, "token_ids": [6], "message": { "content": "Ho" } }] });
    let reply = say_hello(&Host::doing(status("200 OK", "", &whole.to_string()))).await.unwrap();
    let tokens = reply.tokens.unwrap();
    assert_eq!((tokens.prompt_ids, tokens.ids), (Some(vec![4]), Some(vec![5])));
    // A host that gives none.
    let chunks = [delta(json!({ "content": "Hi" })), finish("stop"), usage(3, 3)];
    assert_eq!(say_hello(&Host::doing(stream_of(&chunks))).await.unwrap().tokens, None);
}

#[tokio::test]
async fn what_is_sent_is_what_the_format_wants() {
    let host = Host::doing(stream_of(&[finish("stop"), usage(1, 1)]));
    let asked = ChatMessage {
        tool_calls: vec![call("a", "{}")],
        ..ChatMessage::text(ChatRole::Assistant, "")
    };
    let messages = vec![
        ChatMessage::text(ChatRole::System, "be brief"),
        ChatMessage::text(ChatRole::User, "hello"),
        asked,
        ChatMessage::tool_result("a", "done"),
    ];
    ask(&*model(&host, "openai"), messages).await.unwrap();
    let heard = host.heard().remove(0);
    assert_eq!(heard.line.trim(), "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(heard.header("content-type"), Some("application/json"));
    assert_eq!(heard.header("authorization"), None);
    let expected = json!({
        "model": "some/model-1",
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_completion_tokens": 77,
        // Of how it opens: the same in every turn, and in a campaign that asks the same.
        "prompt_cache_key": "5c06ed56df24dce749272b883380376a",
        "messages": [
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": "hello" },
            { "role": "assistant", "content": "", "tool_calls": [{ "id": "a",
                "type": "function", "function": { "name": "bash", "arguments": "{}" } }] },
            { "role": "tool", "content": "done", "tool_call_id": "a" },
        ],
        "tools": [{ "type": "function", "function": { "name": "bash", "description": "runs",
            "parameters": { "type": "object" } } }],
    });
    assert_eq!(heard.body, expected);
}

/// Each host of the format as its own documents have it.
#[tokio::test]
async fn dialects_differ_where_their_hosts_do() {
    let thought = |tool_calls: Vec<ToolCall>| ChatMessage {
        tool_calls,
        reasoning: Some(Reasoning {
            text: "why".to_owned(),
            verbatim: Some(("openai-chat".to_owned(), "[{\"data\": \"sig\"}]".to_owned())),
        }),
        ..ChatMessage::text(ChatRole::Assistant, "so")
    };
    for (dialect, cap, asks, back) in [
        ("openai", "max_completion_tokens", true, None),
        ("azure", "max_completion_tokens", true, None),
        ("deepseek", "max_tokens", true, Some(("reasoning_content", json!("why")))),
        ("dashscope", "max_tokens", true, None),
        ("groq", "max_completion_tokens", true, None),
        ("together", "max_tokens", true, None),
        ("mistral", "max_tokens", false, None),
        ("xai", "max_tokens", true, None),
        ("openrouter", "max_tokens", true, Some(("reasoning_details", json!([{"data": "sig"}])))),
        ("vllm", "max_tokens", true, None),
        ("ollama", "max_tokens", true, None),
    ] {
        let host = Host::doing(stream_of(&[finish("stop"), usage(1, 1)]));
        let messages = vec![thought(vec![call("a", "{}")]), ChatMessage::tool_result("a", "x")];
        ask(&*model(&host, dialect), messages).await.unwrap();
        let body = host.heard().remove(0).body;
        // Where reasoning has a cap of its own, both together are what was held for.
        let thought = body["thinking_budget"].as_u64().unwrap_or(0);
        assert_eq!(body[cap].as_u64().unwrap() + thought, 77, "{dialect}");
        assert_eq!(thought > 0, dialect == "dashscope");
        assert_eq!(body.get("stream_options").is_some(), asks, "{dialect}");
        let sent = body["messages"][0].as_object().unwrap();
        let fields = ["reasoning_content", "reasoning_details"];
        let found = fields.iter().find_map(|key| Some((*key, sent.get(*key)?.clone())));
        assert_eq!(found, back, "{dialect}");
    }
}

#[tokio::test]
async fn a_key_goes_where_the_host_wants_it_and_nowhere_else() {
    // Whatever it is: the environment has it, and a header can carry it.
    let secret = std::env::var("PATH").unwrap();
    let refusal = json!({ "error": { "message": format!("Incorrect API key: {secret}") } });
    for (dialect, header, value) in [
        ("openai", "authorization", format!("Bearer {secret}")),
        ("azure", "api-key", secret.clone()),
    ] {
        let host = Host::doing(status("401 Unauthorized", "", &refusal.to_string()));
        let key_env = Some("PATH".to_owned());
        let model = at(ProviderEndpoint::new(dialect, host.url(), key_env));
        let fault =
            ask(&*model, vec![ChatMessage::text(ChatRole::User, "hello")]).await.unwrap_err();
        assert_eq!(fault.fault.kind, FaultKind::KeyRejected);
        let told = "does not take the key in PATH: status 401: Incorrect API key";
        assert!(fault.fault.message.contains(told), "{fault}");
        assert_eq!(host.heard()[0].header(header), Some(value.as_str()));
        // Not even where the host repeats it.
        assert!(!format!("{fault:?}").contains(&secret), "{fault:?}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_stream_is_understood_too() {
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": {
            "role": "assistant", "content": null, "reasoning": "mm",
            "tool_calls": [{ "id": "a", "type": "function",
                "function": { "name": "bash", "arguments": { "command": "ls" } } }] } }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 2, "prompt_cache_hit_tokens": 1 },
    });
    let host = Host::doing(status("200 OK", "", &body.to_string()));
    let reply = say_hello(&host).await.unwrap();
    assert_eq!(reply.message.tool_calls, [call("a", "{\"command\":\"ls\"}")]);
    assert_eq!(reply.message.reasoning.unwrap().text, "mm");
    assert_eq!(reply.usage.cached_tokens, Some(1));
}

/// Ends, refusals and counts, as hosts have them.
#[tokio::test]
async fn every_way_to_end_is_told_apart() {
    let ended = async |chunks: &[Value]| say_hello(&Host::doing(stream_of(chunks))).await;
    let text = delta(json!({ "content": "hi" }));
    for (reason, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("model_length", FinishReason::Length),
        ("content_filter", FinishReason::Refusal),
        ("a_word_of_tomorrow", FinishReason::Stop),
    ] {
        let reply = ended(&[text.clone(), finish(reason), usage(1, 1)]).await.unwrap();
        assert_eq!(reply.finish, expected, "{reason}");
    }
    // What the provider has dropped is no answer of the model's.
    let failed = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "error",
        "error": { "code": 502, "message": "upstream\u{1b}[2J\nforged\u{202e}" } }] });
    for broken in [finish("abort"), failed] {
        let fault = ended(&[text.clone(), broken]).await.unwrap_err().fault;
        assert_eq!(fault.kind, FaultKind::ModelTransient, "{fault}");
        assert!(!fault.message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{fault}");
    }
    let refusal = ended(&[delta(json!({ "refusal": "I will not." })), finish("stop")]).await;
    let refusal = refusal.unwrap();
    assert_eq!(
        (refusal.finish, refusal.message.content.as_str()),
        (FinishReason::Refusal, "I will not.")
    );
    // Tokens that nobody counted are not nothing.
    assert!(refusal.uncounted);
    let blocked = r#"{"error":{"code":"content_filter","message":"no"}}"#;
    let blocked = Host::doing(status("400 Bad Request", "", blocked));
    let blocked = say_hello(&blocked).await.unwrap();
    assert!(blocked.finish == FinishReason::Refusal && blocked.uncounted);
    assert_eq!(blocked.message.content, "", "the engine's words are not the model's");
}

/// However often a host counts, and in whatever parts: less is never taken for more.
#[tokio::test]
async fn of_all_that_was_counted_the_most_counts() {
    let ended = async |chunks: &[Value]| say_hello(&Host::doing(stream_of(chunks))).await.unwrap();
    let text = || delta(json!({ "content": "hi" }));
    let part = |usage: Value| json!({ "choices": [], "usage": usage });
    let thought = |output: u64, total: Value| {
        part(json!({ "prompt_tokens": 5, "completion_tokens": output, "total_tokens": total,
            "completion_tokens_details": { "reasoning_tokens": 10 } }))
    };
    let end = || finish("stop");
    for (what, chunks, counted) in [
        ("twice", vec![text(), usage(5, 1), end(), usage(5, 2)], Some((5, 2))),
        ("less at the end", vec![text(), usage(5, 9), end(), usage(0, 0)], Some((5, 9))),
        ("first", vec![usage(5, 9), text(), end()], Some((5, 9))),
        ("nothing at the end", vec![usage(5, 9), text(), end(), part(json!({}))], Some((5, 9))),
        (
            "in parts",
            vec![
                part(json!({ "prompt_tokens": 5 })),
                text(),
                end(),
                part(json!({ "completion_tokens": 9 })),
            ],
            Some((5, 9)),
        ),
        ("reasoning in the total alone", vec![text(), end(), thought(2, json!(17))], Some((5, 12))),
        ("reasoning beside", vec![text(), end(), thought(2, Value::Null)], Some((5, 12))),
        ("reasoning within", vec![text(), end(), thought(12, json!(17))], Some((5, 12))),
        ("half of it", vec![part(json!({ "prompt_tokens": 5 })), text(), end()], None),
        ("never", vec![text(), end()], None),
        ("zero", vec![text(), end(), usage(0, 0)], None),
        ("zero output", vec![text(), end(), usage(5, 0)], None),
        ("zero output of a call", vec![tool(), finish("tool_calls"), usage(5, 0)], None),
        ("zero output of nothing", vec![end(), usage(5, 0)], Some((5, 0))),
    ] {
        let reply = ended(&chunks).await;
        let usage = (reply.usage.input_tokens, reply.usage.output_tokens);
        assert_eq!((!reply.uncounted).then_some(usage), counted, "{what}");
    }
}

fn tool() -> Value {
    delta(
        json!({ "tool_calls": [{ "id": "a", "function": { "name": "bash", "arguments": "{}" } }] }),
    )
}

/// Overloaded hosts may have worked; who refuses a request has not.
#[tokio::test]
async fn only_what_proves_that_nothing_was_done_is_free() {
    for (line, charge) in [
        ("400 Bad Request", CallCharge::Nothing),
        ("401 Unauthorized", CallCharge::Nothing),
        ("429 Too Many Requests", CallCharge::Nothing),
        ("500 Internal Server Error", CallCharge::Unknown),
        ("503 Service Unavailable", CallCharge::Unknown),
        ("529 Overloaded", CallCharge::Unknown),
    ] {
        let fault = say_hello(&Host::doing(status(line, "", "{}"))).await.unwrap_err();
        assert_eq!(fault.charge, charge, "{line}");
    }
}

/// As some servers tell that a conversation is too long.
#[tokio::test]
async fn an_answer_that_never_began_says_so() {
    for acts in
        [vec![events_begin()], stream_of(&[]), stream_of(&[delta(json!({ "content": "" }))])]
    {
        let fault = say_hello(&Host::doing(acts)).await.unwrap_err();
        assert!(fault.said_nothing, "{fault}");
    }
    let begun = say_hello(&Host::doing(stream_of(&[delta(json!({ "content": "so" }))]))).await;
    assert!(!begun.unwrap_err().said_nothing);
}

/// Some hosts neither number their calls nor send them in pieces.
#[tokio::test]
async fn calls_without_numbers_are_told_apart_by_their_ids() {
    let one = |id: &str, text: &str| {
        delta(json!({ "tool_calls": [{ "id": id,
            "function": { "name": "bash", "arguments": text } }] }))
    };
    let chunks = [one("a", "{}"), one("b", "[]"), finish("tool_calls"), usage(1, 1)];
    let reply = say_hello(&Host::doing(stream_of(&chunks))).await.unwrap();
    assert_eq!(reply.message.tool_calls, [call("a", "{}"), call("b", "[]")]);
}

#[tokio::test]
async fn a_stream_may_end_without_its_mark_and_be_cut_into_any_pieces() {
    let text = format!(
        "data: {}\r\n\r\n: ping\n\ndata:{}\n\n",
        delta(json!({"content": "é"})),
        finish("stop")
    );
    let mut acts = vec![events_begin()];
    acts.extend(text.bytes().map(|byte| super::host::Act::Say(vec![byte])));
    acts.push(event(&usage(1, 1).to_string()));
    let reply: Result<_, CallFault> = say_hello(&Host::doing(acts)).await;
    assert_eq!(reply.unwrap().message.content, "é");
}
