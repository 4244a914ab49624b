//! The handle of the router, and the messages and answers of its interface. Episodes call
//! [`RouterHandle::call`]. The gateway makes its exchanges itself and uses [`RouterHandle::admit`],
//! which gives it a ticket for one try.

use super::account::CampaignAccount;
use super::actor::RouterActor;
use super::call::{perform, perform_once};
use super::call_settlement::CallSettlement;
use super::campaign_model::{ModelClients, ModelStats};
use super::provider_limiter::ProviderStats;
use super::record_backlog::UnrecordedCall;
use super::state::{RouterState, RouterView};
use super::ticket::{CallTicket, TicketIssuer, TicketRequest};
use crate::collector::CollectorHandle;
use crate::model::{
    AttemptNumber, CallPosition, CampaignName, ChatReply, ChatRequest, Fault, FaultKind,
    JournalEntry, ModelFailure, Money, SpendingCaps, SpendingTotals, Usage, day_of,
};
use crate::policy::{CapStats, RestartIntensity};
use crate::ports::{CallContext, Clock};
use crate::supervisor::{ActorExit, ActorHandle, ActorStats, panic_text, spawn, supervise};
use actix::Message;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A call to a model by a scaffold.
#[derive(Clone)]
pub struct ModelCall {
    pub campaign: CampaignName,
    pub attempt: AttemptNumber,
    /// The planned model of the episode, or the model that has answered the episode so far.
    pub model: String,
    /// The request of the scaffold, before the sampling parameters of the model are applied.
    pub request: Arc<ChatRequest>,
    /// The number of the sample, for its seed.
    pub sample: u32,
    /// The episode, the turn and the recorder of the exchange.
    pub context: CallContext,
    /// The timeout of one answer. Waiting for money, for limits and between tries does not count,
    /// and neither do failed tries, because none of this is the agent's doing.
    pub limit: Duration,
}

impl ModelCall {
    /// The position of a try of this call; it gives the id of the hold.
    pub(super) fn place(&self, retry: u32) -> CallPosition {
        CallPosition {
            campaign: self.campaign.clone(),
            episode: self.context.episode.clone(),
            attempt: self.attempt,
            turn: self.context.turn,
            retry,
        }
    }
}

/// Open the account of a campaign, or replace it. It is answered when every later call sees the
/// account.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct OpenAccount {
    pub(super) campaign: CampaignName,
    pub(super) models: Vec<ModelClients>,
    pub(super) caps: SpendingCaps,
    pub(super) before: SpendingTotals,
}

/// Admit no more calls. It is answered when every call that was admitted is settled.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct CloseRouter;

/// The answer of a model, and what the call cost.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAnswer {
    pub reply: ChatReply,
    /// The request as the model was really asked.
    pub request: Arc<ChatRequest>,
    /// The model that answered. The rest of the episode should ask this model.
    pub model: String,
    /// The cost of all tries. A failed try whose cost is unknown counts with its whole hold.
    pub cost: Money,
    /// The number of tries over all models.
    pub tries: u32,
    /// The time of the accepted answer.
    pub took: Duration,
    /// The time of all other tries: failed ones, and answers that were not accepted.
    pub failed: Duration,
}

/// The account of a campaign in status reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountStats {
    pub campaign: CampaignName,
    pub spent_usd: Money,
    /// The worst cases of calls in flight.
    pub held_usd: Money,
    /// Each cap, without those of episodes.
    pub budgets: Vec<CapStats>,
    pub models: Vec<ModelStats>,
}

/// The router for the rest of the engine. Clones share everything.
#[derive(Clone)]
pub struct RouterHandle {
    handle: ActorHandle<RouterActor>,
    /// Makes tickets, for calls of the handle and of the gateway.
    issuer: TicketIssuer,
    /// What the actor has published.
    view: RouterView,
}

impl RouterHandle {
    /// Starts the supervised router actor. The second value ends when the actor has ended.
    pub fn start(
        collector: CollectorHandle,
        clock: Arc<dyn Clock>,
    ) -> (Self, JoinHandle<ActorExit>) {
        let state = Arc::new(RouterState::new());
        let view = state.view();
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("router", intensity, move || RouterActor::new(state.clone()));
        let issuer = TicketIssuer { collector, clock, gate: view.gate.clone() };
        (Self { handle, issuer, view }, joined)
    }

    /// Opens the account of a campaign, or replaces it. `before` is what the campaign has spent
    /// according to the journal. Err only if the router actor did not do it.
    pub async fn open(
        &self,
        campaign: CampaignName,
        models: Vec<ModelClients>,
        caps: SpendingCaps,
        before: SpendingTotals,
    ) -> Result<(), Fault> {
        Ok(self.handle.ask(OpenAccount { campaign, models, caps, before }).await?)
    }

    /// Admits no more calls, and waits until every call that was admitted is settled.
    pub async fn close(&self) -> Result<(), Fault> {
        if let Err(error) = self.handle.ask(CloseRouter).await {
            // The actor is gone; its gate is not.
            self.view.gate.close();
            self.view.gate.drained().await;
            return Err(error.into());
        }
        Ok(())
    }

    /// Calls that were admitted and are not settled yet, over all campaigns.
    pub fn open_calls(&self) -> usize {
        self.view.gate.open_calls()
    }

    /// Writes the records that the store has not taken yet, of all campaigns. Err has the number of
    /// calls that are still not recorded, and the reason.
    pub async fn flush_backlog(&self) -> Result<(), (usize, Fault)> {
        let mut owed: Option<(usize, Fault)> = None;
        for account in self.view.accounts().values() {
            let backlog = &account.backlog;
            if let Err(fault) = backlog.clear(&self.issuer.collector).await {
                let before = owed.take().map_or(0, |(calls, _)| calls);
                owed = Some((before + backlog.len(), fault));
            }
        }
        owed.map_or(Ok(()), Err)
    }

    /// Writes the records of one campaign that the store has not taken yet. Err has the reason if
    /// some are still not recorded; they go on counting in full.
    pub async fn flush_campaign(&self, campaign: &CampaignName) -> Result<(), Fault> {
        let Some(account) = self.view.account(campaign) else { return Ok(()) };
        let collector = self.issuer.collector.clone();
        // Campaigns ask for this on the actors' thread, and the records are encoded on the way.
        let cleared = spawn("backlog", async move { account.backlog.clear(&collector).await });
        let panicked = |failure| Err(Fault::new(FaultKind::Store, panic_text(failure)));
        cleared.await.unwrap_or_else(panicked)
    }

    /// Keeps entries that the store did not take, with the records of the campaign's calls: no call
    /// is made before they are written.
    pub fn owe(&self, campaign: &CampaignName, entries: Vec<JournalEntry>) {
        if let Some(account) = self.view.account(campaign) {
            account.backlog.keep(UnrecordedCall::new(entries, None, Money::ZERO, false));
        }
    }

    /// The accounts of all campaigns, sorted by name.
    pub fn stats(&self) -> Vec<AccountStats> {
        let today = day_of(self.issuer.clock.now_ms());
        let accounts = self.view.accounts();
        let mut stats: Vec<AccountStats> = accounts
            .iter()
            .map(|(campaign, account)| AccountStats {
                campaign: campaign.clone(),
                spent_usd: account.spent(),
                held_usd: account.held(),
                budgets: account.caps(today),
                models: account.stats(),
            })
            .collect();
        stats.sort_by(|a, b| a.campaign.cmp(&b.campaign));
        stats
    }

    /// The counts of the router's actor.
    pub fn actor_stats(&self) -> ActorStats {
        self.handle.stats()
    }

    /// The state of all providers, over all campaigns.
    pub fn provider_stats(&self) -> Vec<ProviderStats> {
        self.view.providers.stats()
    }

    /// Gives the gateway a ticket for one try, after waiting for a key and for money. `why` says
    /// why this model is asked, and `asked` has the models that were asked before. The caller makes
    /// the exchange and settles the ticket. The caller must run this in a task that is not aborted,
    /// because the hold is written to the journal here; to stop waiting, cancel `unwanted`.
    pub async fn admit(
        &self,
        place: CallPosition,
        model: &str,
        why: &str,
        worst: Usage,
        asked: &[String],
        unwanted: &CancellationToken,
    ) -> Result<CallTicket, Fault> {
        let account = self.view.route(&place.campaign)?;
        let slot = account.model(model)?;
        let wanted = TicketRequest { place, why, worst, asked };
        self.issuer.ticket(&account, &slot, wanted, unwanted).await
    }

    /// The time for which the providers of a model want no calls. None if there is no such time, or
    /// if it is short enough that calls wait for it.
    pub fn asks_to_wait(
        &self,
        campaign: &CampaignName,
        model: &str,
    ) -> Option<std::time::Duration> {
        self.view.account(campaign)?.model(model).ok()?.asks_to_wait()
    }

    /// The model to begin with if `model` is wanted, and the reason if it is another one.
    pub fn choose(&self, campaign: &CampaignName, model: &str) -> Result<(String, String), Fault> {
        Ok(self.view.route(campaign)?.choose(model)?.into_parts())
    }

    /// The fallback model after this failure of `model`, and the reason. None if there is no
    /// fallback that was not asked yet.
    pub fn fallback(
        &self,
        campaign: &CampaignName,
        model: &str,
        failure: ModelFailure,
        asked: &[String],
    ) -> Option<(String, String)> {
        let account = self.view.account(campaign)?;
        let slot = account.model(model).ok()?;
        Some(account.fallback(&slot, failure, asked)?.into_parts())
    }

    /// Asks a model, with retries and fallbacks. If the returned future is dropped, the call ends;
    /// if it was in flight, its whole hold counts as spent.
    pub async fn call(&self, call: ModelCall) -> Result<ModelAnswer, Fault> {
        self.ask(call, false).await
    }

    /// Asks exactly this model once, without retries and fallbacks. Live checks use it.
    pub async fn call_once(&self, call: ModelCall) -> Result<ModelAnswer, Fault> {
        self.ask(call, true).await
    }

    /// Asks a model as [`Self::call`] does, and leaves the settlement and the record of the answer to
    /// the caller, who writes them together with what it makes of the answer.
    pub async fn call_unsettled(
        &self,
        call: ModelCall,
    ) -> Result<(ModelAnswer, CallSettlement), Fault> {
        let campaign = call.campaign.clone();
        self.in_task(&campaign, |account, issuer, unwanted| async move {
            perform(&account, &call, &issuer, &unwanted).await
        })
        .await
    }

    /// Makes a call and settles it.
    async fn ask(&self, call: ModelCall, once: bool) -> Result<ModelAnswer, Fault> {
        let campaign = call.campaign.clone();
        self.in_task(&campaign, |account, issuer, unwanted| async move {
            let asked = match once {
                true => perform_once(&account, &call, &issuer, &unwanted).await,
                false => perform(&account, &call, &issuer, &unwanted).await,
            };
            let (answer, settlement) = asked?;
            settlement.write().await;
            Ok(answer)
        })
        .await
    }

    /// Runs a call in a task of its own.
    async fn in_task<T, F>(
        &self,
        campaign: &CampaignName,
        asking: impl FnOnce(Arc<CampaignAccount>, TicketIssuer, CancellationToken) -> F,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let account = self.view.route(campaign)?;
        let unwanted = CancellationToken::new();
        let _wanted = unwanted.clone().drop_guard();
        // The task does not end with the caller, because the hold must be settled first. If the
        // caller is dropped, the guard above cancels `unwanted`, and the task ends soon.
        let call = spawn("model call", asking(account, self.issuer.clone(), unwanted));
        let panicked = |failure| Err(Fault::new(FaultKind::Panicked, panic_text(failure)));
        call.detach().await.unwrap_or_else(panicked)
    }

    /// Waits until no money of the campaign is held. Calls of free models may still be in flight.
    pub async fn wait_until_settled(&self, campaign: &CampaignName) {
        if let Some(account) = self.view.account(campaign) {
            account.wait_until_settled().await;
        }
    }

    /// The settled money of a campaign, including failed calls. Zero for a campaign without an
    /// account.
    pub fn spent(&self, campaign: &CampaignName) -> Money {
        self.view.account(campaign).map_or(Money::ZERO, |account| account.spent())
    }

    /// What is wrong with a campaign's models at the moment, for people.
    pub fn problem(&self, campaign: &CampaignName) -> Option<String> {
        self.view.account(campaign)?.warning()
    }

    /// The held money of a campaign.
    pub fn held(&self, campaign: &CampaignName) -> Money {
        self.view.account(campaign).map_or(Money::ZERO, |account| account.held())
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<RouterActor> {
        &self.handle
    }
}
