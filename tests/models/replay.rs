//! A recorded campaign is run again for nothing: the same answers, and nobody asked.

use super::anthropic;
use super::host::{Host, delta, finish, status, stream_of, usage};
use super::money::{Provider, cannot, command, summary, write_campaign};
use super::{ask, config, context, made, model, request};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use synthd::store::Store;
use synthd_actors::model::*;
use synthd_actors::ports::{CallContext, ChatModel, Journal};
use synthd_actors::testkit;

/// The same campaign under another name, its model replayed.
pub(super) fn replayed(directory: &Path, change: impl Fn(String) -> String) {
    let text = std::fs::read_to_string(directory.join("paid.toml")).unwrap();
    let text = text.replace("name = \"paid\"", "name = \"again\"");
    let text = text.replace("name = \"local/m-1\"", "name = \"replay/local/m-1\"");
    let text = text.replace("price = { input = \"1.00\", output = \"2.00\" }\n", "");
    let replay = "[providers.replay]\nrecord = \"data\"\ncampaign = \"paid\"\n";
    std::fs::write(directory.join("paid.toml"), change(text + replay)).unwrap();
}

#[test]
fn a_recorded_campaign_is_played_again_for_nothing() {
    if cannot("a replay") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write_campaign(directory.path(), &provider, 6, "5.00");
    let output = command(directory.path()).output().unwrap();
    let paid = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{paid}");
    let heard = provider.host.heard().len();

    replayed(directory.path(), |text| text);
    let output = command(directory.path()).env_remove("SYNTHD_TEST_KEY").output().unwrap();
    let again = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{again} {output:?}");
    assert_eq!(again["episodes"], paid["episodes"]);
    assert_eq!(again["tokens"], paid["tokens"]);
    assert_eq!(again["cost_usd"], "0.00");
    assert_eq!(provider.host.heard().len(), heard, "nobody is asked");

    // Another seed makes other tasks, which nobody has recorded.
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(directory.path().join("paid.toml"), other.path().join("paid.toml")).unwrap();
    let record = directory.path().join("data");
    let text = std::fs::read_to_string(other.path().join("paid.toml")).unwrap();
    let text = text.replace("concurrency = 8", "concurrency = 1\nseed = 99");
    let text = text.replace("record = \"data\"", &format!("record = {record:?}"));
    std::fs::write(other.path().join("paid.toml"), text).unwrap();
    let output = command(other.path()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("recorded no turn 0 of this task"), "{words}");
}

/// Records what a host said to one call, as the engine would.
async fn record(directory: &Path, call: &CallContext, fault: Option<Fault>) {
    let exchange = call.recorder.take().unwrap();
    let store = Store::open(directory).unwrap();
    let campaign = CampaignName("c".to_owned());
    let opened = CampaignRecord {
        name: campaign.clone(),
        kind: Default::default(),
        identity: String::new(),
        sampling: None,
        config: String::new(),
        images: Default::default(),
        price_table: None,
        state: CampaignState::Complete,
        reason: None,
        created_at_ms: 0,
    };
    let plan = PlannedEpisode {
        id: call.episode.clone(),
        campaign: campaign.clone(),
        ordinal: 0,
        task: call.script.as_ref().unwrap().task.id.clone(),
        template: String::new(),
        index: 0,
        category: String::new(),
        difficulty: String::new(),
        model: String::new(),
        scaffold: String::new(),
        reason: None,
    };
    let called = CallRecord {
        place: CallPosition {
            campaign,
            episode: call.episode.clone(),
            attempt: AttemptNumber(1),
            turn: 0,
            retry: 0,
        },
        model: "test/some/model-1".to_owned(),
        provider: None,
        why: String::new(),
        answered_by: None,
        usage: None,
        cost: Money::ZERO,
        fault,
        at_ms: 0,
        exchange,
    };
    let entries = vec![
        JournalEntry::CampaignOpened(opened),
        JournalEntry::Planned(vec![plan]),
        JournalEntry::Called(Arc::new(called)),
    ];
    store.append(entries).await.unwrap();
}

/// The one call that a directory holds, played again.
fn replay_of(directory: &Path) -> Arc<dyn ChatModel> {
    let recorded = ReplaySource {
        data_dir: directory.to_str().unwrap().to_owned(),
        campaign: CampaignName("c".to_owned()),
    };
    let name = "replay/test/some/model-1".to_owned();
    made(&ModelConfig { name, recorded: Some(recorded), ..testkit::priced("x", 0) })
}

/// What was refused then is refused again, for the same reason.
#[tokio::test]
async fn a_refusal_is_an_answer_too() {
    let too_long = json!({ "error": { "message": "This model's maximum context length is 10",
        "code": "context_length_exceeded" } });
    let filtered = json!({ "error": { "message": "no", "code": "content_filter" } });
    for refusal in [too_long, filtered] {
        let host = Host::doing(status("400 Bad Request", "", &refusal.to_string()));
        let (call, hello) = (context(), vec![ChatMessage::text(ChatRole::User, "hello")]);
        let said = model(&host, "openai").complete(&request(hello.clone()), &call).await;
        let directory = tempfile::tempdir().unwrap();
        let fault = said.as_ref().err().map(|failure| failure.fault.clone());
        record(directory.path(), &call, fault).await;
        let again = ask(&*replay_of(directory.path()), hello).await;
        let kinds = [&said, &again].map(|said| match said {
            Ok(reply) => format!("{:?}", reply.finish),
            Err(failure) => format!("{:?}", failure.fault.kind),
        });
        assert_eq!(kinds[0], kinds[1], "{refusal}");
        assert!(["ContextFull", "Refusal"].contains(&kinds[0].as_str()), "{kinds:?}");
    }
}

/// Marks are set where the price of a cache's write is known, and a replay costs nothing.
#[tokio::test]
async fn what_was_marked_for_a_cache_is_found_again() {
    let host = Host::doing(anthropic::stream(&anthropic::thoughtful()));
    let (call, hello) = (context(), vec![ChatMessage::text(ChatRole::User, "hello")]);
    let said = marking(&host).complete(&request(hello.clone()), &call).await.unwrap();
    assert!(host.heard()[0].body.to_string().contains("cache_control"));
    let directory = tempfile::tempdir().unwrap();
    record(directory.path(), &call, None).await;
    let replay = replay_of(directory.path());
    assert_eq!(ask(&*replay, hello).await.unwrap(), said);
    let other = vec![ChatMessage::text(ChatRole::User, "hello you")];
    let told = ask(&*replay, other).await.unwrap_err();
    assert_eq!(told.fault.kind, FaultKind::NotRecorded);
}

/// The same where the answer was a refusal.
#[tokio::test]
async fn what_was_marked_and_refused_is_refused_again() {
    let long = json!({ "type": "error", "error": { "type": "invalid_request_error",
        "message": "prompt is too long: 9 tokens > 8 maximum" } });
    let host = Host::doing(status("400 Bad Request", "", &long.to_string()));
    let (call, hello) = (context(), vec![ChatMessage::text(ChatRole::User, "hello")]);
    let failed = marking(&host).complete(&request(hello.clone()), &call).await.unwrap_err();
    assert_eq!(failed.fault.kind, FaultKind::ContextFull);
    let directory = tempfile::tempdir().unwrap();
    record(directory.path(), &call, Some(failed.fault)).await;
    let again = ask(&*replay_of(directory.path()), hello).await.unwrap_err();
    assert_eq!(again.fault.kind, FaultKind::ContextFull);
}

fn marking(host: &Host) -> Arc<dyn ChatModel> {
    let rates =
        TokenRates { cache_write_per_million: Some(Money::from_nanos(1)), ..TokenRates::default() };
    let price = ModelPrice { rates, tiers: Vec::new() };
    made(&ModelConfig { price, ..config(ProviderEndpoint::new("anthropic", host.url(), None)) })
}

#[tokio::test]
async fn what_was_not_asked_is_told_with_the_first_difference() {
    let chunks = [delta(json!({ "content": "so" })), finish("stop"), usage(10, 2)];
    let host = Host::doing(stream_of(&chunks));
    let (call, hello) = (context(), vec![ChatMessage::text(ChatRole::User, "hello")]);
    let live = model(&host, "openai");
    let said = live.complete(&request(hello.clone()), &call).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    record(directory.path(), &call, None).await;

    let replay = replay_of(directory.path());
    for _ in 0..2 {
        assert_eq!(ask(&*replay, hello.clone()).await.unwrap(), said);
    }
    assert_eq!(host.heard().len(), 1);
    let other = vec![ChatMessage::text(ChatRole::User, "hello you")];
    let told = ask(&*replay, other).await.unwrap_err();
    assert_eq!((told.fault.kind, told.charge), (FaultKind::NotRecorded, CallCharge::Nothing));
    let words = &told.fault.message;
    assert!(words.contains("at byte") && words.contains("hello you"), "{words}");
}

#[test]
fn a_replay_without_its_record_is_told_before_anything_begins() {
    if cannot("a replay without a record") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write_campaign(directory.path(), &provider, 1, "5.00");
    replayed(directory.path(), |text| text.replace("record = \"data\"", "record = \"nowhere\""));
    let output = command(directory.path()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("SYN-0801") && words.contains("the record to replay"), "{words}");
}
