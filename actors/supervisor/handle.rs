//! The handle through which the rest of the program talks to a supervised actor. It is cheap to
//! clone and stays valid when the actor is restarted.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// After this many actors have died with a message, the message is not sent to another one. The
/// message may be what kills them, and one more death may end the engine.
const DEATHS: u32 = 2;

/// How long a caller waits until a dead actor has been replaced.
const PATIENCE: Duration = Duration::from_secs(30);

/// The actor is gone for good, was not restarted in time, or died twice with the same message. The
/// field is the actor's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} actor is gone")]
pub struct ActorGoneError(pub &'static str);

impl From<ActorGoneError> for crate::model::Fault {
    fn from(gone: ActorGoneError) -> Self {
        Self::new(crate::model::FaultKind::ActorGone, gone.to_string())
    }
}

/// A handle on a supervised actor. `address` is that of the newest actor. It is None before the
/// first actor starts and after the supervision has ended.
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

    /// Sends a message until an actor has answered it. If the actor dies with the message, the
    /// message is sent to the next one, at most twice in all. So an actor may get the same message
    /// twice, and every message must allow that.
    ///
    /// Err means that the actor is gone for good, did not come back in time, or died twice.
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
            // The actor died with the message. Wait until a new address is published. A comparison
            // with the old address excludes sending to the dead actor again.
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

    /// Sends a message once, whether it is answered or not.
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

    /// The address of the newest actor. Waits if there is none. None after a timeout, or if the
    /// supervision has ended.
    async fn current(&self, address: &mut watch::Receiver<Option<Addr<A>>>) -> Option<Addr<A>> {
        // The address is None before the first actor and after the last one. After a panic the old
        // address stays until the next one is published.
        let present = timeout(PATIENCE, address.wait_for(Option::is_some)).await.ok()?.ok()?;
        present.clone()
    }
}
