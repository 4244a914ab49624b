//! A campaign of completions, killed again and again: every prompt has one answer and one row, and
//! at most the calls in flight were asked twice.

use super::instants;
use crate::models::host::{Act, Host};
use crate::support::synthd;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use synthd::store::Store;
use synthd_actors::model::{CampaignName, Money, Outcome};
use synthd_actors::ports::Journal;

const PROMPTS: usize = 300;
const AT_ONCE: usize = 8;
const KILLS: usize = 12;
const REPLY: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ANSWER"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;

/// A provider that repeats what it is asked.
fn provider() -> Host {
    Host::answering(|heard| {
        let asked = heard.body["messages"][0]["content"].as_str().unwrap_or_default();
        let body = REPLY.replace("ANSWER", &format!("about {asked}"));
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        vec![Act::Say([head.into_bytes(), body.into_bytes()].concat())]
    })
}

fn write(dir: &Path, host: &Host) {
    let prompts: String = (0..PROMPTS).map(|n| format!("question {n}\n")).collect();
    std::fs::write(dir.join("prompts.txt"), prompts).unwrap();
    let campaign = format!(
        "[campaign]\nname = \"answers\"\nkind = \"completions\"\nconcurrency = {AT_ONCE}\n\
         [completions]\nprompts = [\"prompts.txt\"]\n\
         [providers.local]\ndialect = \"vllm\"\nbase_url = \"{}\"\n\
         [[models]]\nname = \"local/m\"\nprice = {{ input = \"1.00\", output = \"2.00\" }}\n\
         [budget]\nusd = \"100.00\"\n",
        host.url()
    );
    std::fs::write(dir.join("campaign.toml"), campaign).unwrap();
}

fn start(dir: &Path) -> Child {
    Command::new(synthd())
        .args(["run", "campaign.toml", "--json", "--data-dir", "data"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn completions_that_are_killed_are_asked_again_and_never_twice_in_the_dataset() {
    let (host, dir) = (provider(), tempfile::tempdir().unwrap());
    write(dir.path(), &host);
    let mut killed = 0;
    for instant in instants(Duration::from_millis(900)).take(KILLS) {
        let mut child = start(dir.path());
        // The instants are spread over the whole run; how far it is then does not matter.
        std::thread::park_timeout(instant);
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().code().is_none());
    }
    let last = start(dir.path()).wait_with_output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    let summary: Value = serde_json::from_slice(&last.stdout).unwrap();
    assert_eq!(summary["kind"], "completions");
    assert_eq!(summary["episodes"]["answered"], PROMPTS, "{summary}");
    let asked = host.heard().len();
    assert!(asked <= PROMPTS + killed * AT_ONCE, "{asked} calls, {killed} kills");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(examine(&dir.path().join("data")));
}

async fn examine(data: &Path) {
    let store = Store::open_read_only(data).unwrap();
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
    let name = CampaignName("answers".to_owned());
    let completions = store.episodes(&name).await.unwrap();
    assert_eq!(completions.len(), PROMPTS);
    for completion in &completions {
        let id = &completion.plan.id;
        assert!(matches!(completion.outcome, Some(Outcome::Answered { .. })), "{id}");
        let turns = store.turns(id, completion.attempt).await.unwrap();
        assert_eq!((turns.len(), completion.judged.is_some()), (1, true), "{id}");
    }
    // The ledger has every answer, and a hold for each call that was cut off.
    let paid: Money = completions.iter().map(|completion| completion.cost).sum();
    assert!(store.spent(&name).await.unwrap() >= paid);
    let rows = store.rows(&name, None, usize::MAX).await.unwrap();
    let answers: BTreeMap<&str, &str> = rows
        .iter()
        .filter_map(|row| row.row.as_completion())
        .map(|row| (row.messages[0].content.as_str(), row.response.as_str()))
        .collect();
    assert_eq!((answers.len(), rows.len()), (PROMPTS, PROMPTS));
    assert!(answers.iter().all(|(asked, answer)| *answer == format!("about {asked}")));
    let ids: HashSet<&str> = rows.iter().map(|row| row.row.id()).collect();
    assert_eq!(ids.len(), PROMPTS);
    let report = synthd::dataset::verify(&data.join("datasets/answers/v1")).unwrap();
    assert_eq!(report.rows as usize, PROMPTS);
}
