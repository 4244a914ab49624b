//! The section of a card on the recipe that made a version.

use super::markdown::{cell, line, table};
use synthd_actors::model::{CuratedStage, CurationReport, DayDiversity, DiversityReport};

/// The first words.
const INTRO: &str = "\
A recipe made this version of the rows of finished campaigns. Its stages ran in this order. A stage sees the
rows that the stages before it have left. What each found in each row is in `notes.jsonl`;
`synthd dataset explain` shows it for one row.";

/// The section; empty if no recipe made the version.
pub(super) fn curation_section(report: Option<&CurationReport>) -> String {
    let Some(report) = report else { return String::new() };
    let sources = report.sources.iter().map(|source| {
        vec![cell(&source.campaign), source.rows.to_string(), cell(&source.identity)]
    });
    let sources = table(&["campaign", "judged rows", "identity"], sources);
    let stages = report.stages.iter().enumerate().map(|(at, stage)| {
        let counts = [stage.seen, stage.found, stage.replaced].map(|count| count.to_string());
        let mut cells = vec![(at + 1).to_string(), cell(&stage.kind), stage.version.to_string()];
        cells.push(cell(&stage.action));
        cells.push(cell(&settings(stage)));
        cells.extend(counts);
        cells
    });
    let header = ["", "stage", "version", "action", "settings", "rows seen", "found", "replaced"];
    let stages = table(&header, stages);
    let mut section = format!("## Recipe\n\n{INTRO}\n\n{stages}\n\n{sources}");
    let examples = report.stages.iter().filter(|stage| !stage.examples.is_empty());
    let examples: Vec<String> = examples.flat_map(examples_of).collect();
    if !examples.is_empty() {
        section.push_str(&format!("\n\nThe first findings:\n\n{}", examples.join("\n")));
    }
    section + "\n\n" + &diversity(&report.diversity) + &days(&report.days)
}

/// The table of diversity by day. Empty for rows of one day.
fn days(days: &[DayDiversity]) -> String {
    if days.is_empty() {
        return String::new();
    }
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let rows = days.iter().map(|one| {
        let found = &one.diversity;
        let figures = [found.compression, found.distinct[1], found.self_bleu, found.vendi];
        let mut cells = vec![cell(&one.day), found.rows.to_string(), found.length.to_string()];
        cells.extend(figures.map(figure));
        cells
    });
    let header =
        ["day", "rows", "characters", "compression", "different pairs", "self-BLEU", "Vendi score"];
    format!("\n\nBy the day on which episodes ended, in UTC:\n\n{}", table(&header, rows))
}

/// The section on diversity.
fn diversity(report: &DiversityReport) -> String {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let [words, pairs, triples] = report.distinct.map(figure);
    let rows = [
        ("bytes by compressed bytes", figure(report.compression)),
        ("different words, pairs, triples", format!("{words}, {pairs}, {triples}")),
        ("texts that repeat eight words of another", figure(report.repeated)),
        ("self-BLEU", figure(report.self_bleu)),
        ("Vendi score", figure(report.vendi)),
        ("entropy by model, bits", figure(Some(report.models))),
        ("entropy by template, bits", figure(Some(report.templates))),
        ("different tools", report.tools.to_string()),
        ("different programs in commands", report.commands.to_string()),
        ("different categories", report.categories.to_string()),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    format!(
        "## Diversity\n\nWhat models wrote in {} rows that the seed drew, {} characters of each. Self-BLEU and\n\
         Vendi compare {} of them.\n\n{}",
        report.sampled,
        report.length,
        report.compared,
        table(&["figure", "value"], rows)
    )
}

/// The settings of a stage without its kind; `-` if it has none.
fn settings(stage: &CuratedStage) -> String {
    let keys = stage.settings.as_object().into_iter().flatten().filter(|(key, _)| *key != "kind");
    let keys: Vec<String> = keys.map(|(key, value)| format!("{key} = {value}")).collect();
    if keys.is_empty() { "-".to_owned() } else { keys.join(", ") }
}

/// The examples of a stage as lines of a list.
fn examples_of(stage: &CuratedStage) -> Vec<String> {
    let example = |example: &synthd_actors::model::StageExample| {
        format!("- {}, `{}`: {}", line(&stage.kind), line(&example.row), line(&example.detail))
    };
    stage.examples.iter().map(example).collect()
}
