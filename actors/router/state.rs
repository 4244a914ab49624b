//! What the router owns: the accounts of all campaigns, the limits of all providers, and whether
//! calls are admitted at all. Only the router actor changes it, by messages.
//!
//! ```text
//!  open ──OpenAccount──► open, with one more account
//!    │ CloseRouter
//!    ▼
//!  closing: no ticket is given ──the last ticket is settled──► closed
//! ```
//! A call does not send a message. The actor publishes the accounts, and a call reads the newest
//! table: the account is the handle that the actor gives out for a campaign, and calls are admitted
//! under its own short locks. `docs/adr/0020-the-router-gives-out-accounts.md` says why.
//!
//! The state outlives the actor, because money is held in it while calls are in flight. The factory
//! hands it to each new actor.

use super::account::CampaignAccount;
use super::provider_limiter::ProviderLimiters;
use crate::model::{CampaignName, Fault, FaultKind};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The accounts of all campaigns, as they were when the table was published.
pub(super) type AccountTable = Arc<HashMap<CampaignName, Arc<CampaignAccount>>>;

/// The state of the router.
pub(super) struct RouterState {
    accounts: watch::Sender<AccountTable>,
    pub(super) providers: ProviderLimiters,
    pub(super) gate: CallGate,
}

impl RouterState {
    /// A router without accounts that admits calls.
    pub(super) fn new() -> Self {
        let (accounts, _) = watch::channel(AccountTable::default());
        Self { accounts, providers: ProviderLimiters::default(), gate: CallGate::default() }
    }

    /// Publishes an account, in the place of an earlier one of the same campaign. The backlog of
    /// the earlier one goes on in the new one. To open the same account twice changes nothing.
    pub(super) fn open(&self, campaign: CampaignName, account: CampaignAccount) {
        self.accounts.send_modify(|accounts| {
            let account = Arc::new(account.after(accounts.get(&campaign)));
            Arc::make_mut(accounts).insert(campaign, account);
        });
    }

    /// What others may read.
    pub(super) fn view(&self) -> RouterView {
        RouterView {
            accounts: self.accounts.subscribe(),
            providers: self.providers.clone(),
            gate: self.gate.clone(),
        }
    }
}

/// The state of the router as everybody else sees it.
#[derive(Clone)]
pub(super) struct RouterView {
    accounts: watch::Receiver<AccountTable>,
    pub(super) providers: ProviderLimiters,
    pub(super) gate: CallGate,
}

impl RouterView {
    /// The account of a campaign. None if it has none.
    pub(super) fn account(&self, campaign: &CampaignName) -> Option<Arc<CampaignAccount>> {
        self.accounts.borrow().get(campaign).cloned()
    }

    /// The newest table of accounts.
    pub(super) fn accounts(&self) -> AccountTable {
        self.accounts.borrow().clone()
    }

    /// The account of a campaign. Err if it has none.
    pub(super) fn route(&self, campaign: &CampaignName) -> Result<Arc<CampaignAccount>, Fault> {
        self.account(campaign).ok_or_else(|| {
            let unknown = format!("campaign {campaign} has no account");
            Fault::new(FaultKind::ModelPermanent, unknown)
        })
    }
}

/// Counts the tickets that are out, and refuses new ones once the router closes.
#[derive(Clone, Default)]
pub(super) struct CallGate(TaskTracker);

impl CallGate {
    /// Lets a call in. The token counts it until it is dropped. Err once the router closes.
    pub(super) fn enter(&self) -> Result<TaskTrackerToken, Fault> {
        // The token comes first: a close in between either sees it or is seen.
        let token = self.0.token();
        match self.0.is_closed() {
            true => Err(Fault::new(FaultKind::Cancelled, "the router admits no more calls")),
            false => Ok(token),
        }
    }

    /// Refuses every further call.
    pub(super) fn close(&self) {
        self.0.close();
    }

    /// Waits until the router is closed and no call is left.
    pub(super) async fn drained(&self) {
        self.0.wait().await;
    }

    /// The calls that are in.
    pub(super) fn open_calls(&self) -> usize {
        self.0.len()
    }
}
