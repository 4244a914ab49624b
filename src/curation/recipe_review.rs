//! Puts what the stages of a recipe decided into the rows that are written, and keeps their notes.

use super::day_samples::DaySamples;
use super::version_notes::{NoteLine, NotedStage};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;
use synthd_actors::curation::{CurationRun, DiversitySample, Recipe};
use synthd_actors::model::{
    CuratedStage, CurationReport, CurationSource, JudgeReport, RowRecord, StageExample,
};
use synthd_actors::ports::SetReview;

/// The most examples of a stage on the card.
const EXAMPLES: usize = 3;
/// The longest detail of an example, in characters.
const EXAMPLE_LENGTH: usize = 160;

/// A run whose stages have all decided.
pub(super) struct RecipeReview {
    run: CurationRun,
    report: CurationReport,
    examples: BTreeMap<usize, Vec<StageExample>>,
    diversity: DiversitySample,
    days: DaySamples,
}

impl RecipeReview {
    pub(super) fn new(
        run: CurationRun,
        recipe: &Recipe,
        text: &str,
        sources: Vec<CurationSource>,
        mut judged: BTreeMap<usize, JudgeReport>,
    ) -> Self {
        let stages = recipe.stages.iter().zip(run.stages()).zip(run.reports()).enumerate();
        let stages = stages.map(|(at, ((said, stage), report))| CuratedStage {
            kind: stage.kind.to_owned(),
            version: stage.version,
            action: stage.action.as_str().to_owned(),
            settings: serde_json::to_value(&said.settings).unwrap_or_default(),
            seen: report.seen,
            found: report.found,
            replaced: report.replaced,
            examples: Vec::new(),
            judged: judged.remove(&at),
        });
        let stages = stages.collect();
        let recipe_text = text.to_owned();
        let report =
            CurationReport { recipe: recipe_text, sources, stages, ..CurationReport::default() };
        let diversity = DiversitySample::new(recipe.seed);
        let days = DaySamples::new(recipe.seed);
        Self { run, report, examples: BTreeMap::new(), diversity, days }
    }

    /// Keeps the first findings of each stage, for the card.
    fn keep_examples(&mut self, record: &RowRecord) {
        for note in self.run.notes(record.ordinal) {
            let examples = self.examples.entry(note.stage).or_default();
            if let (true, Some(remark)) = (examples.len() < EXAMPLES, note.remarks.first()) {
                let detail = remark.detail.chars().take(EXAMPLE_LENGTH).collect();
                examples.push(StageExample { row: record.row.id().to_owned(), detail });
            }
        }
    }
}

impl SetReview for RecipeReview {
    fn review(&mut self, record: &mut RowRecord) {
        self.run.apply(record);
        self.keep_examples(record);
        if record.rejected.is_none() {
            self.diversity.add(&record.row);
            self.days.add(&record.row);
        }
    }

    fn note(&self, record: &RowRecord) -> Option<String> {
        let notes = self.run.notes(record.ordinal);
        let stage = |note: &synthd_actors::curation::RowNote| {
            let stage = &self.run.stages()[note.stage];
            NotedStage {
                stage: note.stage,
                kind: stage.kind.to_owned(),
                version: stage.version,
                action: stage.action.as_str().to_owned(),
                replaced: note.replaced,
                remarks: note.remarks.clone(),
            }
        };
        let line = NoteLine {
            row: record.row.id().to_owned(),
            rejected: record.rejected.as_ref().map(|rejection| rejection.stage.clone()),
            stages: notes.iter().map(stage).collect(),
        };
        (!notes.is_empty()).then(|| serde_json::to_string(&line).unwrap_or_default())
    }

    fn report(&self) -> Option<CurationReport> {
        let mut report = self.report.clone();
        for (at, examples) in &self.examples {
            report.stages[*at].examples.clone_from(examples);
        }
        report.diversity = self.diversity.report(compressed);
        report.days = self.days.report(compressed);
        Some(report)
    }
}

/// How many bytes texts take, one behind the other, compressed. None if they cannot be.
fn compressed(texts: &[&str]) -> Option<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    texts.iter().try_for_each(|text| encoder.write_all(text.as_bytes())).ok()?;
    Some(encoder.finish().ok()?.len())
}
