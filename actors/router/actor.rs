//! The router actor: finds the account and lets a task do the waiting.

use super::call::perform;
use super::messages::{Accounts, Called, Perform};
use crate::collector::CollectorHandle;
use crate::model::{Fault, FaultKind};
use crate::supervisor::{panic_text, spawn};
use actix::{Actor, Context, Handler, ResponseFuture};
use std::sync::PoisonError;

pub struct RouterActor {
    accounts: Accounts,
    collector: CollectorHandle,
}

impl RouterActor {
    pub(super) fn new(accounts: Accounts, collector: CollectorHandle) -> Self {
        Self { accounts, collector }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}

impl Handler<Perform> for RouterActor {
    type Result = ResponseFuture<Result<Called, Fault>>;

    fn handle(&mut self, message: Perform, _: &mut Self::Context) -> Self::Result {
        let Perform { call, unwanted } = message;
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.get(&call.campaign).cloned();
        drop(accounts);
        let collector = self.collector.clone();
        Box::pin(async move {
            let Some(account) = account else {
                let unknown = format!("campaign {} has no account", call.campaign);
                return Err(Fault::new(FaultKind::ModelPermanent, unknown));
            };
            // Adapters run on the workers: this thread belongs to the actors.
            let call = spawn("model call", async move {
                perform(&account, &call, &collector, &unwanted).await
            });
            call.await
                .unwrap_or_else(|failure| Err(Fault::new(FaultKind::Panicked, panic_text(failure))))
        })
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
