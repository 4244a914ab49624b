//! Templates, and the tasks that they generate. The same template, seed and index give the same
//! bytes on every machine and in every version: the random generator is frozen (`draw.rs`), and
//! rendering depends on nothing but the drawn parameters.
//!
//! The way from files to a task: [`Template::read`] reads the YAML of a [`TemplateFolder`]
//! (`template.rs`) and checks its rules (`template_rules.rs`); a [`Catalog`] holds all templates;
//! [`Template::task`] draws the parameters (`params.rs`) and renders every text (`render.rs`,
//! `field_renderer.rs`, `task_builder.rs`). A template with `from_pack` takes its tasks from a pack
//! instead (`pack_task.rs`; `pack_write_tests.rs` and `pack_document.rs` where a file is asked for; `pack_bisect.rs` and
//! `pack_merge.rs` for git repositories; `pack_backlog.rs` for work in stages; `speed_task.rs`; `case_task.rs` and `case_git.rs` for programs whose tests are cases). An error
//! names its place in a file (`template_error.rs`, `yaml.rs`). Template authors read `docs/templates.md`.

mod backlog_draw;
mod backlog_runner;
mod backlog_text;
mod bare_task;
mod bisect_plan;
mod case_breakages;
mod case_environment;
mod case_git;
mod case_task;
mod case_test_draw;
mod case_test_text;
mod case_text;
mod case_write_tests;
mod catalog;
mod container_task;
mod draw;
mod field_renderer;
mod history_rework;
mod history_stream;
mod long_oracle;
mod merge_names;
mod merge_plan;
mod pack_backlog;
mod pack_bisect;
mod pack_breakages;
mod pack_docstrings;
mod pack_document;
mod pack_draw;
mod pack_duplicates;
mod pack_environment;
mod pack_frame;
mod pack_git;
mod pack_history;
mod pack_merge;
mod pack_names;
mod pack_reference_text;
mod pack_spec;
mod pack_task;
mod pack_test_draw;
mod pack_test_text;
mod pack_text;
mod pack_write_tests;
mod pack_written;
mod params;
mod project_state;
mod render;
mod resource_spec;
mod rewording;
mod service_spec;
mod skills;
mod source;
mod source_text;
mod speed_task;
mod speed_text;
mod standing_changes;
mod task_builder;
mod template;
mod template_error;
mod template_folder;
mod template_rules;
#[cfg(test)]
mod tests;
mod yaml;

pub use catalog::{Catalog, glob_matches, path_matches};
pub use container_task::ContainerTask;
pub use pack_spec::{BacklogWork, FaultReport, PackKind, PackSpec, ReportSpec};
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
