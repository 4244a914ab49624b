//! A provider that somebody else has written (PyPI's `mockllm`, on uvicorn): asked directly, and
//! by way of the gateway. CI makes a Python with `tests/python/requirements.txt`, named in
//! `SYNTHD_TEST_PYTHON`.

use super::gateway::{Running, list, post};
use super::{ask, config, made};
use crate::support::skip;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use synthd_actors::model::{
    CallCharge, ChatMessage, ChatRole, FaultKind, FinishReason, ModelConfig, ProviderEndpoint,
};

const RESPONSES: &str = "responses:\n  hello: hello yourself\ndefaults:\n  \
                         unknown_response: never heard of it\nsettings:\n  lag_enabled: false\n";

struct Stranger {
    child: Child,
    url: String,
}

impl Stranger {
    fn start(directory: &Path) -> Option<Self> {
        let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else {
            skip("a stranger's provider", "SYNTHD_TEST_PYTHON names no Python");
            return None;
        };
        std::fs::write(directory.join("responses.yml"), RESPONSES).unwrap();
        let mut command = Command::new(python);
        command.args(["-m", "uvicorn", "mockllm.server:app", "--host", "127.0.0.1", "--port", "0"]);
        command.current_dir(directory).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("running on ")?;
            Some(url.split(' ').next().unwrap().to_owned())
        });
        // Heard out, so that it is never held up by what nobody reads.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url: told.expect("an address") })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn a_provider_that_somebody_else_has_written_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let Some(stranger) = Stranger::start(directory.path()) else { return };
    let model = |dialect: &str| {
        let endpoint = ProviderEndpoint::new(dialect, format!("{}/v1", stranger.url), None);
        made(&ModelConfig { name: "test/gpt-4o".to_owned(), ..config(endpoint) })
    };
    for dialect in ["openai", "vllm", "together"] {
        let hello = vec![ChatMessage::text(ChatRole::User, "hello")];
        let reply = ask(&*model(dialect), hello).await.unwrap();
        assert_eq!(reply.finish, FinishReason::Stop, "{dialect}");
        assert!(!reply.message.content.is_empty(), "{dialect}: {reply:?}");
        assert!(reply.uncounted, "its streams count nothing: {reply:?}");
    }
    // Its stream of the other format is none, and is not taken for one.
    let hello = vec![ChatMessage::text(ChatRole::User, "hello")];
    let told = ask(&*model("anthropic"), hello).await.unwrap_err();
    assert_eq!((told.fault.kind, told.charge), (FaultKind::ModelTransient, CallCharge::Unknown));
}

#[test]
fn a_strangers_answers_pass_the_gateway_as_they_are_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let Some(stranger) = Stranger::start(directory.path()) else { return };
    let own = format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\n[budget]\nusd = \"1.00\"\n\
         [providers.stranger]\ndialect = \"openai\"\nbase_url = \"{}/v1\"\n\
         [[models]]\nname = \"stranger/gpt-4o\"\nprice = {{ input = \"1.00\", output = \"2.00\" }}\n",
        stranger.url
    );
    let gateway = Running::start(directory.path(), &own);
    let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hello" }] });
    let answer = post(&gateway.url, "/v1/chat/completions", &body.to_string());
    let (head, answer) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("200 OK"), "{head}");
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "hello yourself");
    gateway.stop();
    let call = &list(directory.path(), &[])["calls"][0];
    let counted = [&call["input_tokens"], &call["output_tokens"]];
    assert_eq!(counted, [&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]]);
    assert_ne!(call["cost_usd"], "0.00", "{call}");
}
