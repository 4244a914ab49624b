//! How much text the stages of recipes that look for passages read in a second, on one core. The texts are made
//! as those of trajectories are: thoughts, code, listings, logs, patches and arguments. Beside them stands a search for
//! one byte that is not there (memchr) over the same texts in the same rounds.

use crate::{Figure, median};
use std::hint::black_box;
use std::time::{Duration, Instant};
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::curation::{
    CurationAction, CurationStage, RecipeStage, StageFinder, StageInputs, TextFinder, TextSource,
};

const TEXTS: u64 = 2_000;
/// The number of lines of a text.
const LINES: u64 = 80;
const ROUNDS: usize = 7;

/// Lines of trajectories. `#` stands for a number and `~` for a digest.
const PATTERNS: &[&str] = &[
    "I need to look at how the parser reads its tokens before I change anything in the lexer.",
    "The test fails because the key of the cache is built from the name alone; let me check line #.",
    "-rw-r--r-- 1 agent agent # Jan 12 09:# src/reader_#.py",
    "drwxr-xr-x 4 agent agent 4096 Mar  3 17:# ..",
    "    def next_token(self, limit=#): return self.tokens[self.at:limit]",
    "    for key, value in sorted(config.items()): print(f\"{key}={value}\")",
    "        password = getpass.getpass(\"Password: \") if args.password is None else args.password",
    "{\"command\": \"grep -rn 'def load' /work/src | head -n #\", \"timeout\": #}",
    "tests/test_reader.py::test_reads_line_# PASSED                                  [ #%]",
    "tests/test_writer.py::test_secret_is_masked[case-#] FAILED                      [ #%]",
    "Traceback (most recent call last):",
    "  File \"/work/src/app/session.py\", line #, in open_session",
    "KeyError: 'user_#'",
    "commit ~",
    "Author: Agent <agent@example.com>",
    "Date:   Tue Jan # 10:12:# 2024 +0000",
    "@@ -#,7 +#,9 @@ class Session:",
    "+        self.retries = max(1, int(os.environ.get(\"RETRIES\", \"#\")))",
    "-        return {\"id\": self.id, \"token_count\": len(self.tokens), \"total\": #}",
    "~  dist/package-1.#.tar.gz",
    "see https://docs.example.org/guide/page-#.html#section for the format of the header",
    "    let total: u64 = rows.iter().map(|row| row.bytes + #).sum();",
    "ok  \texample.com/pkg/store\t0.#s",
    "<returncode>#</returncode>",
    "2024-01-02T03:04:#.123456Z INFO  worker-# listening on 127.0.0.1:8080, pid #",
    "#,#,#,#.5,north,#,2023-11-#",
    "",
];

/// The texts, the same in every run.
fn texts() -> Vec<String> {
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = || {
        let mut text = String::new();
        for _ in 0..LINES {
            let pattern = PATTERNS[next() as usize % PATTERNS.len()];
            for letter in pattern.chars() {
                match letter {
                    '#' => text.push_str(&(next() % 10_000).to_string()),
                    '~' => (0..5).for_each(|_| text.push_str(&format!("{:08x}", next() as u32))),
                    other => text.push(other),
                }
            }
            text.push('\n');
        }
        text
    };
    (0..TEXTS).map(|_| text()).collect()
}

fn finder(settings: StageSettings) -> Box<dyn TextFinder> {
    let stage = RecipeStage { action: CurationAction::Label, settings };
    let finder = match CurationStage::of(&stage, &StageInputs::default()).finder {
        StageFinder::Text(finder) => Some(finder),
        StageFinder::Row(_) | StageFinder::Whole(_) => None,
    };
    finder.expect("the stage looks at texts")
}

pub fn measure() -> Vec<Figure> {
    let (names, allow) = (vec!["build-host-7".to_owned(), "quill".to_owned()], Vec::new());
    let finders = [
        ("secrets", finder(StageSettings::Secrets { allow: allow.clone() })),
        (
            "personal-data",
            finder(StageSettings::PersonalData { names: names.clone(), allow: allow.clone() }),
        ),
        ("host-leaks", finder(StageSettings::HostLeaks { names, allow: allow.clone() })),
        ("identity", finder(StageSettings::Identity { names: Vec::new(), allow })),
    ];
    let texts = texts();
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut times = vec![Vec::new(); finders.len()];
    let mut floors = Vec::new();
    // In turns, so that all of them see the same machine.
    for _ in 0..ROUNDS {
        floors.push(timed(&texts, |text| memchr::memchr(0, text.as_bytes()).unwrap_or_default()));
        for ((_, finder), times) in finders.iter().zip(&mut times) {
            times.push(timed(&texts, |text| finder.find(text, TextSource::Written).len()));
        }
    }
    let floor = median(&mut floors);
    let taken: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    let of_stage = |(at, (name, _)): (usize, &(&str, Box<dyn TextFinder>))| {
        megabytes(&format!("text through {name}, one core"), bytes, taken[at], floor, "")
    };
    let mut figures: Vec<Figure> = finders.iter().enumerate().map(of_stage).collect();
    let both = taken[0] + taken[1];
    let what = "secrets and personal-data in turn";
    figures.push(megabytes(what, bytes, both, floor, ">= 100 MB/s"));
    figures
}

/// The time that a look at all texts takes.
fn timed(texts: &[String], look: impl Fn(&str) -> usize) -> Duration {
    let began = Instant::now();
    black_box(texts.iter().map(|text| look(black_box(text))).sum::<usize>());
    began.elapsed()
}

/// Megabytes a second, beside those of the floor.
fn megabytes(
    what: &str,
    bytes: usize,
    took: Duration,
    floor: Duration,
    goal: &'static str,
) -> Figure {
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let (ours, floor) = (rate(took), rate(floor));
    Figure {
        what: what.to_owned(),
        ours: format!("{ours:.0} MB/s"),
        floor: format!("{floor:.0} MB/s"),
        ratio: format!("{:.3}x", ours / floor),
        goal,
    }
}
