//! `synthd episode list` and `show`.

use super::campaign::{MODELS, shared};
use super::harness::{assert_fits, on_terminal, snapshot, synthd_in};
use serde_json::Value;

#[test]
fn the_list_has_every_episode() {
    let ran = shared().synthd(&["episode", "list"]).succeeds();
    snapshot("episode_list", &ran.told(), None);
}

/// Ids are whole in a pipe; a terminal gets what fits, down to forty columns.
#[test]
fn the_list_takes_the_width_there_is() {
    let whole: Vec<String> =
        shared().episodes().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect();
    let args = ["episode", "list", "--data-dir", "data"];
    let piped = synthd_in(&shared().dir, &args).succeeds().stdout;
    let wide = on_terminal(&shared().dir, &args, 200);
    assert!(whole.iter().all(|id| piped.contains(id) && wide.contains(id)), "{piped}{wide}");
    for columns in [40, 60, 80] {
        let shown = on_terminal(&shared().dir, &args, columns);
        let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{columns} columns: {shown}");
        for part in ["outcome", "unresolved", "scripted/o", &whole[0][..11]] {
            assert!(shown.contains(part), "{columns} columns lack {part}: {shown}");
        }
    }
}

#[test]
fn the_list_is_filtered() {
    let list = |args: &[&str]| {
        let ran = shared().synthd(&[&["episode", "list", "--json"], args].concat());
        ran.succeeds().document()
    };
    let all = list(&[]);
    assert_eq!(all["total"], 2 * MODELS.len());
    let resolved = list(&["--outcome", "resolved"]);
    assert_eq!(resolved["total"], resolved["counts"]["resolved"]);
    assert!(episodes(&resolved).iter().all(|e| e["score"] == 1.0));
    let one = list(&["--model", "scripted/oracle", "--template", "tests/s*"]);
    assert_eq!(one["total"], 1);
    assert_eq!(episodes(&one)[0]["template"], "tests/sum");
    // By the name that rows have for it.
    assert_eq!(list(&["--model", "oracle"])["total"], 2);
    let some = list(&["--campaign", "small", "--limit", "3"]);
    assert_eq!((episodes(&some).len(), &some["total"]), (3, &all["total"]));
    assert_eq!(list(&["--outcome", "pending"])["total"], 0);
}

fn episodes(document: &Value) -> &Vec<Value> {
    document["episodes"].as_array().unwrap()
}

#[test]
fn an_unknown_campaign_or_outcome_is_told() {
    let ran = shared().synthd(&["episode", "list", "--campaign", "smal"]);
    snapshot("episode_list_unknown_campaign", &ran.fails(2, "SYN-0105").told(), None);
    let ran = shared().synthd(&["episode", "list", "--outcome", "solved"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
}

#[test]
fn an_episode_is_readable() {
    for (model, template) in
        [("oracle", "tests/greeting"), ("malformed", "tests/sum"), ("refuse", "tests/sum")]
    {
        let id = shared().id_of(model, template);
        let own = super::campaign::templates();
        let args = ["episode", "show", &id, "--templates", own.to_str().unwrap()];
        let ran = shared().synthd(&args).succeeds();
        assert_eq!(ran.stderr, "");
        assert_fits(ran.stdout.split("\n\n").next().unwrap());
        assert!(!ran.stdout.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{ran:?}");
        snapshot(&format!("episode_show_{model}"), &ran.told(), None);
    }
}

#[test]
fn what_was_printed_never_steers_the_terminal() {
    let id = shared().id_of("oracle", "tests/greeting");
    let ran = shared().synthd(&["episode", "show", &id]).succeeds();
    assert!(ran.stdout.contains("␛[31mmenu␛[0m␇"), "{}", ran.stdout);
}

#[test]
fn long_output_is_cut_unless_all_is_asked_for() {
    let id = shared().id_of("oracle", "tests/sum");
    let short = shared().synthd(&["episode", "show", &id]).succeeds().stdout;
    let full = shared().synthd(&["episode", "show", &id, "--full"]).succeeds().stdout;
    assert!(short.contains("lines left out ...]"), "{short}");
    assert!(!full.contains("left out"), "{full}");
    assert!(full.lines().count() > short.lines().count());
}

#[test]
fn a_prefix_is_enough_where_it_is_unique() {
    let id = shared().id_of("oracle", "tests/sum");
    let show = |prefix: &str| shared().synthd(&["episode", "show", prefix]);
    let whole = show(&id).succeeds().stdout;
    assert_eq!(show(&id[..14]).succeeds().stdout, whole);
    assert_eq!(show(&id[3..14]).succeeds().stdout, whole);
    let ran = show("ep-").fails(2, "SYN-0601");
    assert!(ran.stderr.contains("the ids of 12 episodes begin with \"ep-\""), "{ran:?}");
    snapshot("episode_unknown", &show("ep-nosuch").fails(2, "SYN-0601").told(), None);
    let ran = shared().synthd(&["episode", "show", &id, "--attempt", "9"]);
    snapshot("episode_no_attempt", &ran.fails(2, "SYN-0601").told(), None);
}

#[test]
fn the_document_has_the_exact_messages() {
    let id = shared().id_of("oracle", "tests/greeting");
    let own = super::campaign::templates();
    let args = ["episode", "show", &id, "--json", "--templates", own.to_str().unwrap()];
    let document = shared().synthd(&args).succeeds().document();
    let opening = document["opening"].as_array().unwrap();
    assert_eq!(opening[0]["role"], "system");
    let instruction = document["row"]["task_instruction"].as_str().unwrap();
    assert!(opening[1]["content"].as_str().unwrap().contains(instruction));
    assert_eq!(document["tools"][0]["name"], "bash");
    let turns = document["turns"].as_array().unwrap();
    assert_eq!(turns.len(), document["row"]["trajectory"].as_array().unwrap().len());
    for turn in turns {
        let messages = turn["messages"].as_array().unwrap();
        assert_eq!(messages[0], turn["reply"]["message"], "the reply's own message first");
        let call = &messages[0]["tool_calls"][0]["id"];
        assert_eq!(&messages[1]["tool_call_id"], call, "every call is answered");
        assert_eq!(messages[1]["content"], turn["step"]["actions"][0]["observation"]);
    }
    assert_eq!(document["episode"]["outcome"]["result"], "judged");
    assert_eq!(document["attempts"].as_array().unwrap().len(), 1);
}

/// Without the templates, what the store itself has is shown, and what is missing is said.
#[test]
fn an_episode_without_its_template_can_still_be_read() {
    let id = shared().id_of("oracle", "tests/greeting");
    let ran = shared().synthd(&["episode", "show", &id, "--json"]).succeeds();
    assert_eq!(ran.stderr, "", "what was sent is on record");
    let document = ran.document();
    assert!(document["row"].is_object());
    assert_eq!(document["opening"][0]["role"], "system");
    assert!(document["opening"][1]["content"].as_str().unwrap().contains("The code is"));
    assert_eq!(document["tools"][0]["name"], "bash");
    let text = shared().synthd(&["episode", "show", &id]).succeeds().stdout;
    assert!(text.contains("The code is"), "the instruction comes from the row: {text}");
}

/// The flaky model says what the oracle says, so its rows are duplicates of the oracle's.
#[test]
fn a_rejected_row_is_none_of_the_dataset() {
    let id = shared().id_of("flaky", "tests/sum");
    let document = shared().synthd(&["episode", "show", &id, "--json"]).succeeds().document();
    assert!(document["row"].is_null() && document["split"].is_null(), "{document:#}");
    assert_eq!(document["rejected"]["stage"], "duplicates");
    assert_eq!(document["rejected"]["row"]["trajectory_id"], *id);
}

#[test]
fn rows_are_those_of_the_dataset_and_no_others() {
    let stats = shared().synthd_dataset(&["stats", "--json"]);
    let mut rows = 0;
    for episode in shared().episodes() {
        let id = episode["id"].as_str().unwrap();
        let document = shared().synthd(&["episode", "show", id, "--json"]).succeeds().document();
        assert_ne!(document["row"].is_null(), document["rejected"].is_null(), "{id}");
        rows += u64::from(document["row"].is_object());
    }
    assert_eq!(stats["totals"]["rows"], rows);
    assert_eq!(shared().ran.document()["rows"]["accepted"], rows);
}
