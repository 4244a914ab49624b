//! What goes on between fake agent programs and the sandboxes that they are said to run in.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Something a program does in its sandbox.
pub(super) struct AgentCommand {
    pub(super) command: String,
    pub(super) told: oneshot::Sender<String>,
}

#[derive(Default)]
struct Job {
    /// What the program was told to do, once it was started.
    started: Option<String>,
    commands: Vec<AgentCommand>,
    ended: Option<i32>,
}

#[derive(Default)]
pub struct Jobs {
    /// By their tokens.
    jobs: Mutex<HashMap<String, Job>>,
    news: Notify,
    broken: AtomicBool,
    patient: AtomicBool,
    idle: AtomicBool,
    distracted: AtomicBool,
    upset: AtomicBool,
    held_up_ms: AtomicU64,
    /// The first turn whose calls are not waited for.
    hangs_up_from: Mutex<Option<u32>>,
}

impl Jobs {
    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Programs end at once from now on, or work again.
    pub fn are_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    /// Programs ask for ever what is not answered.
    pub fn are_patient(&self) {
        self.patient.store(true, Ordering::Release);
    }

    pub(super) fn is_patient(&self) -> bool {
        self.patient.load(Ordering::Acquire)
    }

    /// Programs ask nothing and never end.
    pub fn are_idle(&self) {
        self.idle.store(true, Ordering::Release);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Acquire)
    }

    /// Before every question, programs ask one for whose answer they do not wait.
    pub fn are_distracted(&self) {
        self.distracted.store(true, Ordering::Release);
    }

    pub(super) fn is_distracted(&self) -> bool {
        self.distracted.load(Ordering::Acquire)
    }

    /// Programs write a file after a call that was not answered.
    pub fn are_upset(&self) {
        self.upset.store(true, Ordering::Release);
    }

    pub(super) fn is_upset(&self) -> bool {
        self.upset.load(Ordering::Acquire)
    }

    /// The door keeps every call waiting for so long before it is heard.
    pub fn are_held_up(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.held_up_ms.store(millis, Ordering::Release);
    }

    pub(super) fn held_up(&self) -> Duration {
        Duration::from_millis(self.held_up_ms.load(Ordering::Acquire))
    }

    /// From this turn on, programs hang up on each call that the model was asked.
    pub fn hang_up_from(&self, turn: u32) {
        *self.hangs_up_from.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    pub(super) fn hangs_up_at(&self, turn: u32) -> bool {
        let from = *self.hangs_up_from.lock().unwrap_or_else(PoisonError::into_inner);
        from.is_some_and(|from| turn >= from)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    fn change(&self, token: &str, change: impl FnOnce(&mut Job)) {
        change(self.jobs().entry(token.to_owned()).or_default());
        self.news.notify_waiters();
    }

    /// Told of whatever happens after this was called.
    pub(super) fn news(&self) -> impl Future<Output = ()> + '_ {
        let mut news = Box::pin(self.news.notified());
        news.as_mut().enable();
        news
    }

    pub(super) fn start(&self, token: &str, task: &str) {
        self.change(token, |job| job.started = Some(task.to_owned()));
    }

    /// Waits until the sandbox of the program with this token has started it. What it is told to do.
    pub async fn started(&self, token: &str) -> String {
        loop {
            let news = self.news();
            let told = self.jobs().get(token).and_then(|job| job.started.clone());
            if let Some(told) = told {
                return told;
            }
            news.await;
        }
    }

    /// Has its sandbox run a command; what that printed, or nothing where the sandbox is gone.
    pub async fn run(&self, token: &str, command: &str) -> String {
        let (told, answer) = oneshot::channel();
        self.change(token, |job| {
            job.commands.push(AgentCommand { command: command.to_owned(), told })
        });
        answer.await.unwrap_or_default()
    }

    /// The program with this token ends with this exit code.
    pub fn end(&self, token: &str, code: i32) {
        self.change(token, |job| job.ended = Some(code));
    }

    pub(super) fn of(&self, token: &str) -> (Vec<AgentCommand>, Option<i32>) {
        let mut jobs = self.jobs();
        let job = jobs.entry(token.to_owned()).or_default();
        (std::mem::take(&mut job.commands), job.ended)
    }
}
