//! One adapter for each wire format: it asks one model of one host, once.

pub(super) mod chat_completions;
pub(super) mod gemini;
pub(super) mod messages;
pub(super) mod ollama;
pub(super) mod responses;
