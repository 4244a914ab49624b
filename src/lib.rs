//! synthd turns task templates and a dollar budget into verified, curated training data for
//! language models that act.
//!
//! This package (`synthd`) does all I/O: command line, control socket, SQLite store, Parquet
//! datasets, sandboxes, providers of models, the HTTP gateway. The package `synthd-actors` has
//! everything that decides: domain types, policies, ports and actors. This package implements the
//! ports of the other one. `docs/ARCHITECTURE.md` describes both.
//!
//! A reader who is new here can start at `cli` (what a command does), then `running_engine`
//! (how the parts are started and stopped).

mod catalog_reader;
pub mod cli;
pub mod config;
pub mod container_tasks;
pub mod control;
pub mod curation;
pub mod dataset;
pub mod draw_table;
mod durable;
mod embedded_files;
pub mod error;
pub mod estimate;
pub mod export;
pub mod formats;
pub mod gateway;
pub mod harbor;
pub mod llm;
mod log_filter;
mod packs;
pub mod preflight;
pub mod prices;
mod private_directory;
pub mod push;
pub mod review;
pub mod running_engine;
pub mod sandbox;
mod socket_path;
pub mod store;
pub mod template_calibration;
mod template_files;
pub mod templates;
mod word_suggestion;
pub mod workspaces;
