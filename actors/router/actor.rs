//! The router actor: finds who answers a campaign's calls. The calls themselves belong to
//! tasks.

use super::account::CampaignAccount;
use super::messages::{AccountMap, FindAccount};
use actix::{Actor, Context, Handler, MessageResult};
use std::sync::{Arc, PoisonError};

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
