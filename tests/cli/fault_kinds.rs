//! The table of faults says what a kind means (`actors/model/fault.rs`). So no other code may ask
//! which kind a fault has, except where one kind becomes another or a message is made.

use super::names::texts;
use std::path::Path;

/// The files that ask for a kind, and why.
const MAY_ASK: [(&str, &str); 15] = [
    ("actors/judge/judged_service.rs", "tries once more what was not started"),
    ("actors/router/ticket.rs", "tells which key was refused"),
    (
        "actors/work/trajectory/container_proofs.rs",
        "tells a task that cannot be tried from an engine that is gone",
    ),
    ("src/curation/judging/ask_rows.rs", "ends the questions of a budget that is used"),
    (
        "src/curation/judging/judge_calls.rs",
        "tells a question that is not taken from a provider that fails",
    ),
    ("src/cli/image/mod.rs", "makes an error of a command of images"),
    ("src/cli/template_draft/mod.rs", "ends a draft whose budget is used"),
    ("src/cli/template_harbor.rs", "makes a finding of an image that cannot be built"),
    ("src/llm/replay.rs", "looks for a record under an older form of the request"),
    ("src/llm/transport/provider.rs", "tells which key was refused"),
    ("src/sandbox/docker/engine.rs", "tells what a container engine has refused"),
    ("src/sandbox/docker/images/pull.rs", "tries a pull again, and makes its fault another kind"),
    ("src/sandbox/guest/client.rs", "makes the fault of a copy one of a start"),
    ("src/sandbox/guest/sandbox.rs", "adds why a sandbox ended"),
    ("actors/model/fault.rs", "is the table"),
];

/// Whether a line of code compares a kind, or has it as a pattern.
fn asks(line: &str) -> bool {
    line.match_indices("FaultKind::").any(|(at, _)| {
        // `StoreFaultKind` is another type.
        if line[..at].ends_with(char::is_alphanumeric) {
            return false;
        }
        let (before, after) = (line[..at].trim_end(), &line[at + "FaultKind::".len()..]);
        let after = after.trim_start_matches(|c: char| c.is_alphanumeric());
        let after = after.trim_start_matches(')').trim_start();
        let compared =
            ["==", "!=", "== Some(", "!= Some("].iter().any(|sign| before.ends_with(sign));
        let is_pattern = ["=>", "|", "if "].iter().any(|sign| after.starts_with(sign));
        compared || is_pattern || before.contains("matches!(")
    })
}

/// The code of a file without its tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    whole.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn the_table_alone_says_what_a_kind_of_fault_means() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = texts();
    let asking = files.iter().filter(|(_, text)| code(text).any(asks));
    let asking: Vec<String> = asking
        .map(|(file, _)| file.strip_prefix(root).unwrap().display().to_string())
        .filter(|file| !file.contains("tests"))
        .collect();
    for file in &asking {
        let known = MAY_ASK.iter().any(|(known, _)| known == file);
        assert!(known, "{file} asks for a kind of fault: ask `FaultKind::policy` instead");
    }
    let gone = MAY_ASK.iter().find(|(file, _)| !asking.iter().any(|one| one == file));
    assert_eq!(gone.filter(|(file, _)| *file != "actors/model/fault.rs"), None, "no longer asks");
}

#[test]
fn questions_are_told_from_answers() {
    for line in [
        "if fault.kind == FaultKind::Store {",
        "Some(FaultKind::Store) => 1,",
        "FaultKind::Store | FaultKind::StoreFull => 1,",
        "FaultKind::Store if x => 1,",
        "matches!(kind, FaultKind::Store | FaultKind::Budget)",
        "kind != Some(FaultKind::Store)",
    ] {
        assert!(asks(line), "{line}");
    }
    for line in ["Err(_) => FaultKind::Store,", "Fault::new(FaultKind::Store, what)"] {
        assert!(!asks(line), "{line}");
    }
}
