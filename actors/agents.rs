//! The port through which agent programs ask their models: who may, what for, and what came of
//! it.
//!
//! ```text
//!  program ─► door ─► Visit ─► the attempt it belongs to ─► Leave ─► door ─► model
//!                                        ▲                             │
//!                                        └──────────── Heard ◄─────────┘
//! ```

use crate::model::{
    Attempt, CampaignConfig, CampaignName, ChatReply, ChatRequest, EpisodeId, Fault, HostAddress,
    Money,
};
use crate::ports::Stage;
use async_trait::async_trait;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Lets agent programs of episodes ask their models.
#[async_trait]
pub trait AgentDoor: Send + Sync + 'static {
    /// Until the admission is dropped, whoever shows its token asks for this attempt.
    async fn admit(&self, visitor: Visitor) -> Result<Admission, Fault>;
}

/// An attempt whose agent is a program.
pub struct Visitor {
    pub campaign: CampaignName,
    pub episode: EpisodeId,
    pub attempt: Attempt,
    /// The one that the episode was planned for.
    pub model: String,
    pub config: Arc<CampaignConfig>,
    /// For models that play a part.
    pub stage: Stage,
    /// Where a call names no cap of its output.
    pub max_output_tokens: u32,
    /// Told of every call before it leaves.
    pub calls: mpsc::Sender<Visit>,
}

/// Where the program is to ask, and with what.
pub struct Admission {
    pub to: HostAddress,
    pub token: String,
    /// Dropped, the token means nothing any more.
    pub keeper: Box<dyn Any + Send + Sync>,
}

/// A call that wants to leave.
pub struct Visit {
    /// What is said, as far as it could be read.
    pub request: Arc<ChatRequest>,
    pub leave: oneshot::Sender<Leave>,
}

/// Whether it may.
pub enum Leave {
    Ask(Errand),
    /// It was answered before.
    Told {
        turn: u32,
        reply: Box<ChatReply>,
    },
    /// The episode is, for that reason.
    Over(String),
}

/// A call on its way.
pub struct Errand {
    pub turn: u32,
    /// The number of its first try.
    pub retry: u32,
    pub model: String,
    /// What is left of the episode's time: no try takes longer.
    pub limit: Duration,
    pub heard: oneshot::Sender<Heard>,
}

/// What came of it, known before the program is told of it.
pub struct Heard {
    pub reply: Result<ChatReply, Fault>,
    /// Who gave it.
    pub model: String,
    /// Numbers of tries that were used up; those that were made are not more.
    pub numbers: u32,
    pub tries: u32,
    /// Of every try, failed ones at their full hold.
    pub cost: Money,
    /// How long the model took.
    pub took: Duration,
}
