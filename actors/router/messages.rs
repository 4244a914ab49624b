//! What the router is asked, and the handle through which.

use super::account::CampaignAccount;
use super::actor::RouterActor;
use super::call::{perform, perform_once};
use super::campaign_model::{ModelClients, ModelStats};
use super::provider_limiter::{ProviderLimiters, ProviderStats};
use super::ticket::{CallTicket, TicketIssuer, TicketRequest};
use crate::collector::CollectorHandle;
use crate::model::{
    AttemptNumber, CallPosition, CampaignName, ChatReply, ChatRequest, Fault, FaultKind,
    ModelFailure, Money, SpendingCaps, SpendingTotals, Usage, day_of,
};
use crate::policy::{CapStats, RestartIntensity};
use crate::ports::{CallContext, Clock};
use crate::supervisor::{ActorExit, ActorHandle, panic_text, spawn, supervise};
use actix::Message;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Ask a model.
#[derive(Clone)]
pub struct ModelCall {
    pub campaign: CampaignName,
    pub attempt: AttemptNumber,
    /// The one that the episode is planned for, or that has answered it so far.
    pub model: String,
    pub request: Arc<ChatRequest>,
    /// Which of the task's samples asks.
    pub sample: u32,
    pub context: CallContext,
    /// How long the model may take for its answer. Waiting for money, limits and the next try,
    /// and tries that failed, do not count: they are not the agent's doing.
    pub limit: Duration,
}

impl ModelCall {
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

/// Who answers a campaign's calls, if anybody.
#[derive(Clone, Message)]
#[rtype(result = "Option<Arc<CampaignAccount>>")]
pub struct FindAccount(pub(super) CampaignName);

/// An answer with what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAnswer {
    pub reply: ChatReply,
    /// As the model that gave it was asked.
    pub request: Arc<ChatRequest>,
    /// Who gave it: to be asked for the rest of the episode.
    pub model: String,
    /// Of every try, failed ones at their full hold.
    pub cost: Money,
    pub tries: u32,
    /// How long the model took for its answer.
    pub took: Duration,
    /// How long the tries before took: those that failed, and answers that did not stand.
    pub failed: Duration,
}

/// A campaign's account at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountStats {
    pub campaign: CampaignName,
    pub spent_usd: Money,
    /// Set aside for calls in flight.
    pub held_usd: Money,
    pub budgets: Vec<CapStats>,
    pub models: Vec<ModelStats>,
}

pub(super) type AccountMap = Arc<Mutex<HashMap<CampaignName, Arc<CampaignAccount>>>>;

/// The router, for everybody else.
#[derive(Clone)]
pub struct RouterHandle {
    handle: ActorHandle<RouterActor>,
    office: TicketIssuer,
    accounts: AccountMap,
    provider_limiters: ProviderLimiters,
}

impl RouterHandle {
    pub fn start(
        collector: CollectorHandle,
        clock: Arc<dyn Clock>,
    ) -> (Self, JoinHandle<ActorExit>) {
        let accounts = AccountMap::default();
        let shared = accounts.clone();
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("router", intensity, move || RouterActor::new(shared.clone()));
        (
            Self {
                handle,
                office: TicketIssuer { collector, clock },
                accounts,
                provider_limiters: ProviderLimiters::default(),
            },
            joined,
        )
    }

    /// Opens or replaces a campaign's account. `before` is what the journal says was spent.
    pub fn open(
        &self,
        campaign: CampaignName,
        models: Vec<ModelClients>,
        caps: SpendingCaps,
        before: SpendingTotals,
    ) {
        let account =
            Arc::new(CampaignAccount::open(models, &self.provider_limiters, caps, before));
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(campaign, account);
    }

    /// How every campaign's models fare, and what it has spent.
    pub fn stats(&self) -> Vec<AccountStats> {
        let today = day_of(self.office.clock.now_ms());
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// How providers fare, whichever campaign asks them.
    pub fn provider_stats(&self) -> Vec<ProviderStats> {
        self.provider_limiters.stats()
    }

    async fn route(&self, campaign: &CampaignName) -> Result<Arc<CampaignAccount>, Fault> {
        self.handle.ask(FindAccount(campaign.clone())).await?.ok_or_else(|| {
            let unknown = format!("campaign {campaign} has no account");
            Fault::new(FaultKind::ModelPermanent, unknown)
        })
    }

    /// For who makes the exchange himself: what one try needs before it may leave, why this
    /// model, and who was asked before. To be asked in a task that is not cut short.
    pub async fn admit(
        &self,
        place: CallPosition,
        model: &str,
        why: &str,
        worst: Usage,
        asked: &[String],
        unwanted: &CancellationToken,
    ) -> Result<CallTicket, Fault> {
        let unknown = || {
            let what = format!("campaign {} has no account", place.campaign);
            Fault::new(FaultKind::ModelPermanent, what)
        };
        let account = self.account(&place.campaign).ok_or_else(unknown)?;
        let slot = account.model(model)?;
        let wish = TicketRequest { place, why, worst, asked };
        self.office.ticket(&account, &slot, wish, unwanted).await
    }

    /// How long a model's providers ask to be left alone, where that is too long to be waited for.
    pub fn asks_to_wait(
        &self,
        campaign: &CampaignName,
        model: &str,
    ) -> Option<std::time::Duration> {
        self.account(campaign)?.model(model).ok()?.asks_to_wait()
    }

    /// Whom to begin with where this model is wanted, and why.
    pub fn choose(&self, campaign: &CampaignName, model: &str) -> Result<(String, String), Fault> {
        let unknown = || {
            let what = format!("campaign {campaign} has no account");
            Fault::new(FaultKind::ModelPermanent, what)
        };
        Ok(self.account(campaign).ok_or_else(unknown)?.choose(model)?.into_parts())
    }

    /// Whom to ask instead of a model that has failed so, and why.
    pub fn fallback(
        &self,
        campaign: &CampaignName,
        model: &str,
        failure: ModelFailure,
        asked: &[String],
    ) -> Option<(String, String)> {
        let account = self.account(campaign)?;
        let slot = account.model(model).ok()?;
        Some(account.fallback(&slot, failure, asked)?.into_parts())
    }

    /// Dropping the returned future ends the call: one in flight counts in full.
    pub async fn call(&self, call: ModelCall) -> Result<ModelAnswer, Fault> {
        self.ask(call, false).await
    }

    /// One try of the model itself: it is not asked again, and no other model instead.
    pub async fn call_once(&self, call: ModelCall) -> Result<ModelAnswer, Fault> {
        self.ask(call, true).await
    }

    async fn ask(&self, call: ModelCall, once: bool) -> Result<ModelAnswer, Fault> {
        let account = self.route(&call.campaign).await?;
        let unwanted = CancellationToken::new();
        let _wanted = unwanted.clone().drop_guard();
        let office = self.office.clone();
        // Not ended with the caller: what was held must be settled first.
        let call = spawn("model call", async move {
            match once {
                true => perform_once(&account, &call, &office, &unwanted).await,
                false => perform(&account, &call, &office, &unwanted).await,
            }
        });
        let panicked = |failure| Err(Fault::new(FaultKind::Panicked, panic_text(failure)));
        call.detach().await.unwrap_or_else(panicked)
    }

    /// Waits until none of a campaign's calls is in flight.
    pub async fn wait_until_settled(&self, campaign: &CampaignName) {
        if let Some(account) = self.account(campaign) {
            account.wait_until_settled().await;
        }
    }

    /// What a campaign has spent: every settled call, useful or not. Nothing for a campaign
    /// without an account.
    pub fn spent(&self, campaign: &CampaignName) -> Money {
        self.account(campaign).map_or(Money::ZERO, |account| account.spent())
    }

    /// What is wrong with a campaign's models at the moment, if anything.
    pub fn problem(&self, campaign: &CampaignName) -> Option<String> {
        self.account(campaign)?.trouble()
    }

    /// What is set aside for calls on their way.
    pub fn held(&self, campaign: &CampaignName) -> Money {
        self.account(campaign).map_or(Money::ZERO, |account| account.held())
    }

    fn account(&self, campaign: &CampaignName) -> Option<Arc<CampaignAccount>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(campaign).cloned()
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<RouterActor> {
        &self.handle
    }
}
