//! The real gateway between the published clients and a provider that misbehaves on purpose.
//! CI makes a Python with `tests/python/requirements.txt`, named in `SYNTHD_TEST_PYTHON`.

use super::host::{self, Act, Heard, Host, events_begin, status, stream_of};
use super::{CANARY, gateway_responses};
use crate::support::{skip, synthd};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

pub(super) const TOKEN: &str = "sgw-of-the-tests";

/// A gateway that runs until it is dropped.
pub(super) struct Running {
    child: Child,
    pub(super) url: String,
}

impl Running {
    pub(super) fn start(directory: &Path, config: &str) -> Self {
        std::fs::write(directory.join("gateway.toml"), config).unwrap();
        let mut command = Command::new(synthd());
        command.args(["gateway", "gateway.toml", "--json", "--data-dir", "data"]);
        command.current_dir(directory).env("SYNTHD_GATEWAY_TOKEN", TOKEN);
        command.env("SYNTHD_TEST_KEY", CANARY);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
        let mut said = String::new();
        while !said.ends_with("}\n") || said.matches('{').count() != said.matches('}').count() {
            assert!(lines.read_line(&mut said).unwrap() > 0, "{:?}", child.wait_with_output());
        }
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["token"], Value::Null, "one that was chosen is not told");
        let url = said["listening"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned();
        Self { url, child }
    }

    /// As by Ctrl-C; what it said.
    pub(super) fn stop(mut self) -> String {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let mut said = String::new();
        let mut words = BufReader::new(self.child.stderr.take().unwrap());
        while words.read_line(&mut said).unwrap() > 0 {}
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// It has no control socket, and `status` says so instead of sending people for a daemon.
#[test]
fn status_knows_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[gateway]\nlisten = \"127.0.0.1:0\"\n[[models]]\nname = \"scripted/echo\"\n";
    let gateway = Running::start(dir.path(), config);
    let asked = |args: &[&str]| {
        let mut command = Command::new(synthd());
        let ran = command.args(args).current_dir(dir.path()).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    };
    let (code, said) = asked(&["status", "--data-dir", "data"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains(&format!("process {} in data is a gateway", gateway.child.id())),
        "{said}"
    );
    assert!(said.contains("synthd call list --campaign gateway --data-dir data"), "{said}");
    gateway.stop();
    let (code, said) = asked(&["status", "--data-dir", "data"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("no daemon listens"), "{said}");
}

/// Providers may be slow here, because a slow host is no part of these tests: a call that ran out of
/// time would count in full, and its client would get no answer.
pub(super) fn config(chat: &Host, messages: &Host, budget: &str) -> String {
    let provider = |name: &str, dialect: &str, host: &Host| {
        format!(
            "[providers.{name}]\ndialect = \"{dialect}\"\nbase_url = \"{}\"\n\
             key_env = \"SYNTHD_TEST_KEY\"\n",
            host.url()
        )
    };
    let model = |name: &str| {
        format!(
            "[[models]]\nname = \"{name}\"\nprice = {{ input = \"1.00\", output = \"2.00\" }}\n"
        )
    };
    [
        "[gateway]\nlisten = \"127.0.0.1:0\"\nmax_output_tokens = 1000\n\
         first_byte = \"10m\"\nidle = \"10m\"\n"
            .to_owned(),
        format!("[budget]\nusd = \"{budget}\"\n"),
        provider("local", "openai", chat),
        provider("claude", "anthropic", messages),
        model("local/chat-1"),
        model("claude/messages-1"),
        "[[models]]\nname = \"scripted/echo\"\n".to_owned(),
    ]
    .concat()
}

/// What the last message says; results of tools are their text.
fn told(heard: &Heard) -> String {
    let last = match (&heard.body["messages"], &heard.body["input"]) {
        (Value::Array(messages), _) => messages.last().unwrap(),
        (_, Value::Array(items)) => items.last().unwrap(),
        (_, text) => text,
    };
    let content = if last["content"].is_null() { &last["output"] } else { &last["content"] };
    match if last.is_string() { last } else { content } {
        Value::String(text) => text.clone(),
        blocks => blocks
            .as_array()
            .unwrap()
            .iter()
            .map(|b| b["text"].as_str().or(b["content"].as_str()).unwrap_or("").to_owned())
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A provider that does what it is told, in either format.
pub(super) fn provider(speaks: &'static Format) -> Host {
    let once = Mutex::new(HashSet::new());
    Host::answering(move |heard| {
        if heard.line.contains("count_tokens") {
            if told(heard) == "key" {
                return status("401 Unauthorized", "", "{\"error\": {\"message\": \"bad key\"}}");
            }
            return status("200 OK", "", "{\"input_tokens\": 5}");
        }
        let told = told(heard);
        let words: Vec<&str> = told.split(' ').collect();
        let stream = heard.body["stream"] == true;
        match words.as_slice() {
            ["once", how, ..] if once.lock().unwrap().insert(told.clone()) => {
                refuse(how).unwrap_or_else(|| (speaks.malformed)(how, stream))
            }
            ["always", how] => refuse(how).unwrap_or_else(|| (speaks.malformed)(how, stream)),
            ["mid", how] => (speaks.broken)(how),
            ["tools"] => (speaks.calls)(stream),
            ["usage", how] => (speaks.counted)(how, stream),
            _ => (speaks.says)(&told, stream),
        }
    })
}

pub(super) struct Format {
    pub(super) says: fn(&str, bool) -> Vec<Act>,
    pub(super) calls: fn(bool) -> Vec<Act>,
    pub(super) malformed: fn(&str, bool) -> Vec<Act>,
    pub(super) broken: fn(&str) -> Vec<Act>,
    pub(super) counted: fn(&str, bool) -> Vec<Act>,
}

fn refuse(how: &str) -> Option<Vec<Act>> {
    let said = json!({ "type": "error", "error": { "type": "overloaded_error",
        "message": "not now", "code": "x" } })
    .to_string();
    let soon = httpdate::fmt_http_date(std::time::SystemTime::now());
    Some(match how {
        "seconds" => status("429 Too Many Requests", "Retry-After: 0\r\n", &said),
        "milliseconds" => status("429 Too Many Requests", "retry-after-ms: 1\r\n", &said),
        "date" => status("429 Too Many Requests", &format!("Retry-After: {soon}\r\n"), &said),
        "unsaid" => status("429 Too Many Requests", "", &said),
        "429" => status("429 Too Many Requests", "Retry-After: 7\r\n", &said),
        "hour" => status("429 Too Many Requests", "Retry-After: 3600\r\n", &said),
        "400" => status("400 Bad Request", "", &said),
        "filtered" => {
            let said = json!({ "error": { "code": "content_filter", "message": "no" } });
            status("400 Bad Request", "", &said.to_string())
        }
        "401" => status("401 Unauthorized", "", &said),
        "500" => status("500 Internal Server Error", "", &said),
        "529" => status("529 Overloaded", "", &said),
        "html" => status("200 OK", "X: y\r\n", "<html>hello</html>"),
        "empty" => status("200 OK", "", ""),
        "slow" => vec![Act::Stall],
        _ => return None,
    })
}

/// A chunk with all that strict clients want of one.
fn full(mut chunk: Value) -> Value {
    let all = [("id", json!("x")), ("object", json!("chat.completion.chunk"))];
    for (key, value) in all.into_iter().chain([("created", json!(1)), ("model", json!("chat-1-x"))])
    {
        chunk[key] = value;
    }
    chunk
}

fn delta(delta: Value) -> Value {
    full(host::delta(delta))
}

fn finish(reason: &str) -> Value {
    full(host::finish(reason))
}

fn usage(input: u64, output: u64) -> Value {
    full(host::usage(input, output))
}

pub(super) fn broken_json(how: &str, _: bool) -> Vec<Act> {
    match how {
        "oversized" => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                        Connection: close\r\n\r\n";
            vec![Act::Say(head.into()), Act::Pour(40 << 20)]
        }
        _ => status("200 OK", "", "{\"choices\": [{\"index\": 0, \"mess"),
    }
}

pub(super) fn whole(json: &Value) -> Vec<Act> {
    status("200 OK", "", &json.to_string())
}

pub(super) const CHAT: Format = Format {
    says: |text, stream| match stream {
        true => stream_of(&[
            delta(json!({ "role": "assistant", "content": text })),
            finish("stop"),
            usage(100, 20),
        ]),
        false => whole(&completion(json!({ "role": "assistant", "content": text }), "stop")),
    },
    calls: |stream| {
        let call = |index: u64, city: &str| {
            json!({ "index": index, "id": format!("call_{index}"), "type": "function",
            "function": { "name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}") } })
        };
        let calls = json!([call(0, "Ulm"), call(1, "Bern")]);
        let message = json!({ "role": "assistant", "content": null, "tool_calls": calls });
        match stream {
            true => stream_of(&[delta(message), finish("tool_calls"), usage(100, 20)]),
            false => whole(&completion(message, "tool_calls")),
        }
    },
    malformed: broken_json,
    broken: |how| {
        let begun = vec![
            events_begin(),
            host::event(&delta(json!({ "role": "assistant", "content": "He" })).to_string()),
        ];
        let error = json!({ "error": { "message": "it broke", "type": "server_error" } });
        [begun, end(how, format!("data: {error}\n\n"))].concat()
    },
    counted: |how, stream| {
        let said = delta(json!({ "role": "assistant", "content": "ok" }));
        let counts = match how {
            "twice" => vec![usage(50, 10), usage(100, 20)],
            "zero" => vec![usage(0, 0)],
            _ => vec![],
        };
        if stream {
            return stream_of(&[vec![said, finish("stop")], counts].concat());
        }
        let mut json = completion(json!({ "role": "assistant", "content": "ok" }), "stop");
        json["usage"] = counts.last().map_or(Value::Null, |last| last["usage"].clone());
        whole(&json)
    },
};

pub(super) fn end(how: &str, error: String) -> Vec<Act> {
    match how {
        "cut" => vec![Act::Reset],
        "stall" => vec![Act::Stall],
        _ => vec![Act::Say(error.into_bytes())],
    }
}

pub(super) fn completion(message: Value, reason: &str) -> Value {
    json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "chat-1-0613",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 } })
}

fn events(events: &[Value]) -> Vec<Act> {
    let named = |event: &Value| {
        let name = event["type"].as_str().unwrap();
        Act::Say(format!("event: {name}\ndata: {event}\n\n").into_bytes())
    };
    [vec![events_begin()], events.iter().map(named).collect()].concat()
}

fn a_message(content: Value, reason: &str) -> Value {
    json!({ "id": "m", "type": "message", "role": "assistant", "model": "messages-1-x",
        "content": content, "stop_reason": reason, "stop_sequence": null,
        "usage": { "input_tokens": 100, "output_tokens": 20 } })
}

/// The same as a stream brings it.
fn told_in_events(content: &[(Value, Value)], reason: &str) -> Vec<Value> {
    let mut start = a_message(json!([]), "end_turn");
    start["stop_reason"] = Value::Null;
    let mut told = vec![json!({ "type": "message_start", "message": start })];
    for (index, (block, delta)) in content.iter().enumerate() {
        told.push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
        told.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        told.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    told.push(json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 20 } }));
    told.push(json!({ "type": "message_stop" }));
    told
}

pub(super) const MESSAGES: Format = Format {
    says: |text, stream| {
        let block = |text: &str| json!({ "type": "text", "text": text });
        match stream {
            true => {
                let delta = json!({ "type": "text_delta", "text": text });
                events(&told_in_events(&[(block(""), delta)], "end_turn"))
            }
            false => whole(&a_message(json!([block(text)]), "end_turn")),
        }
    },
    calls: |stream| {
        let call = |index: u64, input: Value| {
            json!({ "type": "tool_use", "id": format!("toolu_{index}"), "name": "weather",
                "input": input })
        };
        let cities = ["Ulm", "Bern"];
        if !stream {
            let calls: Vec<Value> =
                (0..).zip(cities).map(|(i, city)| call(i, json!({ "city": city }))).collect();
            return whole(&a_message(json!(calls), "tool_use"));
        }
        let calls: Vec<(Value, Value)> = (0..)
            .zip(cities)
            .map(|(index, city)| {
                let json = format!("{{\"city\":\"{city}\"}}");
                let delta = json!({ "type": "input_json_delta", "partial_json": json });
                (call(index, json!({})), delta)
            })
            .collect();
        events(&told_in_events(&calls, "tool_use"))
    },
    malformed: broken_json,
    broken: |how| {
        let delta = json!({ "type": "text_delta", "text": "He" });
        let block = json!({ "type": "text", "text": "" });
        let told = told_in_events(&[(block, delta)], "end_turn");
        let error = json!({ "type": "error",
            "error": { "type": "api_error", "message": "it broke" } });
        [events(&told[..3]), end(how, format!("event: error\ndata: {error}\n\n"))].concat()
    },
    counted: |_, _| vec![],
};

pub(super) fn list(directory: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(synthd());
    command.args(["call", "list", "--json", "--data-dir", "data"]).args(arguments);
    let output = command.current_dir(directory).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The calls of a session, by its name.
pub(super) fn session(directory: &Path, name: &str) -> Vec<Value> {
    let mut command = Command::new(synthd());
    command.args(["episode", "list", "--json", "--data-dir", "data"]);
    let output = command.current_dir(directory).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let episodes = listed["episodes"].as_array().unwrap();
    let template = json!(format!("gateway/{name}"));
    let episode = episodes.iter().find(|one| one["template"] == template).unwrap();
    let calls = list(directory, &[episode["id"].as_str().unwrap()]);
    calls["calls"].as_array().unwrap().clone()
}

#[test]
fn published_clients_get_what_they_expect_whatever_the_provider_does() {
    let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else {
        return skip("published clients", "SYNTHD_TEST_PYTHON names no Python");
    };
    let (chat, messages) = (provider(&CHAT), provider(&MESSAGES));
    let responses = provider(&gateway_responses::RESPONSES);
    let config = config(&chat, &messages, "10.00") + &gateway_responses::section(&responses);
    // Some of these providers are silent.
    let config = config.replace("\"10m\"", "\"700ms\"");
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(directory.path(), &config);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/clients.py");
    let mut command = Command::new(python);
    command.arg(script).args([&gateway.url, TOKEN]).env_remove("OPENAI_API_KEY");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all clients agree"), "{said}");
    let words = gateway.stop();
    assert!(!words.contains(CANARY) && !said.contains(CANARY));

    // Every exchange is in the record, and the sum of their costs is what was spent.
    let listed = list(directory.path(), &[]);
    let completions = |host: &Host| {
        host.heard().iter().filter(|heard| !heard.line.contains("count_tokens")).count()
    };
    let calls = listed["calls"].as_array().unwrap();
    let remote = calls.iter().filter(|call| call["model"] != "scripted/echo").count();
    assert_eq!(remote, completions(&chat) + completions(&messages) + completions(&responses));
    let spent = format!("${} spent", listed["cost_usd"].as_str().unwrap());
    assert!(words.contains(&spent), "{words}: {spent}");

    // As the provider counted; all that was held where nobody did.
    let costs = |name: &str| -> Vec<String> {
        let calls = session(directory.path(), name);
        calls.iter().map(|call| call["cost_usd"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(costs("twice"), ["0.00014"]);
    assert_eq!(costs("twice-stream"), ["0.00014"]);
    for unknown in ["zero", "absent"] {
        let costs = costs(unknown);
        assert!(costs.iter().all(|cost| cost.starts_with("0.003")), "{unknown}: {costs:?}");
    }
    // Who leaves pays what was counted.
    assert_eq!(costs("leaver"), ["0.00014"]);
}

#[test]
fn what_a_client_says_goes_through_as_it_is() {
    let (chat, messages) = (provider(&CHAT), provider(&MESSAGES));
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(directory.path(), &config(&chat, &messages, "10.00"));
    let body = "{ \"model\" : \"chat-1\",  \"max_completion_tokens\":7, \"logit_bias\": {\"5\":  1.50},\n\
                \"messages\":[{\"role\":\"user\",\"content\":\"hello\"}] }";
    let answer = post(&gateway.url, "/v1/chat/completions", body);
    let expected = completion(json!({ "role": "assistant", "content": "hello" }), "stop");
    assert!(answer.ends_with(&expected.to_string()), "{answer}");
    gateway.stop();
    let id = list(directory.path(), &[])["calls"][0]["id"].as_str().unwrap().to_owned();
    let mut command = Command::new(synthd());
    command.args(["call", "show", &id, "--request", "--data-dir", "data"]);
    let kept = command.current_dir(directory.path()).output().unwrap().stdout;
    assert_eq!(String::from_utf8(kept).unwrap(), body);
}

pub(super) fn post(url: &str, path: &str, body: &str) -> String {
    post_with(url, path, "", body)
}

/// The same with more headers, each with the end of its line.
pub(super) fn post_with(url: &str, path: &str, headers: &str, body: &str) -> String {
    said("POST", url, path, headers, body)
}

pub(super) fn get(url: &str, path: &str) -> String {
    said("GET", url, path, "", "")
}

fn said(method: &str, url: &str, path: &str, headers: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\n\
         {headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// At a budget worth a hundred calls of known size, a thousand at once get exactly a hundred
/// through.
#[test]
fn a_budget_of_a_hundred_calls_lets_a_hundred_through() {
    // Each costs its worst case, so that a hold and its settlement are the same.
    let body = json!({ "model": "local/chat-1", "max_tokens": 20,
        "messages": [{ "role": "user", "content": "hello" }] })
    .to_string();
    let input = body.len() as u64 + 1_024;
    let host = Host::answering(move |_| {
        let mut json = completion(json!({ "role": "assistant", "content": "ok" }), "stop");
        json["usage"] = json!({ "prompt_tokens": input, "completion_tokens": 20 });
        whole(&json)
    });
    let directory = tempfile::tempdir().unwrap();
    let cap = synthd_actors::model::Money::from_nanos(100 * (input * 1_000 + 20 * 2_000));
    let config = config(&host, &host, &cap.to_string());
    let gateway = Running::start(directory.path(), &config);
    let answered: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..64)
            .map(|worker| {
                let (gateway, body) = (&gateway, &body);
                scope.spawn(move || {
                    let share = 1_000 / 64 + usize::from(worker < 1_000 % 64);
                    (0..share)
                        .map(|_| post(&gateway.url, "/v1/chat/completions", body))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let count = |status: &str| answered.iter().filter(|text| text.starts_with(status)).count();
    assert_eq!((count("HTTP/1.1 200"), count("HTTP/1.1 402")), (100, 900));
    assert_eq!(host.heard().len(), 100);
    let words = gateway.stop();
    assert!(words.contains(&format!("${cap} spent")), "{words}");
    // What was spent before counts for the next one of the same name.
    let gateway = Running::start(directory.path(), &config);
    assert!(post(&gateway.url, "/v1/chat/completions", &body).starts_with("HTTP/1.1 402"));
}
