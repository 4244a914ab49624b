//! Templates and the tasks they generate. The same template, seed and index give the same
//! bytes on every machine: drawing is frozen (`draw.rs`), rendering is pure.

mod catalog;
mod draw;
mod make;
mod params;
mod render;
mod template;
#[cfg(test)]
mod tests;
mod trouble;
mod yaml;

pub use catalog::{Catalog, glob_matches};
pub use params::{CountSpec, OrderedParams, ParamSpec};
pub use template::{BASE_IMAGE, TEMPLATE_SCHEMA, Template};
pub use trouble::{TemplateError, UnknownWord};
