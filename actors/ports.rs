//! The ports: the traits through which the actors use what is outside of them.
//!
//! The `synthd` package implements the ports: the SQLite store (`Journal`), the sandbox backends
//! (`SandboxBackend`, `Sandbox`), the model adapters (`ModelFactory`, `ChatModel`), the Parquet
//! writer (`DatasetSink`) and the system clock (`Clock`). `testkit` has scripted implementations
//! for tests. The port for external agents has its own file, `agent_access.rs`.
//!
//! An implementation does what it is asked once and reports the result. It does not retry, wait for
//! a limit or count money. The actors decide about these. Every error is a typed [`Fault`],
//! [`CallFault`] or [`StoreFault`], because the actors act on its kind.

use crate::agent::Scaffold;
use crate::model::{
    AnsweredCalls, AttemptNumber, AttemptRecord, CallFault, CallRecord, CampaignName,
    CampaignRecord, ChatReply, ChatRequest, CommandStatus, CurationReport, DatasetRecord,
    EpisodeId, EpisodeRecord, ExchangeRecorder, ExecReport, ExecRequest, Fault, FaultKind,
    FileSpec, HostAddress, JournalEntry, ModelConfig, Money, OperationReport, Publication,
    RowFormat, RowRecord, SandboxFingerprint, SandboxOperation, SandboxSpec, SandboxTree,
    ServiceReport, SpendingTotals, Task, TaskService, TemplateEdition, Turn, WorkspaceCopy,
};
use async_trait::async_trait;
use std::pin::Pin;
use std::sync::Arc;

/// The task and the scaffold of an episode, for models that play a script. Such a model knows the
/// task's solution and writes its reply in the scaffold's format. Real models do not use it.
#[derive(Clone)]
pub struct ScriptContext {
    pub task: Arc<Task>,
    pub scaffold: Arc<dyn Scaffold>,
}

/// Who asks a model. It is for adapters that need more than the conversation, such as scripted
/// models and replays.
#[derive(Clone)]
pub struct CallContext {
    pub episode: EpisodeId,
    /// None for a call that belongs to no task of the engine, such as a call through the standalone
    /// gateway.
    pub script: Option<ScriptContext>,
    /// The index of the turn, from zero. It equals the number of replies that the episode has so
    /// far.
    pub turn: u32,
    /// The number of this try within the turn, from zero.
    pub retry: u32,
    /// Records the bytes of the HTTP exchange while they pass. The adapter fills it, also when the
    /// call fails halfway.
    pub recorder: ExchangeRecorder,
}

/// One model at one provider address, with one key. A call of `complete` makes exactly one attempt.
/// Retries, limits and budgets belong to the router.
#[async_trait]
pub trait ChatModel: Send + Sync + 'static {
    /// Sends the request once and reads the whole reply. The error says what failed, what the try
    /// may have cost, and whether the provider named a time to wait.
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault>;
}

/// Makes the client of a model from its configuration. It may read certificates and keys, so it is
/// called on a worker thread and never on the actors' thread.
pub trait ModelFactory: Send + Sync + 'static {
    /// Fails if the model is unknown to this build, its key is missing, or its endpoint is not
    /// usable.
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault>;
}

/// Creates sandboxes, and removes what a dead synthd left behind. The pool is its only user while
/// the engine runs.
#[async_trait]
pub trait SandboxBackend: Send + Sync + 'static {
    /// The backend's name in logs and reports, for example `namespace`.
    fn name(&self) -> &'static str;

    /// Creates a sandbox and returns it when its guest has answered. Dropping the sandbox kills
    /// everything inside it.
    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault>;

    /// Removes the sandboxes, containers and cgroups of owners that no longer live. Returns how
    /// many it removed.
    async fn sweep(&self) -> Result<u32, Fault>;

    /// Waits until every dropped sandbox is really gone from the host. Shutdown waits for this.
    async fn settle(&self) -> Result<(), Fault>;

    /// Takes a copy of a workspace out of memory until it is needed. The memory is free when this
    /// returns, unless the copy has other owners. By default, the copy stays in memory.
    async fn store_copy(&self, copy: Arc<WorkspaceCopy>) -> Arc<dyn StoredCopy> {
        Arc::new(CopyInMemory(copy))
    }
}

/// A copy of a workspace that waits for its checks. Whoever waits for a sandbox or for a check keeps
/// this, and not the copy itself: all copies share a bounded memory.
#[async_trait]
pub trait StoredCopy: Send + Sync + 'static {
    /// The copy. It waits until there is memory for it. Err means that it cannot be read.
    async fn load(&self) -> Result<Arc<WorkspaceCopy>, Fault>;
}

/// A stored copy that stays in memory.
pub struct CopyInMemory(pub Arc<WorkspaceCopy>);

#[async_trait]
impl StoredCopy for CopyInMemory {
    async fn load(&self) -> Result<Arc<WorkspaceCopy>, Fault> {
        Ok(self.0.clone())
    }
}

/// A future that [`Sandbox::wait_for_command`] polls beside the command. When it is ready, the wait
/// ends although the command still runs.
pub type InterruptFuture<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// One sandbox, seen through its guest (the program that is PID 1 inside). Dropping it ends the
/// sandbox.
///
/// One request is in progress at a time, so the methods take `&mut self`. After a fault such as
/// `SandboxLost` or `SandboxProtocol` the sandbox is of no further use and should be dropped. A
/// `SandboxCopy` fault of `freeze`, `thaw` or `pack` leaves it usable.
#[async_trait]
pub trait Sandbox: Send + 'static {
    /// What the sandbox runs on: backend, root, kernel, shell, and what enforces each limit. It
    /// goes into the dataset row.
    fn fingerprint(&self) -> &SandboxFingerprint;

    /// Names the new holder of the sandbox, for example `ep-0123456789abcdef-1` (episode and
    /// attempt). The name is only for a person who looks at the host. Backends without a place for
    /// it ignore it.
    fn set_holder(&mut self, _holder: &str) {}

    /// Asks the guest for a sign of life. An error means that the sandbox is lost.
    async fn ping(&mut self) -> Result<(), Fault>;

    /// Writes files below `/work` or `/sealed`. The sealed tree is emptied first, so that nothing
    /// an earlier check left there counts. A sandbox without a sealed tree refuses its files with
    /// `SandboxCopy`.
    async fn write_files(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault>;

    /// Runs one command to its end and reports how it ended. A command that fails, is killed or
    /// runs out of time is a report and not an error. An error means that the sandbox itself
    /// failed.
    async fn exec(&mut self, request: &ExecRequest) -> Result<ExecReport, Fault>;

    /// Performs what a tool of the agent asks for, with the rights of the agent's programs.
    /// [`SandboxOperation::Run`] is the same as [`Sandbox::exec`]. What cannot be done for a reason
    /// of the agent's own, such as a file that is not there, is a refusal in the report and not an
    /// error. An error means that the sandbox itself failed.
    async fn perform(&mut self, operation: &SandboxOperation) -> Result<OperationReport, Fault>;

    /// Starts a command and returns at once. The guest answers other requests while the command
    /// runs. At most one such command runs at a time.
    async fn start(&mut self, request: &ExecRequest) -> Result<(), Fault>;

    /// Waits until the started command ends, or until the future `until` is ready. In both cases
    /// the result has a scan of the workspace, if the command was started with one.
    async fn wait_for_command(
        &mut self,
        until: InterruptFuture<'_>,
    ) -> Result<CommandStatus, Fault>;

    /// Kills the started command with every program that it has started, and reports what it did.
    async fn stop(&mut self) -> Result<ExecReport, Fault>;

    /// Starts a service and waits until it is healthy, has ended for good, or its time is up. The
    /// guest keeps it running from then on, whatever the report says, until [`Sandbox::reset`] or a
    /// copy that ends every program.
    async fn start_service(&mut self, service: &TaskService) -> Result<ServiceReport, Fault>;

    /// Stops every program where it is, until [`Sandbox::thaw`]. No command may run in between. A
    /// `SandboxCopy` fault means that one program could not be stopped; all programs run again
    /// then.
    async fn freeze(&mut self) -> Result<(), Fault>;

    /// Lets the stopped programs go on. A `SandboxCopy` fault means that one of them ran although
    /// it should stand still. Then a measurement that was taken in between is void. All programs go
    /// on in any case.
    async fn thaw(&mut self) -> Result<(), Fault>;

    /// Copies the workspace into memory. With `quiesce`, every program that still runs is killed
    /// first. Fails with `SandboxCopy` if the workspace is over a cap, or cannot be copied.
    async fn pack(&mut self, quiesce: bool) -> Result<WorkspaceCopy, Fault>;

    /// Writes a copy into the workspace, which must be empty.
    async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault>;

    /// Makes an empty sandbox a judge's: writes the sealed files, the program at `JUDGED_PROGRAM`, and the regular files and directories of a copy below
    /// `SUBMISSION`, as data that nobody can execute by accident. Links and settings of git are left
    /// out (`WorkspaceCopy::submission`).
    async fn lay_judge(
        &mut self,
        files: &[FileSpec],
        submission: &WorkspaceCopy,
    ) -> Result<(), Fault>;

    /// The first of these areas of the sandbox in which so many bytes cannot be written, and why. None:
    /// there is room in each of them.
    async fn without_room(&mut self, areas: &[&str], bytes: u32) -> Result<Option<String>, Fault>;

    /// Kills every program and removes every file that they left anywhere in the sandbox.
    async fn reset(&mut self) -> Result<(), Fault>;

    /// Connects a TCP port of the sandbox's loopback to an address on the host. The tunnel stays as
    /// long as the sandbox. It is the only way out of the sandbox, and there is at most one.
    async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault>;

    /// Adds environment variables for every command that is started from now on.
    async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault>;

    /// Keeps all files of the sandbox as an image, for the tests of a task of a container. Only a
    /// container whose root can be written has such files; other sandboxes refuse with
    /// `SandboxRefused`.
    async fn keep_image(&mut self) -> Result<Box<dyn KeptImage>, Fault> {
        let what = "the files of this sandbox are not kept as an image";
        Err(Fault::new(FaultKind::SandboxRefused, what))
    }
}

/// An image that has what an agent has left. Dropping it has the image removed.
pub trait KeptImage: Send + Sync + 'static {
    /// The id of the image, from which the engine makes containers.
    fn id(&self) -> &str;
}

/// The store did not do what it was asked. It is never retried blindly. The caller decides what
/// stops: usually the campaign pauses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct StoreFault {
    /// What was tried, for example `append` or `read campaign`.
    pub operation: &'static str,
    pub message: String,
    /// The kind of the failure. It decides which [`FaultKind`] the campaign sees.
    pub kind: StoreFaultKind,
}

/// What is wrong with a store, as far as a person can repair it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFaultKind {
    /// No space is left on the disk.
    Full,
    /// The store holds data that cannot be read back.
    Damaged,
    /// Anything else, such as a missing permission or a writer that has ended.
    Other,
}

/// Keeps final workspaces beside the store.
#[async_trait]
pub trait WorkspaceArchive: Send + Sync + 'static {
    /// Keeps the workspace that an attempt left, for a later verification. No outcome depends on it:
    /// the error only says why the workspace is not kept.
    async fn keep(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
        copy: Arc<WorkspaceCopy>,
    ) -> Result<(), StoreFault>;
}

impl StoreFault {
    /// A fault of the kind [`StoreFaultKind::Other`].
    pub fn new(operation: &'static str, message: impl Into<String>) -> Self {
        Self { operation, message: message.into(), kind: StoreFaultKind::Other }
    }
}

impl From<StoreFault> for Fault {
    fn from(fault: StoreFault) -> Self {
        let kind = match fault.kind {
            StoreFaultKind::Full => FaultKind::StoreFull,
            StoreFaultKind::Damaged => FaultKind::StoreDamaged,
            StoreFaultKind::Other => FaultKind::Store,
        };
        Self::new(kind, fault.to_string())
    }
}

/// The durable record of everything that happened. The store implements it.
///
/// A batch of entries is kept whole or not at all. It is kept when `append` returns: it survives a
/// kill of the process, and a batch with holds or settlements survives a power cut as well.
/// Appending the same entry twice changes nothing, so a caller that lost the answer may send it
/// again.
///
/// Actors append through the collector, which drops the entries of dead attempts first. They read
/// directly.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes the entries as one batch, and returns when they are durable.
    async fn append(&self, entries: Vec<JournalEntry>) -> Result<(), StoreFault>;

    /// The record of one campaign. None if the store does not know that name.
    async fn campaign(&self, name: &CampaignName) -> Result<Option<CampaignRecord>, StoreFault>;

    /// The records of all campaigns of this data directory.
    async fn campaigns(&self) -> Result<Vec<CampaignRecord>, StoreFault>;

    /// The editions of templates that a campaign was planned with, one for each template. The list
    /// is empty for a campaign that an older version began without recording them.
    async fn editions(&self, campaign: &CampaignName) -> Result<Vec<TemplateEdition>, StoreFault>;

    /// All planned episodes of a campaign with what came of each so far, in plan order.
    async fn episodes(&self, campaign: &CampaignName) -> Result<Vec<EpisodeRecord>, StoreFault>;

    /// The attempts of one episode, with the fault that ended each, if any.
    async fn attempts(&self, episode: &EpisodeId) -> Result<Vec<AttemptRecord>, StoreFault>;

    /// The recorded turns of one attempt, in their order. Empty for an attempt that took none.
    async fn turns(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
    ) -> Result<Vec<Turn>, StoreFault>;

    /// One page of judged rows in plan order. The page begins behind the ordinal `after`
    /// (exclusive; None for the first page) and has at most `limit` rows. An empty page is the end.
    async fn rows(
        &self,
        campaign: &CampaignName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<RowRecord>, StoreFault>;

    /// The dataset versions that were published for a campaign.
    async fn datasets(&self, campaign: &CampaignName) -> Result<Vec<DatasetRecord>, StoreFault>;

    /// What a campaign has spent: every settled amount, and every unsettled hold in full.
    async fn spent(&self, campaign: &CampaignName) -> Result<Money, StoreFault>;

    /// The same amounts by what they count against: the campaign, its models, its open episodes and
    /// the day. `day` is a number from [`day_of`](crate::model::day_of).
    async fn spending(
        &self,
        campaign: &CampaignName,
        day: i64,
    ) -> Result<SpendingTotals, StoreFault>;

    /// Returns when everything that was appended before is on the disk itself.
    async fn barrier(&self) -> Result<(), StoreFault>;
}

/// Looks at the rows of a dataset one after the other, in plan order, while the dataset is written.
/// It knows what only the whole set tells of a row.
pub trait SetReview: Send {
    /// Adds to a row its rejection, its labels and its pass rate, as far as they depend on other
    /// rows. Every row of the set is shown once, also a rejected one.
    fn review(&mut self, record: &mut RowRecord);

    /// What is kept beside a row that was reviewed: a line of JSON. None if nothing is.
    fn note(&self, _: &RowRecord) -> Option<String> {
        None
    }

    /// What a recipe made of the rows, once all were reviewed. None if no recipe did.
    fn report(&self) -> Option<CurationReport> {
        None
    }
}

/// The rows of a dataset, page by page, in an order that never changes.
#[async_trait]
pub trait RowPages: Send + Sync + 'static {
    /// The page behind the ordinal `after` (exclusive; None for the first page), with at most `limit`
    /// rows. An empty page is the end.
    async fn page(&self, after: Option<u64>, limit: usize) -> Result<Vec<RowRecord>, Fault>;

    /// The highest version number of the dataset that a record has; zero if none has one.
    async fn recorded_version(&self) -> Result<u32, Fault>;
}

/// The order to write one dataset version. The sink reads the rows once.
pub struct DatasetWriteRequest {
    /// The name of the dataset: of its campaign, or of its recipe.
    pub campaign: CampaignName,
    pub rows: Arc<dyn RowPages>,
    /// Shown every row before it is written.
    pub review: Box<dyn SetReview>,
    /// The format of all rows of the version.
    pub format: RowFormat,
    /// The number of episodes that ended in a fault. The dataset card shows it; these episodes have
    /// no row.
    pub faulted: u64,
    /// The number of episodes in the plan.
    pub planned: u64,
    /// The licence that the campaign names for the dataset card.
    pub licence: String,
    pub seed: u64,
    /// The digest of the campaign's settings that change what a row means.
    pub config_digest: String,
    /// The time of publication, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Writes dataset versions: Parquet files, a card and a manifest.
#[async_trait]
pub trait DatasetSink: Send + Sync + 'static {
    /// Writes the next version and says why it is new. If the newest version already has the same
    /// content, nothing is written and that version is returned with `new: None`.
    async fn write(&self, edition: DatasetWriteRequest) -> Result<Publication, Fault>;
}

/// The time of day. It is for records only; decisions such as timeouts use tokio's clock.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// A time as RFC 3339 text in UTC with milliseconds, for example `2026-11-21T10:00:01.500Z`.
    fn stamp(&self, at_ms: i64) -> String;
}

/// Calls that were recorded, to be played again. The store of a data directory is one.
#[async_trait]
pub trait CallArchive: Send + Sync + 'static {
    /// The answered calls of a campaign's model that come after the key `after`, oldest first: one
    /// page of them. At the end of the record, the page is empty and ends where it began.
    async fn answered(
        &self,
        campaign: &CampaignName,
        model: &str,
        after: i64,
    ) -> Result<AnsweredCalls, StoreFault>;

    /// A call by its key, byte for byte.
    async fn call_at(&self, key: i64) -> Result<Option<CallRecord>, StoreFault>;

    /// A call by its id, byte for byte.
    async fn call_by_id(&self, id: &str) -> Result<Option<CallRecord>, StoreFault>;

    /// The id of some call of a campaign's model. With `place`, it is a call of that task and turn.
    async fn find_call_id(
        &self,
        campaign: &CampaignName,
        model: &str,
        place: Option<(String, u32)>,
    ) -> Result<Option<String>, StoreFault>;
}
