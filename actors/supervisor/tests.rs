//! Supervision by joining.

use super::{
    ActorExit, ActorHandle, ActorStats, AskError, LiveCounts, assert_may_block, supervise,
};
use crate::model::Fault;
use crate::policy::RestartIntensity;
use crate::testkit::{Options, in_test_system};
use actix::{Actor, Context, Handler, Message, ResponseFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Counts what it was told since it was made; panics, hangs or stops on demand.
struct Counter {
    generation: u32,
    told: u32,
}

#[derive(Clone, Message)]
#[rtype(result = "(u32, u32)")]
enum Say {
    Hello,
    Panic,
    Stop,
    Late(Duration),
    /// Blocks the thread in the handler.
    Block,
    /// Panics in the first incarnation only.
    PanicOnce,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

crate::takes_deliveries!(Counter);

impl Handler<Say> for Counter {
    type Result = ResponseFuture<(u32, u32)>;

    fn handle(&mut self, say: Say, ctx: &mut Self::Context) -> Self::Result {
        self.told += 1;
        let answer = (self.generation, self.told);
        let mut wait = Duration::ZERO;
        match say {
            Say::Hello => {}
            Say::Panic => panic!("told to"),
            Say::PanicOnce if self.generation == 1 => panic!("told to, once"),
            Say::PanicOnce => {}
            Say::Stop => actix::ActorContext::stop(ctx),
            Say::Late(by) => wait = by,
            Say::Block => assert_may_block("a test"),
        }
        Box::pin(async move {
            sleep(wait).await;
            answer
        })
    }
}

fn start(restarts: usize) -> (ActorHandle<Counter>, JoinHandle<ActorExit>, Arc<AtomicU32>) {
    let made = Arc::new(AtomicU32::new(0));
    let count = made.clone();
    let (handle, exit) =
        supervise("counter", RestartIntensity::new(restarts, Duration::from_secs(10)), move || {
            Counter { generation: count.fetch_add(1, Ordering::AcqRel) + 1, told: 0 }
        });
    (handle, exit, made)
}

#[test]
fn a_panic_rebuilds_behind_the_same_handle() {
    in_test_system(Options::default(), |_| async {
        let (counter, exit, _) = start(3);
        assert_eq!(counter.ask(Say::Hello).await, Ok((1, 1)));
        assert_eq!(counter.ask(Say::PanicOnce).await, Ok((2, 1)), "asked again, fresh state");
        assert_eq!(counter.clone().ask(Say::Hello).await, Ok((2, 2)));
        drop(counter);
        assert_eq!(exit.await.unwrap(), ActorExit::Stopped);
    });
}

#[test]
fn beyond_its_intensity_it_escalates_and_callers_know_at_once() {
    in_test_system(Options::default(), |_| async {
        let (counter, exit, made) = start(3);
        let began = Instant::now();
        for _ in 0..4 {
            counter.tell(Say::Panic).await;
            tokio::task::yield_now().await;
        }
        let panic = "told to".to_owned();
        assert_eq!(exit.await.unwrap(), ActorExit::Escalated { name: "counter", panic });
        assert_eq!(made.load(Ordering::Acquire), 4, "the first, and three restarts");
        assert_eq!(
            counter.ask(Say::Hello).await.unwrap_err().to_string(),
            "the counter actor is gone"
        );
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for what will not come");
    });
}

/// Sent again and again it would end the whole engine.
#[test]
fn a_message_that_kills_its_actor_is_set_aside() {
    in_test_system(Options::default(), |_| async {
        let (counter, exit, made) = start(3);
        assert_eq!(counter.ask(Say::Panic).await, Err(AskError::SetAside("counter")));
        let fault = Fault::from(AskError::SetAside("counter"));
        assert_eq!(fault.kind.policy().code, Some("SYN-0005"));
        assert_eq!(counter.ask(Say::Hello).await, Ok((3, 1)), "the actor lives");
        assert_eq!((made.load(Ordering::Acquire), exit.is_finished()), (3, false));
    });
}

/// The actor dies with a full mailbox. Only the message that it was handling is to blame.
#[test]
fn messages_that_waited_behind_a_deadly_one_are_answered() {
    in_test_system(Options::default(), |_| async {
        let (counter, _life, _) = start(3);
        let ask = |say| {
            let counter = counter.clone();
            super::spawn("asker", async move { counter.ask(say).await })
        };
        let deadly: Vec<_> = (0..2).map(|_| ask(Say::Panic)).collect();
        let behind: Vec<_> = (0..20).map(|_| ask(Say::Hello)).collect();
        for asked in deadly {
            assert_eq!(asked.await.unwrap(), Err(AskError::SetAside("counter")));
        }
        for asked in behind {
            asked.await.unwrap().unwrap();
        }
    });
}

/// The messages are to blame, and not the actor.
#[test]
fn deadly_messages_do_not_escalate_and_are_counted() {
    in_test_system(Options::default(), |_| async {
        let (counter, exit, _) = start(3);
        for _ in 0..10 {
            counter.ask(Say::Panic).await.unwrap_err();
        }
        assert!(!exit.is_finished());
        let name = "counter".to_owned();
        let told = ActorStats { name, panics: 20, restarts: 20, kills: 0, set_aside: 10 };
        assert_eq!(counter.stats(), told);
    });
}

#[test]
fn restarts_far_apart_are_no_escalation() {
    in_test_system(Options::default(), |_| async {
        let (counter, exit, made) = start(2);
        for _ in 0..20 {
            counter.tell(Say::Panic).await;
            sleep(Duration::from_secs(6)).await;
        }
        assert_eq!((made.load(Ordering::Acquire), exit.is_finished()), (21, false));
    });
}

#[test]
fn an_actor_that_stops_is_not_rebuilt() {
    in_test_system(Options::default(), |_| async {
        let (counter, exit, made) = start(2);
        counter.tell(Say::Stop).await;
        assert_eq!(exit.await.unwrap(), ActorExit::Stopped);
        let before = Instant::now();
        assert!(counter.ask(Say::Hello).await.is_err());
        assert_eq!((before.elapsed(), made.load(Ordering::Acquire)), (Duration::ZERO, 1));
    });
}

#[test]
fn work_in_flight_outlives_a_panic_and_is_answered_once() {
    in_test_system(Options::default(), |_| async {
        let (counter, _life, made) = start(2);
        let late = counter.clone();
        let late =
            super::spawn("late", async move { late.ask(Say::Late(Duration::from_secs(5))).await });
        sleep(Duration::from_secs(1)).await;
        counter.tell(Say::Panic).await;
        assert_eq!(late.await.unwrap(), Ok((1, 1)));
        assert_eq!(made.load(Ordering::Acquire), 2);
    });
}

/// A handler may not block; a task may, also on the same thread.
#[test]
fn blocking_work_in_an_actor_is_found() {
    in_test_system(Options::default(), |_| async {
        let (counter, _life, _) = start(3);
        assert_may_block("the test itself");
        super::spawn("may", async { assert_may_block("a task") }).await.unwrap();
        assert_eq!(counter.ask(Say::Block).await, Err(AskError::SetAside("counter")));
        assert_eq!(counter.stats().panics, 2);
        assert_may_block("the test, after an actor has died");
    });
}

#[test]
fn dropping_a_task_ends_it_and_the_census_sees() {
    in_test_system(Options::default(), |_| async {
        let before = LiveCounts::here().tasks();
        let never = super::spawn("never", std::future::pending::<()>());
        let unpolled = super::spawn("unpolled", async {});
        assert_eq!(LiveCounts::here().tasks(), before + 2);
        drop((never, unpolled));
        sleep(Duration::from_millis(1)).await;
        assert_eq!(LiveCounts::here().tasks(), before);
    });
}

#[test]
#[should_panic(expected = "actors, tasks and sandboxes are left")]
fn the_test_system_panics_on_a_leak() {
    in_test_system(Options::default(), |_| async {
        let leaked = super::spawn("leaked", std::future::pending::<()>());
        std::mem::forget(leaked);
    });
}
