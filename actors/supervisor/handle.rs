//! The handle through which the rest of the program talks to a supervised actor. It is cheap to
//! clone and stays valid when the actor is restarted.

use super::counts::{ActorCounters, ActorStats};
use super::delivery::{Delivery, DeliveryReceipt};
use crate::model::{Fault, FaultKind};
#[cfg(any(test, feature = "testkit"))]
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// After this many actors have died of a message, the message is set aside: it may be what kills
/// them.
const DEATHS: u32 = 2;

/// How long a caller waits until a dead actor has been replaced.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a message has no answer. The field is the actor's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The actor is gone for good, or was not restarted in time.
    #[error("the {0} actor is gone")]
    Gone(&'static str),
    /// Two actors died of the message. It is not sent to a third one; the actor lives on.
    #[error("a message killed the {0} actor twice and was set aside")]
    SetAside(&'static str),
}

impl From<AskError> for Fault {
    fn from(error: AskError) -> Self {
        let kind = match error {
            AskError::Gone(_) => FaultKind::ActorGone,
            AskError::SetAside(_) => FaultKind::MessageSetAside,
        };
        Self::new(kind, error.to_string())
    }
}

/// A handle on a supervised actor. `address` is that of the newest actor. It is None before the
/// first actor starts and after the supervision has ended.
pub struct ActorHandle<A: Actor> {
    name: &'static str,
    address: watch::Receiver<Option<Addr<A>>>,
    counters: Arc<ActorCounters>,
    /// Whether the actor is inside the handler of a delivered message. The supervisor reads it.
    handling: Arc<AtomicBool>,
}

impl<A: Actor> Clone for ActorHandle<A> {
    fn clone(&self) -> Self {
        let (counters, handling) = (self.counters.clone(), self.handling.clone());
        Self { name: self.name, address: self.address.clone(), counters, handling }
    }
}

impl<A: Actor<Context = Context<A>> + Handler<Delivery<A>>> ActorHandle<A> {
    pub(super) fn new(
        name: &'static str,
        address: watch::Receiver<Option<Addr<A>>>,
        counters: Arc<ActorCounters>,
        handling: Arc<AtomicBool>,
    ) -> Self {
        Self { name, address, counters, handling }
    }

    /// Sends a message until an actor has answered it. If the actor dies of the message, the
    /// message is sent to the next one, at most twice in all. So an actor may get the same message
    /// twice, and every message must allow that. A message that only waited when the actor died of
    /// another one is sent again and has no death.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, AskError>
    where
        M: Message + Clone + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let (mut address, mut deaths) = (self.address.clone(), 0);
        loop {
            let current = self.current(&mut address).await?;
            let mut receipt = self.deliver(&current, message.clone());
            if let Ok(answer) = (&mut receipt.answer).await {
                return Ok(answer);
            }
            deaths += u32::from(receipt.was_begun());
            if deaths >= DEATHS {
                self.counters.set_aside();
                tracing::error!(actor = self.name, "a message killed two actors; it is set aside");
                return Err(AskError::SetAside(self.name));
            }
            self.replaced(&mut address, &current).await?;
        }
    }

    /// Puts a message into the mailbox of an actor. An actor that is dead drops it.
    fn deliver<M>(&self, to: &Addr<A>, message: M) -> DeliveryReceipt<M::Result>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let (delivery, receipt) = Delivery::of(message, self.handling.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "the receipt tells of a delivery that was dropped, and permits bound the senders"
        )]
        to.do_send(delivery);
        receipt
    }

    /// Waits until another actor has taken the place of `dead`. The comparison of addresses
    /// excludes sending to the dead actor again.
    async fn replaced(
        &self,
        address: &mut watch::Receiver<Option<Addr<A>>>,
        dead: &Addr<A>,
    ) -> Result<(), AskError> {
        let next = address.wait_for(|now| now.as_ref() != Some(dead));
        let gone = || AskError::Gone(self.name);
        timeout(PATIENCE, next).await.map_err(|_| gone())?.map_err(|_| gone()).map(drop)
    }

    /// Sends a message once, whether it is answered or not. It is no [`Delivery`], so an actor that
    /// dies of it has died of itself.
    #[cfg(any(test, feature = "testkit"))]
    pub async fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let mut address = self.address.clone();
        if let Ok(current) = self.current(&mut address).await {
            current.send(message).await.ok();
        }
    }

    /// The counts of panics and restarts.
    pub fn stats(&self) -> ActorStats {
        self.counters.stats()
    }

    /// The address of the newest actor. Waits if there is none. Err after a timeout, or if the
    /// supervision has ended.
    async fn current(
        &self,
        address: &mut watch::Receiver<Option<Addr<A>>>,
    ) -> Result<Addr<A>, AskError> {
        // The address is None before the first actor and after the last one. After a panic the old
        // address stays until the next one is published.
        let gone = || AskError::Gone(self.name);
        let present = timeout(PATIENCE, address.wait_for(Option::is_some)).await;
        present.map_err(|_| gone())?.map_err(|_| gone())?.clone().ok_or_else(gone)
    }
}
