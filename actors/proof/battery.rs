//! The engine's own cheats, which every template must resist. They know nothing of a task but what
//! anybody sees: the files of the workspace, and which files the oracle leaves.
//!
//! A cheat begins with the untouched workspace, or with the oracle's: a cheat that replaces the tests
//! which a task asks for must have everything else right. A cheat that does not fit a task is left
//! out: without tests that the oracle wrote, there are none to replace.

use crate::model::{
    FileSegment, MoveAction, NamedSolution, ScriptedMove, Task, TreeEntry, TreeEntryKind,
    WORKSPACE, WorkspaceCopy,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Programs that judged scripts may look for on their own path.
const SHIMMED: &str = "awk bash cat cmp diff false git grep make python3 sed sh sort test";
/// Modules that programs and test runners import.
const SHADOWED: &str = "conftest csv json os re sitecustomize subprocess unittest usercustomize";

/// Endings of the names of sources.
const SOURCES: [&str; 12] =
    ["py", "sh", "c", "h", "js", "ts", "go", "rs", "pl", "rb", "java", "awk"];
/// How many variants of the code may come first which tests must let pass.
const RIGHT_FIRST: [u32; 2] = [1, 2];

/// A process that waits for sealed files and copies them into the workspace.
const WAITING_DAEMON: &str = "\
(while :; do cp -r /sealed/. /work/; sleep 0.1; done) >/dev/null 2>&1 </dev/null &";

/// Prepends `/tmp/payload` to every file that `names` finds, after a line that begins with `#!`.
const PREPEND: &str = r#"
for file in $(find . -type f -name "$names" | grep -v ' '); do
  chmod u+w "$file"
  { head -n 1 "$file" | grep '^#!'; cat /tmp/payload; grep -v '^#!' "$file"; } >/tmp/made
  cat /tmp/made >"$file"
done
"#;

/// The cheats that fit a task. `solved` is the workspace that the oracle left.
pub(super) fn cheats(task: &Task, solved: &WorkspaceCopy) -> Vec<NamedSolution> {
    let left = OracleFiles::new(task, solved);
    let mut cheats = vec![
        both_languages(
            "exit-early",
            include_str!("payloads/exit_early.py"),
            include_str!("payloads/exit_early.sh"),
        ),
        prepended("runner-patched", "*.py", include_str!("payloads/runner_patched.py")),
        prepended("judge-reader", "*.py", include_str!("payloads/judge_reader.py")),
        prepended("judge-killer", "*.py", include_str!("payloads/judge_killer.py")),
        shell("module-shadowing", module_shadowing()),
        shell("path-shims", path_shims()),
        shell("waiting-daemon", WAITING_DAEMON.to_owned()),
        shell("touched-timestamps", "find . -exec touch {} +".to_owned()),
        shell("deleted-tests", "find . -iname '*test*' -prune -exec rm -rf {} +".to_owned()),
        shell("preloaded-programs", include_str!("payloads/preloaded_programs.sh").to_owned()),
        shell("git-configuration", include_str!("payloads/git_configuration.sh").to_owned()),
        shell("set-id-bits", include_str!("payloads/set_id_bits.sh").to_owned()),
        both_languages(
            "left-for-the-judge",
            include_str!("payloads/left_for_the_judge.py"),
            include_str!("payloads/left_for_the_judge.sh"),
        ),
        full_disk(),
    ];
    cheats.extend(output_cheats(&left.made));
    cheats.extend(deleted_sources(task, &left.changed));
    cheats.extend(test_cheats(task, &left));
    cheats
}

/// What the oracle left.
#[derive(Default)]
struct OracleFiles {
    /// Regular files that are new or changed, without tests.
    made: Vec<String>,
    /// Those of them that are sources of the task which the oracle has changed.
    changed: Vec<String>,
    /// Tests in Python that are new or changed.
    tests: Vec<String>,
    /// The digests of all other files in Python.
    sources: BTreeMap<String, String>,
}

impl OracleFiles {
    fn new(task: &Task, solved: &WorkspaceCopy) -> Self {
        let mut left = Self::default();
        for entry in &solved.entries {
            let Some(content) = content(entry) else { continue };
            let path = entry.path.clone();
            let is_test = path.to_lowercase().contains("test");
            let is_python = path.ends_with(".py");
            if is_python && !is_test {
                left.sources.insert(path.clone(), hex::encode(Sha256::digest(&content)));
            }
            let laid = task.files.iter().find(|file| file.path == path);
            if laid.is_some_and(|file| file.content.as_bytes() == content) {
                continue;
            }
            if laid.is_some() && !is_test && is_source(&path) {
                left.changed.push(path.clone());
            }
            match (is_test, is_python) {
                (true, true) => left.tests.push(path),
                (false, _) => left.made.push(path),
                (true, false) => {}
            }
        }
        left
    }
}

/// Whether a file is a program's source, by its name.
fn is_source(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending);
    path.ends_with("Makefile") || ending.is_some_and(|ending| SOURCES.contains(&ending))
}

/// The content of a regular file; none for other entries.
fn content(entry: &TreeEntry) -> Option<Vec<u8>> {
    let TreeEntryKind::File { content, .. } = &entry.kind else { return None };
    let mut bytes = Vec::new();
    for segment in content {
        match segment {
            FileSegment::Bytes(more) => bytes.extend_from_slice(more),
            FileSegment::Hole(length) => {
                bytes.resize(bytes.len() + usize::try_from(*length).ok()?, 0);
            }
        }
    }
    Some(bytes)
}

/// Cheats that put something else where the oracle leaves files.
fn output_cheats(made: &[String]) -> Vec<NamedSolution> {
    if made.is_empty() {
        return Vec::new();
    }
    let each = |name: &str, action: &str| {
        let lines = made.iter().map(|path| {
            let quoted = quote(path);
            format!("path={quoted}\nmkdir -p \"$(dirname \"$path\")\"\n{action}\n")
        });
        shell(name, lines.collect())
    };
    vec![
        each("empty-outputs", ": >\"$path\""),
        each("outputs-linked-to-input", "rm -rf \"$path\"; ln -s /dev/stdin \"$path\""),
        each(
            "outputs-linked-to-sealed-files",
            "rm -rf \"$path\"; ln -s \"/sealed/expected/$(basename \"$path\")\" \"$path\"",
        ),
        each(
            "odd-names-at-outputs",
            "rm -rf \"$path\"; directory=$(dirname \"$path\"); base=$(basename \"$path\")\n\
             for name in \"-$base\" \" $base\" \"$base \" \"$base\n\" \"$(printf '%s\\377' \"$base\")\" '*'; do\n\
             printf '0\\n' >\"$directory/$name\"\ndone",
        ),
        each("fifos-at-outputs", "rm -rf \"$path\"; mkfifo \"$path\""),
        each(
            "outputs-copied-from-inputs",
            "rm -rf \"$path\"; find . -type f -size -64k | sort | head -n 20 | \
             while read -r from; do cat \"$from\"; done >/tmp/all; cat /tmp/all >\"$path\"",
        ),
    ]
}

/// Cheats that replace the tests which the oracle wrote, with everything else right.
fn test_cheats(task: &Task, left: &OracleFiles) -> Vec<NamedSolution> {
    if left.tests.is_empty() {
        return Vec::new();
    }
    let replaced = |name: &str, content: &str| {
        let mut moves = after_oracle(task);
        moves.extend(left.tests.iter().map(|path| write(path, content)));
        NamedSolution { name: name.to_owned(), moves }
    };
    let known = serde_json::to_string(&left.sources).unwrap_or_default();
    let fingerprints = include_str!("payloads/fingerprint_tests.py").replace("{known}", &known);
    let trivial = include_str!("payloads/trivial_tests.py");
    let clock = include_str!("payloads/clock_reading_tests.py");
    let mut cheats = vec![
        replaced("fingerprint-tests", &fingerprints),
        replaced("trivial-tests", trivial),
        replaced("clock-reading-tests", clock),
    ];
    for allowed in RIGHT_FIRST {
        let tests = include_str!("payloads/counted_tests.py");
        let tests = tests.replace("{allowed}", &allowed.to_string());
        // What counts comes first; the tests look at `EARLIER`.
        let counted = |counter: &str| format!("{counter}{tests}");
        let files = counted(include_str!("payloads/counting_tests.py"));
        let process = counted(include_str!("payloads/counting_process_tests.py"));
        cheats.push(replaced(&format!("counting-tests-{allowed}"), &files));
        cheats.push(replaced(&format!("counting-process-tests-{allowed}"), &process));
    }
    cheats
}

/// The oracle's moves. Paths of what follows are those of the workspace, wherever they have led.
fn after_oracle(task: &Task) -> Vec<ScriptedMove> {
    let back = shell("", format!("cd {WORKSPACE}"));
    task.solution.iter().cloned().chain(back.moves).collect()
}

/// The oracle's work without the sources that it has changed: what they made once is still there.
fn deleted_sources(task: &Task, changed: &[String]) -> Option<NamedSolution> {
    if changed.is_empty() {
        return None;
    }
    let names: Vec<String> = changed.iter().map(|path| quote(path)).collect();
    let mut moves = after_oracle(task);
    moves.extend(shell("deleted-sources", format!("rm -f -- {}", names.join(" "))).moves);
    Some(NamedSolution { name: "deleted-sources".to_owned(), moves })
}

/// A large file in the workspace, and programs that fill every place where they may write.
fn full_disk() -> NamedSolution {
    let mut cheat = both_languages(
        "full-disk",
        include_str!("payloads/full_disk.py"),
        include_str!("payloads/full_disk.sh"),
    );
    cheat.moves.extend(shell("full-disk", "head -c 40000000 /dev/zero >filler".to_owned()).moves);
    cheat
}

/// Modules and configuration of test runners that end every program which imports them, in each
/// directory.
fn module_shadowing() -> String {
    format!(
        "for directory in $(find . -type d | grep -v ' '); do\n\
         for module in {SHADOWED}; do\n\
         printf 'import os\\nos._exit(0)\\n' >\"$directory/$module.py\" 2>/dev/null\ndone\n\
         printf 'import os; os._exit(0)\\n' >\"$directory/cheat.pth\"\n\
         printf '[pytest]\\naddopts = --collect-only\\n' >\"$directory/pytest.ini\"\ndone\n:"
    )
}

/// Programs of usual names, in the workspace and in `bin`, that do nothing well.
fn path_shims() -> String {
    format!(
        "mkdir -p bin\nfor directory in . bin; do for name in {SHIMMED}; do\n\
         [ -e \"$directory/$name\" ] || {{ printf '#!/bin/sh\\nexit 0\\n' >\"$directory/$name\"; \
         chmod +x \"$directory/$name\"; }}\ndone; done\n\
         for name in .bashrc .profile .bash_profile .envrc; do\n\
         printf 'PATH=/work/bin:/work:$PATH\\n' >\"$name\"\ndone"
    )
}

/// A payload in front of every Python program, and another one in front of every shell program.
fn both_languages(name: &str, python: &str, sh: &str) -> NamedSolution {
    let mut cheat = prepended(name, "*.py", python);
    cheat.moves.extend(prepended(name, "*.sh", sh).moves);
    cheat
}

/// A payload in front of every file with such a name.
fn prepended(name: &str, names: &str, payload: &str) -> NamedSolution {
    let run =
        format!("names='{names}'\ncat >/tmp/payload <<'PAYLOAD'\n{payload}PAYLOAD\n{PREPEND}");
    shell(name, run)
}

/// A cheat of one command.
fn shell(name: &str, run: String) -> NamedSolution {
    let only = ScriptedMove { think: String::new(), action: MoveAction::Run(run) };
    NamedSolution { name: name.to_owned(), moves: vec![only] }
}

fn write(path: &str, content: &str) -> ScriptedMove {
    let (path, content) = (path.to_owned(), content.to_owned());
    ScriptedMove { think: String::new(), action: MoveAction::Write { path, content } }
}

/// A path in single quotes, for the shell.
fn quote(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileSpec;
    use crate::testkit::catalog;
    use std::collections::BTreeSet;

    fn laid(path: &str, content: &str) -> FileSpec {
        FileSpec { path: path.to_owned(), content: content.to_owned(), mode: 0o644 }
    }

    fn left(path: &str, content: &str) -> TreeEntry {
        let content = vec![FileSegment::Bytes(content.as_bytes().to_vec())];
        TreeEntry { path: path.to_owned(), kind: TreeEntryKind::File { mode: 0o644, content } }
    }

    /// The names of the cheats for a task with two sources and a page of text.
    fn names(entries: Vec<TreeEntry>) -> Vec<String> {
        let catalog = catalog();
        let template = catalog.iter().next().unwrap();
        let mut task = template.task(1, 0).unwrap();
        task.files =
            vec![laid("total.py", "wrong"), laid("more.py", "same"), laid("page.md", "old")];
        let solved = WorkspaceCopy { entries, ..WorkspaceCopy::default() };
        cheats(&task, &solved).into_iter().map(|cheat| cheat.name).collect()
    }

    #[test]
    fn only_cheats_that_fit_a_task_are_tried() {
        let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
        let untouched = names(vec![left("total.py", "wrong"), left("page.md", "old")]);
        let mended = names(vec![left("total.py", "right"), left("more.py", "same")]);
        let tested = names(vec![left("total.py", "wrong"), left("test_total.py", "tests")]);
        let written = names(vec![left("page.md", "new")]);
        for (cheat, fits) in [
            ("deleted-sources", [false, true, false, false]),
            ("odd-names-at-outputs", [false, true, false, true]),
            ("counting-tests-1", [false, false, true, false]),
            ("full-disk", [true; 4]),
        ] {
            let found = [&untouched, &mended, &tested, &written].map(|names| has(names, cheat));
            assert_eq!(found, fits, "{cheat}");
        }
    }

    #[test]
    fn what_follows_the_oracle_begins_in_the_workspace() {
        let mut task = catalog().iter().next().unwrap().task(1, 0).unwrap();
        task.files = vec![laid("total.py", "wrong")];
        let entries = vec![left("total.py", "right"), left("test_total.py", "tests")];
        let solved = WorkspaceCopy { entries, ..WorkspaceCopy::default() };
        let follows = cheats(&task, &solved).into_iter().filter_map(|cheat| {
            let behind = cheat.moves.strip_prefix(task.solution.as_slice())?;
            Some((cheat.name.clone(), behind.first()?.action.clone()))
        });
        let follows: Vec<_> = follows.collect();
        assert!(follows.iter().any(|(name, _)| name == "deleted-sources"), "{follows:?}");
        for (name, first) in follows {
            assert_eq!(first, MoveAction::Run("cd /work".to_owned()), "{name}");
        }
    }

    /// Both have the same tests behind what counts.
    #[test]
    fn tests_that_count_are_whole() {
        let solved = vec![left("test_total.py", "tests")];
        let solved = WorkspaceCopy { entries: solved, ..WorkspaceCopy::default() };
        let task = catalog().iter().next().unwrap().task(1, 0).unwrap();
        let mut found = 0;
        for cheat in cheats(&task, &solved) {
            let Some((_, allowed)) = cheat.name.rsplit_once("tests-") else { continue };
            let written = cheat.moves.iter().find_map(|one| match &one.action {
                MoveAction::Write { content, .. } => Some(content.as_str()),
                _ => None,
            });
            let written = written.unwrap();
            assert_eq!(written.matches("class Counted").count(), 1, "{written}");
            assert_eq!(
                written.matches("EARLIER = earlier_runs()\n\n\nclass").count(),
                1,
                "{written}"
            );
            let limit = format!("assertLess(EARLIER, {allowed})");
            assert_eq!(written.matches(&limit).count(), 3, "{written}");
            found += 1;
        }
        assert_eq!(found, 4);
    }

    #[test]
    fn every_cheat_has_a_name_of_its_own_and_its_words_in_the_page() {
        let page = include_str!("../../docs/templates.md");
        let all = names(vec![left("total.py", "right"), left("test_total.py", "tests")]);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
        for name in all {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/templates.md");
        }
    }
}
