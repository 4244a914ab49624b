//! `synthd review create`: draws a sample and makes the file of the review.

use crate::cli::DataDir;
use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::dataset::rfc3339;
use crate::error::Result;
use crate::review::{create_review, sample_version};
use crate::running_engine::SystemClock;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::curation::stages::RowAspect;
use synthd_actors::ports::Clock;
use synthd_actors::review::{ReviewHead, ReviewItem, SampleDesign, SamplePlan};

#[derive(Args)]
#[command(after_help = "--how says which rows are drawn:
  random             each row has the same chance
  stratified:ASPECT  at least one of each value of task, template, category,
                     kind, difficulty, model, scaffold, outcome or campaign
  disagreement       half of them where a label, a note or a later verdict
                     contradicts the verdict
  uncertain          half of them of tasks that are solved every second time

Examples:
  synthd review create first --version datasets/agents/v1 --rows 100
  synthd review create second --version DIR --rows 60 --how stratified:model")]
pub(in crate::cli) struct ReviewCreateArgs {
    /// The name of the review
    name: String,
    /// The directory of one version
    #[arg(long, value_name = "DIR")]
    version: PathBuf,
    /// How many rows are drawn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    /// Which rows are drawn: random, stratified:ASPECT, disagreement, uncertain
    #[arg(long, default_value = "random", value_parser = design)]
    how: SampleDesign,
    /// The share that two people review
    #[arg(long, value_name = "SHARE", default_value = "15%", value_parser = share)]
    twice: u32,
    /// The rows are drawn from it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    data: DataDir,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Creates a review.
pub(super) fn run(args: &ReviewCreateArgs) -> Result<ExitCode> {
    let rows = usize::try_from(args.rows).unwrap_or(usize::MAX);
    let plan = SamplePlan { rows, twice: args.twice, seed: args.seed };
    let now = rfc3339(SystemClock.now_ms());
    let (head, items) = sample_version(&args.version, &args.name, args.how, plan, now)?;
    let path = create_review(&args.data.data_dir, &head, items.clone())?;
    match args.json {
        true => {
            let twice = twice(&items);
            print_json(&json!({ "review": head, "twice": twice, "path": path }))?;
        }
        false => show(&head, &items, &path.display().to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(head: &ReviewHead, items: &[ReviewItem], path: &str) {
    print_line(&format!(
        "{}: {} of {}, {} of them twice",
        escape_line(path),
        head.items,
        pluralize(head.rows, "row"),
        twice(items)
    ));
    print_line(&format!("review them with: synthd review next {}", head.name));
}

/// How many items are reviewed twice.
fn twice(items: &[ReviewItem]) -> usize {
    items.iter().filter(|item| item.reviewers > 1).count()
}

/// Reads `--how`.
fn design(text: &str) -> Result<SampleDesign, String> {
    match text {
        "random" => Ok(SampleDesign::Random),
        "disagreement" => Ok(SampleDesign::Disagreement),
        "uncertain" => Ok(SampleDesign::Uncertain),
        other => {
            let named = other.strip_prefix("stratified:");
            let found =
                named.and_then(|name| RowAspect::ALL.into_iter().find(|by| by.as_str() == name));
            let by = found.ok_or("one of random, stratified:ASPECT, disagreement, uncertain")?;
            Ok(SampleDesign::Stratified { by })
        }
    }
}

/// Reads a share such as `15%` or `12.5%`, in thousandths.
fn share(text: &str) -> Result<u32, String> {
    let wrong = || "a share from 0% to 100%, such as 15%".to_owned();
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(tenth) || tenth.len() != 1 {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let tenth: u32 = tenth.parse().map_err(|_| wrong())?;
    let share = whole.checked_mul(10).and_then(|share| share.checked_add(tenth));
    share.filter(|share| *share <= 1_000).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_designs_are_read() {
        assert_eq!(share("15%"), Ok(150));
        assert_eq!(share("12.5%"), Ok(125));
        assert_eq!(share("100%"), Ok(1_000));
        for wrong in ["15", "%", "100.1%", "-1%", "1.25%", ".5%", "4294967296%", "+5%"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            design("stratified:model"),
            Ok(SampleDesign::Stratified { by: RowAspect::Model })
        );
        assert!(design("stratified").is_err() && design("stratified:colour").is_err());
    }
}
