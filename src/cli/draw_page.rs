//! The draw of a campaign as text, for `synthd check` and the dry run.

use crate::cli::terminal::layout::{self, TableColumn};
use crate::cli::terminal::output::{pluralize, width};
use crate::draw_table::DrawTable;
use synthd_actors::model::{CampaignConfig, DrawRule};
use synthd_actors::policy::draw::ShareLine;

/// The draw as text. None if the campaign takes the same number of tasks of each template.
pub(super) fn page(table: &DrawTable, config: &CampaignConfig) -> Option<String> {
    match config.tasks.draw.rule {
        DrawRule::Each => None,
        DrawRule::Shares => Some(shares(table, config)),
        DrawRule::Informative => Some(informative(config)),
    }
}

/// The table of shares: each value with its tasks, its share and what it should have.
fn shares(table: &DrawTable, config: &CampaignConfig) -> String {
    let columns = [
        TableColumn::new("drawn by"),
        TableColumn::new("value").at_least(12),
        TableColumn::right("tasks"),
        TableColumn::right("share"),
        TableColumn::right("wanted").spare(1),
    ];
    let all: u64 = table.templates.iter().map(|(_, tasks)| u64::from(*tasks)).sum();
    let row = |line: &ShareLine| {
        let share = percent(line.tasks as f64 / all.max(1) as f64);
        let wanted = line.target.map_or("-".to_owned(), percent);
        let over = if line.is_above_cap { " above its cap" } else { "" };
        let value = format!("{}{over}", line.value);
        vec![line.aspect.as_str().to_owned(), value, line.tasks.to_string(), share, wanted]
    };
    let rows: Vec<_> = table.lines.iter().map(row).collect();
    let mut lines = vec![layout::lines(&columns, &rows, width())];
    if table.lines.iter().any(|line| line.is_above_cap) {
        let of = pluralize(table.templates.len() as u64, "template");
        lines
            .push(format!("{of} are not enough for every cap: select more, or raise [tasks.caps]"));
    }
    if all < u64::from(config.tasks.draw.count) {
        lines.push("the shares exclude every template".to_owned());
    }
    lines.join("\n")
}

/// What an informative draw will do.
fn informative(config: &CampaignConfig) -> String {
    let draw = &config.tasks.draw;
    let [low, high] = draw.between.map(|rate| f64::from(rate) / 1_000.0);
    let least = match draw.least {
        1 => "1 try".to_owned(),
        least => format!("{least} tries"),
    };
    format!(
        "a task and a model are chosen {} times while the campaign runs:\n\
         at least {least} of each template by each model, then where the pass rate\n\
         is uncertain or between {low} and {high}",
        draw.count
    )
}

/// A part of one as a percentage.
fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}
