//! The router actor. It owns the state of the router (`state.rs`): it opens accounts, and it closes
//! the admission of calls. The calls run in tasks of their own and not in the actor, so a slow call
//! delays no other call.

use super::account::CampaignAccount;
use super::messages::{CloseRouter, OpenAccount};
use super::state::RouterState;
use actix::{Actor, Context, Handler, ResponseFuture};
use std::sync::Arc;

/// The only one that changes the state of the router.
pub struct RouterActor {
    state: Arc<RouterState>,
}

impl RouterActor {
    pub(super) fn new(state: Arc<RouterState>) -> Self {
        Self { state }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}

crate::takes_deliveries!(RouterActor);

impl Handler<OpenAccount> for RouterActor {
    type Result = ();

    fn handle(&mut self, open: OpenAccount, _: &mut Self::Context) {
        let OpenAccount { campaign, models, caps, before } = open;
        let account = CampaignAccount::open(models, &self.state.providers, caps, before);
        self.state.open(campaign, account);
    }
}

impl Handler<CloseRouter> for RouterActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: CloseRouter, _: &mut Self::Context) -> Self::Result {
        let gate = self.state.gate.clone();
        gate.close();
        Box::pin(async move { gate.drained().await })
    }
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for RouterActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the router");
    }
}
