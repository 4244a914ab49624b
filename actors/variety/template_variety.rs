//! How different the tasks of one template are over seeds.

use super::drawn_words::DrawnWords;
use super::task_shape::TaskShape;
use crate::model::Task;
use crate::task::{ParamSpec, Template, TemplateError};
use serde::Serialize;
use std::collections::HashSet;

/// The seeds that are tried, unless somebody asks for others. Of few more than
/// [`FEWEST_STRUCTURES`] possible structures, so many seeds show enough.
pub const VARIETY_SEEDS: u32 = 40;
/// The fewest structurally different tasks that a shipped template makes under [`VARIETY_SEEDS`]
/// seeds.
pub const FEWEST_STRUCTURES: usize = 20;
/// Words in a row that are compared of two instructions.
const SHINGLE: usize = 3;

/// What a template makes under the seeds from 1 on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TemplateVariety {
    /// How many seeds were tried.
    pub seeds: u32,
    /// Structurally different tasks: numbers and names that are drawn make no difference.
    pub structures: usize,
    /// The same, of what the agent finds alone.
    pub environments: usize,
    /// The same, of the oracle's moves alone.
    pub oracles: usize,
    /// Different values of all parameters of the kinds `choice` and `bool` and of all faults
    /// together. Names that are drawn count too, so this is an upper bound.
    pub choices: usize,
    /// How alike the instructions are.
    pub instructions: InstructionLikeness,
    /// The moves of the oracle.
    pub moves: CountRange,
    /// The files of the workspace.
    pub files: CountRange,
    /// Their bytes together.
    pub bytes: CountRange,
}

/// How alike the instructions of two seeds are, from 0 (no three words in common) to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct InstructionLikeness {
    /// Over all pairs of seeds.
    pub mean: f64,
    /// Of the most similar pair.
    pub most: f64,
}

/// The least and the most of a count over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CountRange {
    pub least: usize,
    pub most: usize,
}

impl TemplateVariety {
    /// Renders the tasks with index 0 under the seeds 1 to `seeds` and compares them. Fails if one of
    /// them cannot be rendered.
    pub fn of(template: &Template, seeds: u32) -> Result<Self, TemplateError> {
        let words = DrawnWords::of(template, seeds)?;
        let mut seen = SeenTasks::default();
        for seed in 1..=seeds {
            let task = template.task(u64::from(seed), 0)?;
            let choices = choices(template, u64::from(seed), &task)?;
            seen.add(&task, TaskShape::new(&task, &words), choices);
        }
        Ok(seen.variety(seeds))
    }
}

/// What was seen of the tasks so far.
#[derive(Default)]
struct SeenTasks {
    shapes: HashSet<TaskShape>,
    choices: HashSet<String>,
    instructions: Vec<HashSet<String>>,
    moves: Vec<usize>,
    files: Vec<usize>,
    bytes: Vec<usize>,
}

impl SeenTasks {
    fn add(&mut self, task: &Task, shape: TaskShape, choices: String) {
        self.shapes.insert(shape);
        self.choices.insert(choices);
        self.instructions.push(shingles(task));
        self.moves.push(task.solution.len());
        self.files.push(task.files.len());
        self.bytes.push(task.files.iter().map(|file| file.content.len()).sum());
    }

    fn variety(&self, seeds: u32) -> TemplateVariety {
        let different = |part: fn(&TaskShape) -> &String| {
            self.shapes.iter().map(part).collect::<HashSet<_>>().len()
        };
        TemplateVariety {
            seeds,
            structures: self.shapes.len(),
            environments: different(|shape| &shape.environment),
            oracles: different(|shape| &shape.oracle),
            choices: self.choices.len(),
            instructions: likeness(&self.instructions),
            moves: CountRange::of(&self.moves),
            files: CountRange::of(&self.files),
            bytes: CountRange::of(&self.bytes),
        }
    }
}

impl CountRange {
    fn of(counts: &[usize]) -> Self {
        let (least, most) = (counts.iter().min(), counts.iter().max());
        Self { least: least.copied().unwrap_or(0), most: most.copied().unwrap_or(0) }
    }
}

/// The values of the parameters that choose something, and the variants of the faults, as one text.
fn choices(template: &Template, seed: u64, task: &Task) -> Result<String, TemplateError> {
    let drawn = template.drawn(seed, 0)?;
    let chooses = |spec: &ParamSpec| matches!(spec, ParamSpec::Choice(_) | ParamSpec::Bool {});
    let chosen = template.parameters.0.iter().filter(|(_, spec)| chooses(spec));
    let values = chosen.filter_map(|(name, _)| drawn.get(name)).map(ToString::to_string);
    let variants = task.faults.iter().map(|fault| fault.variant.clone());
    Ok(values.chain(variants).collect::<Vec<_>>().join("\n"))
}

/// All rows of [`SHINGLE`] words of what the agent is told, without the canary.
pub(super) fn shingles(task: &Task) -> HashSet<String> {
    let stages = task.stages.iter().map(|stage| stage.instruction.as_str());
    let told = match task.stages.is_empty() {
        true => task.instruction.clone(),
        false => stages.collect::<Vec<_>>().join("\n"),
    };
    let told = told.replace(&task.canary, "");
    let words: Vec<&str> = told.split_whitespace().collect();
    words.windows(SHINGLE).map(|row| row.join(" ")).collect()
}

/// The share of rows of words that two instructions have in common, over all pairs.
fn likeness(instructions: &[HashSet<String>]) -> InstructionLikeness {
    let mut pairs = 0_u32;
    let (mut sum, mut most) = (0.0, 0.0_f64);
    for (at, one) in instructions.iter().enumerate() {
        for other in &instructions[..at] {
            let alike = jaccard(one.intersection(other).count(), one.len() + other.len());
            pairs += 1;
            sum += alike;
            most = most.max(alike);
        }
    }
    InstructionLikeness { mean: sum / f64::from(pairs.max(1)), most }
}

/// What two sets have in common, as a share of what they have together. `sizes` is the sum of their
/// sizes. Two empty sets have nothing in common.
pub(super) fn jaccard(common: usize, sizes: usize) -> f64 {
    common as f64 / sizes.saturating_sub(common).max(1) as f64
}
