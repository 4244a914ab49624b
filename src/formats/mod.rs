//! The wire formats: one folder for each, with everything that reads and writes it.
//!
//! ```text
//!  engine ─► request writer ─► provider ─► reply reader ─► engine       (`llm` asks a model)
//!  client ─► request reader ─► engine ─► reply writer ─► client         (`gateway` answers a client)
//! ```
//! Nothing here sends, holds or records anything: a text or a JSON value comes in, and the engine's
//! own form comes out, or the other way round.
//!
//! - `chat_completions`, `messages`, `responses`: formats that providers and clients speak.
//! - `gemini`, `ollama`: formats that only providers speak.
//! - `reading`: events, token counts and faults of replies.
//! - `writing`: parts that several writers need.

pub(crate) mod any_reply_builder;
pub(crate) mod chat_completions;
#[cfg(test)]
mod fuzz;
pub(crate) mod gemini;
#[cfg(test)]
mod loss_tests;
pub(crate) mod messages;
pub(crate) mod ollama;
pub(crate) mod reading;
pub(crate) mod responses;
pub(crate) mod unsaid_settings;
mod wire_format;
pub(crate) mod writing;

pub(crate) use wire_format::IMAGE_PARTS;
pub use wire_format::WireFormat;
