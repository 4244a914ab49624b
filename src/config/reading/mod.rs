//! How TOML text is read: places, syntax errors, sections, single values, and how mistakes are shown.

pub(super) mod errors;
pub(super) mod excerpt;
pub(super) mod key_redaction;
pub(super) mod reader;
pub(super) mod render;
pub(super) mod section;
pub(super) mod source;
pub(super) mod syntax;
pub(super) mod units;
pub(super) mod values;
