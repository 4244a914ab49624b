//! Policies: the decisions of the engine as pure code. No policy does I/O or reads a clock of its
//! own accord (except that [`LatencyTracker`] reads tokio's clock); the caller passes the time. So
//! tests need neither waits nor mocks, and many are property tests.
//!
//! - Money: [`Ledger`], [`worst_case`], [`episode_estimate`], [`is_plausible`].
//! - Limits and health: [`ConcurrencyWindow`], [`TokenBucket`], [`CircuitBreaker`],
//!   [`LatencyTracker`], [`RestartIntensity`], [`RetryPolicy`].
//! - Planning: [`assign`], [`more_samples`], [`changed_templates`], [`split_of`].
//! - Pauses of an agent's programs: [`PauseSlot`].
//! - Difficulty that was measured: [`measured_difficulty`], [`usual_turns`].
//! - The choice of tasks: [`draw`].
//! - Conversations of external agents: [`messages_since`], [`same_conversation`].

mod assign;
mod calibration;
mod circuit_breaker;
mod concurrency_window;
mod conversation;
pub mod draw;
mod editions;
mod estimate;
mod latency;
mod ledger;
mod pause_slot;
mod plausible;
mod restart_intensity;
mod retry;
mod sample_tracker;
mod samples;
mod split;
mod template_rate;
mod token_bucket;

pub use assign::{AssignmentRules, TaskProfile, able_models, assign, shares};
pub use calibration::{FEWEST_TRIES, MeanInterval, RateInterval, measured_difficulty, usual_turns};
pub use circuit_breaker::{BreakerAdmission, CircuitBreaker};
pub use concurrency_window::ConcurrencyWindow;
pub use conversation::{messages_since, same_conversation, same_message, same_message_by, told};
pub use editions::{ChangedFile, ChangedTemplate, FileChange, changed_templates};
pub use estimate::{
    CostEstimate, episode as episode_estimate, likely_length, reserved, worst_case,
};
pub use latency::{LatencyRank, LatencyTracker};
pub use ledger::{CapScope, CapStats, HoldPurpose, HoldRefusal, Ledger};
pub use pause_slot::PauseSlot;
pub use plausible::{UsageBounds, is_plausible};
pub use restart_intensity::RestartIntensity;
pub use retry::{RetryDecision, RetryPolicy, backoff};
pub use sample_tracker::{SampleKey, SampleTracker, trial_of};
pub use samples::{SampleCounts, more_samples, pass_rate, wilson, wilson_of_rate};
pub use split::split_of;
pub use template_rate::{TemplateRate, TemplateRateKey, template_rates};
pub use token_bucket::TokenBucket;
