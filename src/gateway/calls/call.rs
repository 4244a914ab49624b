//! One call of a client. [`GatewayCall::perform`] is its whole life: which models are asked, one
//! after another, until one has answered.
//!
//! ```text
//!  begin: may it be made? ─► admit: key, money ─► exchange ─► finish: report, client, settle
//!    │ recorded: told            ▲                   │ failed
//!    └─► client                  └───── fallback ◄───┘ none left ─► finish
//! ```
//! `routes` spawns [`GatewayCall::perform`] as a task of its own. So the call does not end when
//! the client disconnects: once the request has left, its cost is real and must be counted. Before
//! that, a disconnected client cancels `unwanted`, and the call ends without a cost.
//!
//! Each model is asked at most once. A client that wants more tries sends the request again. If
//! all models fail, the client gets the error of the first one, because it asked for that model.

use crate::gateway::calls::exchange::{ExchangeError, FailedExchange, UnsettledExchange};
use crate::gateway::listener::body_memory::BodyReservation;
use crate::gateway::listener::response_sink::ResponseSink;
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::sessions::external_agent::{CallReporter, CallSlot};
use crate::gateway::sessions::session::{AuthorizedCall, GatewaySession};
use crate::gateway::{ModelGateway, calls::translate};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{CallPosition, Fault, FaultKind, SOONEST};
use tokio_util::sync::CancellationToken;

/// One request for a completion, with everything that belongs to it. It lives until the call is
/// settled.
pub(in crate::gateway) struct GatewayCall {
    pub(in crate::gateway) gateway: Arc<ModelGateway>,
    pub(in crate::gateway) session: Arc<GatewaySession>,
    /// The request as the client sent it, and what the gateway read of it.
    pub(in crate::gateway) asked: GatewayRequest,
    /// The client's headers that may go on to a provider of the same wire format.
    pub(in crate::gateway) headers: Vec<(String, String)>,
    /// Cancelled when the client disconnects before it was answered, or when its attempt is over.
    pub(in crate::gateway) unwanted: CancellationToken,
    /// The memory of the body. It is given back when the call ends.
    pub(in crate::gateway) _room: BodyReservation,
    /// The call's slot among those of its agent. None for a client of a standalone gateway.
    pub(in crate::gateway) _place: Option<CallSlot>,
}

/// The tries of one call.
struct CallTries {
    /// The model to ask next, with the reason for it.
    next: (String, String),
    /// The position of the first try.
    place: CallPosition,
    /// The longest time for one try. None for clients of a standalone gateway.
    limit: Option<Duration>,
    /// Tells the attempt how the call ends.
    report: CallReporter,
    /// The models that were asked, so that no fallback asks one twice.
    asked: Vec<String>,
    /// The first failure, which the client is told if no model answers.
    first: Option<FailedExchange>,
}

/// How one try ended: it was sent and must be settled, or it was not sent.
type TryResult = Result<Box<UnsettledExchange>, FailedExchange>;

impl GatewayCall {
    /// The life of a call, from the permission to the settlement. The answer, or the refusal, is
    /// written to the sink.
    pub(in crate::gateway) async fn perform(self, mut sink: ResponseSink) {
        let mut tries = match self.begin(&mut sink).await {
            Ok(Some(tries)) => tries,
            // An earlier attempt has paid for the answer, and the client has it.
            Ok(None) => return,
            Err(refusal) => return sink.refuse(&refusal),
        };
        loop {
            let place = tries.take_place();
            let tried = match self.admit(&tries.next, place, &tries.asked).await {
                Ok(admitted) => Ok(self.exchange(admitted, tries.limit, &mut sink).await),
                // Nothing was sent.
                Err(ExchangeError::Left) => return tries.report.left(sink.silence()),
                Err(ExchangeError::Failed(failed)) => Err(failed),
            };
            match self.fallback(&tried, &tries) {
                Some(next) => tries.go_on(next, tried).await,
                None => return self.finish(tried, tries, &mut sink).await,
            }
        }
    }

    /// Asks whether the call may be made, and which model is the first. None if the client has its
    /// answer already, because an earlier attempt of the episode has paid for it.
    async fn begin(&self, sink: &mut ResponseSink) -> Result<Option<CallTries>, GatewayRefusal> {
        let leaving = self.session.authorize_call(&self.asked, &self.unwanted).await?;
        let (place, model, limit, mut report) = match leaving {
            AuthorizedCall::Ask { place, model, limit, report } => (place, model, limit, report),
            AuthorizedCall::Recorded(place, reply) => {
                let told = translate::render_recorded_reply(&self.asked, &place, &reply, sink);
                sink.finish(told).await;
                return Ok(None);
            }
        };
        match self.first(model.as_deref()) {
            Ok(next) => {
                let (asked, first) = (Vec::new(), None);
                Ok(Some(CallTries { next, place, limit, report, asked, first }))
            }
            // The attempt learns of the failure before the client does.
            Err((fault, refusal)) => {
                report.failed(&fault);
                Err(refusal)
            }
        }
    }

    /// The model that stands in after a try. None if the try has answered, or if no model is left.
    fn fallback(&self, tried: &TryResult, tries: &CallTries) -> Option<(String, String)> {
        let how = match tried {
            Ok(tried) => tried.done.failed(),
            Err(failed) => failed.how,
        };
        self.gateway.router.fallback(&self.session.campaign, &tries.next.0, how?, &tries.asked)
    }

    /// The end of the last try: the attempt is told, then the client, and then the try is settled.
    /// If the client has left without the answer, the attempt is told that last.
    /// The first failure is told only if the last try failed, too, and the client has not received
    /// a part of its stream.
    async fn finish(&self, tried: TryResult, mut tries: CallTries, sink: &mut ResponseSink) {
        match tried {
            Ok(tried) => {
                tries.report.tried(&tries.next.0, tried.cost(), tried.took);
                let first = tries.first.take().filter(|_| tried.done.is_untold_failure());
                if !self.report_declined(&mut tries.report, first.as_ref(), sink) {
                    self.report(&mut tries.report, &tried, sink);
                }
                tried.send_and_settle(first.map(|first| first.last), sink).await;
            }
            Err(failed) => {
                let fault = failed.fault.clone();
                let told = tries.first.take().unwrap_or(failed);
                if !self.report_declined(&mut tries.report, Some(&told), sink) {
                    tries.report.failed(&fault);
                }
                sink.finish(told.last).await;
            }
        }
        // This does nothing if the attempt was told before.
        tries.report.left(sink.silence());
    }

    /// Tells the attempt how the call ended. This happens before the client is told, because the
    /// client's next call must come after it. If the client has disconnected, nobody has heard the
    /// answer. The attempt is told so when the try is settled, see [`Self::finish`].
    fn report(&self, report: &mut CallReporter, tried: &UnsettledExchange, sink: &ResponseSink) {
        match (&tried.done.reply, self.session.agent()) {
            (Err(failure), _) => report.failed(&failure.fault),
            (Ok(reply), Some(agent)) if !sink.is_disconnected() => {
                report.answered(|| agent.redacted_reply(reply), tried.took);
            }
            _ => {}
        }
    }

    /// Tells the attempt of a reply in which a model declined, if the client is told that reply
    /// because no other model answered. Returns false if there is no such reply; then
    /// [`Self::report`] is used.
    fn report_declined(
        &self,
        report: &mut CallReporter,
        told: Option<&FailedExchange>,
        sink: &ResponseSink,
    ) -> bool {
        let declined = told.and_then(|told| told.declined.as_ref());
        let (Some(declined), Some(agent)) = (declined, self.session.agent()) else { return false };
        if !sink.is_disconnected() {
            report.by(&declined.by);
            report.answered(|| agent.redacted_reply(&declined.reply), declined.took);
        }
        true
    }

    /// The model to begin with. `planned` is the model of an agent's episode; without it, the name
    /// in the request decides. The router may choose another model, for example if this one is
    /// down. An unknown name is a 404.
    fn first(&self, planned: Option<&str>) -> Result<(String, String), (Fault, GatewayRefusal)> {
        let wanted = planned.unwrap_or(&self.asked.model);
        let name = self.gateway.behind(wanted).map(|(name, _)| name.as_str());
        let name = name.or_else(|| (wanted == SOONEST).then_some(SOONEST)).ok_or_else(|| {
            let what = format!("there is no model {wanted:?} behind this gateway");
            let fault = Fault::new(FaultKind::ModelPermanent, what.clone());
            (fault, GatewayRefusal::new(404, "model_not_found", what))
        })?;
        let chosen = self.gateway.router.choose(&self.session.campaign, name);
        chosen.map_err(with_refusal)
    }
}

impl CallTries {
    /// The position of the next try. Each try has a number of its own, which is part of the
    /// identity of its hold and its record.
    fn take_place(&mut self) -> CallPosition {
        let retry = self.place.retry + self.asked.len() as u32;
        self.asked.push(self.next.0.clone());
        self.report.begins();
        CallPosition { retry, ..self.place.clone() }
    }

    /// Goes on with another model. The try before is settled first, so that its hold does not stand
    /// in the way of the next hold. Only the first failure is kept; later ones are in the record.
    async fn go_on(&mut self, next: (String, String), tried: TryResult) {
        let failed = match tried {
            Ok(tried) => {
                self.report.tried(&self.next.0, tried.cost(), tried.took);
                tried.fail(&self.next.0).await
            }
            Err(failed) => failed,
        };
        self.first.get_or_insert(failed);
        self.next = next;
    }
}

/// A fault with the refusal that the client gets for it.
fn with_refusal(fault: Fault) -> (Fault, GatewayRefusal) {
    let refusal = GatewayRefusal::of(&fault);
    (fault, refusal)
}
