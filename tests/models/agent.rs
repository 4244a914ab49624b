//! An agent of another maker on a task of its own: in a sandbox without a network, its model
//! behind the gateway at the end of the guest's tunnel. CI installs mini-swe-agent where
//! sandboxes see it, and names the place in `SYNTHD_TEST_AGENT`.

use super::gateway::{CHAT, Running, TOKEN, completion, config, list, session, whole};
use super::host::{Heard, Host};
use crate::support::{sandboxes_run, skip, synthd};
use serde_json::{Value, json};
use std::time::Duration;
use synthd::sandbox::SandboxBackends;
use synthd_actors::model::{
    ExecEnd, ExecRequest, FileSpec, HostAddress, SandboxLimits, SandboxSpec, SandboxTree,
};
use synthd_actors::ports::{Sandbox, SandboxBackend};

const PORT: u16 = 8_377;
const COMMANDS: [&str; 3] = [
    "echo hello > made.txt",
    "cat made.txt; ls /sys/class/net 2> /dev/null || echo no interfaces",
    "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
];

/// A model that knows what it wants, turn by turn.
fn provider() -> Host {
    Host::answering(|heard: &Heard| {
        let messages = heard.body["messages"].as_array().unwrap();
        let turn = messages.iter().filter(|message| message["role"] == "assistant").count();
        let arguments = json!({ "command": COMMANDS[turn.min(2)] }).to_string();
        let call = json!({ "id": format!("call_{turn}"), "type": "function",
            "function": { "name": "bash", "arguments": arguments } });
        let message = json!({ "role": "assistant", "content": "Now.", "tool_calls": [call] });
        whole(&completion(message, "tool_calls"))
    })
}

async fn run(sandbox: &mut dyn Sandbox, command: String) -> String {
    let timeout = Duration::from_secs(240);
    let request = ExecRequest {
        command,
        session: true,
        timeout,
        scan: false,
        output_kept: None,
        joined: false,
    };
    let report = sandbox.exec(&request).await.unwrap();
    let said = format!("{}{}", report.stdout.text(), report.stderr.text());
    assert_eq!(report.end, ExecEnd::Exited(0), "{said}");
    said
}

#[tokio::test]
async fn an_agent_of_another_maker_works_in_a_sandbox_without_a_network() {
    let Ok(packages) = std::env::var("SYNTHD_TEST_AGENT") else {
        return skip("mini-swe-agent", "SYNTHD_TEST_AGENT names no place it is installed in");
    };
    if !sandboxes_run() {
        return skip("mini-swe-agent", "this host runs no sandboxes");
    }
    let (chat, unasked) = (provider(), super::gateway::provider(&CHAT));
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(directory.path(), &config(&chat, &unasked, "5.00"));
    let address = gateway.url.strip_prefix("http://").unwrap().parse().unwrap();

    let backend = SandboxBackends::new(synthd(), &directory.path().join("guest"));
    let limits = SandboxLimits {
        memory_bytes: 2 << 30,
        command_timeout: Duration::from_secs(240),
        ..SandboxLimits::default()
    };
    let mut sandbox = backend
        .create(&SandboxSpec { limits, image: "base".to_owned(), ..SandboxSpec::default() })
        .await
        .unwrap();
    sandbox.tunnel(PORT, HostAddress::Tcp(address)).await.unwrap();
    let content = include_str!("../python/agent.py").to_owned();
    let script = FileSpec { path: "agent.py".to_owned(), content, mode: 0o644 };
    sandbox.write_files(SandboxTree::Workspace, &[script]).await.unwrap();
    let variables = [
        ("PYTHONPATH", packages.as_str()),
        ("MSWEA_GLOBAL_CONFIG_DIR", "/tmp/agent"),
        ("MSWEA_SILENT_STARTUP", "1"),
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    sandbox.environment(&variables).await.unwrap();
    let command =
        format!("/usr/bin/python3 agent.py http://127.0.0.1:{PORT}/v1 {TOKEN}.mini local/chat-1");
    let said = run(&mut *sandbox, command).await;
    assert!(said.contains("calls 3 Submitted"), "{said}");
    assert_eq!(run(&mut *sandbox, "cat made.txt".to_owned()).await, "hello\n");
    drop(sandbox);
    backend.settle().await.unwrap();
    gateway.stop();

    // Each of its turns is in the record, as it was said.
    let calls = session(directory.path(), "mini");
    let turns: Vec<u64> = calls.iter().map(|call| call["turn"].as_u64().unwrap()).collect();
    assert_eq!(turns, [0, 1, 2]);
    assert!(calls.iter().all(|call| call["status"] == 200 && call["fault"] == Value::Null));
    assert_eq!(list(directory.path(), &[])["total"], 3);
    assert_eq!(chat.heard().len(), 3);
    let last = chat.heard()[2].body["messages"].to_string();
    assert!(last.contains("hello"), "{last}");
}
