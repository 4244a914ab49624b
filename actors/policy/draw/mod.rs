//! The rules by which a campaign chooses its tasks, if it does not take the same number of each
//! template.
//!
//! - `aspect_table`: counts of the values of one aspect (kind, category, skill, difficulty), with
//!   their targets and caps.
//! - `shares`: [`ShareDraw`] draws tasks, so that each value has its share.
//! - `informative`: [`InformativeDraw`] chooses a task and a model, where the result teaches most.
//! - `pass_counts`: what is known of templates and models.
//!
//! Both draw one task after the other. What is drawn depends on the seed, the templates and on what
//! was drawn before, and never on how many tasks are wanted. So a draw that grows moves nothing, and
//! a draw that goes on from a record keeps everything that the record has.

mod aspect_table;
mod candidate;
mod informative;
mod pass_counts;
mod shares;
mod teaching_value;
#[cfg(test)]
mod tests;
mod tie_break;

pub use aspect_table::ShareLine;
pub use candidate::DrawCandidate;
pub use informative::{DrawChoice, InformativeDraw};
pub use pass_counts::{PassCount, PassCounts, verdict_of};
pub use shares::{ShareDraw, share_lines};
