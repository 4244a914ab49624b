//! Pure data: the types that all parts of the engine exchange. Nothing here does I/O, and nothing
//! here decides about retries, limits or money.
//!
//! Start with `campaign.rs` (what a user asks for), `task.rs` (what an agent has to solve),
//! `step.rs` (what an agent did), `outcome.rs` (how an episode ends) and `fault.rs` (what may go
//! wrong). `record.rs` has what the journal keeps of all this. `row.rs` and
//! `completion_row.rs` are the formats of published datasets, and `column.rs` says how a row is
//! defined.
//!
//! Most types are serialized into the store or into campaign identities. A new field therefore
//! needs a serde default, and it is left out while it has its default value. So old records stay
//! readable, and the identity of an existing campaign does not change.

mod agent;
mod call;
mod campaign;
mod chat;
mod column;
mod completion;
mod completion_row;
mod counts;
mod curation_report;
mod dataset_row;
mod diversity_floor;
mod exchange;
mod exec;
mod fault;
mod fault_policy;
mod fault_table;
mod finding;
mod ids;
mod judge_report;
mod money;
mod network;
mod operation;
mod outcome;
mod price;
mod prompts;
mod reached_milestones;
mod record;
mod recorded_calls;
mod reply_tokens;
mod retention;
mod reverification;
mod review_value;
mod routing;
mod row;
mod row_message;
mod row_sums;
mod sampling;
mod sandbox;
mod spending;
mod step;
mod stored_turn;
mod submission;
mod task;
mod task_container;
mod task_draw;
mod task_kind;
mod task_service;
mod task_stage;
mod timeouts;
mod tunnel_service;

pub use agent::*;
pub use call::*;
pub use campaign::*;
pub use chat::*;
pub use column::{CellError, CellValue, ColumnType, ColumnValue, RowColumn};
pub use completion::*;
pub use completion_row::*;
pub use counts::*;
pub use curation_report::*;
pub use dataset_row::*;
pub use diversity_floor::*;
pub use exchange::*;
pub use exec::*;
pub use fault::*;
pub use fault_policy::*;
pub use fault_table::fault_page;
pub use finding::*;
pub use ids::*;
pub use judge_report::*;
pub use money::*;
pub use network::*;
pub use operation::*;
pub use outcome::*;
pub use price::*;
pub use prompts::*;
pub use reached_milestones::{milestone_changes, reached_milestones};
pub use record::*;
pub use recorded_calls::*;
pub use reply_tokens::ReplyTokens;
pub use retention::*;
pub use reverification::*;
pub use review_value::*;
pub use routing::*;
pub use row::*;
pub use row_message::*;
pub use row_sums::broken_sums;
pub use sampling::*;
pub use sandbox::*;
pub use spending::*;
pub use step::*;
pub use submission::SubmissionEntries;
pub use task::*;
pub use task_container::*;
pub use task_draw::*;
pub use task_kind::*;
pub use task_service::*;
pub use task_stage::*;
pub use timeouts::*;
pub use tunnel_service::*;
