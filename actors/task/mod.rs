//! Templates, and the tasks that they generate. The same template, seed and index give the same
//! bytes on every machine and in every version: the random generator is frozen (`draw.rs`), and
//! rendering depends on nothing but the drawn parameters.
//!
//! The way from a file to a task: [`Template::parse`] reads and validates the YAML (`template.rs`);
//! a [`Catalog`] holds all templates; [`Template::task`] draws the parameters (`params.rs`) and
//! renders every text (`render.rs`, `task_builder.rs`). An error names its place in the YAML text
//! (`template_error.rs`, `yaml.rs`). Template authors read `docs/templates.md`.

mod catalog;
mod draw;
mod params;
mod render;
mod source;
mod task_builder;
mod template;
mod template_error;
#[cfg(test)]
mod tests;
mod yaml;

pub use catalog::{Catalog, glob_matches};
pub use params::{CountSpec, OrderedParams, ParamSpec};
pub(crate) use render::fill;
pub use source::TaskSource;
pub use template::{TEMPLATE_SCHEMA, Template};
pub use template_error::{TemplateError, UnknownWord};
