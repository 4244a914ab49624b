//! Campaigns of completions: their keys, their prompts, and what belongs to another kind.

use super::*;
use crate::templates::TemplateLibrary;
use std::fs;
use synthd_actors::model::{ChatRole, WorkName};

const LEAST: &str = "[campaign]\nname = \"c\"\nkind = \"completions\"\n[completions]\nprompts = [\"p.jsonl\"]\n[[models]]\nname = \"scripted/echo\"\n";

/// The campaign in a directory with these files.
fn load(text: &str, files: &[(&str, &[u8])]) -> Result<LoadedCampaign, ConfigErrors> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let path = dir.path().join("campaign.toml");
    fs::write(&path, text).unwrap();
    let loaded = load_campaign_with(&TemplateLibrary::default(), &path);
    loaded.map(|(loaded, _)| loaded)
}

/// What is told of a campaign that is refused.
fn refusal(text: &str, files: &[(&str, &[u8])]) -> String {
    brief(&load(text, files).expect_err(text)).join("\n")
}

#[test]
fn prompts_of_several_files_keep_their_order_and_are_known_by_their_text() {
    let text =
        LEAST.replace("[\"p.jsonl\"]", "[\"p.jsonl\", \"./q.txt\"]\nsystem = \"s\"\nlimit = 9");
    let jsonl = b"{\"prompt\": \"a\", \"id\": 1}\n\n{\"prompt\": \"b\"}";
    let files: &[(&str, &[u8])] = &[("p.jsonl", jsonl), ("q.txt", b"b\r\nc\n")];
    let loaded = load(&text, files).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.config.kind, WorkName::Completions);
    assert_eq!((loaded.config.completions.limit, loaded.config.concurrency), (Some(9), 64));
    let told: Vec<(&str, u32, &str)> = loaded
        .prompts
        .iter()
        .map(|one| (one.source.as_str(), one.index, one.messages[1].content.as_str()))
        .collect();
    assert_eq!(told, [("p.jsonl", 0, "a"), ("p.jsonl", 2, "b"), ("q.txt", 1, "c")]);
    assert_eq!(loaded.prompts.repeated(), 1);
    assert!(loaded.prompts.iter().all(|one| one.messages[0].role == ChatRole::System));
    // What is kept, or sent to a daemon, has whole paths.
    assert!(!loaded.source.contains("\"p.jsonl\""), "{}", loaded.source);
    assert!(loaded.source.contains("/p.jsonl\""), "{}", loaded.source);
}

#[test]
fn where_files_lie_and_how_many_prompts_are_asked_makes_no_other_campaign() {
    let files: &[(&str, &[u8])] = &[("p.jsonl", b"{\"prompt\": \"a\"}")];
    let identity = |text: &str| load(text, files).unwrap().config.identity();
    let first = identity(LEAST);
    assert_eq!(
        identity(
            &LEAST.replace("[[models]]", "limit = 1\nsamples = 4\ntimeout = \"5s\"\n[[models]]")
        ),
        first
    );
    assert_ne!(identity(&LEAST.replace("[[models]]", "system = \"other\"\n[[models]]")), first);
    assert_ne!(identity(&format!("{LEAST}[quality]\nrefusal = \"reject\"\n")), first);
}

#[test]
fn a_line_that_is_no_prompt_is_told_with_its_file_and_number() {
    let many: Vec<u8> = b"{}\n".repeat(9);
    let told = refusal(LEAST, &[("p.jsonl", &many)]);
    assert!(told.contains("p.jsonl:1: the line has neither `prompt` nor `messages`"), "{told}");
    assert!(told.contains("p.jsonl: and 4 more lines"), "{told}");
    for (content, why) in [
        (&b"\xff\xfe\n"[..], "p.jsonl:1: the line is not UTF-8"),
        (b"\n \n", "no prompt in these files"),
        (b"{\"prompt\": \"a\"}\n{\"prompt\"", "p.jsonl:2: the line is no JSON"),
    ] {
        let told = refusal(LEAST, &[("p.jsonl", content)]);
        assert!(told.contains(why), "{told}");
    }
    let told = refusal(LEAST, &[]);
    assert!(told.contains("p.jsonl: No such file"), "{told}");
    let twice = LEAST.replace("[\"p.jsonl\"]", "[\"p.jsonl\", \"other/p.jsonl\"]");
    let told = refusal(&twice, &[("p.jsonl", b"{\"prompt\": \"a\"}")]);
    assert!(told.contains("another file has this name"), "{told}");
    // A pipe would be waited for, and a device never ends.
    let told = refusal(&LEAST.replace("p.jsonl", "/dev/zero"), &[]);
    assert!(told.contains("/dev/zero: is no regular file"), "{told}");
    let marked = "\u{feff}{\"prompt\": \"a\"}\n".as_bytes();
    let loaded = load(LEAST, &[("p.jsonl", marked)]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.prompts.len(), 1);
    let told = refusal(&LEAST.replace("\"p.jsonl\"", "\"~/p\", \"\""), &[]);
    assert!(told.contains("`~` is not expanded"), "{told}");
}

#[test]
fn what_belongs_to_another_kind_is_refused_with_its_place() {
    let files: &[(&str, &[u8])] = &[("p.jsonl", b"{\"prompt\": \"a\"}")];
    let extra = "[tasks]\ntemplates = [\"**\"]\n[sandbox]\nmemory = \"64MiB\"\n[episode]\nmax_turns = 3\n\
                 [scaffolds]\nnames = [\"minimal\"]\n[quality]\nleak = \"off\"\n[routing]\nassign = \"difficulty\"\n";
    let told = refusal(&format!("{LEAST}{extra}"), files);
    for what in ["`[tasks]`", "`[sandbox]`", "`[episode]`", "`[scaffolds]`", "`leak`"] {
        assert!(told.contains(&format!("{what} has no meaning for completions")), "{what}: {told}");
    }
    assert!(told.contains("prompts have no difficulty"), "{told}");
    let told = only_mistake("[quality]\nrefusal = \"reject\"\n");
    assert!(told.contains("completions only"), "{told}");
    let told = only_mistake("[completions]\nprompts = [\"/p\"]\n");
    assert!(told.contains("needs `kind = \"completions\"`"), "{told}");
    // A wrong word is told once, and what would belong to it is not.
    let told = brief(&errors(
        &LEAST
            .replace("kind = \"completions\"", "kind = \"completion\"")
            .replace("\"p.jsonl\"", "\"/p.jsonl\""),
    ));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("did you mean `completions`?"), "{told:?}");
}
