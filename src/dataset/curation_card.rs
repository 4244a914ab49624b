//! The section of a card on the recipe that made a version.

use super::markdown::{cell, line, table};
use synthd_actors::model::{
    AgreementFigures, CuratedStage, CurationReport, DayDiversity, DiversityReport, JudgeReport,
};

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
    let judged: Vec<&JudgeReport> =
        report.stages.iter().filter_map(|stage| stage.judged.as_ref()).collect();
    if !judged.is_empty() {
        section.push_str(&format!("\n\n{}", judges(&judged)));
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

/// The section on judges that are models.
fn judges(reports: &[&JudgeReport]) -> String {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let counts = reports.iter().map(|report| {
        let counts = [report.rows, report.scored, report.short, report.answers, report.faults];
        let mut cells = vec![cell(&report.rubric), report.rubric_version.to_string()];
        cells.push(cell(&report.rule));
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend([figure(report.mean), figure(report.spread)]);
        cells.push(format!("${}", report.cost_usd));
        cells
    });
    let header = [
        "rubric",
        "version",
        "score",
        "rows seen",
        "scored",
        "too few",
        "answers",
        "faults",
        "mean",
        "spread",
        "cost",
    ];
    let agreements: Vec<_> = reports.iter().flat_map(|report| agreements_of(report)).collect();
    let mut section = format!(
        "## Judges\n\nModels have judged rows by rubrics. No judge changes the verdict of a check.\n\n{}",
        table(&header, counts)
    );
    if !agreements.is_empty() {
        let header = [
            "rubric",
            "judge",
            "beside",
            "rows",
            "same",
            "kappa",
            "both yes",
            "only judge",
            "only other",
            "both no",
            "Brier",
            "calibration error",
        ];
        section.push_str(&format!("\n\n{}", table(&header, agreements)));
    }
    section
}

/// How far all judges of a rubric together, and each alone, agree with others: the cells of a table.
fn agreements_of(report: &JudgeReport) -> Vec<Vec<String>> {
    let all = std::iter::once(("all", &report.panel));
    let each = report.judges.iter().map(|(judge, agreement)| (judge.as_str(), agreement));
    let pairs = all.chain(each).flat_map(|(judge, agreement)| {
        let others = [("check", &agreement.check), ("reviewers", &agreement.reviewers)];
        others.map(|(other, figures)| (judge, other, figures.as_ref()))
    });
    let cells = |(judge, other, figures): (&str, &str, Option<&AgreementFigures>)| {
        let figures = figures?;
        let AgreementFigures { both_yes, only_judge, only_other, both_no, .. } = figures;
        let mut cells = vec![cell(&report.rubric), cell(judge), other.to_owned()];
        cells.push(figures.rows.to_string());
        cells.push(format!("{:.3} ({:.3} to {:.3})", figures.equal, figures.low, figures.high));
        cells.push(figures.kappa.map_or("-".to_owned(), |kappa| format!("{kappa:.3}")));
        cells.extend([both_yes, only_judge, only_other, both_no].map(u64::to_string));
        cells.push(format!("{:.3}", figures.brier));
        cells.push(format!("{:.3}", figures.calibration_error));
        Some(cells)
    };
    pairs.filter_map(cells).collect()
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
