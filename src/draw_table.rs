//! What a campaign would draw, computed before it begins: the tasks of each template, and the table of
//! shares. The estimate, `synthd check` and the dry run use it. Templates that this host cannot run are
//! in it, because nobody has looked for their programs yet.

use serde_json::{Value, json};
use std::sync::Arc;
use synthd_actors::model::{CampaignConfig, DrawRule};
use synthd_actors::policy::draw::{ShareLine, share_lines};
use synthd_actors::task::{Catalog, Template};
use synthd_actors::work::trajectory::draw_candidates;

/// The tasks of a campaign that would begin now.
pub struct DrawTable {
    /// The selected templates with the number of tasks of each. An informative draw may choose any of
    /// them, so each has the number of all choices.
    pub templates: Vec<(Arc<Template>, u32)>,
    /// The table of shares. Empty if the campaign does not draw by shares.
    pub lines: Vec<ShareLine>,
}

impl DrawTable {
    /// Draws the tasks of a campaign. Nothing is rendered.
    pub fn of(catalog: &Catalog, config: &CampaignConfig) -> Self {
        let tasks = &config.tasks;
        let selected = catalog.select(&tasks.templates, &tasks.exclude);
        if tasks.draw.rule != DrawRule::Shares {
            let most = tasks.most_of_template();
            let tasks = |template: Arc<Template>| (template.clone(), template.at_most(most));
            let templates = selected.into_iter().map(tasks).collect();
            return Self { templates, lines: Vec::new() };
        }
        let candidates = draw_candidates(&selected);
        let (lines, counts) = share_lines(&tasks.draw, config.seed, &candidates);
        Self { templates: selected.into_iter().zip(counts).collect(), lines }
    }

    /// The number of tasks.
    pub fn tasks(&self, config: &CampaignConfig) -> u64 {
        match config.tasks.draw.is_each() {
            true => self.templates.iter().map(|(_, tasks)| u64::from(*tasks)).sum(),
            false => u64::from(config.tasks.draw.count),
        }
    }

    /// The draw as JSON. Null if the campaign takes the same number of tasks of each template.
    pub fn document(&self, config: &CampaignConfig) -> Value {
        let draw = &config.tasks.draw;
        let line = |line: &ShareLine| {
            json!({
                "aspect": line.aspect,
                "value": line.value,
                "tasks": line.tasks,
                "target": line.target,
                "above_cap": line.is_above_cap,
            })
        };
        match draw.rule {
            DrawRule::Each => Value::Null,
            DrawRule::Shares => json!({
                "rule": draw.rule,
                "count": draw.count,
                "shares": self.lines.iter().map(line).collect::<Vec<_>>(),
                "templates": self.templates.iter().map(|(template, tasks)| {
                    (template.id.clone(), json!(tasks))
                }).collect::<serde_json::Map<_, _>>(),
            }),
            DrawRule::Informative => json!({
                "rule": draw.rule,
                "count": draw.count,
                "between": draw.between.map(|rate| f64::from(rate) / 1_000.0),
                "least": draw.least,
            }),
        }
    }
}
