//! Templates and the tasks they generate. The same template, seed and index give the same
//! bytes on every machine: drawing is frozen (`draw.rs`), rendering is pure.

mod catalog;
mod draw;
mod params;
mod render;
mod template;
#[cfg(test)]
mod tests;

pub use catalog::{Catalog, glob_matches};
pub use params::{Count, OrderedParams, ParamSpec};
pub use template::{BASE_IMAGE, TEMPLATE_SCHEMA, Template};

/// A template that cannot be used: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub template: String,
    /// One-based, where the text itself is at fault.
    pub location: Option<(u64, u64)>,
    pub message: String,
}

impl TemplateError {
    pub fn new(template: &str, message: impl Into<String>) -> Self {
        Self { template: template.to_owned(), location: None, message: message.into() }
    }
}
