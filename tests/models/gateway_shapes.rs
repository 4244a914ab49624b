//! Requests whose cost nobody can know, through the real gateway to a provider that counts what
//! arrives: none does. What clients send that are published, does.

use super::gateway::{CHAT, MESSAGES, Running, config, list, post, post_with, provider};
use super::gateway_responses::{RESPONSES, section};
use super::host::Host;
use serde_json::{Value, json};

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

/// A request of each format, with what is strange about it and where.
struct Case {
    path: &'static str,
    at: &'static str,
    body: String,
}

fn with(base: Value, key: &str, value: Value) -> Value {
    let mut json = base;
    json[key] = value;
    json
}

fn chat(at: &'static str, key: &str, value: Value) -> Case {
    let base = json!({ "model": "local/chat-1", "max_tokens": 50,
        "messages": [{ "role": "user", "content": "hello" }] });
    Case { path: "/v1/chat/completions", at, body: with(base, key, value).to_string() }
}

fn chat_part(at: &'static str, part: Value) -> Case {
    chat(at, "messages", json!([{ "role": "user", "content": [part] }]))
}

fn messages(at: &'static str, key: &str, value: Value) -> Case {
    let base = json!({ "model": "claude/messages-1", "max_tokens": 50,
        "messages": [{ "role": "user", "content": "hello" }] });
    Case { path: "/v1/messages", at, body: with(base, key, value).to_string() }
}

fn block(at: &'static str, block: Value) -> Case {
    messages(at, "messages", json!([{ "role": "user", "content": [block] }]))
}

fn responses(at: &'static str, key: &str, value: Value) -> Case {
    let base = json!({ "model": "resp/responses-1", "max_output_tokens": 50, "input": "hello" });
    Case { path: "/v1/responses", at, body: with(base, key, value).to_string() }
}

fn item(at: &'static str, item: Value) -> Case {
    responses(at, "input", json!([item]))
}

fn bytes(path: &'static str, at: &'static str, body: &str) -> Case {
    Case { path, at, body: body.to_owned() }
}

fn hostile_chat() -> Vec<Case> {
    let url = json!({ "url": "https://h/i.png" });
    let pdf = json!({ "url": "data:application/pdf;base64,AAAA" });
    let image = json!({ "type": "image_url", "image_url": { "url": PNG }, "file_id": "f" });
    vec![
        chat_part("messages[0].content[0].type", json!({ "text": "no type" })),
        chat_part(
            "messages[0].content[0].type",
            json!({ "type": null, "file": { "file_id": "f" } }),
        ),
        chat_part(
            "messages[0].content[0].image_url.url",
            json!({ "type": "image_url", "image_url": url }),
        ),
        chat_part(
            "messages[0].content[0].image_url",
            json!({ "type": "image_url", "image_url": "https://h" }),
        ),
        chat_part(
            "messages[0].content[0].image_url.url",
            json!({ "type": "image_url", "image_url": pdf }),
        ),
        chat_part("messages[0].content[0].file_id", image),
        chat_part("messages[0].content[0].type", json!({ "type": "video_url", "video_url": url })),
        chat_part(
            "messages[0].content[0].type",
            json!({ "type": "file", "file": { "file_id": "f" } }),
        ),
        chat_part(
            "messages[0].content[0].type",
            json!({ "type": "input_audio", "input_audio": {} }),
        ),
        chat_part(
            "messages[0].content[0].file",
            json!({ "type": "text", "text": "x", "file": {} }),
        ),
        chat_part(
            "messages[0].content[0].cache_control",
            json!({ "type": "text", "text": "x",
            "cache_control": { "type": "ephemeral", "ttl": "1h" } }),
        ),
        chat(
            "messages[0].audio",
            "messages",
            json!([{ "role": "assistant", "content": "x", "audio": { "id": "audio_1" } }]),
        ),
        chat(
            "messages[0].documents",
            "messages",
            json!([{ "role": "user", "content": "x", "documents": [url] }]),
        ),
        chat(
            "messages[0].content",
            "messages",
            json!([{ "role": "user", "content": { "type": "text" } }]),
        ),
        chat(
            "messages[0].tool_calls[0].web_search",
            "messages",
            json!([{ "role": "assistant", "tool_calls": [{ "id": "1", "type": "function",
                "function": { "name": "f", "arguments": "{}" }, "web_search": {} }] }]),
        ),
        chat("tools[0].type", "tools", json!([{ "function": { "name": "f" } }])),
        chat("tools[0].type", "tools", json!([{ "type": "web_search" }])),
        chat(
            "tools[0].retrieval",
            "tools",
            json!([{ "type": "function", "function": { "name": "f" }, "retrieval": {} }]),
        ),
        chat("tool_choice.type", "tool_choice", json!({ "type": "web_search" })),
        chat("web_search_options", "web_search_options", json!({})),
        chat("audio", "audio", json!({ "voice": "alloy" })),
        chat("modalities[1]", "modalities", json!(["text", "audio"])),
        chat("prediction", "prediction", json!({ "type": "content", "content": "x" })),
        chat("plugins", "plugins", json!([{ "id": "web" }])),
        chat("models", "models", json!(["dear/model"])),
        chat("enable_search", "enable_search", json!(true)),
        chat("background_search", "background_search", json!(false)),
        chat("service_tier", "service_tier", json!("priority")),
        chat("reasoning.max_tokens", "reasoning", json!({ "max_tokens": 51 })),
        chat(
            "thinking.budget_tokens",
            "thinking",
            json!({ "type": "enabled", "budget_tokens": 51 }),
        ),
        chat("thinking_budget", "thinking_budget", json!("100000")),
        chat("thinking_budget", "thinking_budget", json!(100_000)),
        chat("thinking_budget", "thinking_budget", json!(0)),
        chat("enable_thinking", "enable_thinking", json!(true)),
        chat("stream", "stream", json!("yes")),
        bytes(
            "/v1/chat/completions",
            "messages[0].content[0].image_url.url",
            r#"{"model":"local/chat-1","messages":[{"role":"user","content":[{"type":"image_url",
            "image_url":{"url":"https://h/i.png","url":"data:image/png;base64,AA"}}]}]}"#,
        ),
        bytes(
            "/v1/chat/completions",
            "reasoning.max_tokens",
            r#"{"model":"local/chat-1","messages":[],"reasoning":{"max_tokens":9999,"max_tokens":1}}"#,
        ),
    ]
}

fn hostile_messages() -> Vec<Case> {
    let cache = json!({ "type": "ephemeral" });
    let url = json!({ "type": "url", "url": "https://h/i.png" });
    vec![
        block("messages[0].content[0].type", json!({ "text": "no type" })),
        block("messages[0].content[0].source.type", json!({ "type": "image", "source": url })),
        block(
            "messages[0].content[0].source.file_id",
            json!({ "type": "image", "source":
            { "type": "base64", "media_type": "image/png", "data": "A", "file_id": "f" } }),
        ),
        block(
            "messages[0].content[0].source.media_type",
            json!({ "type": "image", "source":
            { "type": "base64", "media_type": "application/pdf", "data": "A" } }),
        ),
        block("messages[0].content[0].type", json!({ "type": "document", "source": url })),
        block("messages[0].content[0].type", json!({ "type": "container_upload", "file_id": "f" })),
        block("messages[0].content[0].type", json!({ "type": "server_tool_use", "id": "s" })),
        block(
            "messages[0].content[0].content[0].source.type",
            json!({ "type": "tool_result",
            "tool_use_id": "t", "content": [{ "type": "image", "source": url }] }),
        ),
        block(
            "messages[0].content[0].cache_control",
            json!({ "type": "text", "text": "x", "cache_control": cache }),
        ),
        messages(
            "system[0].cache_control",
            "system",
            json!([{ "type": "text", "text": "x", "cache_control": cache }]),
        ),
        messages("tools[0].type", "tools", json!([{ "type": "web_search_20250305", "name": "w" }])),
        messages("tools[0].type", "tools", json!([{ "type": "bash_code_execution", "name": "b" }])),
        messages("tools[0].input_schema", "tools", json!([{ "name": "untyped" }])),
        messages(
            "tools[0].server",
            "tools",
            json!([{ "name": "f", "input_schema": {}, "server": "https://h" }]),
        ),
        messages(
            "thinking.budget_tokens",
            "thinking",
            json!({ "type": "enabled", "budget_tokens": 51 }),
        ),
        messages("mcp_servers", "mcp_servers", json!([{ "type": "url", "url": "https://h" }])),
        messages("container", "container", json!("c")),
        messages("inference_geo", "inference_geo", json!("us")),
        messages("speed", "speed", json!("fast")),
        messages("n", "n", json!(2)),
        bytes(
            "/v1/messages",
            "messages[0].content[0].source.type",
            r#"{"model":"claude/messages-1","max_tokens":5,"messages":[{"role":"user","content":[
            {"type":"image","source":{"type":"url","type":"base64","data":"A"}}]}]}"#,
        ),
    ]
}

fn hostile_responses() -> Vec<Case> {
    let user = |part: Value| json!({ "role": "user", "content": [part] });
    vec![
        item("input[0].role", json!({ "id": "rs_1" })),
        item("input[0].content", json!({ "role": "user", "id": "msg_1" })),
        item("input[0].type", json!({ "type": "item_reference", "id": "rs_1" })),
        item(
            "input[0].encrypted_content",
            json!({ "type": "reasoning", "id": "rs_1", "summary": [] }),
        ),
        item(
            "input[0].encrypted_content",
            json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "" }),
        ),
        item("input[0].output", json!({ "type": "function_call_output", "call_id": "c" })),
        item("input[0].type", json!({ "type": "web_search_call", "id": "w" })),
        item(
            "input[0].content[0].type",
            user(json!({ "type": "input_file", "file_url": "https://h" })),
        ),
        item("input[0].content[0].type", user(json!({ "text": "no type" }))),
        item(
            "input[0].content[0].image_url",
            user(json!({ "type": "input_image", "image_url": "https://h/i.png" })),
        ),
        item(
            "input[0].content[0].image_url",
            user(json!({ "type": "input_image", "file_id": "f" })),
        ),
        item(
            "input[0].content[0].file_id",
            user(json!({ "type": "input_image", "image_url": PNG, "file_id": "f" })),
        ),
        responses("tools[0].type", "tools", json!([{ "type": "web_search" }])),
        responses("tools[0].type", "tools", json!([{ "name": "untyped" }])),
        responses("previous_response_id", "previous_response_id", json!("resp_1")),
        responses("conversation", "conversation", json!("conv_1")),
        responses("prompt", "prompt", json!({ "id": "p" })),
        responses("background", "background", json!(true)),
        responses("reasoning.max_tokens", "reasoning", json!({ "max_tokens": 51 })),
        responses("reasoning.mode", "reasoning", json!({ "mode": "pro" })),
        responses("include[0]", "include", json!(["file_search_call.results"])),
        responses("instructions", "instructions", json!([{ "type": "x" }])),
        responses("max_tokens", "max_tokens", json!(5)),
        bytes(
            "/v1/responses",
            "input[0].content",
            r#"{"model":"resp/responses-1","input":[{"role":"user","content":[
            {"type":"input_file","file_id":"f"}],"content":"hello"}]}"#,
        ),
    ]
}

/// What published clients and agents of other makers say, at its oddest.
fn honest() -> Vec<Case> {
    let call = json!({ "id": "c", "type": "function", "index": 0,
        "function": { "name": "bash", "arguments": "{}" } });
    let history = json!([{ "role": "system", "content": "be good" },
        { "role": "user", "content": [{ "type": "text", "text": "look" },
            { "type": "image_url", "image_url": { "url": PNG, "detail": "low" } }] },
        { "role": "assistant", "content": null, "refusal": null, "audio": null, "annotations": [],
            "function_call": null, "provider_specific_fields": null, "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c", "name": "bash", "content": "done" },
        { "role": "user", "content": "hello" }]);
    let function = json!({ "name": "f", "description": "d", "strict": true,
        "parameters": { "type": "object", "properties": { "type": { "type": "string" } } } });
    let schema = json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": {} } });
    let own = json!([{ "name": "f", "description": "d", "input_schema": { "type": "object" } },
        { "type": "bash_20250124", "name": "bash" }, { "type": "custom", "name": "g", "input_schema": {} },
        { "type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9 }]);
    let thought = json!({ "type": "thinking", "thinking": "hm", "signature": "s" });
    let used = json!({ "type": "tool_use", "id": "t", "name": "f", "input": { "type": "url" } });
    let picture = json!({ "type": "image",
        "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } });
    let said = json!([{ "role": "user", "content": "go" },
        { "role": "assistant", "content": [thought, { "type": "text", "text": "so" }, used] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t",
            "is_error": false, "content": [{ "type": "text", "text": "x" }, picture] },
            { "type": "text", "text": "hello" }] }]);
    let items = json!([{ "role": "user", "content": [{ "type": "input_text", "text": "go" },
            { "type": "input_image", "image_url": PNG, "detail": "auto" }] },
        { "type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x" },
        { "type": "message", "role": "assistant", "id": "m", "status": "completed",
            "content": [{ "type": "output_text", "text": "so", "annotations": [], "logprobs": [] }] },
        { "type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}",
            "status": "completed" },
        { "type": "function_call_output", "call_id": "c", "output": "done" },
        { "role": "user", "content": "hello" }]);
    let tool = json!([{ "type": "function", "name": "f", "parameters": {}, "strict": null }]);
    vec![
        chat("", "messages", history),
        chat("", "tools", json!([{ "type": "function", "function": function }])),
        chat("", "response_format", schema),
        chat("", "reasoning", json!({ "max_tokens": 50, "effort": "low" })),
        chat("", "stop", json!(["a", "b"])),
        chat("", "stream_options", Value::Null),
        chat("", "enable_thinking", json!(false)),
        chat("", "service_tier", json!("flex")),
        messages("", "messages", said),
        messages("", "tools", own),
        messages("", "system", json!([{ "type": "text", "text": "be good" }])),
        messages("", "thinking", json!({ "type": "adaptive" })),
        messages("", "metadata", json!({ "user_id": "u" })),
        responses("", "input", items),
        responses("", "tools", tool),
        responses("", "reasoning", json!({ "effort": "low", "summary": "auto" })),
        responses("", "text", json!({ "format": { "type": "text" }, "verbosity": "low" })),
        responses("", "include", json!(["reasoning.encrypted_content"])),
    ]
}

fn body_of(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// In the format's own envelope, with the path of what is strange.
fn is_refused(case: &Case, answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 400"), "{}: {answer}", case.body);
    let body = body_of(answer);
    let said = body["error"]["message"].as_str().unwrap();
    assert!(said.contains(&format!("`{}`", case.at)), "{}: {said}", case.body);
    match case.path {
        "/v1/messages" => assert_eq!(body["error"]["type"], "invalid_request_error"),
        _ => assert_eq!(body["error"]["param"], case.at),
    }
}

#[test]
fn what_nobody_knows_the_cost_of_reaches_no_priced_provider() {
    let hosts = [provider(&CHAT), provider(&MESSAGES), provider(&RESPONSES)];
    let directory = tempfile::tempdir().unwrap();
    let config = config(&hosts[0], &hosts[1], "10.00") + &section(&hosts[2]);
    let gateway = Running::start(directory.path(), &config);
    let hostile = [hostile_chat(), hostile_messages(), hostile_responses()];
    let hostile: Vec<Case> = hostile.into_iter().flatten().collect();
    assert!(hostile.len() >= 40, "{}", hostile.len());
    for case in &hostile {
        is_refused(case, &post(&gateway.url, case.path, &case.body));
    }
    let arrived: usize = hosts.iter().map(|host| host.heard().len()).sum();
    assert_eq!(arrived, 0, "none may arrive");
    let honest = honest();
    for case in &honest {
        let answer = post(&gateway.url, case.path, &case.body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{}: {answer}", case.body);
    }
    let arrived: usize = hosts.iter().map(|host| host.heard().len()).sum();
    assert_eq!(arrived, honest.len(), "each arrives");
    gateway.stop();
    // Nothing was held for what was refused.
    let calls = list(directory.path(), &[]);
    assert_eq!(calls["calls"].as_array().unwrap().len(), honest.len());
}

/// A model without a price may be asked anything that its provider takes.
#[test]
fn a_model_without_a_price_may_be_asked_anything() {
    let host = Host::doing((CHAT.says)("ok", false));
    let directory = tempfile::tempdir().unwrap();
    let config = format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\n[providers.local]\ndialect = \"openai\"\n\
         base_url = \"{}\"\nfree = true\n\
         [[models]]\nname = \"local/chat-1\"\n",
        host.url()
    );
    let gateway = Running::start(directory.path(), &config);
    let cases = hostile_chat();
    let mut let_through = 0;
    for case in &cases {
        let answer = post(&gateway.url, case.path, &case.body);
        let_through += usize::from(answer.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(let_through, host.heard().len());
    assert_eq!(let_through, cases.len());
}

/// The chat templates of servers of one's own fail on it.
#[test]
fn a_null_beside_calls_is_a_text_for_servers_that_fail_on_it() {
    let hosts = [(); 2].map(|()| Host::doing((CHAT.says)("ok", false)));
    let provider = |name: &str, dialect: &str, host: &Host| {
        format!(
            "[providers.{name}]\ndialect = \"{dialect}\"\nbase_url = \"{}\"\nfree = true\n\
             [[models]]\nname = \"{name}/chat-1\"\n",
            host.url()
        )
    };
    let directory = tempfile::tempdir().unwrap();
    let config = "[gateway]\nlisten = \"127.0.0.1:0\"\n".to_owned()
        + &provider("own", "vllm", &hosts[0])
        + &provider("local", "openai", &hosts[1]);
    let gateway = Running::start(directory.path(), &config);
    let call = json!({ "id": "c", "type": "function",
        "function": { "name": "bash", "arguments": "{}" } });
    let called = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    let Case { path, body, .. } = chat("", "messages", json!([called]));
    for model in ["own/chat-1", "local/chat-1"] {
        let body = body.replace("local/chat-1", model);
        let answer = post(&gateway.url, path, &body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let content = |host: &Host| host.heard()[0].body["messages"][0]["content"].clone();
    assert_eq!(hosts.each_ref().map(content), [json!(""), Value::Null]);
}

/// What another format has no place for is refused by name; what it has one for arrives there.
#[test]
fn nothing_is_left_out_in_silence_where_formats_differ() {
    let hosts = [provider(&CHAT), provider(&MESSAGES), provider(&RESPONSES)];
    let directory = tempfile::tempdir().unwrap();
    let config = config(&hosts[0], &hosts[1], "10.00") + &section(&hosts[2]);
    let gateway = Running::start(directory.path(), &config);
    let ask = |path: &str, model: &str, key: &str, value: &Value| {
        let case = match path {
            "/v1/chat/completions" => chat("", key, value.clone()),
            "/v1/messages" => messages("", key, value.clone()),
            _ => responses("", key, value.clone()),
        };
        let mut body: Value = serde_json::from_str(&case.body).unwrap();
        body["model"] = json!(model);
        post(&gateway.url, path, &body.to_string())
    };
    let thought = json!([{ "role": "user", "content": "go" },
        { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm", "signature": "s" }] },
        { "role": "user", "content": "hello" }]);
    let hidden = json!([{ "role": "assistant", "content":
        [{ "type": "redacted_thinking", "data": "x" }] }, { "role": "user", "content": "hello" }]);
    let encrypted = json!([{ "type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x" },
        { "role": "user", "content": "hello" }]);
    let tags = json!({ "run": "7" });
    let (default, differs) = (json!("default"), json!("standard_only"));
    for (path, model, key, value, named) in [
        ("/v1/chat/completions", "claude/messages-1", "metadata", &tags, "metadata"),
        ("/v1/chat/completions", "resp/responses-1", "metadata", &tags, "metadata"),
        ("/v1/chat/completions", "claude/messages-1", "service_tier", &default, "service_tier"),
        ("/v1/responses", "claude/messages-1", "metadata", &tags, "metadata"),
        ("/v1/responses", "local/chat-1", "service_tier", &default, "service_tier"),
        ("/v1/responses", "local/chat-1", "input", &encrypted, "encrypted_content"),
        ("/v1/messages", "local/chat-1", "messages", &thought, "thinking"),
        ("/v1/messages", "local/chat-1", "messages", &hidden, "redacted_thinking"),
        ("/v1/messages", "local/chat-1", "service_tier", &differs, "service_tier"),
    ] {
        let answer = ask(path, model, key, value);
        assert!(answer.starts_with("HTTP/1.1 400"), "{path} {model} {key}: {answer}");
        assert!(answer.contains("unsupported_") || path == "/v1/messages", "{answer}");
        assert!(answer.contains(named), "{answer}");
    }
    assert_eq!(hosts.iter().map(|host| host.heard().len()).sum::<usize>(), 0);
    // Whose request it is, in every format's own place.
    let (user, owner) = (json!("u-1"), json!({ "user_id": "u-1" }));
    for (path, model, key, value) in [
        ("/v1/chat/completions", "claude/messages-1", "user", &user),
        ("/v1/responses", "claude/messages-1", "safety_identifier", &user),
        ("/v1/messages", "local/chat-1", "metadata", &owner),
        ("/v1/messages", "resp/responses-1", "metadata", &owner),
        ("/v1/chat/completions", "local/chat-1", "user", &user),
    ] {
        let answer = ask(path, model, key, value);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path} {model}: {answer}");
    }
    for heard in hosts[1].heard() {
        assert_eq!(heard.body["metadata"], owner);
    }
    for heard in hosts[0].heard() {
        assert_eq!(heard.body["user"], user);
    }
    assert_eq!(hosts[2].heard()[0].body["safety_identifier"], user);
    let heard: Vec<usize> = hosts.iter().map(|host| host.heard().len()).collect();
    assert_eq!(heard, [2, 2, 1]);
}

/// What is asked for in a header is passed on, or refused; never left out.
#[test]
fn betas_are_passed_on_or_refused() {
    let hosts = [provider(&CHAT), provider(&MESSAGES)];
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(directory.path(), &config(&hosts[0], &hosts[1], "10.00"));
    let ask = |model: &str, betas: &str| {
        let mut body: Value =
            serde_json::from_str(&messages("", "stream", json!(false)).body).unwrap();
        body["model"] = json!(model);
        post_with(
            &gateway.url,
            "/v1/messages",
            &format!("anthropic-beta: {betas}\r\n"),
            &body.to_string(),
        )
    };
    let plain = "interleaved-thinking-2025-05-14,claude-code-20250219";
    for model in ["claude/messages-1", "local/chat-1"] {
        assert!(ask(model, plain).starts_with("HTTP/1.1 200"), "{model}");
        let refused = ask(model, &format!("{plain},context-1m-2025-08-07"));
        assert!(refused.starts_with("HTTP/1.1 400"), "{model}: {refused}");
        assert!(refused.contains("context-1m"), "{refused}");
    }
    assert_eq!(hosts[1].heard()[0].header("anthropic-beta"), Some(plain));
    assert_eq!((hosts[0].heard().len(), hosts[1].heard().len()), (1, 1));
}
