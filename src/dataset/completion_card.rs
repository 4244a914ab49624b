//! The parts of a card that only datasets of completions have.

use super::card::{CardParts, sum};
use super::completion_tally::{CompletionFigures, CompletionGroup};
use super::markdown::{cell, decimal, table, whole};

/// The first sentences.
const INTRO: &str = "\
answers of language models to prompts. In each row, one model answers one prompt of a file. The
row has the whole conversation and what the answer cost.";

/// How the splits were decided.
const DIVIDED: &str = "\
A hash of the prompt decides its split. All rows of a prompt are in one split, for every model.
They stay in this split when the dataset grows.";

/// The section on what the data cannot show.
const LIMITS: &str = "\
## Limits

- No check has judged the answers. `labels` has what the quality stages noted.
- An answer with the `finish_reason` `length` was cut by its limit of output tokens.
- `reasoning` is what the provider shows of the model's thoughts. It need not be the cause of the
  answer.";

/// The parts for these figures.
pub(super) fn completion_parts(all: &CompletionFigures) -> CardParts {
    CardParts {
        unit: "completions",
        intro: INTRO,
        figures: figures(all),
        label: "",
        splits: group_table(
            "split",
            all.splits.iter().map(|(split, group)| (split.as_str(), group)),
        ),
        divided: DIVIDED,
        distributions: distributions(all),
        packs: String::new(),
        limits: LIMITS,
        canary: "",
    }
}

/// The table of the totals.
fn figures(figures: &CompletionFigures) -> String {
    let totals = &figures.totals;
    let lengths = totals.length_in_characters;
    let mut rows = vec![
        ("completions".to_owned(), totals.rows.to_string()),
        ("prompts".to_owned(), totals.prompts.to_string()),
        ("characters, average".to_owned(), decimal(lengths.average)),
        ("characters, median".to_owned(), whole(lengths.p50)),
        (
            "characters, range".to_owned(),
            format!("{} to {}", whole(lengths.min), whole(lengths.max)),
        ),
        ("tokens in".to_owned(), sum(totals.tokens.input)),
        ("tokens out".to_owned(), sum(totals.tokens.output)),
        ("cost in USD".to_owned(), totals.cost_usd.to_string()),
        ("seconds, average".to_owned(), decimal(totals.average_model_seconds)),
    ];
    let reasons = totals.finish_reasons.iter();
    rows.extend(reasons.map(|(reason, n)| (format!("ended by {}", cell(reason)), n.to_string())));
    table(&["what", "value"], rows.into_iter().map(|(name, value)| vec![name, value]))
}

/// The tables of rows by model and by file.
fn distributions(figures: &CompletionFigures) -> String {
    let all = &figures.distributions;
    let tables = [("model", &all.model), ("source", &all.source)].map(|(name, groups)| {
        group_table(name, groups.iter().map(|(key, group)| (key.as_str(), group)))
    });
    format!("## Models and prompts\n\n{}", tables.join("\n\n"))
}

/// A table of groups of rows.
fn group_table<'a>(
    name: &str,
    groups: impl Iterator<Item = (&'a str, &'a CompletionGroup)>,
) -> String {
    let rows = groups.map(|(key, group)| {
        let (tokens, length) = (sum(group.output_tokens), decimal(group.average_characters));
        vec![cell(key), group.rows.to_string(), tokens, group.cost_usd.to_string(), length]
    });
    table(&[name, "rows", "tokens out", "cost in USD", "average characters"], rows)
}
