//! One call of a client: which models are asked, one after another, until one has answered.
//!
//! ```text
//!  may it be made? ─► first model ─► try ─► answered ─► report, client, settle
//!    │ recorded: told     ▲            │ failed
//!    └─► client          └─ fallback ─┴─ none left ─► report ─► client
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
use synthd_actors::model::{CallPosition, Fault, FaultKind, ModelFailure, SOONEST};
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

impl GatewayCall {
    /// Performs the call and writes its answer, or its refusal, to the sink.
    pub(in crate::gateway) async fn perform(self, mut sink: ResponseSink) {
        if let Err(refusal) = self.attempt(&mut sink).await {
            sink.refuse(&refusal);
        }
    }

    /// Asks whether the call may be made, and then asks the models. An error is a refusal that was
    /// not written to the client yet. If a model was asked, the answer was written, and this
    /// returns Ok.
    async fn attempt(&self, sink: &mut ResponseSink) -> Result<(), GatewayRefusal> {
        let leaving = self.session.authorize_call(&self.asked, &self.unwanted).await?;
        let (place, model, limit, mut report) = match leaving {
            AuthorizedCall::Ask { place, model, limit, report } => (place, model, limit, report),
            // An earlier attempt of the episode has paid for this answer: nothing leaves.
            AuthorizedCall::Told(place, reply) => {
                let told = translate::render_recorded_reply(&self.asked, &place, &reply, sink);
                sink.finish(told).await;
                return Ok(());
            }
        };
        match self.first(model.as_deref()) {
            Ok(first) => {
                self.ask(first, &place, limit, report, sink).await;
                Ok(())
            }
            // The attempt learns of the failure before the client does.
            Err((fault, refusal)) => {
                report.failed(&fault);
                Err(refusal)
            }
        }
    }

    /// Asks one model after another, as long as one fails and has a fallback model. If all of them
    /// fail, the client is told of the first failure. `limit` is the longest time that one try may
    /// take.
    async fn ask(
        &self,
        mut next: (String, String),
        place: &CallPosition,
        limit: Option<Duration>,
        mut report: CallReporter,
        sink: &mut ResponseSink,
    ) {
        // `asked`: the models so far, so that no fallback asks one twice. `first`: the first
        // failure.
        let (mut asked, mut first) = (Vec::new(), None);
        loop {
            // Each try has a number of its own, which is part of the identity of its hold and its
            // record.
            let place = CallPosition { retry: place.retry + asked.len() as u32, ..place.clone() };
            asked.push(next.0.clone());
            report.begins();
            let failed = match self.try_one(&next, place, limit, &asked, sink).await {
                // This try was not sent. Dropping `report` tells the attempt that the agent did not
                // wait.
                Err(ExchangeError::Left) => return,
                Err(ExchangeError::Failed(failed)) => failed,
                Ok(tried) => {
                    report.tried(&next.0, tried.cost(), tried.took);
                    match self.instead(&next.0, tried.done.failed(), &asked) {
                        // This try is settled before the next one, so that its hold does not stand
                        // in the way of the next hold.
                        Some(_) => tried.fail(&next.0).await,
                        None => {
                            // The last try. The first failure is told only if this one failed,
                            // too, and the client has not received a part of its stream.
                            let first = first.take().filter(|_| tried.done.is_untold_failure());
                            if !self.report_declined(&mut report, first.as_ref(), sink) {
                                self.report(&mut report, &tried, sink);
                            }
                            let first = first.map(|first: FailedExchange| first.last);
                            return tried.send_and_settle(first, sink).await;
                        }
                    }
                }
            };
            let (instead, fault) =
                (self.instead(&next.0, failed.how, &asked), failed.fault.clone());
            // Only the first failure is kept for the client; later ones are in the record.
            let told = first.take().unwrap_or(failed);
            match instead {
                Some(instead) => (next, first) = (instead, Some(told)),
                None => {
                    if !self.report_declined(&mut report, Some(&told), sink) {
                        report.failed(&fault);
                    }
                    return sink.finish(told.last).await;
                }
            }
        }
    }

    /// Tells the attempt how the call ended. This happens before the client is told, because the
    /// client's next call must come after it. If the client has disconnected, the attempt is told
    /// so by the drop of the reporter: nobody has heard the answer.
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

    /// The fallback model for a failure of `name`, with the reason for the record. None if this
    /// kind of failure has no fallback, or if all fallback models were asked.
    fn instead(
        &self,
        name: &str,
        how: Option<ModelFailure>,
        asked: &[String],
    ) -> Option<(String, String)> {
        self.gateway.router.fallback(&self.session.campaign, name, how?, asked)
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

/// A fault with the refusal that the client gets for it.
fn with_refusal(fault: Fault) -> (Fault, GatewayRefusal) {
    let refusal = GatewayRefusal::of(&fault);
    (fault, refusal)
}
