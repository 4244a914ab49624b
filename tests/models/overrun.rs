//! A provider that counts more than a call may cost: the campaign stops, stays stopped, and goes
//! on once somebody has corrected the record.

use super::host::{delta, finish, stream_of, usage};
use super::money::{Provider, cannot, command, summary, write_campaign};
use crate::support::synthd;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

fn money(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(synthd());
    command.arg("money").args(args).args(["--data-dir", "data"]).current_dir(dir).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn stops(dir: &Path) {
    let output = command(dir).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("SYN-0310") && words.contains("synthd money"), "{words}");
}

#[test]
fn a_call_above_its_worst_case_stops_its_campaign_until_it_is_corrected() {
    if cannot("an overrun") {
        return;
    }
    let first = AtomicBool::new(true);
    let provider = Provider::start(move |_| {
        let arguments = json!({ "command": "echo 1" }).to_string();
        let call = json!({ "index": 0, "id": "c", "type": "function",
            "function": { "name": "bash", "arguments": arguments } });
        let calls = delta(json!({ "content": "I see.", "tool_calls": [call] }));
        first
            .swap(false, Ordering::SeqCst)
            .then(|| stream_of(&[calls, finish("tool_calls"), usage(1_000, 200_000)]))
    });
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    write_campaign(dir, &provider, 1, "5.00");
    stops(dir);
    let asked = provider.host.heard().len();
    assert_eq!(asked, 1);
    stops(dir);
    assert_eq!(provider.host.heard().len(), asked, "nothing was asked after the restart");
    let listed = document(&money(dir, &["list", "--json"]));
    assert_eq!((&listed["total"], &listed["holds"][0]["state"]), (&1.into(), &"over".into()));
    let hold = listed["holds"][0]["hold"].as_str().unwrap();
    let args = ["reconcile", hold, "--cost", "0.30", "--reason", "invoice", "--json"];
    let done = document(&money(dir, &args));
    assert_eq!(done["corrected"][0]["after_usd"], "0.30", "{done:#}");
    let output = command(dir).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let spent: synthd_actors::model::Money =
        summary(&output)["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(spent > "0.30".parse().unwrap() && spent < "0.40".parse().unwrap(), "{spent}");
    let trace = document(&money(dir, &["list", "--adjustments", "--json"]));
    assert_eq!(trace["adjustments"][0]["reason"], "invoice", "{trace:#}");
}
