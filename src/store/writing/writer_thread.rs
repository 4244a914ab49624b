//! The writer thread: the only thread that writes the database. It gathers appends, commits them
//! together, syncs the log when it must, and answers.
//!
//! ```text
//! wait ──► gather what is queued ──► commit ──► sync ──► answer ──► pause, if it is busy ──► wait
//!   │              │ settlements alone ▲          ▲ a hold, a barrier, or time has passed
//!   │              └──► deferred ──────┘ until the next commit, or time has passed
//!   └── queue closed ──► commit what was deferred, sync, checkpoint, close
//! ```
//!
//! A commit survives a kill of the process. Only a sync survives a power cut. What an append waits
//! for depends on its durability ([`AppendDurability`]):
//!
//! * A hold is answered after a sync, at once.
//! * A settlement may wait up to [`SETTLE_WITHIN`] for the next hold, so that one commit and one
//!   sync serve both, and pages that both change are written once. A hold never waits for more
//!   settlements to come. The hold of the settlement counts in full meanwhile.
//! * Everything else is answered after the commit and is synced within [`SYNC_WITHIN`]. If its
//!   commit is synced at once for a hold or a barrier, the answer comes after this sync.
//!
//! A commit has a fixed cost, which all its appends share. So a busy thread commits at most once in
//! [`PACE`], unless it syncs: a commit of [`BUSY`] appends without a sync is followed by a pause, in
//! which the next ones gather. A thread that is not busy never pauses.
//!
//! After a failed sync the thread accepts nothing more, because nobody knows what is on the disk.

use crate::store::error::StoreError;
use crate::store::integrity::lock::DataDirLock;
use crate::store::open::OpenedDatabase;
use crate::store::writing::batch;
use crate::store::writing::fence::FenceCache;
use crate::store::writing::stats::{StoreCounters, add};
use crate::store::writing::write_behind::WriteBehind;
use crate::store::writing::writer::{AppendDurability, QueuedAppend, WriterReply, WriterRequest};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError};
use std::time::{Duration, Instant};
use synthd_actors::ports::StoreFault;

/// The longest time that a commit stays without a sync.
const SYNC_WITHIN: Duration = Duration::from_secs(1);
/// The longest time that a settlement waits for a hold.
const SETTLE_WITHIN: Duration = Duration::from_millis(1);
/// The most appends that are taken from the queue at once: large enough to spread the cost of a
/// commit over many appends, and small enough to answer soon. A commit may also have the deferred
/// settlements, which are fewer than twice as many.
const BATCH_BOUND: usize = 512;

/// The least time from the beginning of a busy commit to that of the next one.
const PACE: Duration = Duration::from_millis(1);
/// With this many appends a commit is busy.
const BUSY: usize = 8;

/// What the thread owns. The fields are dropped in this order, so the lock is released last.
pub(in crate::store) struct WriterParts {
    pub(in crate::store) opened: OpenedDatabase,
    pub(in crate::store) lock: DataDirLock,
}

/// The state of the thread.
pub(in crate::store) struct WriterThread {
    requests: Receiver<WriterRequest>,
    counters: Arc<StoreCounters>,
    /// The time of the first commit that is not synced.
    unsynced_since: Option<Instant>,
    /// The time when the mark was first moved without being synced.
    unmarked_since: Option<Instant>,
    /// Deferred settlements: they are committed together with the next batch.
    put_by: Vec<QueuedAppend>,
    /// Settlements that are committed. They are answered after the next sync.
    settled: Vec<QueuedAppend>,
    /// The time of the first settlement in `put_by` or in `settled`.
    settled_since: Option<Instant>,
    /// How long the next appends may gather before they are looked at.
    paused_until: Option<Instant>,
    /// Brings the log to the disk while the thread is busy. None in tests of the thread alone.
    behind: Option<WriteBehind>,
    /// Why nothing is accepted any more. It is set after a failed sync of the log or of the mark,
    /// because nobody knows then what is on the disk.
    broken: Option<String>,
    /// What the thread remembers between batches.
    fences: FenceCache,
    parts: WriterParts,
}

/// The requests that were gathered for one commit.
#[derive(Default)]
struct WriteBatch {
    appends: Vec<QueuedAppend>,
    barriers: Vec<WriterReply>,
}

/// Appends that are committed or have failed, each with its answer.
type AppendAnswers = Vec<(QueuedAppend, Result<(), StoreFault>)>;

impl WriterThread {
    /// A thread that has nothing to sync. It does not run before [`Self::run`].
    pub(in crate::store) fn new(
        parts: WriterParts,
        requests: Receiver<WriterRequest>,
        counters: Arc<StoreCounters>,
    ) -> Self {
        Self {
            requests,
            counters,
            unsynced_since: None,
            unmarked_since: None,
            put_by: Vec::new(),
            settled: Vec::new(),
            settled_since: None,
            paused_until: None,
            behind: None,
            broken: None,
            fences: FenceCache::new(parts.opened.epoch),
            parts,
        }
    }

    /// The thread with a write-behind.
    pub(in crate::store) fn with_write_behind(self, behind: WriteBehind) -> Self {
        Self { behind: Some(behind), ..self }
    }

    /// Serves requests until the queue is closed, and then closes the store.
    pub(in crate::store) fn run(mut self) {
        while let ControlFlow::Continue(batch) = self.gather() {
            self.serve(batch);
        }
        self.close();
    }

    /// Waits for a request and takes everything else that is queued, up to [`BATCH_BOUND`] appends.
    /// The batch is empty if a timer is due first. Breaks if the queue is closed.
    fn gather(&mut self) -> ControlFlow<(), WriteBatch> {
        let mut batch = WriteBatch::default();
        self.pause();
        match self.wait() {
            Ok(first) => batch.add(first),
            Err(RecvTimeoutError::Timeout) => return ControlFlow::Continue(batch),
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(()),
        }
        while batch.appends.len() < BATCH_BOUND {
            let Ok(next) = self.requests.try_recv() else { break };
            batch.add(next);
        }
        ControlFlow::Continue(batch)
    }

    /// Lets appends gather after a busy commit.
    fn pause(&mut self) {
        if let Some(until) = self.paused_until.take() {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits for the next request, or until a timer is due.
    fn wait(&self) -> Result<WriterRequest, RecvTimeoutError> {
        match self.next_timer() {
            Some(wait) => self.requests.recv_timeout(wait),
            None => self.requests.recv().map_err(|RecvError| RecvTimeoutError::Disconnected),
        }
    }

    /// The time until something is due without a new request. None if nothing is.
    fn next_timer(&self) -> Option<Duration> {
        let left = |since: Option<Instant>, within: Duration| {
            since.map(|since| within.saturating_sub(since.elapsed()))
        };
        let all = [self.unsynced_since, self.unmarked_since];
        let all = all.into_iter().filter_map(|since| left(since, SYNC_WITHIN));
        left(self.settled_since, SETTLE_WITHIN).into_iter().chain(all).min()
    }

    /// Commits a batch, syncs if that is needed, and answers. A batch of settlements alone is
    /// deferred.
    fn serve(&mut self, batch: WriteBatch) {
        if self.can_wait(&batch) {
            return self.put_by(batch.appends);
        }
        let mut appends = std::mem::take(&mut self.put_by);
        appends.extend(batch.appends);
        let begun = Instant::now();
        let answers = self.commit(appends);
        // Only a hold that was committed needs a sync. One that failed is answered with its error.
        let hold = answers
            .iter()
            .any(|(a, answer)| a.promise == AppendDurability::Synced && answer.is_ok());
        // No append of this batch needs a sync now. Those that need only a commit are answered.
        if !hold && batch.barriers.is_empty() && !self.is_sync_due() {
            if answers.len() >= BUSY {
                self.paused_until = Some(begun + PACE);
                self.behind.iter().for_each(WriteBehind::wake);
            }
            answers.into_iter().for_each(|(append, answer)| self.answer_or_wait(append, answer));
            return;
        }
        let synced = self.sync();
        self.settled_since = None;
        for append in std::mem::take(&mut self.settled) {
            self.answer(append, synced.clone());
        }
        for (append, answer) in answers {
            self.answer(append, answer.and(synced.clone()));
        }
        for barrier in batch.barriers {
            // The caller may have stopped waiting.
            barrier.send(synced.clone()).ok();
        }
    }

    /// Whether the batch contains only settlements and may wait for a hold. An empty batch may wait
    /// too.
    fn can_wait(&self, batch: &WriteBatch) -> bool {
        let soon = |append: &QueuedAppend| append.promise == AppendDurability::SyncedSoon;
        batch.barriers.is_empty()
            && batch.appends.iter().all(soon)
            && self.put_by.len() < BATCH_BOUND
            && !self.is_sync_due()
    }

    /// Defers settlements until the next commit.
    fn put_by(&mut self, settlements: Vec<QueuedAppend>) {
        if !settlements.is_empty() {
            self.settled_since.get_or_insert_with(Instant::now);
            self.put_by.extend(settlements);
        }
    }

    /// Commits appends in one transaction. Each append gets its own answer. If the transaction
    /// fails, all get the same fault.
    fn commit(&mut self, appends: Vec<QueuedAppend>) -> AppendAnswers {
        if appends.is_empty() {
            return Vec::new();
        }
        let answers = match &self.broken {
            Some(why) => Err(StoreFault::new("append", why.as_str())),
            None => self.try_commit(&appends).map_err(|error| error.fault("append")),
        };
        match answers {
            Ok(answers) => appends.into_iter().zip(answers).collect(),
            Err(fault) => appends.into_iter().map(|a| (a, Err(fault.clone()))).collect(),
        }
    }

    /// Commits appends. Err means that nothing was committed.
    fn try_commit(
        &mut self,
        appends: &[QueuedAppend],
    ) -> Result<Vec<Result<(), StoreFault>>, StoreError> {
        let writes: Vec<_> = appends.iter().map(|append| append.writes.as_slice()).collect();
        let verdicts = batch::commit(&self.parts.opened.conn, &mut self.fences, &writes)?;
        self.unsynced_since.get_or_insert_with(Instant::now);
        add(&self.counters.commits, 1);
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Ok(fenced) => {
                    add(&self.counters.fenced, fenced);
                    Ok(())
                }
                Err(error) => Err(error.fault("append")),
            })
            .collect())
    }

    /// Answers an append and counts it. Its place in the queue is freed first.
    fn answer(&self, append: QueuedAppend, answer: Result<(), StoreFault>) {
        match &answer {
            Ok(()) => add(&self.counters.appended, append.writes.len() as u64),
            Err(_) => add(&self.counters.failed, 1),
        }
        drop(append.place);
        // The caller may have stopped waiting. The entries stay in the store.
        append.reply.send(answer).ok();
    }

    /// Answers an append for which a commit is enough, or which failed. A settlement is kept in
    /// `settled` until the next sync.
    fn answer_or_wait(&mut self, append: QueuedAppend, answer: Result<(), StoreFault>) {
        if append.promise == AppendDurability::Committed || answer.is_err() {
            return self.answer(append, answer);
        }
        self.settled_since.get_or_insert_with(Instant::now);
        self.settled.push(append);
    }

    /// Whether something has waited for a sync as long as it may.
    fn is_sync_due(&self) -> bool {
        let due =
            |since: Option<Instant>, within| since.is_some_and(|since| since.elapsed() >= within);
        due(self.unsynced_since, SYNC_WITHIN)
            || due(self.unmarked_since, SYNC_WITHIN)
            || due(self.settled_since, SETTLE_WITHIN)
    }

    /// Syncs the log and moves the mark, if something is committed and not synced. Then it syncs
    /// the mark if that is due. The mark is moved only after the log is on the disk.
    fn sync(&mut self) -> Result<(), StoreFault> {
        if let Some(why) = &self.broken {
            return Err(StoreFault::new("sync", why.as_str()));
        }
        if self.unsynced_since.is_some() {
            if let Err(error) = self.parts.opened.log.sync_data() {
                return Err(self.give_up(error.into()));
            }
            self.unsynced_since = None;
            add(&self.counters.syncs, 1);
            self.move_mark()?;
        }
        self.sync_mark()
    }

    /// Moves the mark to the present state of the store. It must be called directly after a sync,
    /// because then everything that is committed is on the disk.
    fn move_mark(&mut self) -> Result<(), StoreFault> {
        let moved = self.fences.buffer.moved.iter().copied();
        match self.parts.opened.advance(moved) {
            Ok(()) => {
                self.fences.buffer.moved.clear();
                self.unmarked_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Err(error) => {
                // The next sync tries again. This timer makes sure that there is one.
                self.unsynced_since.get_or_insert_with(Instant::now);
                Err(error.fault("mark"))
            }
        }
    }

    /// Syncs the mark at most once a second. A kill of the process takes nothing from a file that
    /// was written, so only a power cut can lose the last second of the mark.
    fn sync_mark(&mut self) -> Result<(), StoreFault> {
        if self.unmarked_since.is_none_or(|since| since.elapsed() < SYNC_WITHIN) {
            return Ok(());
        }
        match self.parts.opened.mark.sync() {
            Ok(()) => {
                self.unmarked_since = None;
                Ok(())
            }
            Err(error) => Err(self.give_up(error.into())),
        }
    }

    // Stops accepting anything after a failed sync. A second sync must not be tried: the kernel
    // reports such a failure only once, and the second sync would succeed although data is lost.
    fn give_up(&mut self, error: StoreError) -> StoreFault {
        let why = format!("the disk failed to write the store; restart synthd: {error}");
        tracing::error!("{why}");
        self.unsynced_since = None;
        // Nothing is synced any more, so no timer may be due.
        self.unmarked_since = None;
        self.broken = Some(why.clone());
        StoreFault::new("sync", why)
    }

    /// Commits the deferred settlements, syncs, answers, folds the log into the database and
    /// unlocks the data directory. If the last sync failed, the mark does not record that the store
    /// was closed, and the next start checks the whole store.
    fn close(mut self) {
        // It has the database open, which must be the writer's alone when it is closed.
        drop(self.behind.take());
        let put_by = std::mem::take(&mut self.put_by);
        for (append, answer) in self.commit(put_by) {
            self.answer_or_wait(append, answer);
        }
        let synced = self.sync();
        if let Err(fault) = &synced {
            tracing::error!(%fault, "the store was closed without a last sync");
        }
        for append in std::mem::take(&mut self.settled) {
            self.answer(append, synced.clone());
        }
        let WriterParts { opened, lock } = self.parts;
        if let Err(error) = opened.close(synced.is_ok()) {
            tracing::warn!(%error, "the store's log was left for the next start to fold in");
        }
        drop(lock);
    }
}

impl WriteBatch {
    /// Sorts a request into the batch.
    fn add(&mut self, request: WriterRequest) {
        match request {
            WriterRequest::Append(append) => self.appends.push(append),
            WriterRequest::Barrier(reply) => self.barriers.push(reply),
            #[cfg(test)]
            WriterRequest::Panic => std::panic::panic_any("a test asked for it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::writing::prepare;
    use crate::store::writing::stats::StoreStats;
    use crate::store::{integrity::lock, open, schema};
    use std::fs::File;
    use std::sync::mpsc::{Sender, channel};
    use synthd_actors::model::JournalEntry;
    use tokio::sync::oneshot::{Receiver as Answer, channel as oneshot};
    use tokio::sync::{OwnedSemaphorePermit, Semaphore};

    /// A thread that is driven by hand, and its queue.
    fn thread(log: Option<File>) -> (tempfile::TempDir, Sender<WriterRequest>, WriterThread) {
        let dir = tempfile::tempdir().unwrap();
        let lock = lock::DataDirLock::take(dir.path()).unwrap();
        let mut opened = open::writer(dir.path(), schema::MIGRATIONS).unwrap();
        if let Some(log) = log {
            opened.log = log;
        }
        let (sender, requests) = channel();
        let thread = WriterThread::new(WriterParts { opened, lock }, requests, Arc::default());
        (dir, sender, thread)
    }

    fn place() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
    }

    fn append(queue: &Sender<WriterRequest>) -> Answer<Result<(), StoreFault>> {
        promised(queue, AppendDurability::Committed)
    }

    fn promised(
        queue: &Sender<WriterRequest>,
        promise: AppendDurability,
    ) -> Answer<Result<(), StoreFault>> {
        let (reply, answer) = oneshot();
        let writes =
            prepare::prepare(vec![JournalEntry::Planned(Vec::new())], &Default::default()).unwrap();
        let append = QueuedAppend { writes, promise, place: place(), reply };
        queue.send(WriterRequest::Append(append)).unwrap();
        answer
    }

    fn barrier(queue: &Sender<WriterRequest>) -> Answer<Result<(), StoreFault>> {
        let (reply, answer) = oneshot();
        queue.send(WriterRequest::Barrier(reply)).unwrap();
        answer
    }

    fn turn_over(thread: &mut WriterThread) -> StoreStats {
        let ControlFlow::Continue(batch) = thread.gather() else { panic!("the queue is closed") };
        thread.serve(batch);
        thread.counters.look()
    }

    fn done(stats: &StoreStats) -> (u64, u64) {
        (stats.commits, stats.syncs)
    }

    fn a_second_passes(thread: &mut WriterThread) {
        thread.unsynced_since = thread.unsynced_since.and_then(|t| t.checked_sub(SYNC_WITHIN));
    }

    #[test]
    fn what_is_no_money_is_synced_a_second_later_even_if_nobody_asks() {
        let (_dir, queue, mut thread) = thread(None);
        let mut answer = append(&queue);
        assert_eq!(turn_over(&mut thread).commits, 1);
        answer.try_recv().unwrap().unwrap();
        a_second_passes(&mut thread);
        assert_eq!(turn_over(&mut thread).syncs, 1);
        assert!(thread.unsynced_since.is_none());
    }

    #[test]
    fn a_busy_queue_does_not_put_the_sync_off() {
        let (_dir, queue, mut thread) = thread(None);
        let _first = append(&queue);
        turn_over(&mut thread);
        a_second_passes(&mut thread);
        let _second = append(&queue);
        let stats = turn_over(&mut thread);
        assert_eq!((stats.commits, stats.syncs), (2, 1));
    }

    /// A settlement is answered when it is on the disk: with the next hold, or by itself soon.
    #[test]
    fn settlements_share_the_sync_of_the_next_hold_or_have_their_own() {
        let (_dir, queue, mut thread) = thread(None);
        let mut settled = promised(&queue, AppendDurability::SyncedSoon);
        thread.settled_since = Some(Instant::now() + Duration::from_secs(3_600));
        assert_eq!(done(&turn_over(&mut thread)), (0, 0));
        assert!(settled.try_recv().is_err(), "it is not on the disk yet");
        let mut held = promised(&queue, AppendDurability::Synced);
        assert_eq!(done(&turn_over(&mut thread)), (1, 1));
        held.try_recv().unwrap().unwrap();
        settled.try_recv().unwrap().unwrap();
        let mut alone = promised(&queue, AppendDurability::SyncedSoon);
        while alone.try_recv().is_err() {
            turn_over(&mut thread);
        }
        assert_eq!(done(&thread.counters.look()), (2, 2));
        assert!(thread.settled.is_empty() && thread.settled_since.is_none());
    }

    /// What needs no sync takes them into its commit, and is not kept waiting for theirs.
    #[test]
    fn what_waits_for_no_sync_does_not_wait_for_that_of_a_settlement() {
        let (_dir, queue, mut thread) = thread(None);
        let mut settled = promised(&queue, AppendDurability::SyncedSoon);
        thread.settled_since = Some(Instant::now() + Duration::from_secs(3_600));
        turn_over(&mut thread);
        let mut turn = append(&queue);
        assert_eq!(done(&turn_over(&mut thread)), (1, 0));
        turn.try_recv().unwrap().unwrap();
        assert!(settled.try_recv().is_err(), "it is committed, and not on the disk yet");
        let mut asked = barrier(&queue);
        assert_eq!(done(&turn_over(&mut thread)), (1, 1));
        asked.try_recv().unwrap().unwrap();
        settled.try_recv().unwrap().unwrap();
    }

    #[test]
    fn settlements_that_wait_are_bounded_and_outlive_the_end_of_the_queue() {
        let (_dir, queue, mut thread) = thread(None);
        thread.settled_since = Some(Instant::now() + Duration::from_secs(3_600));
        let mut answers: Vec<_> =
            (0..BATCH_BOUND + 2).map(|_| promised(&queue, AppendDurability::SyncedSoon)).collect();
        assert_eq!(done(&turn_over(&mut thread)), (0, 0));
        assert_eq!(turn_over(&mut thread).commits, 1);
        answers.push(promised(&queue, AppendDurability::SyncedSoon));
        turn_over(&mut thread);
        thread.close();
        for mut answer in answers {
            answer.try_recv().unwrap().unwrap();
        }
    }

    #[test]
    fn a_batch_is_bounded() {
        let (_dir, queue, mut thread) = thread(None);
        let answers: Vec<_> = (0..BATCH_BOUND + 1).map(|_| append(&queue)).collect();
        assert_eq!(turn_over(&mut thread).appended, BATCH_BOUND as u64);
        assert_eq!(turn_over(&mut thread).appended, answers.len() as u64);
    }

    /// A fixed cost is shared by what gathers meanwhile; nothing that waits for a sync, and no thread
    /// that has little to do, is held up.
    #[test]
    fn only_a_busy_commit_without_a_sync_is_followed_by_a_pause() {
        for (count, hold, pauses) in
            [(BUSY - 1, false, false), (BUSY, false, true), (BUSY, true, false)]
        {
            let (_dir, queue, mut thread) = thread(None);
            let _answers: Vec<_> = (0..count).map(|_| append(&queue)).collect();
            let _hold = hold.then(|| promised(&queue, AppendDurability::Synced));
            let begun = Instant::now();
            turn_over(&mut thread);
            assert_eq!(thread.paused_until.is_some(), pauses, "{count} {hold}");
            assert!(thread.paused_until.is_none_or(|until| until >= begun + PACE));
            let _next = append(&queue);
            turn_over(&mut thread);
            assert!(thread.paused_until.is_none());
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_is_promised_any_more() {
        let (_dir, queue, mut thread) = thread(Some(File::open("/dev/null").unwrap()));
        let mut before = append(&queue);
        turn_over(&mut thread);
        before.try_recv().unwrap().unwrap();
        for ask in [barrier, append, barrier] {
            let mut answer = ask(&queue);
            turn_over(&mut thread);
            let fault = answer.try_recv().unwrap().unwrap_err();
            assert!(fault.message.contains("restart synthd"), "{fault}");
        }
        assert_eq!(thread.counters.look().commits, 1);
    }

    /// A timer that stays due would keep the thread busy for the rest of the process.
    #[test]
    fn nothing_falls_due_once_the_disk_has_failed() {
        let (_dir, _queue, mut thread) = thread(None);
        thread.unsynced_since = Some(Instant::now());
        thread.unmarked_since = Some(Instant::now());
        assert!(thread.next_timer().is_some());
        thread.give_up(std::io::Error::other("the disk is gone").into());
        assert_eq!(thread.next_timer(), None);
        thread.sync().unwrap_err();
    }
}
