//! How long a provider may be silent before a call counts as unanswered.

use std::time::Duration;

/// How long a provider may be silent.
#[derive(Clone, Copy, Debug)]
pub struct ProviderTimeouts {
    /// Before the head of an answer. It is long, because some models reason before they answer.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

impl Default for ProviderTimeouts {
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(300), idle: Duration::from_secs(120) }
    }
}
