//! The port through which external agents call their models. The agent gateway implements it.
//!
//! An external agent is a program in the sandbox. It sends HTTP requests to the gateway, with a
//! token that stands for its attempt. The gateway does not decide by itself whether a call may be
//! made. It asks the attempt, and reports the result to the attempt before the program sees it.
//!
//! ```text
//!  program ─► gateway ─► AgentCall ─► the attempt ─► CallDecision ─► gateway ─► model
//!                                         ▲                              │
//!                                         └──────── AgentCallResult ◄────┘
//! ```
//! The time in which the gateway itself keeps a call waiting does not count as the program's time
//! ([`GatewayDelays`], [`AgentStopwatch`]).

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

/// Opens gateway sessions for attempts whose agent is a program.
#[async_trait]
pub trait AgentAccess: Send + Sync + 'static {
    /// Makes a token for one run of an attempt's program; in a task with stages, each stage has one.
    /// Until [`AgentSession::guard`] is dropped, every call with the token belongs to it. Fails if the
    /// gateway cannot take one more session.
    async fn open_session(&self, spec: AgentSessionSpec) -> Result<AgentSession, Fault>;
}

/// What the gateway must know of an attempt whose agent is a program.
pub struct AgentSessionSpec {
    pub campaign: CampaignName,
    pub episode: EpisodeId,
    pub attempt: AttemptNumber,
    /// The model that the episode was planned for. The gateway ignores the model name that the
    /// program sends.
    pub model: String,
    pub config: Arc<CampaignConfig>,
    /// The task and the scaffold, for scripted models.
    pub script: ScriptContext,
    /// The cap of output tokens for a call that names none itself.
    pub max_output_tokens: u32,
    /// The gateway sends every call here before the call goes to a model.
    pub calls: mpsc::Sender<AgentCall>,
    /// The gateway notes here when it keeps a call of the program waiting.
    pub delays: GatewayDelays,
}

/// The time in which the gateway has kept calls of one program waiting, because other sessions hold
/// the body memory. This is not the program's own time. If several calls wait at the same time, the
/// time counts once. All clones share one counter.
#[derive(Clone, Debug, Default)]
pub struct GatewayDelays(Arc<Mutex<DelayState>>);

/// The counter behind [`GatewayDelays`].
#[derive(Debug, Default)]
struct DelayState {
    /// The number of calls that wait now.
    waiting: usize,
    /// When the current waiting time began. None while no call waits.
    since: Option<Instant>,
    /// The sum of all waiting times that have ended.
    over: Duration,
}

impl GatewayDelays {
    /// Starts to count a call as waiting. The call counts until the returned guard is dropped.
    pub fn begin(&self) -> DelayGuard {
        let mut delayed = self.lock();
        delayed.waiting += 1;
        delayed.since.get_or_insert_with(Instant::now);
        DelayGuard(self.clone())
    }

    /// The whole waiting time until now, including a wait that still goes on.
    pub fn total(&self) -> Duration {
        let delayed = self.lock();
        let now = delayed.since.map_or(Duration::ZERO, |since| since.elapsed());
        delayed.over + now
    }

    /// Starts to measure the program's own time.
    pub fn stopwatch(&self) -> AgentStopwatch {
        AgentStopwatch { delays: self.clone(), started: Instant::now(), before: self.total() }
    }

    /// A panic while the lock was held cannot leave the counters in a bad state, so poisoning is
    /// ignored.
    fn lock(&self) -> MutexGuard<'_, DelayState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks one call that the gateway keeps waiting. The last guard to be dropped closes the waiting
/// time.
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

/// Measures time without the delays of the gateway. Such time is the program's own.
#[derive(Debug)]
pub struct AgentStopwatch {
    delays: GatewayDelays,
    started: Instant,
    /// The delays that had already been counted when the stopwatch started.
    before: Duration,
}

impl AgentStopwatch {
    /// The program's own time since the start: the real time minus the delays since then.
    pub fn elapsed(&self) -> Duration {
        let delayed = self.delays.total().saturating_sub(self.before);
        self.started.elapsed().saturating_sub(delayed)
    }

    /// Waits for `wanted`, but for no more than `limit` of the program's own time. Err means that
    /// this time is over. A delay of the gateway extends the wait, so the loop looks at the own
    /// time again after each timeout.
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

/// Where the program sends its calls, and with which token.
pub struct AgentSession {
    pub to: HostAddress,
    /// The gateway token. The program shows it in place of a provider's API key. It is a secret and
    /// is recorded nowhere.
    pub token: String,
    /// Dropping it ends the session. The token is not valid any more then.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// One call of the program that waits for the decision of its attempt.
pub struct AgentCall {
    /// The conversation, as far as the gateway could read it (a lenient transcript). It is for the
    /// record and is never sent to a model.
    pub request: Arc<ChatRequest>,
    /// Takes the decision. It is closed when the program no longer waits for the call.
    pub decision: oneshot::Sender<CallDecision>,
}

/// What the attempt decides about a call. `Ask`: the model may be asked, and the call is a turn.
pub enum CallDecision {
    Ask(AdmittedCall),
    /// The recorded answer of an earlier attempt, which is paid for. No model is asked.
    Recorded {
        turn: u32,
        reply: Box<ChatReply>,
    },
    /// The episode is over, for the given reason. The program gets a refusal.
    Over(String),
}

/// The permission for one call, with its limits.
pub struct AdmittedCall {
    pub turn: u32,
    /// The number of the first try within the turn. It is above zero if earlier calls of the same
    /// turn failed.
    pub retry: u32,
    /// The model to ask: the one that answered last, or the planned one.
    pub model: String,
    /// The longest time for one try. It comes from what is left of the episode's time.
    pub limit: Duration,
    /// Takes the result. If it is dropped without a result, the call was never made.
    pub result: oneshot::Sender<AgentCallResult>,
}

/// The result of a call. The attempt gets it before the program gets its answer.
pub struct AgentCallResult {
    pub reply: Result<ChatReply, Fault>,
    /// The model that gave the reply. It can be a fallback model.
    pub model: String,
    /// How many try numbers were used up. It is at least `tries`: a try can fail before it is sent.
    pub numbers: u32,
    /// How many tries were really made.
    pub tries: u32,
    /// The cost of all tries. A failed try costs its whole hold.
    pub cost: Money,
    /// How long the model took for the reply. Zero if there is none.
    pub took: Duration,
    /// How long the failed tries took. The agent's time does not count it.
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
