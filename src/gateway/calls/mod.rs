//! The life of a call: ticket, question to the model, answer, settlement, record.

pub(super) mod call;
pub(super) mod exchange;
pub(super) mod pass_through;
pub(super) mod translate;
