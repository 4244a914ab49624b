//! Pure data: what the engine talks about, with no I/O and no policy.

mod agent;
mod call;
mod campaign;
mod chat;
mod exchange;
mod fault;
mod ids;
mod money;
mod network;
mod outcome;
mod price;
mod record;
mod row;
mod sandbox;
mod spending;
mod standing;
mod step;
mod task;

pub use agent::*;
pub use call::*;
pub use campaign::*;
pub use chat::*;
pub use exchange::*;
pub use fault::*;
pub use ids::*;
pub use money::*;
pub use network::*;
pub use outcome::*;
pub use price::*;
pub use record::*;
pub use row::*;
pub use sandbox::*;
pub use spending::*;
pub use standing::*;
pub use step::*;
pub use task::*;
