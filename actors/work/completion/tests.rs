//! Lines that are prompts and lines that are not, the plan, and whole campaigns over fakes.

use super::*;
use crate::campaign::CampaignProgress;
use crate::model::{
    CampaignName, CampaignState, ChatRole, CompletionSettings, Money, Prompt, QualityPolicy,
    StageAction, WorkName,
};
use crate::testkit::{Kit, Line, Options, Trap, campaign, in_test_system, priced};
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

fn settings() -> CompletionSettings {
    CompletionSettings::default()
}

fn read(settings: &CompletionSettings, line: &str) -> Result<Option<Prompt>, String> {
    read_prompt(settings, PromptFormat::JsonLines, "p.jsonl", 3, line)
}

fn told(prompt: &Prompt) -> Vec<(ChatRole, &str)> {
    prompt.messages.iter().map(|message| (message.role, message.content.as_str())).collect()
}

fn fields(prompt: &Prompt) -> serde_json::Value {
    serde_json::from_str(&prompt.fields).unwrap()
}

#[test]
fn a_line_is_a_prompt_with_its_fields() {
    let prompt =
        read(&settings(), r#"{"prompt": "why?", "topic": "sky", "n": 3}"#).unwrap().unwrap();
    assert_eq!(told(&prompt), [(ChatRole::User, "why?")]);
    assert_eq!((prompt.source.as_str(), prompt.index), ("p.jsonl", 3));
    assert_eq!(fields(&prompt), serde_json::json!({ "topic": "sky", "n": 3 }));
    let line = r#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"}, {"role": "user", "content": "v"}]}"#;
    let system = CompletionSettings { system: Some("other".to_owned()), ..settings() };
    let prompt = read(&system, line).unwrap().unwrap();
    assert_eq!(prompt.messages.len(), 4, "its own system message stays");
    assert_eq!(told(&prompt)[0], (ChatRole::System, "s"));
    let prompt = read(&system, r#"{"prompt": "why?"}"#).unwrap().unwrap();
    assert_eq!(told(&prompt)[0], (ChatRole::System, "other"));
    assert_eq!(read(&settings(), "  \n"), Ok(None));
    let text = |line| read_prompt(&settings(), PromptFormat::Text, "p.txt", 0, line);
    assert_eq!(told(&text("why?\r\n").unwrap().unwrap()), [(ChatRole::User, "why?")]);
}

#[test]
fn a_template_makes_the_prompt_of_the_fields() {
    let template = Some("Explain {{ topic }}.".to_owned());
    let with = CompletionSettings { template, ..settings() };
    let prompt = read(&with, r#"{"topic": "rain", "id": "x"}"#).unwrap().unwrap();
    assert_eq!(told(&prompt), [(ChatRole::User, "Explain rain.")]);
    assert_eq!(fields(&prompt), serde_json::json!({ "topic": "rain", "id": "x" }));
    let wrong = read(&with, r#"{"topik": "rain"}"#).unwrap_err();
    assert!(wrong.contains("topic"), "{wrong}");
    assert!(read(&with, r#"{"topic": null}"#).is_err(), "a hole is no prompt");
}

/// It would become a floating-point number, which has fewer digits.
#[test]
fn an_integer_that_would_lose_digits_is_told_with_its_place() {
    let long = "123456789012345678901234567890";
    for (line, column) in [
        (format!(r#"{{"prompt": "a", "id": {long}}}"#), 23),
        (format!(r#"{{"prompt": "ä\"", "in": [1, {{"x": -{long}}}]}}"#), 36),
    ] {
        let why = read(&settings(), &line).unwrap_err();
        assert!(why.contains(long) && why.contains(&format!("at column {column}")), "{why}");
    }
    let line = format!(
        r#"{{"prompt": "{long}", "most": 18446744073709551615, "least": -9223372036854775808,
            "text": "\\", "\"{long}": 1.5e300}}"#
    );
    let prompt = read(&settings(), &line).unwrap().unwrap();
    assert!(prompt.fields.contains("18446744073709551615,\"least\":-9223372036854775808"));
}

#[test]
fn what_is_no_prompt_is_told_and_never_asked() {
    for (line, why) in [
        ("why?", "no JSON"),
        ("[1]", "no JSON object"),
        (r#"{"question": "why?"}"#, "neither `prompt` nor `messages`"),
        (r#"{"prompt": "a", "messages": []}"#, "both"),
        (r#"{"prompt": "  "}"#, "`prompt` is empty"),
        (r#"{"prompt": 3}"#, "`prompt` is no text"),
        (r#"{"prompt": "a", "system": ["b"]}"#, "`system` is no text"),
        (r#"{"messages": []}"#, "`messages` is empty"),
        (
            r#"{"system": "s", "messages": [{"role": "system", "content": "t"}, {"role": "user", "content": "u"}]}"#,
            "a `system` and a system message",
        ),
        (r#"{"messages": {"role": "user"}}"#, "no list"),
        (r#"{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#, "no text"),
        (r#"{"messages": [{"role": "tool", "content": "x"}]}"#, "role of message 0"),
        (r#"{"messages": [{"role": "user", "content": "x", "name": "y"}]}"#, "`name`"),
        (
            r#"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}"#,
            "not the user's",
        ),
    ] {
        let told = read(&settings(), line).unwrap_err();
        assert!(told.contains(why), "{line}: {told}");
    }
}

proptest! {
    /// Whatever a line holds, reading it ends, and a prompt is never empty.
    #[test]
    fn hostile_lines_are_read_or_refused(line in ".{0,200}") {
        for format in [PromptFormat::JsonLines, PromptFormat::Text] {
            if let Ok(Some(prompt)) = read_prompt(&settings(), format, "p", 0, &line) {
                prop_assert!(prompt.messages.iter().all(|m| !m.content.trim().is_empty()));
            }
        }
    }
}

fn prompt(text: &str, index: u32) -> Prompt {
    let line = format!(r#"{{"prompt": "{text}", "n": {index}}}"#);
    read_prompt(&settings(), PromptFormat::JsonLines, "p.jsonl", index, &line).unwrap().unwrap()
}

fn set_of(texts: &[String]) -> PromptSet {
    let mut set = PromptSet::default();
    for (index, text) in texts.iter().enumerate() {
        set.push(prompt(text, index as u32));
    }
    set
}

fn numbered(count: usize) -> PromptSet {
    set_of(&(0..count).map(|n| format!("question {n}")).collect::<Vec<_>>())
}

/// A campaign of completions with the model `fake/one`.
fn completions(samples: u32) -> CampaignConfig {
    let mut config = campaign("c", 1);
    config.kind = WorkName::Completions;
    config.scaffolds = Vec::new();
    config.tasks.templates = Vec::new();
    config.tasks.samples.most = samples;
    config
}

proptest! {
    /// Lines that are added, repeated or moved leave every other completion where it is: the same
    /// id, the same place, the same model; and nothing is planned twice.
    #[test]
    fn the_plan_grows_without_moving(
        first in prop::collection::vec("[a-d]{1,2}", 1..12),
        more in prop::collection::vec("[a-f]{1,2}", 0..12),
        samples in (1u32..3, 0u32..2),
        round_robin in any::<bool>(),
    ) {
        let work = |texts: &[String], samples: u32| {
            let mut config = completions(samples);
            config.models.push(priced("fake/two", 0));
            if round_robin {
                config.assign = crate::model::ModelAssignment::RoundRobin;
            }
            CompletionWork { config: Arc::new(config), prompts: Arc::new(set_of(texts)) }
        };
        let before = work(&first, samples.0).plan_prompts(&[], &|| true);
        let known: Vec<EpisodeRecord> = before.episodes.iter().cloned().map(EpisodeRecord::planned).collect();
        let mut texts = more;
        texts.extend(first);
        let after = work(&texts, samples.0 + samples.1).plan_prompts(&known, &|| true);
        let all: Vec<&PlannedEpisode> = before.episodes.iter().chain(&after.episodes).collect();
        let ids: HashSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
        prop_assert_eq!(ids.len(), all.len());
        for (place, one) in all.iter().enumerate() {
            prop_assert_eq!(one.ordinal, place as u64);
        }
        let prompts = set_of(&texts).len() as u64;
        let models = if round_robin { 1 } else { 2 };
        prop_assert_eq!(all.len() as u64, prompts * models * u64::from(samples.0 + samples.1));
        // One model answers all samples of a prompt, also those that were planned later.
        if round_robin {
            let pairs: HashSet<(&str, &str)> =
                all.iter().map(|one| (one.task.as_str(), one.model.as_str())).collect();
            prop_assert_eq!(pairs.len() as u64, prompts);
        }
    }
}

async fn run(kit: &Kit, config: &CampaignConfig, prompts: PromptSet) -> CampaignProgress {
    kit.submit_prompts(config, prompts).await.wait_until_settled().await
}

#[test]
fn every_prompt_is_answered_once_by_each_model_and_sample() {
    in_test_system(Options::default(), |kit| async move {
        let mut config = completions(3);
        config.models.push(priced("fake/two", 0));
        let done = run(&kit, &config, numbered(4)).await;
        assert_eq!((done.state, done.tasks), (CampaignState::Complete, 4));
        assert_eq!((done.episodes.planned, done.episodes.answered), (24, 24));
        assert_eq!((done.episodes.resolved, done.episodes.unresolved), (0, 0));
        for model in ["fake/one", "fake/two"] {
            assert_eq!(kit.models.named(model).replies().len(), 12, "{model}");
        }
        let name = CampaignName("c".to_owned());
        let rows = kit.services.journal.rows(&name, None, usize::MAX).await.unwrap();
        assert_eq!(rows.len(), 24);
        let row = rows[0].row.as_completion().unwrap();
        assert_eq!(
            (row.response.as_str(), row.fields.as_deref()),
            ("about question 0", Some(r#"{"n":0}"#))
        );
        assert_eq!(row.messages.last().map(|last| last.weight), Some(Some(1)));
        // Equal samples are no duplicates; equal answers of two models are. Nothing was verified,
        // so there is no pass rate.
        let written = kit.sink.written().pop().unwrap();
        assert_eq!((written.rows.len(), written.pass_rates.len()), (12, 0));
        for row in &rows {
            let first = rows.iter().find(|other| other.row.work_id() == row.row.work_id());
            assert_eq!(first.map(|first| first.split), Some(row.split));
        }
        // A second run asks nothing.
        let again = run(&kit, &config, numbered(4)).await;
        assert!(again.already_complete, "{again:?}");
        assert_eq!(kit.models.named("fake/one").replies().len(), 12);
    });
}

#[test]
fn a_campaign_grows_with_its_file_and_leaves_out_what_is_gone() {
    in_test_system(Options::default(), |kit| async move {
        run(&kit, &completions(1), numbered(3)).await;
        let done = run(&kit, &completions(1), numbered(5)).await;
        assert_eq!((done.episodes.planned, done.episodes.answered), (5, 5));
        assert_eq!(kit.models.named("fake/one").replies().len(), 5);
        // Finished answers stay, though their prompts are gone.
        let done = run(&kit, &completions(1), set_of(&["other".to_owned()])).await;
        assert_eq!((done.state, done.episodes.answered), (CampaignState::Complete, 6));
    });
}

#[test]
fn lost_calls_are_asked_again_and_lost_for_good_they_are_faults() {
    in_test_system(Options::default(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.once("turn 0", Trap::Panic);
        model.traps.once("turn 0", Trap::Fault(FaultKind::ModelTransient));
        let done = run(&kit, &completions(1), numbered(6)).await;
        assert_eq!((done.episodes.answered, done.episodes.faulted), (6, 0), "{done:?}");
        model.traps.once("turn 0", Trap::Fault(FaultKind::ModelRejected));
        let done = run(&kit, &completions(1), numbered(7)).await;
        assert_eq!((done.state, done.episodes.faulted), (CampaignState::Complete, 1));
        let rows = kit.sink.written().pop().unwrap().rows;
        assert_eq!(rows.len(), 6, "a fault makes no row");
    });
}

/// A file that is being written again has lost prompts for a moment.
#[test]
fn a_campaign_that_completes_without_its_open_prompts_says_so() {
    in_test_system(Options::default(), |kit| async move {
        let config = CampaignConfig { concurrency: 1, ..completions(1) };
        let model = kit.models.named("fake/one");
        model.traps.set("turn 0", 2, 1, Trap::Fault(FaultKind::ModelPermanent));
        let paused = run(&kit, &config, numbered(5)).await;
        assert_eq!((paused.state, paused.episodes.answered), (CampaignState::Paused, 2));
        let handle = kit.engine.campaign(&config.name).unwrap();
        handle.drain(true).await;
        handle.wait_until_settled().await;
        let told = "p.jsonl: 2 planned completions left open: their prompts are not to be had now";
        let done = run(&kit, &config, numbered(3)).await;
        assert_eq!((done.state, done.episodes.answered), (CampaignState::Complete, 3));
        assert_eq!((done.reason.as_deref(), done.skipped.len()), (Some(told), 1));
        let name = CampaignName("c".to_owned());
        let record = kit.services.journal.campaign(&name).await.unwrap().unwrap();
        assert_eq!(record.reason.as_deref(), Some(told));
        // They are asked when the file has them again.
        let done = run(&kit, &config, numbered(5)).await;
        assert_eq!((done.episodes.answered, done.reason), (5, None));
    });
}

/// What a call has to record is written at the latest when the campaign rests, and what an earlier
/// start owes is written before the next one counts.
#[test]
fn memory_and_the_store_agree_on_money_when_a_campaign_rests() {
    for failing in 2..16 {
        in_test_system(Options::default(), move |kit| async move {
            let mut config = CampaignConfig { concurrency: 1, ..completions(1) };
            config.models = vec![priced("fake/one", 1)];
            kit.journal.traps.set("append", failing, 1, Trap::Fault(FaultKind::Store));
            let handle = kit.submit_prompts(&config, numbered(1)).await;
            handle.wait_until_settled().await;
            assert_eq!(kit.journal.unsettled(), 0, "{failing}");
            let journal = kit.services.journal.spent(&config.name).await.unwrap();
            assert_eq!(kit.services.router.spent(&config.name), journal, "{failing}");
            handle.drain(true).await;
        });
    }
}

/// Whichever entry the store does not take, at the end everything is answered and settled. The start
/// that it did not take is written, too: its number is used up.
#[test]
fn a_start_that_the_store_does_not_take_is_written_before_the_campaign_goes_on() {
    for failing in 2..16 {
        in_test_system(Options::default(), move |kit| async move {
            let mut config = CampaignConfig { concurrency: 1, ..completions(1) };
            config.models = vec![priced("fake/one", 1)];
            kit.journal.traps.set("append", failing, 1, Trap::Fault(FaultKind::Store));
            let handle = kit.submit_prompts(&config, numbered(2)).await;
            handle.wait_until_settled().await;
            handle.drain(true).await;
            handle.wait_until_settled().await;
            kit.journal.traps.clear();
            let done = run(&kit, &config, numbered(2)).await;
            let found = (done.state, done.episodes.answered, kit.journal.unsettled());
            assert_eq!(found, (CampaignState::Complete, 2, 0), "{failing}");
            for record in kit.services.journal.episodes(&config.name).await.unwrap() {
                let attempts = kit.services.journal.attempts(&record.plan.id).await.unwrap();
                assert_eq!(
                    attempts.len() as u32,
                    record.attempt.0,
                    "{failing}: no number is left out"
                );
            }
        });
    }
}

/// Its start, its hold, its end with everything that it has to record, and its row.
#[test]
fn a_completion_is_written_four_times() {
    let written = |prompts: usize| {
        let (told, heard) = std::sync::mpsc::channel();
        in_test_system(Options::default(), move |kit| async move {
            let mut config = completions(1);
            config.models = vec![priced("fake/one", 1)];
            let done = run(&kit, &config, numbered(prompts)).await;
            assert_eq!(done.episodes.answered, prompts as u64);
            told.send(kit.journal.appends()).unwrap();
        });
        heard.recv().unwrap()
    };
    assert_eq!(written(12) - written(2), 40);
}

#[test]
fn a_campaign_that_is_opened_again_counts_what_the_store_has() {
    in_test_system(Options::default(), |kit| async move {
        let mut config = CampaignConfig { concurrency: 1, ..completions(1) };
        config.models = vec![priced("fake/one", 1)];
        kit.models.named("fake/one").takes(Duration::from_secs(10));
        let handle = kit.submit_prompts(&config, numbered(1)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        kit.journal.break_down(true);
        handle.wait_until_settled().await;
        handle.drain(true).await;
        handle.wait_until_settled().await;
        assert_eq!(kit.journal.unsettled(), 1, "the store took nothing");
        kit.journal.break_down(false);
        let done = run(&kit, &config, numbered(1)).await;
        assert_eq!(done.state, CampaignState::Complete);
        let journal = kit.services.journal.spent(&config.name).await.unwrap();
        assert_eq!(kit.services.router.spent(&config.name), journal);
        assert_eq!((done.cost_usd, kit.journal.unsettled()), (journal, 0));
    });
}

/// No sandbox takes part, so none is waited for.
#[test]
fn a_backend_that_is_down_is_not_waited_for() {
    in_test_system(Options::default(), |kit| async move {
        kit.backend.traps().set("create", 0, usize::MAX, Trap::Fault(FaultKind::EngineDown));
        kit.models.named("fake/one").takes(Duration::from_secs(60));
        let config = completions(1);
        let other = kit.submit(&campaign("d", 1)).await;
        let handle = kit.submit_prompts(&config, numbered(1)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(other.current_progress().waiting_for.is_some(), "the backend is down");
        assert_eq!(handle.current_progress().waiting_for, None);
        other.drain(true).await;
        handle.wait_until_settled().await;
    });
}

/// The store may fail at any entry: between the answer and its row, too. What it did not take is
/// made up for at the next start, and only an answer that was not recorded is asked for again.
#[test]
fn a_store_that_fails_at_any_entry_loses_at_most_that_answer() {
    let mut later_rows = 0;
    for failing in 2..16 {
        let (told, heard) = std::sync::mpsc::channel();
        in_test_system(Options::default(), move |kit| async move {
            let config = CampaignConfig { concurrency: 1, ..completions(1) };
            kit.journal.traps.set("append", failing, 1, Trap::Fault(FaultKind::Store));
            let handle = kit.submit_prompts(&config, numbered(3)).await;
            let first = handle.wait_until_settled().await;
            handle.drain(true).await;
            handle.wait_until_settled().await;
            kit.journal.traps.clear();
            let done = run(&kit, &config, numbered(3)).await;
            assert_eq!((done.state, done.rows.accepted), (CampaignState::Complete, 3), "{failing}");
            let name = CampaignName("c".to_owned());
            let rows = kit.services.journal.rows(&name, None, usize::MAX).await.unwrap();
            assert_eq!(rows.len(), 3, "{failing}");
            let asked = kit.models.named("fake/one").replies().len();
            assert!((3..=4).contains(&asked), "{failing}: {asked} answers");
            told.send(first.episodes.answered > first.rows.accepted && asked == 3).unwrap();
        });
        later_rows += u32::from(heard.recv().unwrap());
    }
    assert!(later_rows > 0, "no failure was between an answer and its row");
}

#[test]
fn stages_reject_label_or_ignore_and_are_always_kept_beside_the_row() {
    for action in [StageAction::Reject, StageAction::Label, StageAction::Off] {
        in_test_system(Options::default(), move |kit| async move {
            let mut config = completions(1);
            config.quality = QualityPolicy {
                format: action,
                truncation: action,
                refusal: action,
                ..QualityPolicy::default()
            };
            config.concurrency = 1;
            let lines = [Line::Cut, Line::Refuse, Line::Prose(String::new()), Line::Oracle];
            let said = std::sync::atomic::AtomicUsize::new(0);
            kit.models.named("fake/one").says(move |_| {
                lines[said.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 4].clone()
            });
            let done = run(&kit, &config, numbered(4)).await;
            let rejected = if action == StageAction::Reject { 3 } else { 0 };
            assert_eq!(done.rows.rejected, rejected, "{action:?}: {done:?}");
            let name = CampaignName("c".to_owned());
            let rows = kit.services.journal.rows(&name, None, usize::MAX).await.unwrap();
            for (row, stage) in rows.iter().zip(["truncation", "refusal", "format"]) {
                let found: Vec<&str> = row.findings.iter().map(|one| one.stage.as_str()).collect();
                assert_eq!(found, [stage], "{action:?}");
                let labelled = row.row.labels().iter().any(|label| label == stage);
                assert_eq!(labelled, action == StageAction::Label, "{stage} {action:?}");
                for label in row.row.labels() {
                    assert!(COMPLETION_LABELS.iter().any(|(known, _)| known == label), "{label}");
                }
            }
            assert!(rows[3].findings.is_empty() && rows[3].rejected.is_none());
            assert_eq!(rows[3].row.labels(), ["finish:stop"]);
        });
    }
}

#[test]
fn a_budget_stops_before_the_cap() {
    in_test_system(Options::default(), |kit| async move {
        let mut config = completions(1);
        config.models = vec![priced("fake/one", 1)];
        // The worst case of one call is some 4,200 tokens, and each answer uses 110.
        config.budget = Some(Money::from_nanos(5_000));
        kit.models.named("fake/one").takes(Duration::from_millis(50));
        let done = run(&kit, &config, numbered(40)).await;
        assert_eq!(done.state, CampaignState::Stopped, "{done:?}");
        assert!(done.cost_usd <= Money::from_nanos(5_000), "{done:?}");
        assert!(done.episodes.answered > 0, "{done:?}");
    });
}
