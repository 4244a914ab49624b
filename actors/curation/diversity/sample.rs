//! What is kept of the rows, and the figures of it.

use super::ngrams::{counts, words};
use super::self_bleu::self_bleu;
use super::vendi::vendi;
use crate::curation::row_text::{TextSource, visit_strings};
use crate::curation::stages::{RowAspect, lot};
use crate::model::{DatasetRow, DiversityReport};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows in a sample.
const SAMPLE: usize = 512;
/// Rows of it that are compared with each other.
const COMPARED: usize = 96;
/// Lengths at which texts are compared, in characters. The longest counts that half of the sample has.
pub(super) const LENGTHS: [usize; 6] = [4_000, 2_000, 1_000, 500, 250, 100];
/// How many words in a row are a repetition of another row.
const REPEATED: usize = 8;
/// Most different names of one sort that are counted.
const NAMES: usize = 10_000;

/// A sample of rows.
#[derive(Clone, Debug, Default)]
pub struct DiversitySample {
    seed: u64,
    /// What the models wrote, by what the seed has drawn.
    texts: BTreeMap<String, String>,
    rows: u64,
    models: BTreeMap<String, u64>,
    templates: BTreeMap<String, u64>,
    tools: BTreeMap<String, u64>,
    commands: BTreeMap<String, u64>,
    categories: BTreeMap<String, u64>,
}

impl DiversitySample {
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Looks at a row. Its text is kept if the seed draws it.
    pub fn add(&mut self, row: &DatasetRow) {
        self.rows += 1;
        count(&mut self.models, RowAspect::Model.of(row));
        count(&mut self.templates, RowAspect::Template.of(row));
        count(&mut self.categories, RowAspect::Category.of(row));
        for step in row.as_trajectory().into_iter().flat_map(|row| &row.trajectory) {
            if !step.action.tool.is_empty() {
                count(&mut self.tools, step.action.tool.clone());
            }
            for command in commands(&step.action.arguments) {
                count(&mut self.commands, command);
            }
        }
        let lot = lot(self.seed, row);
        let drawn = self.texts.len() < SAMPLE
            || self.texts.last_key_value().is_some_and(|(last, _)| lot < *last);
        if drawn {
            self.texts.insert(lot, written(row));
            if self.texts.len() > SAMPLE {
                self.texts.pop_last();
            }
        }
    }

    /// The texts at equal length, in an order that the seed decides, and this length.
    pub fn texts(&self) -> (Vec<&str>, usize) {
        let half = self.texts.len().div_ceil(2);
        let long = |length: usize| {
            let long = self.texts.values().filter_map(move |text| beginning(text, length));
            long.collect::<Vec<_>>()
        };
        let found = LENGTHS.into_iter().map(|length| (long(length), length));
        found.into_iter().find(|(texts, _)| texts.len() >= half).unwrap_or_default()
    }

    /// The figures. `compressed` is how many bytes the texts take, one behind the other, compressed.
    pub fn report(&self, compressed: impl FnOnce(&[&str]) -> Option<usize>) -> DiversityReport {
        let (texts, length) = self.texts();
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let split: Vec<Vec<String>> = texts.iter().map(|text| words(text)).collect();
        let compared = &split[..split.len().min(COMPARED)];
        let ratio = compressed(&texts).filter(|size| *size > 0 && bytes > 0);
        DiversityReport {
            rows: self.rows,
            sampled: texts.len() as u64,
            length: length as u64,
            compression: ratio.map(|size| bytes as f64 / size as f64),
            distinct: [1, 2, 3].map(|n| distinct(&split, n)),
            repeated: repeated(&split),
            self_bleu: self_bleu(compared),
            vendi: vendi(compared),
            compared: compared.len() as u64,
            models: entropy(&self.models),
            templates: entropy(&self.templates),
            tools: self.tools.len() as u64,
            commands: self.commands.len() as u64,
            categories: self.categories.len() as u64,
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: String) {
    if counts.len() < NAMES || counts.contains_key(&name) {
        *counts.entry(name).or_default() += 1;
    }
}

/// All that the model wrote, cut to the longest length.
fn written(row: &DatasetRow) -> String {
    let mut text = String::new();
    visit_strings(row, &mut |place, string| {
        // The conversation has the same words once more.
        if place.source == TextSource::Written
            && place.column != "messages"
            && text.len() < 4 * LENGTHS[0]
        {
            text.push_str(string);
            text.push('\n');
        }
    });
    beginning(&text, LENGTHS[0]).unwrap_or(&text).to_owned()
}

/// The first characters of a text; none if it has fewer.
pub(super) fn beginning(text: &str, length: usize) -> Option<&str> {
    if text.len() < length {
        return None;
    }
    match text.char_indices().nth(length) {
        Some((end, _)) => text.get(..end),
        None => (text.chars().count() == length).then_some(text),
    }
}

/// The programs that a shell command starts, as far as its words tell: the first word of each part.
fn commands(arguments: &str) -> Vec<String> {
    let Ok(arguments) = serde_json::from_str::<serde_json::Value>(arguments) else {
        return Vec::new();
    };
    let command = arguments.get("command").and_then(|command| command.as_str()).unwrap_or("");
    let parts = command.split(['|', ';', '&', '\n']);
    let first = parts.filter_map(|part| part.split_whitespace().next());
    let is_program = |word: &&str| {
        word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter))
    };
    first.filter(is_program).map(str::to_owned).collect()
}

/// The share of different rows of `n` words among all. None if there are none.
pub(super) fn distinct(texts: &[Vec<String>], n: usize) -> Option<f64> {
    let (mut all, mut different) = (0_u64, HashSet::new());
    for gram in texts.iter().flat_map(|text| text.windows(n)) {
        all += 1;
        different.insert(gram);
    }
    (all > 0).then(|| different.len() as f64 / all as f64)
}

/// The share of texts that have a row of words in common with another text. None without a text.
fn repeated(texts: &[Vec<String>]) -> Option<f64> {
    let mut owners: HashMap<&[String], u32> = HashMap::new();
    for text in texts {
        counts(text, REPEATED).into_keys().for_each(|gram| *owners.entry(gram).or_default() += 1);
    }
    let shares = |text: &&Vec<String>| {
        text.windows(REPEATED).any(|gram| owners.get(gram).is_some_and(|owners| *owners > 1))
    };
    let count = texts.iter().filter(shares).count();
    (!texts.is_empty()).then(|| count as f64 / texts.len() as f64)
}

/// The entropy of counts, in bits.
fn entropy(counts: &BTreeMap<String, u64>) -> f64 {
    let all: u64 = counts.values().sum();
    let part = |count: &u64| {
        let share = *count as f64 / all as f64;
        -share * share.log2()
    };
    let entropy: f64 = counts.values().map(part).sum();
    entropy.abs()
}
