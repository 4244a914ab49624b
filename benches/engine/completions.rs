//! Prompts of a file, answered by a model of known slowness, through the real program: from the
//! file to the published dataset. Beside it, what the calls alone would take, as a number and as
//! clients written by hand make them: the timers of the model are a part of that. Then the same,
//! killed at half: how many calls were asked twice.

use crate::load::{Made, load, provider};
use crate::{Figure, synthd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROMPTS: usize = 40_960;
const AT_ONCE: usize = 256;
const THINKS: Duration = Duration::from_millis(50);

pub async fn measure() -> Vec<Figure> {
    let mock = provider(Made::ByHand).await;
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &mock);
    let ideal = AT_ONCE as f64 / THINKS.as_secs_f64();
    let begun = Instant::now();
    let summary = finish(start(directory.path(), "whole"));
    let whole = PROMPTS as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(summary["episodes"]["answered"], PROMPTS, "{summary}");
    let what = format!("prompts, {AT_ONCE} in flight at {THINKS:?}");
    let answered = answering(directory.path(), "whole");
    let model = format!("m-{}", THINKS.as_millis());
    let alone = load(Made::ByHand, &mock, &model, AT_ONCE).await.rate;
    let mut figures = vec![
        Figure::rate(&what, answered, ideal, ">= 0.95x of the ideal"),
        Figure::rate("the calls alone, by clients written by hand", alone, ideal, ""),
        Figure::rate("the same with start and dataset", whole, ideal, ""),
    ];
    figures.push(resumed(directory.path()).await);
    figures
}

/// Answers a second, from the first start of a completion to the end of the last.
fn answering(directory: &Path, data: &str) -> f64 {
    let database = directory.join(data).join("synthd.db");
    let conn = rusqlite::Connection::open(database).unwrap();
    let sql = "SELECT max(finished_at_ms) - min(started_at_ms) FROM progress";
    let millis: f64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    PROMPTS as f64 * 1_000.0 / millis
}

/// Killed at half and run again: the calls that were made beyond one for each prompt.
async fn resumed(directory: &Path) -> Figure {
    let mut child = start(directory, "killed");
    let half =
        Duration::from_secs_f64(PROMPTS as f64 / 2.0 * THINKS.as_secs_f64() / AT_ONCE as f64);
    tokio::time::sleep(half).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let summary = finish(start(directory, "killed"));
    assert_eq!(summary["episodes"]["answered"], PROMPTS, "{summary}");
    // A call that was cut off has a start of its completion that came to nothing.
    let conn = rusqlite::Connection::open(directory.join("killed/synthd.db")).unwrap();
    let sql = "SELECT count(*) FROM attempt WHERE attempt > 1";
    let twice: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    Figure::plain("killed at half: asked twice", twice.to_string(), "<= 256")
}

fn write(directory: &Path, mock: &str) {
    let prompts: String = (0..PROMPTS).map(|n| format!("What is {n} times seven?\n")).collect();
    std::fs::write(directory.join("prompts.txt"), prompts).unwrap();
    let campaign = format!(
        "[campaign]\nname = \"answers\"\nkind = \"completions\"\nconcurrency = {AT_ONCE}\n\
         [completions]\nprompts = [\"prompts.txt\"]\n\
         [providers.local]\ndialect = \"vllm\"\nfree = true\nbase_url = \"http://{mock}/v1\"\n\
         [[models]]\nname = \"local/m-{}\"\nconcurrency = {AT_ONCE}\n\
         [quality]\nduplicates = \"off\"\n",
        THINKS.as_millis()
    );
    std::fs::write(directory.join("campaign.toml"), campaign).unwrap();
}

fn start(directory: &Path, data: &str) -> Child {
    let mut command = Command::new(synthd());
    command.args(["run", "campaign.toml", "--json", "--quiet", "--data-dir", data]);
    command.current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command.spawn().unwrap()
}

fn finish(child: Child) -> serde_json::Value {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
