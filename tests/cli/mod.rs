//! The command line, through the real binary: what it prints, where, and with which exit
//! code. Snapshots hold the words; assertions hold what matters to programs.

mod campaign;
mod check;
mod completions;
mod dataset;
mod draws;
mod editions;
mod episodes;
mod errors;
mod fault_kinds;
mod faults;
pub(crate) mod full_disk;
mod harbor;
mod harness;
mod help;
mod images;
mod json;
mod models;
mod names;
mod network;
mod no_sandbox;
mod places;
mod preflight;
mod python;
mod recipes;
mod registry;
mod replay;
mod reverify;
mod runs;
mod samples;
mod schema;
mod services;
mod stages;
mod store;
mod template;
mod terminal;
mod verify;
