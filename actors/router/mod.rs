//! The router: every model call of every campaign goes through it, those of the engine's own
//! scaffolds and those of the gateway.
//!
//! The steps of one call: choose a model (`route.rs`), wait for a key that is free
//! (`campaign_model.rs`; `key_limiter.rs` is one key with its requests and tokens a minute, which
//! `key_rate_limiter.rs` counts; `provider_limiter.rs` has the calls at once of a provider and its
//! circuit breaker) and for money (`account.rs`, `ticket.rs`), write the hold to the journal, ask
//! the model (`call.rs`), settle the hold with the true cost and record the exchange
//! (`call_settlement.rs`). `messages.rs` has [`RouterHandle`], which the rest of the engine uses. The pure rules are in `policy`:
//! `ledger`, `circuit_breaker`, `concurrency_window`, `latency`, `retry`, `token_bucket`.
//! `docs/routing.md` describes the behaviour for users.
//!
//! The invariants: no request is sent before its hold is durable (a call of a free model has no
//! hold), a hold that is never settled counts in full, and memory never counts less than the
//! journal. What the store does not take waits in `record_backlog.rs`. The router actor owns the accounts
//! and the admission of calls (`state.rs`), and gives out the account of each campaign. The accounts
//! outlive a restart of the actor, so it loses no money and no limit.

mod account;
mod actor;
#[cfg(test)]
mod admission_tests;
mod answer_turn;
mod call;
mod call_settlement;
mod campaign_model;
mod key_limiter;
mod key_rate_limiter;
mod messages;
mod money_hold;
mod provider_limiter;
mod record_backlog;
#[cfg(test)]
mod record_tests;
mod route;
mod state;
#[cfg(test)]
mod tests;
mod ticket;
mod unanswered_calls;

pub use account::CampaignAccount;
pub use actor::RouterActor;
pub use call_settlement::CallSettlement;
pub use campaign_model::{ModelClients, ModelStats};
pub use key_limiter::KeyStats;
pub use messages::{AccountStats, CloseRouter, ModelAnswer, ModelCall, OpenAccount, RouterHandle};
pub use provider_limiter::ProviderStats;
pub use route::{failure_of, failure_of_call};
pub use ticket::CallTicket;
