//! What judges said, for people and as JSON.

use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{eprint_line, print_line, width};
use crate::cli::terminal::terminal_text::escape_line;
use crate::curation::{AskReport, AskedStage};
use serde_json::{Value, json};
use synthd_actors::model::{AgreementFigures, CampaignName, JudgeReport, Money};

/// Everything as one document.
pub(super) fn document(report: &AskReport, account: &CampaignName, budget: Money) -> Value {
    let stage = |stage: &AskedStage| {
        json!({
            "stage": stage.stage + 1, "known": stage.known, "asked": stage.asked,
            "faults": stage.faults, "cost_usd": stage.cost, "figures": stage.figures,
        })
    };
    json!({
        "name": account, "state": report.state.as_str(), "budget_usd": budget,
        "warnings": report.warnings,
        "stages": report.stages.iter().map(stage).collect::<Vec<_>>(),
    })
}

/// Prints a table of the stages, and how far their judges agree.
pub(super) fn show(report: &AskReport) {
    for warning in &report.warnings {
        eprint_line(&format!("warning: {}", escape_line(warning)));
    }
    let columns = [
        TableColumn::right("stage"),
        TableColumn::new("rubric"),
        TableColumn::right("rows"),
        TableColumn::right("scored"),
        TableColumn::right("known"),
        TableColumn::right("asked"),
        TableColumn::right("faults"),
        TableColumn::right("cost"),
    ];
    let rows = report.stages.iter().map(|stage| {
        let figures = &stage.figures;
        let mut cells = vec![(stage.stage + 1).to_string(), escape_line(&figures.rubric)];
        let counts = [figures.rows, figures.scored, stage.known, stage.asked, stage.faults];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(format!("${}", stage.cost));
        cells
    });
    print_line(lines(&columns, &rows.collect::<Vec<_>>(), width()).trim_end());
    for stage in &report.stages {
        show_agreement(&stage.figures);
    }
}

/// Prints how far the judges of a stage agree with others.
fn show_agreement(figures: &JudgeReport) {
    print_line(&format!("\n{}", escape_line(&figures.rubric)));
    print_line(&format!("  {}", figures.rule));
    if let (Some(mean), Some(spread)) = (figures.mean, figures.spread) {
        print_line(&format!("  mean {mean:.3}, between judges {spread:.3}"));
    }
    let panel = std::iter::once(("all judges", &figures.panel));
    let judges = figures.judges.iter().map(|(judge, agreement)| (judge.as_str(), agreement));
    for (who, agreement) in panel.chain(judges) {
        let others = [("the check", &agreement.check), ("reviewers", &agreement.reviewers)];
        for (other, found) in others {
            if let Some(found) = found {
                print_line(&format!("  {} and {other}", escape_line(who)));
                agreement_lines(found).iter().for_each(|line| print_line(line));
            }
        }
    }
}

fn agreement_lines(figures: &AgreementFigures) -> Vec<String> {
    let AgreementFigures { both_yes, only_judge, only_other, both_no, .. } = figures;
    let kappa = figures.kappa.map_or("-".to_owned(), |kappa| format!("{kappa:.3}"));
    vec![
        format!(
            "    same {:.3} ({:.3} to {:.3}) of {} rows, kappa {kappa}",
            figures.equal, figures.low, figures.high, figures.rows
        ),
        format!(
            "    both yes {both_yes}, only judge {only_judge}, only other {only_other}, both no {both_no}"
        ),
        format!(
            "    Brier {:.3}, calibration error {:.3}",
            figures.brier, figures.calibration_error
        ),
    ]
}
