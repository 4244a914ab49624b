//! How new a template is beside others: what its checks, its oracle and its instruction have in common
//! with theirs.

use super::template_skeleton::{MOST_ALIKE, NearestSkeleton, TemplateSkeleton};
use super::template_variety::{jaccard, shingles};
use crate::task::{Template, TemplateError};
use serde::Serialize;
use std::collections::HashSet;

/// The most rows of three words that the instructions of two templates have in common, as a share. Rows
/// that everybody writes ("Do not change the") are below it.
pub const MOST_ALIKE_INSTRUCTION: f64 = 0.5;

/// What of a template is compared with others: its first task under seed 1.
pub struct TemplateFeatures {
    skeleton: TemplateSkeleton,
    /// The rows of words of the instruction.
    instruction: HashSet<String>,
}

/// The template whose instruction has the most in common with that of another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NearestInstruction {
    pub template: String,
    /// From 0 to 1.
    pub likeness: f64,
}

/// The nearest of other templates. None if there is no other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TemplateNovelty {
    pub skeleton: Option<NearestSkeleton>,
    pub instruction: Option<NearestInstruction>,
}

impl TemplateFeatures {
    /// The features of a template. Err if it makes no task under seed 1.
    pub fn of(template: &Template) -> Result<Self, TemplateError> {
        let instruction = shingles(&template.task(1, 0)?);
        Ok(Self { skeleton: TemplateSkeleton::of(template)?, instruction })
    }

    /// How new this template is beside others. One with the same id is left out.
    pub fn novelty<'a>(&self, others: impl Iterator<Item = &'a Self>) -> TemplateNovelty {
        let mut novelty = TemplateNovelty::default();
        for other in others.filter(|other| other.skeleton.template != self.skeleton.template) {
            let template = &other.skeleton.template;
            let likeness = self.skeleton.likeness(&other.skeleton);
            if novelty.skeleton.as_ref().is_none_or(|nearest| likeness > nearest.likeness) {
                let template = template.clone();
                novelty.skeleton = Some(NearestSkeleton { template, likeness });
            }
            let common = self.instruction.intersection(&other.instruction).count();
            let likeness = jaccard(common, self.instruction.len() + other.instruction.len());
            if novelty.instruction.as_ref().is_none_or(|nearest| likeness > nearest.likeness) {
                let template = template.clone();
                novelty.instruction = Some(NearestInstruction { template, likeness });
            }
        }
        novelty
    }
}

impl TemplateNovelty {
    /// Why the template is not new enough for a library; empty if it is.
    pub fn problems(&self) -> Vec<String> {
        let skeleton = self.skeleton.iter().filter(|near| near.likeness > MOST_ALIKE).map(|near| {
            let NearestSkeleton { template, likeness } = near;
            format!("its checks and its oracle are those of {template} ({likeness:.2} in common)")
        });
        let is_near = |near: &&NearestInstruction| near.likeness > MOST_ALIKE_INSTRUCTION;
        let instruction = self.instruction.iter().filter(is_near).map(|near| {
            let NearestInstruction { template, likeness } = near;
            format!("its instruction is that of {template} ({likeness:.2} in common)")
        });
        skeleton.chain(instruction).collect()
    }
}
