//! One call of a client's: who is asked, one model after another. It runs in a task of its own,
//! which the client's leaving does not end once the request has left.

use super::asked::Asked;
use super::outlet::Outlet;
use super::refusal::Refusal;
use super::room::Room;
use super::session::{Leaving, Session};
use super::trial::{Failed, Tried, Untried};
use super::visit::{Place, Report};
use super::{Gateway, translate};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{CallPlace, Failure, Fault, FaultKind, SOONEST};
use tokio_util::sync::CancellationToken;

/// A call with everything that belongs to it.
pub(super) struct Call {
    pub(super) gateway: Arc<Gateway>,
    pub(super) session: Arc<Session>,
    pub(super) asked: Asked,
    pub(super) headers: Vec<(String, String)>,
    /// Cancelled when the client leaves before it was answered.
    pub(super) unwanted: CancellationToken,
    /// Its body's share of the memory.
    pub(super) _room: Room,
    /// Its place among those of its agent.
    pub(super) _place: Option<Place>,
}

impl Call {
    pub(super) async fn perform(self, mut outlet: Outlet) {
        if let Err(refusal) = self.attempt(&mut outlet).await {
            outlet.refuse(&refusal);
        }
    }

    async fn attempt(&self, outlet: &mut Outlet) -> Result<(), Refusal> {
        let leaving = self.session.leave(&self.asked, &self.unwanted).await?;
        let (place, model, limit, mut report) = match leaving {
            Leaving::Ask { place, model, limit, report } => (place, model, limit, report),
            Leaving::Told(place, reply) => {
                let told = translate::tell_again(&self.asked, &place, &reply, outlet);
                outlet.last(told).await;
                return Ok(());
            }
        };
        match self.begin(model.as_deref()).await {
            Ok(first) => {
                self.ask(first, &place, limit, report, outlet).await;
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
        place: &CallPlace,
        limit: Option<Duration>,
        mut report: Report,
        outlet: &mut Outlet,
    ) {
        let (mut asked, mut first) = (Vec::new(), None);
        loop {
            let place = CallPlace { retry: place.retry + asked.len() as u32, ..place.clone() };
            asked.push(next.0.clone());
            report.begins();
            let failed = match self.try_one(&next, place, limit, &asked, outlet).await {
                Err(Untried::Left) => return,
                Err(Untried::Failed(failed)) => failed,
                Ok(tried) => {
                    report.tried(&next.0, tried.cost(), tried.took);
                    match self.instead(&next.0, tried.done.failed(), &asked) {
                        Some(_) => tried.fail(self, &next.0).await,
                        None => {
                            let first = first.take().filter(|_| tried.done.is_untold_failure());
                            if !self.report_declined(&mut report, first.as_ref(), outlet) {
                                self.report(&mut report, &tried, outlet);
                            }
                            let first = first.map(|first: Failed| first.last);
                            return tried.tell_and_settle(self, first, outlet).await;
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
                    if !self.report_declined(&mut report, Some(&told), outlet) {
                        report.failed(&fault);
                    }
                    return outlet.last(told.last).await;
                }
            }
        }
    }

    /// Before the client is told: what it asks next comes after this. One that has left has
    /// heard nothing.
    fn report(&self, report: &mut Report, tried: &Tried, outlet: &Outlet) {
        match (&tried.done.reply, self.session.agent()) {
            (Err(failure), _) => report.failed(&failure.fault),
            (Ok(reply), Some(agent)) if !outlet.is_deserted() => {
                report.answered(|| agent.kept(reply), tried.took);
            }
            _ => {}
        }
    }

    /// The same where the client is told how somebody declined, because nobody else answered
    /// either; false where he is not.
    fn report_declined(&self, report: &mut Report, told: Option<&Failed>, outlet: &Outlet) -> bool {
        let declined = told.and_then(|told| told.declined.as_ref());
        let (Some(declined), Some(agent)) = (declined, self.session.agent()) else { return false };
        if !outlet.is_deserted() {
            report.by(&declined.by);
            report.answered(|| agent.kept(&declined.reply), declined.took);
        }
        true
    }

    fn instead(
        &self,
        name: &str,
        how: Option<Failure>,
        asked: &[String],
    ) -> Option<(String, String)> {
        self.gateway.router.instead(&self.session.campaign, name, how?, asked)
    }

    /// What was answered and is in no record yet goes before anything else.
    async fn begin(&self, planned: Option<&str>) -> Result<(String, String), (Fault, Refusal)> {
        match self.gateway.write_down().await {
            Ok(()) => self.first(planned),
            Err((_, fault)) => Err(with_refusal(fault)),
        }
    }

    /// Whom to begin with, and why.
    fn first(&self, planned: Option<&str>) -> Result<(String, String), (Fault, Refusal)> {
        let wanted = planned.unwrap_or(&self.asked.model);
        let name = self.gateway.behind(wanted).map(|(name, _)| name.as_str());
        let name = name.or_else(|| (wanted == SOONEST).then_some(SOONEST)).ok_or_else(|| {
            let what = format!("there is no model {wanted:?} behind this gateway");
            let fault = Fault::new(FaultKind::ModelPermanent, what.clone());
            (fault, Refusal::new(404, "model_not_found", what))
        })?;
        let chosen = self.gateway.router.choose(&self.session.campaign, name);
        chosen.map_err(with_refusal)
    }
}

fn with_refusal(fault: Fault) -> (Fault, Refusal) {
    let refusal = Refusal::of(&fault);
    (fault, refusal)
}
