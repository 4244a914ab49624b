//! Templates and the tasks they generate. The same template, seed and index give the same
//! bytes on every machine: drawing is frozen (`draw.rs`), rendering is pure.

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
pub use source::TaskSource;
pub use template::{TEMPLATE_SCHEMA, Template};
pub use template_error::{TemplateError, UnknownWord};
