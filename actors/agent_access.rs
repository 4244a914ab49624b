//! The port through which agent programs ask their models: who may, what for, and what came of
//! it.
//!
//! ```text
//!  program ─► door ─► Visit ─► the attempt it belongs to ─► Leave ─► door ─► model
//!                                        ▲                             │
//!                                        └──────────── Heard ◄─────────┘
//! ```
//! Where the door itself keeps a call waiting, that is no time of the program's: [`Delays`].

use crate::model::{
    AttemptNumber, CampaignConfig, CampaignName, ChatReply, ChatRequest, EpisodeId, Fault,
    HostAddress, Money,
};
use crate::ports::ScriptContext;
use async_trait::async_trait;
use std::any::Any;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

/// Lets agent programs of episodes ask their models.
#[async_trait]
pub trait AgentAccess: Send + Sync + 'static {
    /// Until the admission is dropped, a call with its token belongs to this attempt.
    async fn open_session(&self, visitor: AgentSessionSpec) -> Result<AgentSession, Fault>;
}

/// An attempt whose agent is a program.
pub struct AgentSessionSpec {
    pub campaign: CampaignName,
    pub episode: EpisodeId,
    pub attempt: AttemptNumber,
    /// The one that the episode was planned for.
    pub model: String,
    pub config: Arc<CampaignConfig>,
    /// For models that play a part.
    pub stage: ScriptContext,
    /// Where a call names no cap of its output.
    pub max_output_tokens: u32,
    /// Told of every call before it leaves.
    pub calls: mpsc::Sender<AgentCall>,
    /// Told of the time in which the door keeps calls waiting.
    pub delays: GatewayDelays,
}

/// Time in which the door has kept calls of one program waiting, for memory that others hold:
/// none of the program's own. Calls that wait at the same time are counted once.
#[derive(Clone, Debug, Default)]
pub struct GatewayDelays(Arc<Mutex<DelayState>>);

#[derive(Debug, Default)]
struct DelayState {
    waiting: usize,
    since: Option<Instant>,
    over: Duration,
}

impl GatewayDelays {
    /// A call waits until this is dropped.
    pub fn begin(&self) -> DelayGuard {
        let mut delayed = self.lock();
        delayed.waiting += 1;
        delayed.since.get_or_insert_with(Instant::now);
        DelayGuard(self.clone())
    }

    /// All of it until now.
    pub fn total(&self) -> Duration {
        let delayed = self.lock();
        let now = delayed.since.map_or(Duration::ZERO, |since| since.elapsed());
        delayed.over + now
    }

    /// Measures the program's own time from now on.
    pub fn stopwatch(&self) -> AgentStopwatch {
        AgentStopwatch { delays: self.clone(), started: Instant::now(), before: self.total() }
    }

    fn lock(&self) -> MutexGuard<'_, DelayState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that the door keeps waiting.
#[derive(Debug)]
pub struct DelayGuard(GatewayDelays);

impl Drop for DelayGuard {
    fn drop(&mut self) {
        let mut delayed = self.0.lock();
        delayed.waiting = delayed.waiting.saturating_sub(1);
        if delayed.waiting == 0 {
            let since = delayed.since.take();
            delayed.over += since.map_or(Duration::ZERO, |since| since.elapsed());
        }
    }
}

/// Time that is the program's own.
#[derive(Debug)]
pub struct AgentStopwatch {
    delays: GatewayDelays,
    started: Instant,
    before: Duration,
}

impl AgentStopwatch {
    pub fn elapsed(&self) -> Duration {
        let delayed = self.delays.total().saturating_sub(self.before);
        self.started.elapsed().saturating_sub(delayed)
    }

    /// What comes within so much of the program's own time.
    pub async fn within<T>(
        &self,
        limit: Duration,
        wanted: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let mut wanted = pin!(wanted);
        loop {
            let left = limit.saturating_sub(self.elapsed());
            match timeout(left, &mut wanted).await {
                Err(elapsed) if self.elapsed() >= limit => return Err(elapsed),
                Err(_) => {}
                Ok(came) => return Ok(came),
            }
        }
    }
}

/// Where the program is to ask, and with what.
pub struct AgentSession {
    pub to: HostAddress,
    pub token: String,
    /// Dropped, the token means nothing any more.
    pub keeper: Box<dyn Any + Send + Sync>,
}

/// A call that wants to leave.
pub struct AgentCall {
    /// What is said, as far as it could be read.
    pub request: Arc<ChatRequest>,
    pub leave: oneshot::Sender<CallDecision>,
}

/// Whether it may.
pub enum CallDecision {
    Ask(AdmittedCall),
    /// It was answered before.
    Told {
        turn: u32,
        reply: Box<ChatReply>,
    },
    /// The episode is, for that reason.
    Over(String),
}

/// A call on its way.
pub struct AdmittedCall {
    pub turn: u32,
    /// The number of its first try.
    pub retry: u32,
    pub model: String,
    /// What is left of the episode's time: no try takes longer.
    pub limit: Duration,
    pub heard: oneshot::Sender<AgentCallResult>,
}

/// What came of it, known before the program is told of it.
pub struct AgentCallResult {
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
    /// How long tries took that failed.
    pub failed: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn time_at_the_door_is_none_of_the_programs() {
        let delays = GatewayDelays::default();
        let watch = delays.stopwatch();
        sleep(SECOND).await;
        let (one, other) = (delays.begin(), delays.begin());
        sleep(60 * SECOND).await;
        drop(one);
        sleep(60 * SECOND).await;
        assert_eq!((watch.elapsed(), delays.total()), (SECOND, 120 * SECOND));
        drop(other);
        sleep(SECOND).await;
        assert_eq!(watch.elapsed(), 2 * SECOND);
        assert_eq!(delays.stopwatch().elapsed(), Duration::ZERO, "another one begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_of_the_programs_own_time() {
        let delays = GatewayDelays::default();
        let watch = delays.stopwatch();
        let held = async {
            sleep(SECOND).await;
            let delay = delays.begin();
            sleep(3_600 * SECOND).await;
            drop(delay);
            sleep(SECOND).await;
        };
        assert!(watch.within(3 * SECOND, held).await.is_ok());
        let started = Instant::now();
        let forever = std::future::pending::<()>();
        assert!(watch.within(3 * SECOND, forever).await.is_err());
        assert_eq!(started.elapsed(), SECOND);
    }
}
