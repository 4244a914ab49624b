//! Tasks with a history from packs whose tests are cases.

use super::git_packs::{at_tip, checks, commits, facts, sealed};
use crate::model::{MoveAction, NamedSolution, Task};
use crate::pack::case_tests::parts as small_parts;
use crate::pack::{
    CASE_RUNNER, PACK_SCHEMA, PackFile, PackHandle, PackHead, PackLanguage, PackParts, PackRunner,
    PackShelf, ProjectPack, SlowParts, project_digest, result_file,
};
use crate::task::{Template, TemplateError, TemplateFolder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const LIBRARY: &str = "\
# Counts.

# The next number.
next_of() {
    result=$(($1 + 1))
}

# The number before a number.
previous_of() {
    result=$(($1 - 1))
}

# Twice a number.
twice_of() {
    next_of 0
    result=$(($1 * 2))
}

# Half of a number.
half_of() {
    result=$(($1 / 2))
}

main() {
    case $1 in
    next) next_of \"$2\" ;;
    previous) previous_of \"$2\" ;;
    twice) twice_of \"$2\" ;;
    half) half_of \"$2\" ;;
    *) result=none ;;
    esac
    echo \"the result is $result\"
}
";

/// Names of cases with the word, the number, and the result.
const CASES: [(&str, &str, u32, &str); 10] = [
    ("next-3", "next", 3, "4"),
    ("next-6", "next", 6, "7"),
    ("previous-9", "previous", 9, "8"),
    ("previous-5", "previous", 5, "4"),
    ("twice-4", "twice", 4, "8"),
    ("twice-7", "twice", 7, "14"),
    ("half-6", "half", 6, "3"),
    ("half-9", "half", 9, "4"),
    ("other-1", "other", 1, "none"),
    ("other-2", "other", 2, "none"),
];

/// A shelf with one pack.
struct HistoryShelf(Arc<ProjectPack>);

impl PackShelf for HistoryShelf {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        (name == self.0.head.name).then(|| Ok(PackHandle::ready(self.0.clone())))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.head.name.clone()]
    }
}

fn files() -> Vec<PackFile> {
    let file = |path: &str, content: &str| PackFile {
        path: path.to_owned(),
        content: content.to_owned(),
        executable: false,
    };
    let mut files = vec![
        file("README.md", "It counts.\n"),
        file("lib.sh", LIBRARY),
        // The engine has its own script in its place.
        file("tests/run", "exit 1\n"),
        file("tool.sh", ". \"$(dirname \"$0\")/lib.sh\"\nmain \"$@\"\n"),
    ];
    for (name, word, number, result) in CASES {
        files.push(file(&format!("tests/cases/{name}/cmd"), &format!("{word}\n{number}\n")));
        files.push(file(&result_file(name), &format!("the result is {result}\n")));
    }
    files
}

/// A pack with two faults in one file, two functions that may be missing, and two cases that nothing breaks.
fn parts() -> PackParts {
    let files = files();
    let map = CASES.map(|(name, _, _, result)| {
        let bytes = format!("the result is {result}\n").len();
        json!({ "test": name, "file": result_file(name), "class": "", "at": [0, bytes], "lines": {} })
    });
    let changes = [
        ("fault", "f1", "$1 + 1", "$1 + 2", "next_of", [0, 1]),
        ("fault", "f2", "$1 - 1", "$1 - 2", "previous_of", [2, 3]),
        ("stub", "s1", "next_of 0\n    result=$(($1 * 2))", "return 70", "twice_of", [4, 5]),
        ("stub", "s2", "result=$(($1 / 2))", "return 70", "half_of", [6, 7]),
    ];
    let index = changes.map(|(kind, id, old, new, function, tests)| {
        let start = LIBRARY.find(old).unwrap();
        json!({
            "kind": kind, "id": id, "file": "lib.sh", "at": [start, start + old.len()], "text": new,
            "operator": "x", "function": format!("lib.{function}"), "failure": "wrong",
            "tests": tests, "example": tests[0], "says": "line 1 of what it prints is another one",
        })
    });
    PackParts {
        head: PackHead {
            schema: PACK_SCHEMA.to_owned(),
            name: "counter".to_owned(),
            version: "1".to_owned(),
            language: PackLanguage::Shell,
            licence: "MIT".to_owned(),
            summary: "`tool.sh` counts.".to_owned(),
            runner: PackRunner::Cases,
            build: Vec::new(),
            run: vec!["sh".to_owned(), "tool.sh".to_owned()],
            requires: vec!["sh".to_owned()],
            source: vec!["lib.sh".to_owned()],
            tests: vec!["tests".to_owned()],
            docs: vec!["README.md".to_owned()],
            source_sha256: None,
            project_sha256: project_digest(&files),
            test_seconds: 5,
            deselected: BTreeMap::new(),
        },
        head_text: String::new(),
        long: String::new(),
        files,
        map: map.iter().map(|line| format!("{line}\n")).collect(),
        index: index.iter().map(|line| format!("{line}\n")).collect(),
        names: String::new(),
        slow: SlowParts::default(),
        notices: String::new(),
    }
}

fn template(parts: PackParts, kind: &str, requires: &str) -> Result<Template, Vec<TemplateError>> {
    let text = format!(
        "schema: synthd/template@2\nid: unit/test\ntitle: t\ncategory: unit\ndifficulty: easy\n\
         expected_steps: {{min: 1, max: 60}}\nrequires: {requires}\nenvironment: {{image: base}}\n\
         from_pack: {{pack: {}, kind: {kind}}}\n",
        parts.head.name
    );
    let shelf = HistoryShelf(Arc::new(ProjectPack::read(parts).unwrap()));
    let folder = Arc::new(TemplateFolder::single(text.into_bytes()));
    Template::read_with_packs("unit/test", folder, &shelf)
}

fn task(kind: &str, seed: u64) -> Task {
    template(parts(), kind, "[git]").unwrap().task(seed, 0).unwrap()
}

/// The names of the cases in some commits.
fn cases(commits: &[(String, String, BTreeMap<String, String>)]) -> BTreeSet<&str> {
    let paths = commits.iter().flat_map(|commit| commit.2.keys());
    let below = paths.filter_map(|path| path.strip_prefix("tests/cases/"));
    below.filter_map(|path| path.split('/').next()).collect()
}

/// What a file has from one commit on, by the number of the commit.
fn versions<'c>(
    commits: &'c [(String, String, BTreeMap<String, String>)],
    path: &str,
) -> Vec<(usize, &'c str)> {
    let numbered = commits.iter().enumerate();
    numbered.filter_map(|(at, commit)| Some((at, commit.2.get(path)?.as_str()))).collect()
}

fn names(solutions: &[NamedSolution]) -> Vec<&str> {
    solutions.iter().map(|solution| solution.name.as_str()).collect()
}

#[test]
fn the_repository_is_made_of_one_stream_and_needs_what_the_project_needs() {
    for kind in ["bisect", "merge"] {
        let task = task(kind, 3);
        let [history] = task.files.as_slice() else { panic!("{:?}", task.files) };
        assert_eq!(sealed(&task, "history").content, history.content);
        assert_eq!(task, self::task(kind, 3));
        assert_ne!(task.digest, self::task(kind, 4).digest);
        assert_eq!(task.requires, ["git", "sh", "python3"]);
        let script = format!("M 100755 inline \"tests/run\"\ndata {}\n", CASE_RUNNER.len());
        assert!(history.content.contains(&script), "the script is the engine's own");
    }
}

#[test]
fn one_commit_brings_the_fault_in_and_its_cases_never_come() {
    for seed in 1..=8 {
        let task = task("bisect", seed);
        let commits = commits(&task.files[0].content);
        assert!((28..=60).contains(&commits.len()), "{}", commits.len());
        let (wrong, hidden) = match task.faults[0].name.as_str() {
            "f1" => ("$1 + 2", ["next-3", "next-6"]),
            _ => ("$1 - 2", ["previous-9", "previous-5"]),
        };
        let versions = versions(&commits, "lib.sh");
        let has_it = |text: &str| text.contains(wrong);
        let first = versions.iter().find(|(_, text)| has_it(text)).unwrap().0;
        assert_eq!(facts(&task)["bad"], first);
        assert!(versions.iter().all(|(at, text)| has_it(text) == (*at >= first)), "seed {seed}");
        let there = cases(&commits);
        assert!(hidden.iter().all(|case| !there.contains(case)), "{there:?}");
    }
}

/// Ten cases: two of the fault, two that come with the repair of another fault, and two of each function. One
/// half of the others is kept back.
#[test]
fn a_function_comes_with_its_cases_and_half_of_the_others_is_kept_back() {
    for seed in 1..=8 {
        let task = task("bisect", seed);
        let commits = commits(&task.files[0].content);
        let written: Vec<_> =
            commits.iter().filter(|commit| commit.1.starts_with("lib: write ")).collect();
        assert!(!written.is_empty(), "{commits:?}");
        for (_, message, files) in &written {
            let word = message.rsplit(' ').next().unwrap().strip_suffix("_of").unwrap();
            let outs = files.keys().filter(|path| path.contains(&format!("cases/{word}-")));
            assert_eq!(outs.filter(|path| path.ends_with("/out")).count(), 2, "{message}");
            assert!(files.contains_key("lib.sh"), "{message}");
        }
        assert_eq!(cases(&commits).len(), 5 + written.len(), "seed {seed}");
    }
}

#[test]
fn comments_and_functions_that_nobody_calls_are_those_of_the_language() {
    let texts: Vec<String> = (1..=4)
        .flat_map(|seed| commits(&task("bisect", seed).files[0].content))
        .filter_map(|commit| commit.2.get("lib.sh").cloned())
        .collect();
    assert!(texts.iter().any(|text| text.contains("\naside_")), "a function comes at the end");
    assert!(texts.iter().all(|text| !text.contains("def _aside")));
    let is_place = |line: &str| line.trim_start().starts_with("# ") || !line.contains("# ");
    assert!(texts.iter().any(|text| text.contains("\n    # ")), "comments come into functions");
    assert!(texts.iter().flat_map(|text| text.lines()).all(is_place));
}

#[test]
fn the_judge_builds_what_is_committed_and_has_the_cases_of_the_pack() {
    for (kind, program) in [("bisect", "bisected.py"), ("merge", "merged.py")] {
        let task = task(kind, 2);
        let check = &sealed(&task, "check.py").content;
        assert!(check.contains("import check_cases"), "{check}");
        for path in ["check_cases.py", "case_driver.py", "repository.py", "facts.json"] {
            assert!(!sealed(&task, path).content.is_empty(), "{path}");
        }
        let pack: Value = serde_json::from_str(&sealed(&task, "pack.json").content).unwrap();
        assert_eq!(pack["source"], json!(["lib.sh"]));
        assert_eq!(pack["cases"].as_array().unwrap().len(), CASES.len());
        let others = pack["others"].as_array().unwrap().iter().map(|file| file[0].as_str());
        assert_eq!(others.collect::<Vec<_>>(), [Some("README.md"), Some("tool.sh")]);
        // What leaves the judge must not have what says that the seal was read.
        let files = task.verification.files.iter();
        let signed = files.filter(|file| file.content.contains(&task.verification.canary));
        let signed: Vec<&str> = signed.map(|file| file.path.as_str()).collect();
        assert_eq!(signed, [program, ".canary"]);
    }
}

#[test]
fn the_oracle_of_a_bisection_tries_commits_with_the_case_that_is_wrong() {
    let task = task("bisect", 2);
    assert_eq!(checks(&task), ["commit-named", "history-kept", "fault-1", "kept"]);
    let commands: Vec<&str> = task
        .solution
        .iter()
        .filter_map(|step| match &step.action {
            MoveAction::Run(command) => Some(command.as_str()),
            _ => None,
        })
        .collect();
    let laid = commands.iter().find(|command| command.contains("/tmp/symptom/out")).unwrap();
    assert!(laid.contains("printf %s 'the result is "), "{laid}");
    assert!(laid.contains("git archive") && laid.contains("sh tests/run symptom"), "{laid}");
    let halved = commands.iter().filter(|command| command.contains("git bisect $found"));
    assert_eq!(halved.count(), 6);
    let repairs = task.solution.iter().filter(|step| step.action == task.faults[0].repair());
    assert_eq!(repairs.count(), 1);
    assert_eq!(names(&task.alternatives), ["run-and-write-anew"]);
    let cheats = names(&task.verification.cheats);
    for cheat in ["names-the-tip", "removes-tests", "replaced-runner", "looked-up"] {
        assert!(cheats.contains(&cheat), "{cheats:?}");
    }
    assert!(!cheats.contains(&"patched-assertions"), "{cheats:?}");
    assert!(task.instruction.contains("cases"), "{}", task.instruction);
    assert!(!task.instruction.contains("tests must pass"), "{}", task.instruction);
}

#[test]
fn each_side_mends_one_fault_and_writes_beside_the_other_one() {
    for seed in 1..=8 {
        let task = task("merge", seed);
        let branch = facts(&task)["branch"].as_str().unwrap().to_owned();
        let (ours, theirs) = (at_tip(&task, "main", "lib.sh"), at_tip(&task, &branch, "lib.sh"));
        assert_ne!(ours.contains("$1 + 1"), theirs.contains("$1 + 1"), "seed {seed}");
        for text in [&ours, &theirs] {
            let wrong: Vec<usize> = (text.lines().enumerate())
                .filter(|(_, line)| line.contains("$1 + 2") || line.contains("$1 - 2"))
                .map(|(at, _)| at)
                .collect();
            assert_eq!(wrong.len(), 1, "{text}");
            let before = text.lines().nth(wrong[0] - 1).unwrap();
            assert!(before.starts_with("    # "), "{text}");
            assert_eq!(text.matches("return 70").count(), 1, "{text}");
        }
        assert_eq!(facts(&task)["notes"].as_array().unwrap().len(), 4);
    }
}

#[test]
fn the_oracle_of_a_merge_brings_both_sides_and_the_new_name_together() {
    for seed in 1..=8 {
        let task = task("merge", seed);
        let written = task.solution.iter().rev().find_map(|step| match &step.action {
            MoveAction::Write { path, content } if path == "lib.sh" => Some(content.as_str()),
            _ => None,
        });
        let written = written.unwrap();
        for right in ["$1 + 1", "$1 - 1", "$1 * 2", "$1 / 2"] {
            assert!(written.contains(right), "{right}: {written}");
        }
        assert!(!written.contains("return 70"), "{written}");
        let old = facts(&task)["old_name"].as_str().unwrap().to_owned();
        assert!(old.ends_with("_of"), "a function gets another name: {old}");
        assert!(!written.contains(&format!("{old} ")), "{old}: {written}");
        for fault in &task.faults {
            assert_eq!(written.matches(&fault.right).count(), 1, "{}", fault.right);
        }
    }
}

#[test]
fn the_judge_of_a_merge_asks_for_both_sides_by_cases() {
    let task = task("merge", 2);
    assert_eq!(checks(&task), ["merged", "resolved", "ours", "theirs", "kept"]);
    let plan: Value = serde_json::from_str(&sealed(&task, "plan.json").content).unwrap();
    assert_eq!(plan["parts"]["kept"], json!([8, 9]));
    let cheats = names(&task.verification.cheats);
    for cheat in ["takes-ours", "takes-theirs", "squashed", "leaves-marks", "replaced-runner"] {
        assert!(cheats.contains(&cheat), "{cheats:?}");
    }
}

/// The program is built into a directory of its own, which nobody commits.
#[test]
fn a_program_that_is_built_is_ignored_and_built_anew_at_each_commit() {
    let mut parts = parts();
    parts.head.language = PackLanguage::C;
    parts.head.build = vec!["make".to_owned()];
    parts.head.run = vec!["./build/tool".to_owned()];
    let task = template(parts, "bisect", "[git]").unwrap().task(1, 0).unwrap();
    let commits = commits(&task.files[0].content);
    assert_eq!(commits[0].2[".gitignore"], "/build/\n");
    assert_eq!(commits[0].2["tests/build"], "make\n");
    assert_eq!(commits[0].2["tests/program"], "./build/tool\n");
    let cheats = names(&task.verification.cheats);
    assert!(cheats.contains(&"replaced-build"), "{cheats:?}");
    assert!(!cheats.contains(&"looked-up"), "{cheats:?}");
}

#[test]
fn a_pack_with_one_fault_can_be_bisected_and_not_merged() {
    assert!(template(small_parts(), "bisect", "[git]").unwrap().task(1, 0).is_ok());
    let error = template(small_parts(), "merge", "[git]").unwrap().task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
    for kind in ["document", "de-duplicate", "speed-up"] {
        let error = template(parts(), kind, "[git]").unwrap().task(1, 0).unwrap_err();
        assert!(error.message.contains("has no tasks of this kind"), "{}", error.message);
    }
    let error = template(parts(), "bisect", "[sh]").unwrap_err();
    assert!(error[0].message.contains("add `git`"), "{}", error[0].message);
}
