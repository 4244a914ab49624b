//! What the rest of the program sees of an actor: a cheap handle that outlives restarts.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A message that so many incarnations of an actor died with is not sent to another: it may be
/// what kills them, and the next death may end the engine.
const DEATHS: u32 = 2;

/// How long a caller waits for a dead actor's successor.
const PATIENCE: Duration = Duration::from_secs(30);

/// The actor is gone for good, or did not come back in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} actor is gone")]
pub struct ActorGoneError(pub &'static str);

impl From<ActorGoneError> for crate::model::Fault {
    fn from(gone: ActorGoneError) -> Self {
        Self::new(crate::model::FaultKind::ActorGone, gone.to_string())
    }
}

/// A handle on a supervised actor.
pub struct ActorHandle<A: Actor> {
    name: &'static str,
    address: watch::Receiver<Option<Addr<A>>>,
}

impl<A: Actor> Clone for ActorHandle<A> {
    fn clone(&self) -> Self {
        Self { name: self.name, address: self.address.clone() }
    }
}

impl<A: Actor<Context = Context<A>>> ActorHandle<A> {
    pub(super) fn new(name: &'static str, address: watch::Receiver<Option<Addr<A>>>) -> Self {
        Self { name, address }
    }

    /// Sends a message until some incarnation of the actor has answered it, or two have
    /// died with it. Messages are therefore ones that may be handled twice.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, ActorGoneError>
    where
        M: Message + Clone + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let (mut address, mut deaths) = (self.address.clone(), 0);
        loop {
            let Some(current) = self.current(&mut address).await else {
                return Err(ActorGoneError(self.name));
            };
            if let Ok(answer) = current.send(message.clone()).await {
                return Ok(answer);
            }
            deaths += 1;
            if deaths >= DEATHS {
                return Err(ActorGoneError(self.name));
            }
            // It died with the message; wait for the next one to be published.
            let next = async {
                while address.borrow_and_update().as_ref() == Some(&current) {
                    if address.changed().await.is_err() {
                        return Err(ActorGoneError(self.name));
                    }
                }
                Ok(())
            };
            timeout(PATIENCE, next).await.map_err(|_| ActorGoneError(self.name))??;
        }
    }

    /// Sends a message once, answered or not.
    #[cfg(any(test, feature = "testkit"))]
    pub async fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let mut address = self.address.clone();
        if let Some(current) = self.current(&mut address).await {
            current.send(message).await.ok();
        }
    }

    async fn current(&self, address: &mut watch::Receiver<Option<Addr<A>>>) -> Option<Addr<A>> {
        let present = timeout(PATIENCE, address.wait_for(Option::is_some)).await.ok()?.ok()?;
        present.clone()
    }
}
