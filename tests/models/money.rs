//! The real binary against a provider that counts what it charged: what is recorded is never
//! less, and never more than the cap, whatever happens on the way.

use super::CANARY;
use super::host::{Act, Heard, Host, delta, finish, status, stream_of, usage};
use crate::support::{sandboxes_run, skip, synthd};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use synthd::store::Store;
use synthd_actors::model::{CampaignName, Money};
use synthd_actors::ports::Journal;

/// Nano-dollars, at the campaign's prices, for what every answer is said to have taken.
const CHARGE: u64 = 1_000 * 1_000 + 50 * 2_000;
const COMMANDS: [&str; 2] = [
    "n=$(wc -l < words.txt); echo $((n)) > count.txt",
    "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
];

/// A provider with an account of its own.
pub(super) struct Provider {
    pub(super) host: Host,
    pub(super) charged: Arc<AtomicU64>,
    /// Answers on their way.
    busy: Arc<AtomicU64>,
}

impl Provider {
    /// `refuse` answers first, and for nothing, if it wants to.
    pub(super) fn start(
        refuse: impl Fn(&Heard) -> Option<Vec<Act>> + Send + Sync + 'static,
    ) -> Self {
        let (charged, busy) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (account, under_way) = (charged.clone(), busy.clone());
        let host = Host::answering(move |heard| {
            under_way.fetch_add(1, Ordering::SeqCst);
            let acts = refuse(heard).unwrap_or_else(|| {
                account.fetch_add(CHARGE, Ordering::SeqCst);
                answer(heard)
            });
            under_way.fetch_sub(1, Ordering::SeqCst);
            acts
        });
        Self { host, charged, busy }
    }

    /// When nothing is on its way any more.
    pub(super) fn charged(&self) -> Money {
        while self.busy.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        Money::from_nanos(self.charged.load(Ordering::SeqCst))
    }
}

fn answer(heard: &Heard) -> Vec<Act> {
    let messages = heard.body["messages"].as_array().unwrap();
    let turn = messages.iter().filter(|message| message["role"] == "assistant").count();
    let command = json!({ "command": COMMANDS[turn.min(1)] }).to_string();
    let call = json!({ "index": 0, "id": format!("c{turn}"), "type": "function",
        "function": { "name": "bash", "arguments": command } });
    let calls = delta(json!({ "content": "I see.", "tool_calls": [call] }));
    stream_of(&[calls, finish("tool_calls"), usage(1_000, 50)])
}

pub(super) fn write_campaign(directory: &Path, provider: &Provider, tasks: u32, cap: &str) {
    let url = provider.host.url();
    let campaign = format!(
        "[campaign]\nname = \"paid\"\nconcurrency = 8\n[tasks]\ntemplates = [\"crash/*\"]\n\
         per_template = {tasks}\n[providers.local]\ndialect = \"openai\"\nbase_url = \"{url}\"\n\
         key_env = \"SYNTHD_TEST_KEY\"\n[[models]]\nname = \"local/m-1\"\n\
         price = {{ input = \"1.00\", output = \"2.00\" }}\n[budget]\nusd = \"{cap}\"\n"
    );
    std::fs::write(directory.join("paid.toml"), campaign).unwrap();
}

pub(super) fn command(directory: &Path) -> Command {
    let mut command = Command::new(synthd());
    command.args(["run", "paid.toml", "--data-dir", "data", "--json", "--templates"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates"));
    command.current_dir(directory).env("SYNTHD_TEST_KEY", CANARY).stdin(Stdio::null());
    command
}

pub(super) fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

pub(super) async fn recorded(directory: &Path) -> Money {
    let store = Store::open_read_only(&directory.join("data")).unwrap();
    store.spent(&CampaignName("paid".to_owned())).await.unwrap()
}

pub(super) fn cannot(what: &str) -> bool {
    let cannot = !sandboxes_run();
    if cannot {
        skip(what, "this host runs no sandboxes");
    }
    cannot
}

#[tokio::test]
async fn a_campaign_pays_what_its_provider_charges_and_shows_no_key() {
    if cannot("a paid campaign") {
        return;
    }
    // Everybody is told to come back first, which costs nothing and is no failure.
    let told = AtomicU64::new(0);
    let provider = Provider::start(move |_| {
        let limit = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
        let first = told.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        first.then(|| status("429 Too Many Requests", "retry-after-ms: 1\r\n", limit))
    });
    let directory = tempfile::tempdir().unwrap();
    write_campaign(directory.path(), &provider, 6, "5.00");
    let output = command(directory.path()).args(["--log-level", "trace"]).output().unwrap();
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{summary}");
    assert_eq!(summary["episodes"]["resolved"], 6, "{summary}");
    assert_eq!(summary["cost_usd"], provider.charged().to_string());
    assert_eq!(provider.charged(), Money::from_nanos(12 * CHARGE));
    assert_eq!(recorded(directory.path()).await, provider.charged());
    let key = format!("Bearer {CANARY}");
    assert!(provider.host.heard().iter().all(|h| h.header("authorization") == Some(&key)));
    assert!(!shows_the_key(directory.path(), &output));
    the_record_is_exact(directory.path(), &provider);
}

/// Every try, the refused ones too, as the provider heard them.
fn the_record_is_exact(directory: &Path, provider: &Provider) {
    let look = |arguments: &[&str]| {
        let mut command = Command::new(synthd());
        let command = command.arg("call").args(arguments).args(["--data-dir", "data"]);
        command.current_dir(directory).output().unwrap().stdout
    };
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let listed = json(&look(&["list", "--json"]));
    assert_eq!(listed["total"], 24);
    assert_eq!(listed["cost_usd"], provider.charged().to_string());
    let calls = listed["calls"].as_array().unwrap();
    let mut kept: Vec<String> = Vec::new();
    for call in calls {
        let id = call["id"].as_str().unwrap();
        kept.push(json(&look(&["show", id, "--request"])).to_string());
        let answer = String::from_utf8(look(&["show", id, "--response"])).unwrap();
        assert!(answer.contains(if call["status"] == 429 { "slow down" } else { "[DONE]" }));
        let fault = if call["status"] == 429 { json!("model_transient") } else { Value::Null };
        assert_eq!(call["fault"], fault, "{call}");
    }
    let mut heard: Vec<String> =
        provider.host.heard().iter().map(|heard| heard.body.to_string()).collect();
    kept.sort();
    heard.sort();
    assert_eq!(kept, heard);
    let page = String::from_utf8(look(&["show", calls[0]["id"].as_str().unwrap()])).unwrap();
    assert!(page.contains("/chat/completions (openai)"), "{page}");
    assert_eq!(json(&look(&["list", "--failed", "--json"]))["total"], 12);
}

/// In what was said, and in every file that was left.
fn shows_the_key(directory: &Path, output: &Output) -> bool {
    let has = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
    let mut places = vec![directory.to_owned()];
    let mut shown = has(&output.stdout) || has(&output.stderr);
    while let Some(place) = places.pop() {
        if place.is_dir() {
            places.extend(std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        } else if place.is_file() {
            shown |= has(&std::fs::read(&place).unwrap());
        }
    }
    shown
}

#[tokio::test]
async fn a_key_that_is_refused_or_missing_stops_the_campaign_before_it_costs_anything() {
    if cannot("a refused key") {
        return;
    }
    let provider = Provider::start(|heard| {
        let key = heard.header("authorization").unwrap_or_default();
        let said = json!({ "error": { "message": format!("Incorrect API key: {key}") } });
        Some(status("401 Unauthorized", "", &said.to_string()))
    });
    let directory = tempfile::tempdir().unwrap();
    // One call alone: those that are cut short by its refusal may have been charged for.
    write_campaign(directory.path(), &provider, 1, "5.00");
    let output = command(directory.path()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("Incorrect API key") && words.contains("is paused"), "{words}");
    let told = format!(
        "local/m-1: provider local at {} does not take the key in SYNTHD_TEST_KEY: status 401",
        provider.host.url().trim_end_matches("/v1")
    );
    assert!(words.contains("error[SYN-0411]: ") && words.contains(&told), "{words}");
    assert!(words.contains("set the variable that the message names"), "{words}");
    assert_eq!(summary(&output)["cost_usd"], "0.00");
    assert!(!shows_the_key(directory.path(), &output));
    let store = Store::open_read_only(&directory.path().join("data")).unwrap();
    let refused = store.calls("").await.unwrap().remove(0).id;
    let answer = store.call(&refused).await.unwrap().unwrap().exchange.response;
    assert!(String::from_utf8(answer).unwrap().contains("Bearer [the key]"));

    let (fresh, unasked) = (tempfile::tempdir().unwrap(), Provider::start(|_| None));
    write_campaign(fresh.path(), &unasked, 4, "5.00");
    let output = command(fresh.path()).env_remove("SYNTHD_TEST_KEY").output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("error[SYN-0801]: ") && words.contains("SYNTHD_TEST_KEY"), "{words}");
    assert!(unasked.host.heard().is_empty());
}

#[tokio::test]
async fn a_cap_is_a_wall_for_what_is_charged() {
    if cannot("a cap") {
        return;
    }
    // Every third answer breaks off, and is charged all the same.
    let count = AtomicU64::new(0);
    let broken = Arc::<AtomicU64>::default();
    let noted = broken.clone();
    let provider = Provider::start(move |_| {
        let third = count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        third.then(|| {
            noted.fetch_add(CHARGE, Ordering::SeqCst);
            vec![super::host::events_begin(), Act::Reset]
        })
    });
    let directory = tempfile::tempdir().unwrap();
    write_campaign(directory.path(), &provider, 60, "0.15");
    let output = command(directory.path()).output().unwrap();
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(4), "{summary}");
    let cap: Money = "0.15".parse().unwrap();
    let charged =
        provider.charged().saturating_add(Money::from_nanos(broken.load(Ordering::SeqCst)));
    let recorded = recorded(directory.path()).await;
    assert!(charged <= recorded && recorded <= cap, "{charged} <= {recorded} <= {cap}");
    assert_eq!(summary["cost_usd"], recorded.to_string());
    assert!(broken.load(Ordering::SeqCst) > 0);
}

/// Killed at any instant under load, nothing that was charged is forgotten.
#[tokio::test]
async fn fifty_kills_never_forget_a_charge() {
    if cannot("kills under load") {
        return;
    }
    let provider = Provider::start(|_| None);
    let cap: Money = "40.00".parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    write_campaign(directory.path(), &provider, 2_000, "40.00");
    for kill in 0..50_u64 {
        let mut run = command(directory.path());
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // By what it has asked for, so that every kill hits calls on their way.
        let before = provider.charged.load(Ordering::SeqCst);
        let wanted = before + (1 + kill * 7 % 13) * CHARGE;
        while provider.charged.load(Ordering::SeqCst) < wanted {
            assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        run.kill().unwrap();
        run.wait().unwrap();
        let (charged, recorded) = (provider.charged(), recorded(directory.path()).await);
        assert!(charged <= recorded && recorded <= cap, "{charged} <= {recorded} <= {cap}");
    }
    let charged = provider.charged();
    assert!(charged > Money::from_nanos(50 * CHARGE), "{charged}");
}
