//! Pure decisions: no I/O, no clock of their own, each property-tested.

mod assign;
mod breaker;
mod conversation;
mod editions;
mod estimate;
mod intensity;
mod latency;
mod ledger;
mod plausible;
mod retry;
mod samples;
mod split;
mod tokens;
mod trials;
mod window;

pub use assign::{AssignmentRules, TaskProfile, assign, shares};
pub use breaker::{BreakerAdmission, CircuitBreaker};
pub use conversation::{messages_since, same_conversation, same_message, same_message_by, told};
pub use editions::{ChangedFile, ChangedTemplate, FileChange, changed_templates};
pub use estimate::{
    CostEstimate, episode as episode_estimate, likely_length, reserved, worst_case,
};
pub use intensity::RestartIntensity;
pub use latency::{LatencyRank, LatencyTracker};
pub use ledger::{CapScope, CapStats, HoldPurpose, HoldRefusal, Ledger};
pub use plausible::{UsageBounds, is_plausible};
pub use retry::{RetryDecision, RetryPolicy, backoff};
pub use samples::{SampleCounts, more_samples, pass_rate, wilson};
pub use split::split_of;
pub use tokens::TokenBucket;
pub use trials::{SampleKey, SampleTracker, trial_of};
pub use window::ConcurrencyWindow;
