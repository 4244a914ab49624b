//! How different the tasks of a template are, and how different templates are from each other. No
//! sandbox is needed: tasks are rendered and compared as texts.
//!
//! - `drawn_words` takes out of a text what the seed has drawn, so that numbers and names make no
//!   difference.
//! - `task_shape` is what is left of a task; two tasks with the same shape are the same work.
//! - `template_variety` counts the shapes of a template over seeds.
//! - `template_skeleton` compares the checks and the oracles of two templates.
//! - `template_novelty` says how new a template is beside a library.

mod drawn_words;
mod task_shape;
mod template_novelty;
mod template_skeleton;
mod template_variety;
#[cfg(test)]
mod tests;

pub use template_novelty::{
    MOST_ALIKE_INSTRUCTION, NearestInstruction, TemplateFeatures, TemplateNovelty,
};
pub use template_skeleton::{MOST_ALIKE, NearestSkeleton, TemplateSkeleton, nearest_skeletons};
pub use template_variety::{
    CountRange, FEWEST_STRUCTURES, InstructionLikeness, TemplateVariety, VARIETY_SEEDS,
};
