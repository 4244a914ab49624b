//! synthd: turns task templates and a dollar budget into verified, curated training data
//! for language models that act. This package is everything that touches the world; what
//! decides lives in `synthd-actors`.

pub mod cli;
pub mod config;
pub mod control;
pub mod dataset;
mod durable;
pub mod engine;
pub mod error;
pub mod estimate;
pub mod gateway;
pub mod llm;
mod log_filter;
pub mod preflight;
pub mod prices;
mod private_directory;
pub mod sandbox;
pub mod store;
pub mod templates;
mod word_suggestion;
