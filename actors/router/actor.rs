//! The router actor. It only finds the account of a campaign. The calls run in tasks of their own
//! and not in the actor, so a slow call delays no other call.

use super::account::CampaignAccount;
use super::messages::{AccountMap, FindAccount};
use actix::{Actor, Context, Handler, MessageResult};
use std::sync::{Arc, PoisonError};

/// Answers [`FindAccount`]. All its state is shared with the handle, so it can be restarted at any
/// time.
pub struct RouterActor {
    accounts: AccountMap,
}

impl RouterActor {
    pub(super) fn new(accounts: AccountMap) -> Self {
        Self { accounts }
    }

    fn account(&self, route: &FindAccount) -> Option<Arc<CampaignAccount>> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&route.0).cloned()
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}

crate::takes_deliveries!(RouterActor);

impl Handler<FindAccount> for RouterActor {
    type Result = MessageResult<FindAccount>;

    fn handle(&mut self, route: FindAccount, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.account(&route))
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
