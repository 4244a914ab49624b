//! One call of a client's: who is asked, one model after another. It runs in a task of its own,
//! which the client's leaving does not end once the request has left.

use super::body_memory::BodyReservation;
use super::exchange::{ExchangeError, FailedExchange, UnsettledExchange};
use super::external_agent::{CallReporter, CallSlot};
use super::refusal::GatewayRefusal;
use super::request::GatewayRequest;
use super::response_sink::ResponseSink;
use super::session::{AuthorizedCall, GatewaySession};
use super::{ModelGateway, translate};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{CallPosition, Fault, FaultKind, ModelFailure, SOONEST};
use tokio_util::sync::CancellationToken;

/// A call with everything that belongs to it.
pub(super) struct GatewayCall {
    pub(super) gateway: Arc<ModelGateway>,
    pub(super) session: Arc<GatewaySession>,
    pub(super) asked: GatewayRequest,
    pub(super) headers: Vec<(String, String)>,
    /// Cancelled when the client leaves before it was answered.
    pub(super) unwanted: CancellationToken,
    /// Its body's share of the memory.
    pub(super) _room: BodyReservation,
    /// Its place among those of its agent.
    pub(super) _place: Option<CallSlot>,
}

impl GatewayCall {
    pub(super) async fn perform(self, mut sink: ResponseSink) {
        if let Err(refusal) = self.attempt(&mut sink).await {
            sink.refuse(&refusal);
        }
    }

    async fn attempt(&self, sink: &mut ResponseSink) -> Result<(), GatewayRefusal> {
        let leaving = self.session.authorize_call(&self.asked, &self.unwanted).await?;
        let (place, model, limit, mut report) = match leaving {
            AuthorizedCall::Ask { place, model, limit, report } => (place, model, limit, report),
            AuthorizedCall::Told(place, reply) => {
                let told = translate::render_recorded_reply(&self.asked, &place, &reply, sink);
                sink.finish(told).await;
                return Ok(());
            }
        };
        match self.begin(model.as_deref()).await {
            Ok(first) => {
                self.ask(first, &place, limit, report, sink).await;
                Ok(())
            }
            Err((fault, refusal)) => {
                report.failed(&fault);
                Err(refusal)
            }
        }
    }

    /// One model after another, as long as one fails for which another one stands ready. Where
    /// all of them do, the client is told of the first.
    async fn ask(
        &self,
        mut next: (String, String),
        place: &CallPosition,
        limit: Option<Duration>,
        mut report: CallReporter,
        sink: &mut ResponseSink,
    ) {
        let (mut asked, mut first) = (Vec::new(), None);
        loop {
            let place = CallPosition { retry: place.retry + asked.len() as u32, ..place.clone() };
            asked.push(next.0.clone());
            report.begins();
            let failed = match self.try_one(&next, place, limit, &asked, sink).await {
                Err(ExchangeError::Left) => return,
                Err(ExchangeError::Failed(failed)) => failed,
                Ok(tried) => {
                    report.tried(&next.0, tried.cost(), tried.took);
                    match self.instead(&next.0, tried.done.failed(), &asked) {
                        Some(_) => tried.fail(self, &next.0).await,
                        None => {
                            let first = first.take().filter(|_| tried.done.is_untold_failure());
                            if !self.report_declined(&mut report, first.as_ref(), sink) {
                                self.report(&mut report, &tried, sink);
                            }
                            let first = first.map(|first: FailedExchange| first.last);
                            return tried.send_and_settle(self, first, sink).await;
                        }
                    }
                }
            };
            let (instead, fault) =
                (self.instead(&next.0, failed.how, &asked), failed.fault.clone());
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

    /// Before the client is told: what it asks next comes after this. One that has left has
    /// heard nothing.
    fn report(&self, report: &mut CallReporter, tried: &UnsettledExchange, sink: &ResponseSink) {
        match (&tried.done.reply, self.session.agent()) {
            (Err(failure), _) => report.failed(&failure.fault),
            (Ok(reply), Some(agent)) if !sink.is_disconnected() => {
                report.answered(|| agent.redacted_reply(reply), tried.took);
            }
            _ => {}
        }
    }

    /// The same where the client is told how somebody declined, because nobody else answered
    /// either; false where he is not.
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

    fn instead(
        &self,
        name: &str,
        how: Option<ModelFailure>,
        asked: &[String],
    ) -> Option<(String, String)> {
        self.gateway.router.fallback(&self.session.campaign, name, how?, asked)
    }

    /// What was answered and is in no record yet goes before anything else.
    async fn begin(
        &self,
        planned: Option<&str>,
    ) -> Result<(String, String), (Fault, GatewayRefusal)> {
        match self.gateway.flush_backlog().await {
            Ok(()) => self.first(planned),
            Err((_, fault)) => Err(with_refusal(fault)),
        }
    }

    /// Whom to begin with, and why.
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

fn with_refusal(fault: Fault) -> (Fault, GatewayRefusal) {
    let refusal = GatewayRefusal::of(&fault);
    (fault, refusal)
}
