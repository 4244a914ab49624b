//! Reviews through the program: a sample, decisions with and without a terminal, figures, and a recipe that
//! uses them.

use super::harness::{Ran, command, synthd_in};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

const ROWS: usize = 8;
/// The version of the campaign's dataset.
const VERSION: &str = "synthd-data/datasets/said/v1";

/// A data directory with a finished campaign of eight answers. The model repeats what it is asked, and
/// that is hostile.
fn finished() -> &'static Path {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let lines: String = (0..40).map(|at| format!("line {at}\n")).collect();
        let said = |at| format!("Say {at}.\n\u{1b}[2J\u{9b}31m\u{202e}\n{lines}");
        let prompts =
            (0..ROWS).map(|at| serde_json::json!({ "prompt": said(at) }).to_string() + "\n");
        fs::write(dir.path().join("prompts.jsonl"), prompts.collect::<String>()).unwrap();
        let campaign = "[campaign]\nname = \"said\"\nkind = \"completions\"\n[completions]\n\
            prompts = [\"prompts.jsonl\"]\n[[models]]\nname = \"scripted/echo\"\n";
        fs::write(dir.path().join("said.toml"), campaign).unwrap();
        synthd_in(dir.path(), &["run", "said.toml", "--no-progress"]).succeeds();
        dir
    })
    .path()
}

/// A copy of it with a review of all rows, two of them twice.
fn reviewed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    super::campaign::copy(&finished().join("synthd-data"), &dir.path().join("synthd-data"));
    let rows = ROWS.to_string();
    let created = review(
        dir.path(),
        &["create", "first", "--version", VERSION, "--rows", &rows, "--twice", "25%", "--json"],
    );
    assert_eq!(created.succeeds().document()["twice"], 2);
    dir
}

fn review(dir: &Path, args: &[&str]) -> Ran {
    synthd_in(dir, &[&["review"], args].concat())
}

fn label(dir: &Path, item: u64, value: &str, reviewer: &str) -> Ran {
    review(dir, &["label", "first", &item.to_string(), value, "--reviewer", reviewer])
}

/// The next item of a reviewer, as JSON.
fn next(dir: &Path, reviewer: &str) -> Value {
    review(dir, &["next", "first", "--reviewer", reviewer, "--json"]).succeeds().document()
}

/// The lines of the export.
fn exported(dir: &Path) -> Vec<Value> {
    let export = review(dir, &["export", "first"]).succeeds();
    export.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_reviewer_is_blind_until_the_decision() {
    let dir = reviewed();
    let first = next(dir.path(), "ada");
    assert_eq!((&first["left"], &first["next"]["item"]), (&ROWS.into(), &1.into()));
    assert_eq!(first["next"]["hidden"], Value::Null);
    assert!(!first.to_string().contains("scripted"), "{first}");
    label(dir.path(), 1, "wrong", "ada").succeeds();
    assert_eq!(next(dir.path(), "ada")["next"]["item"], 2);
    let show = |who: &str| review(dir.path(), &["show", "first", "1", "--reviewer", who, "--json"]);
    let shown = show("ada").succeeds().document();
    assert_eq!(shown["hidden"]["decisions"][0]["value"], "wrong");
    assert!(shown.to_string().contains("scripted/echo"), "{shown}");
    assert_eq!(show("bob").succeeds().document()["hidden"], Value::Null);
    let open = review(dir.path(), &["show", "first", "2", "--not-blind"]).succeeds();
    assert!(open.stdout.contains("unchecked"), "{open:?}");
}

#[test]
fn no_code_of_a_row_is_printed() {
    let dir = reviewed();
    for args in [
        &["show", "first", "1"][..],
        &["show", "first", "1", "--not-blind", "--json"],
        &["next", "first"],
        &["next", "first", "--json"],
        &["export", "first"],
    ] {
        let ran = review(dir.path(), args).succeeds();
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(bad), "{args:?}: {ran:?}");
    }
    let shown = review(dir.path(), &["show", "first", "1"]).succeeds();
    assert!(shown.stdout.contains("␛[2J\\u{9b}31m\\u{202e}"), "{shown:?}");
}

#[test]
fn decisions_give_figures_and_feed_a_recipe() {
    let dir = reviewed();
    let twice: Vec<u64> = {
        for item in 1..=ROWS as u64 {
            label(dir.path(), item, if item == 3 { "wrong" } else { "right" }, "ada").succeeds();
        }
        let waits = exported(dir.path()).into_iter().filter(|item| item["state"] == "begun");
        waits.map(|item| item["item"].as_u64().unwrap()).collect()
    };
    assert_eq!(twice.len(), 2);
    for item in &twice {
        assert_eq!(next(dir.path(), "bob")["next"]["item"], *item);
        label(dir.path(), *item, if *item == 3 { "wrong" } else { "right" }, "bob").succeeds();
    }
    assert_eq!(next(dir.path(), "bob")["next"], Value::Null);
    let stats = review(dir.path(), &["stats", "first", "--json"]).succeeds().document();
    let error = &stats["figures"]["label_error"];
    assert_eq!(
        (&error["items"], &error["wrong"], &error["rate"]),
        (&8.into(), &1.into(), &0.125.into())
    );
    assert_eq!(error["estimator"], "plain");
    assert_eq!(stats["figures"]["agreement"]["equal_pairs"], 1.0);
    let told = review(dir.path(), &["stats", "first"]).succeeds().fits();
    assert!(
        told.stdout.contains("wrong labels: 12.5 % (2.2 % to 47.1 %), 1 of 8 items\n"),
        "{told:?}"
    );
    // The decisions as a stage of a recipe.
    let export = review(dir.path(), &["export", "first"]).succeeds().stdout;
    fs::write(dir.path().join("first.jsonl"), export).unwrap();
    let built = recipe(dir.path(), "review", "file = \"first.jsonl\"\ndecision = \"wrong\"\n");
    let built = built.succeeds().document();
    assert_eq!((&built["judged"], &built["rejected"]["review"]), (&8.into(), &1.into()));
    fs::write(dir.path().join("first.jsonl"), "{}\n").unwrap();
    let failed = recipe(dir.path(), "review", "file = \"first.jsonl\"\ndecision = \"right\"\n");
    assert!(failed.fails(2, "SYN-0703").stderr.contains("line 1 is not of an exported review"));
    // A version with other rows is not the reviewed one.
    let version = built["path"].as_str().unwrap();
    review(dir.path(), &["next", "first", "--version", version]).fails(2, "SYN-0705");
}

/// Builds a recipe with one stage.
fn recipe(dir: &Path, kind: &str, keys: &str) -> Ran {
    let recipe = format!(
        "[recipe]\nname = \"good\"\n[[sources]]\ncampaign = \"said\"\n\
         [[stages]]\nkind = \"{kind}\"\naction = \"reject\"\n{keys}"
    );
    fs::write(dir.join("recipe.toml"), recipe).unwrap();
    synthd_in(dir, &["dataset", "build", "recipe.toml", "--json"])
}

#[test]
fn what_cannot_be_used_is_told() {
    let dir = reviewed();
    let unknown = review(dir.path(), &["stats", "second"]).fails(2, "SYN-0705");
    assert!(unknown.stderr.contains("this data directory has first"), "{unknown:?}");
    let create = |more: &[&str]| {
        let args = ["create", "first", "--version", VERSION, "--rows", "3"];
        review(dir.path(), &[&args[..], more].concat())
    };
    create(&[]).fails(2, "SYN-0705");
    assert_eq!(create(&["--twice", "101%"]).code, Some(2));
    assert_eq!(create(&["--how", "stratified:colour"]).code, Some(2));
    let few = ["create", "second", "--version", VERSION, "--rows", "3", "--how", "stratified:task"];
    let few = review(dir.path(), &few).fails(2, "SYN-0705");
    assert!(few.stderr.contains("3 rows are too few for 8 strata"), "{few:?}");
    label(dir.path(), 9, "right", "ada").fails(2, "SYN-0705");
    label(dir.path(), 1, "right", " ada").fails(2, "SYN-0105");
    review(dir.path(), &["next", "first", "--version", "nowhere"]).fails(2, "SYN-0701");
}

#[test]
fn a_torn_last_line_is_told_and_removed_by_the_next_decision() {
    let dir = reviewed();
    let path = dir.path().join("synthd-data/reviews/first.jsonl");
    let whole = fs::read(&path).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"record\":\"dec").unwrap();
    let stats = review(dir.path(), &["stats", "first", "--json"]).succeeds();
    assert!(stats.stderr.contains("torn"), "{stats:?}");
    assert_eq!(stats.document()["torn_bytes"], 14);
    label(dir.path(), 1, "right", "ada").succeeds();
    let after = fs::read(&path).unwrap();
    assert!(after.starts_with(&whole) && after.ends_with(b"}\n"));
    assert_eq!(review(dir.path(), &["stats", "first", "--json"]).succeeds().stderr, "");
}

/// A reviewer's terminal with `synthd review next` on it.
struct Reviewing {
    child: Child,
    terminal: File,
    before: Termios,
    /// All that was printed.
    printed: String,
    /// How much of it was waited for.
    seen: usize,
}

impl Reviewing {
    fn begin(dir: &Path) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None::<&Termios>).unwrap();
        let before = tcgetattr(&pair.master).unwrap();
        let mut command = command(dir, &["review", "next", "first", "--reviewer", "ada"]);
        command.env("NO_COLOR", "1");
        command.stdin(Stdio::from(pair.slave.try_clone().unwrap()));
        command.stderr(Stdio::from(pair.slave.try_clone().unwrap()));
        let child = command.stdout(Stdio::from(pair.slave)).spawn().unwrap();
        // Its copies of the terminal's end must close, or the reading does not end with the program.
        drop(command);
        let terminal = File::from(pair.master);
        Self { child, terminal, before, printed: String::new(), seen: 0 }
    }

    /// Reads until this text is printed, behind what was waited for before.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.printed[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let mut bytes = [0; 4_096];
            let count = self.terminal.read(&mut bytes).unwrap_or(0);
            assert!(count > 0, "{text:?} is missing in {}", self.printed);
            self.printed.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).unwrap();
    }

    /// Waits for the end, and looks whether the terminal is as it was before.
    #[track_caller]
    fn ends(mut self, code: i32) -> String {
        let mut rest = Vec::new();
        // The end of a terminal is an error.
        self.terminal.read_to_end(&mut rest).ok();
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{}", self.printed);
        let after = tcgetattr(&self.terminal).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.control_chars, self.before.control_chars);
        self.printed + &String::from_utf8_lossy(&rest)
    }
}

#[test]
fn keys_decide_and_take_back() {
    let dir = reviewed();
    let mut at = Reviewing::begin(dir.path());
    at.expect("item 1 of 8");
    at.expect("more pages  [y]");
    let raw = tcgetattr(&at.terminal).unwrap().local_flags;
    assert!(!raw.intersects(LocalFlags::ICANON | LocalFlags::ECHO));
    // Neither an arrow nor a letter without a meaning decides.
    at.press(b"\x1b[A");
    at.press(b"x ");
    at.expect("more pages  [y]");
    assert!(!at.printed.contains("scripted"), "{}", at.printed);
    at.press(b"y");
    at.expect("item 1: right");
    at.expect("scripted/echo");
    at.expect("item 2 of 8");
    at.expect("[q]");
    at.press(b"z");
    at.expect("item 1: taken back");
    at.expect("item 1 of 8");
    at.expect("[q]");
    at.press(b"n");
    at.expect("item 1: wrong");
    at.expect("item 2 of 8");
    at.expect("[q]");
    at.press(b"s");
    at.expect("item 3 of 8");
    at.expect("[q]");
    at.press(b"u");
    at.expect("item 3: unsure");
    at.expect("item 4 of 8");
    at.expect("[q]");
    at.press(b"q");
    let printed = at.ends(0);
    assert!(printed.contains("␛[2J\\u{9b}31m\\u{202e}"), "{printed}");
    assert!(!printed.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{printed:?}");
    let decided = |item: &Value| -> Vec<(String, bool)> {
        let decisions = item["decisions"].as_array().unwrap().iter();
        let one = |one: &Value| {
            (one["value"].as_str().unwrap().to_owned(), one["blind"].as_bool().unwrap())
        };
        decisions.map(one).collect()
    };
    let export = exported(dir.path());
    // The second decision on item 1 was made after the verdict was shown.
    assert_eq!(decided(&export[0]), [("wrong".to_owned(), false)]);
    assert!(decided(&export[1]).is_empty());
    assert_eq!(decided(&export[2]), [("unsure".to_owned(), true)]);
    let file = fs::read_to_string(dir.path().join("synthd-data/reviews/first.jsonl")).unwrap();
    assert_eq!(file.lines().count(), 1 + ROWS + 4, "the undone decision stays");
}

#[test]
fn a_signal_ends_the_session_and_puts_the_terminal_back() {
    let dir = reviewed();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut at = Reviewing::begin(dir.path());
        at.expect("[q]");
        kill(Pid::from_raw(i32::try_from(at.child.id()).unwrap()), signal).unwrap();
        at.ends(130);
    }
    assert_eq!(next(dir.path(), "ada")["left"], ROWS);
}
