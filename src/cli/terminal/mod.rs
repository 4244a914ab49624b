//! What the program prints: answers, tables, text made safe for a terminal, logs.

pub(super) mod layout;
pub(super) mod logging;
pub(super) mod output;
pub(super) mod suggest;
pub(super) mod terminal_text;
