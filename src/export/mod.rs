//! Exports: a dataset version in the form that a trainer reads.
//!
//! ```text
//! version ─row─► ExportFilter ─► converter of the format ─► <split>.jsonl ─┐
//!                                  │        │                              ├─ rename ─► DIR/
//!                                  ▼        ▼                              │
//!                             LeftReason  LostParts ─────► export.json ────┘
//! ```
//! A converter is a pure function from a row to a line of JSON. Messages are those of the row: none is
//! invented, merged or dropped in silence. A row that cannot be said is left out, and a part that a
//! format has no key for is noted; both are counted by reason. A line is text and no
//! `serde_json::Value`, so that arguments keep the order of their keys and the digits of their numbers.
//!
//! - `export_format`: the formats. `trl`, `chat_formats`, `share_gpt`, `task_prompt`, `step_lines`, `atif`,
//!   `hub_trace`, `otel`: the converters of a family.
//! - `chat_row`, `chat_line`, `reply_facts`, `plain_json`: what the converters share.
//! - `preference`, `best_of`, `side_store`: lines of several rows of one task.
//! - `export_files`, `export_record`, `run`: the directory, its `export.json`, and the whole.

mod atif;
mod best_of;
mod chat_formats;
mod chat_line;
mod chat_row;
mod export_files;
mod export_format;
mod export_record;
mod hub_trace;
mod left_reason;
mod otel;
mod otel_message;
mod plain_json;
mod preference;
mod reply_facts;
mod run;
mod share_gpt;
mod side_store;
mod step_lines;
mod task_prompt;
#[cfg(test)]
mod task_tests;
#[cfg(test)]
mod tests;
mod trl;
mod whole_row;

pub use export_files::ExportFile;
pub use export_format::ExportFormat;
pub use export_record::{
    ExportChoices, ExportFilter, ExportRecord, ExportSource, PairChoices, SplitExport,
};
pub use preference::{PairRules, SolvedOrder};
pub use run::{ExportRequest, export};
