//! One folder for each family of wire formats: requests out, replies in.

pub(super) mod anthropic;
pub(super) mod gemini;
pub(super) mod ollama;
pub(super) mod openai;
pub(super) mod responses;
