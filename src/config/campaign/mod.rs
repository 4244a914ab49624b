//! The campaign file: its raw image, its rules, and the campaign that comes of it.

pub(super) mod kinds;
pub(super) mod names;
pub(super) mod prompt_files;
pub(super) mod prompts;
pub(super) mod providers;
pub(super) mod raw;
pub(super) mod raw_agents;
pub(super) mod raw_completions;
pub(super) mod raw_diversity;
pub(super) mod raw_draw;
pub(super) mod raw_models;
pub(super) mod raw_sampling;
pub(super) mod routing;
pub(super) mod sampling;
pub(super) mod template_dirs;
pub(super) mod validate;
pub(super) mod whole_paths;
