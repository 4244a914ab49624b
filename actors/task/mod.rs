//! Templates, and the tasks that they generate. The same template, seed and index give the same
//! bytes on every machine and in every version: the random generator is frozen (`draw.rs`), and
//! rendering depends on nothing but the drawn parameters.
//!
//! The way from files to a task: [`Template::read`] reads the YAML of a [`TemplateFolder`]
//! (`template.rs`) and checks its rules (`template_rules.rs`); a [`Catalog`] holds all templates;
//! [`Template::task`] draws the parameters (`params.rs`) and renders every text (`render.rs`,
//! `field_renderer.rs`, `task_builder.rs`). A template with `from_pack` takes its tasks from a pack
//! instead (`pack_task.rs`, `case_task.rs`). An error names its place in a file (`template_error.rs`,
//! `yaml.rs`). Template authors read `docs/templates.md`.

mod case_task;
mod case_text;
mod catalog;
mod draw;
mod field_renderer;
mod pack_draw;
mod pack_spec;
mod pack_task;
mod pack_text;
mod params;
mod render;
mod resource_spec;
mod service_spec;
mod skills;
mod source;
mod task_builder;
mod template;
mod template_error;
mod template_folder;
mod template_rules;
#[cfg(test)]
mod tests;
mod yaml;

pub use catalog::{Catalog, glob_matches, path_matches};
pub use pack_spec::{FaultReport, PackKind, PackSpec, ReportSpec};
pub use params::{CountSpec, OrderedParams, ParamSpec};
pub(crate) use render::fill;
pub use resource_spec::ResourceSpec;
pub use service_spec::ServiceSpec;
pub use skills::SKILLS;
pub use source::TaskSource;
pub use template::{
    FOLDER_SCHEMA, InstructionSpec, MeasuredDifficulty, StepRange, TEMPLATE_SCHEMA, Template,
    TemplatePart, VerificationSpec,
};
pub use template_error::{TemplateError, UnknownWord};
pub use template_folder::{FolderFile, TEMPLATE_FILE, TemplateFolder};
