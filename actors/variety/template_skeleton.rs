//! The skeleton of a template: how its checks and its oracle are built, without names and numbers.
//! Two templates with the same skeleton are one template with other words.

use super::task_shape::is_own_program;
use super::template_variety::jaccard;
use crate::model::{MoveAction, Task};
use crate::task::{Template, TemplateError};
use serde::Serialize;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The most that the skeletons of two shipped templates have in common. Of the first 21 shipped
/// templates, the two most similar ones have 0.11 in common, and the median of all pairs is 0.02. A
/// template with every name and number changed has 1.
pub const MOST_ALIKE: f64 = 0.3;

/// Words in a row that are compared.
const SHINGLE: usize = 8;

/// Words that say what a program does. All other words are names.
const KEPT: &str = " if then else elif fi for in do done while case esac def return import from class try \
    except with as not and or lambda yield raise assert print open read write sort uniq awk sed grep cmp \
    diff cat test exit echo find git make sqlite3 curl cc sys json os re subprocess run len range set dict \
    list str int float sorted enumerate zip join split strip True False None self edit submit ";

/// The rows of words of a template's checks and of its oracle.
pub struct TemplateSkeleton {
    pub template: String,
    rows: HashSet<u64>,
}

/// The template whose skeleton has the most in common with that of another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NearestSkeleton {
    pub template: String,
    /// From 0 to 1.
    pub likeness: f64,
}

impl TemplateSkeleton {
    /// The skeleton of the first task under seed 1. What a template takes from a pack, the engine
    /// makes; its skeleton is the pack, the kind, and whether its tasks are long.
    pub fn of(template: &Template) -> Result<Self, TemplateError> {
        let rows = match &template.from_pack {
            Some(spec) => {
                let pack = spec.pack.split('@').next().unwrap_or_default();
                let kind = format!("{:?}", spec.kind);
                // Long tasks have another oracle and other parts.
                let form = if spec.is_long() { "long" } else { "short" };
                HashSet::from([digest_of_row(&[pack, &kind, form])])
            }
            None => {
                let text = programs(&template.task(1, 0)?);
                words(&text).windows(SHINGLE).map(digest_of_row).collect()
            }
        };
        Ok(Self { template: template.id.clone(), rows })
    }

    /// What two skeletons have in common, as a share of what they have together.
    pub fn likeness(&self, other: &Self) -> f64 {
        jaccard(self.rows.intersection(&other.rows).count(), self.rows.len() + other.rows.len())
    }

    /// The one of `all` that has the most in common with this one. None if there is no other.
    fn nearest(&self, all: &[Self]) -> Option<NearestSkeleton> {
        let others = all.iter().filter(|other| other.template != self.template);
        let alike = others.map(|other| (self.likeness(other), other));
        let (likeness, other) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(NearestSkeleton { template: other.template.clone(), likeness })
    }
}

/// The nearest skeleton of each, in their order.
pub fn nearest_skeletons(all: &[TemplateSkeleton]) -> Vec<Option<NearestSkeleton>> {
    all.iter().map(|one| one.nearest(all)).collect()
}

/// A number for a row of words.
fn digest_of_row(row: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

/// The programs of the checks, their commands, and the moves of the oracle.
fn programs(task: &Task) -> String {
    let sealed = task.verification.files.iter();
    let mut parts: Vec<&str> =
        sealed.filter(|file| is_own_program(file)).map(|file| file.content.as_str()).collect();
    parts.extend(task.verification.checks.iter().map(|check| check.run.as_str()));
    for step in &task.solution {
        match &step.action {
            MoveAction::Run(command) => parts.push(command),
            MoveAction::Edit { search, replace, .. } => {
                parts.extend(["edit", search.as_str(), replace.as_str()])
            }
            MoveAction::Write { content, .. } => parts.extend(["write", content.as_str()]),
            MoveAction::Submit => parts.push("submit"),
        }
    }
    parts.join("\n")
}

/// The words of programs: names are all the same, and numbers are.
fn words(text: &str) -> Vec<&str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = match is_letter(first) {
            true => rest.find(|letter: char| !is_letter(letter)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(kind(word))
    })
    .collect()
}

/// A word of a program as the skeleton has it.
fn kind(word: &str) -> &str {
    if word.starts_with(char::is_numeric) {
        return "0";
    }
    if word.starts_with(is_letter) && !KEPT.contains(&format!(" {word} ")) {
        return "name";
    }
    word
}

/// Whether a character is part of a name or of a number.
fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
