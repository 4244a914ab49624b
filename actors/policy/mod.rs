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

pub use assign::{Asked, Assigning, assign, shares};
pub use breaker::{Breaker, Try};
pub use conversation::{goes_on, same, says_as, since, told};
pub use editions::{ChangedFile, ChangedTemplate, FileChange, changed_templates};
pub use estimate::{Estimate, episode as episode_estimate, likely_length, reserved, worst_case};
pub use intensity::Intensity;
pub use latency::{Latency, Rank};
pub use ledger::{CapStats, Ledger, Purpose, Refusal, Scope};
pub use plausible::{Expected, is_plausible};
pub use retry::{Decision, Retry, backoff};
pub use samples::{Tally, more_samples, pass_rate, wilson};
pub use split::split_of;
pub use tokens::TokenBucket;
pub use trials::{Trial, Trials, trial_of};
pub use window::Window;
