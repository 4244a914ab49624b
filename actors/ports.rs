//! The ports: what the core needs from the world. Adapters live in the `synthd` package;
//! scripted ones for tests in `testkit`.

use crate::model::PassRate;
use crate::model::{
    AnsweredCalls, AttemptRecord, CallFault, CallRecord, CampaignName, CampaignRecord, ChatReply,
    ChatRequest, CommandStatus, DatasetRecord, EpisodeId, EpisodeRecord, ExchangeRecorder,
    ExecReport, ExecRequest, Fault, FaultKind, FileSpec, HostAddress, JournalEntry, ModelConfig,
    Money, Publication, RowRecord, RowRejection, SandboxFingerprint, SandboxSpec, SandboxTree,
    SpendingTotals, Task, TemplateEdition, Turn, WorkspaceCopy,
};
use crate::scaffold::Scaffold;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

/// What is played, for models that play a part.
#[derive(Clone)]
pub struct ScriptContext {
    pub task: Arc<Task>,
    pub scaffold: Arc<dyn Scaffold>,
}

/// Who asks a model, for adapters that need more than the conversation.
#[derive(Clone)]
pub struct CallContext {
    pub episode: EpisodeId,
    /// None for an agent of somebody else's.
    pub stage: Option<ScriptContext>,
    /// How many replies the conversation holds already.
    pub turn: u32,
    /// Which try of this call it is, from zero.
    pub retry: u32,
    /// To be shown what goes over the wire.
    pub witness: ExchangeRecorder,
}

/// One model behind one provider. Exactly one attempt a call: retries, limits and budgets
/// belong to the router.
#[async_trait]
pub trait ChatModel: Send + Sync + 'static {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault>;
}

/// Knows the models there are.
pub trait ModelFactory: Send + Sync + 'static {
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault>;
}

/// Brings sandboxes up and sweeps what dead owners left behind.
#[async_trait]
pub trait SandboxBackend: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// A sandbox whose guest has answered. Dropping it kills everything inside.
    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault>;

    /// Removes what owners that no longer live left behind; says how much that was.
    async fn sweep(&self) -> Result<u32, Fault>;

    /// Waits until everything of dropped sandboxes is gone.
    async fn settle(&self) -> Result<(), Fault>;
}

/// What is waited for beside a command.
pub type InterruptFuture<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// One sandbox, seen through its guest. Dropping it is the end of it.
#[async_trait]
pub trait Sandbox: Send + 'static {
    fn fingerprint(&self) -> &SandboxFingerprint;

    /// Tells the sandbox its new holder, so that a person who looks at the host can see it.
    fn set_holder(&mut self, _holder: &str) {}

    async fn ping(&mut self) -> Result<(), Fault>;

    async fn write_files(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault>;

    async fn exec(&mut self, request: &ExecRequest) -> Result<ExecReport, Fault>;

    /// Starts a command that goes on by itself: other requests are answered meanwhile. One at
    /// a time.
    async fn start(&mut self, request: &ExecRequest) -> Result<(), Fault>;

    /// Waits until that command has ended, or until something else is wanted of the sandbox.
    async fn wait_for_command(
        &mut self,
        until: InterruptFuture<'_>,
    ) -> Result<CommandStatus, Fault>;

    /// Ends that command with all that it has started.
    async fn stop(&mut self) -> Result<ExecReport, Fault>;

    /// Stops every program where it is, until [`Sandbox::thaw`]. Nothing is to be run
    /// meanwhile. A `SandboxCopy`: one could not be stopped, and all go on.
    async fn freeze(&mut self) -> Result<(), Fault>;

    /// Lets stopped programs go on. A `SandboxCopy`: one of them ran in between, and what was
    /// measured meanwhile is void; all go on all the same.
    async fn thaw(&mut self) -> Result<(), Fault>;

    /// Copies the workspace out; with `quiesce` everything that still runs is killed first.
    async fn pack(&mut self, quiesce: bool) -> Result<WorkspaceCopy, Fault>;

    /// Lays a copy into the (empty) workspace.
    async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault>;

    /// Ends every program, and takes away all that they left anywhere.
    async fn reset(&mut self) -> Result<(), Fault>;

    /// Carries whatever connects to `port` of the sandbox's loopback to an address of the
    /// host's, for as long as the sandbox lives: the only way out of it there is.
    async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault>;

    /// Adds variables to what every command sees at first.
    async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault>;
}

/// The store failed. Never retried blindly: the caller decides what stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct StoreFault {
    pub operation: &'static str,
    pub message: String,
    pub trouble: StoreFaultKind,
}

/// What is wrong with a store, as far as somebody could mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFaultKind {
    Full,
    Damaged,
    Other,
}

impl StoreFault {
    pub fn new(operation: &'static str, message: impl Into<String>) -> Self {
        Self { operation, message: message.into(), trouble: StoreFaultKind::Other }
    }
}

impl From<StoreFault> for Fault {
    fn from(fault: StoreFault) -> Self {
        let kind = match fault.trouble {
            StoreFaultKind::Full => FaultKind::StoreFull,
            StoreFaultKind::Damaged => FaultKind::StoreDamaged,
            StoreFaultKind::Other => FaultKind::Store,
        };
        Self::new(kind, fault.to_string())
    }
}

/// The durable record. A batch is kept whole or not at all, and kept when `append` returns.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    async fn append(&self, entries: Vec<JournalEntry>) -> Result<(), StoreFault>;

    async fn campaign(&self, name: &CampaignName) -> Result<Option<CampaignRecord>, StoreFault>;

    async fn campaigns(&self) -> Result<Vec<CampaignRecord>, StoreFault>;

    /// The editions of templates that a campaign was made with, by template. Of a campaign of an
    /// engine that did not record them there are none.
    async fn editions(&self, campaign: &CampaignName) -> Result<Vec<TemplateEdition>, StoreFault>;

    /// In plan order.
    async fn episodes(&self, campaign: &CampaignName) -> Result<Vec<EpisodeRecord>, StoreFault>;

    async fn attempts(&self, episode: &EpisodeId) -> Result<Vec<AttemptRecord>, StoreFault>;

    /// The turns of an attempt, in order.
    async fn turns(
        &self,
        episode: &EpisodeId,
        attempt: crate::model::AttemptNumber,
    ) -> Result<Vec<Turn>, StoreFault>;

    /// Judged rows in plan order, from `after` on (exclusive), at most `limit`.
    async fn rows(
        &self,
        campaign: &CampaignName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<RowRecord>, StoreFault>;

    async fn datasets(&self, campaign: &CampaignName) -> Result<Vec<DatasetRecord>, StoreFault>;

    /// Settled money, and every unsettled hold in full.
    async fn spent(&self, campaign: &CampaignName) -> Result<Money, StoreFault>;

    /// The same by what it was spent on; the day is one of [`day_of`](crate::model::day_of).
    async fn spending(
        &self,
        campaign: &CampaignName,
        day: i64,
    ) -> Result<SpendingTotals, StoreFault>;

    /// Returns when all that was appended before is on the disk itself.
    async fn barrier(&self) -> Result<(), StoreFault>;
}

/// A dataset version to be written.
#[derive(Clone)]
pub struct DatasetWriteRequest {
    pub campaign: CampaignName,
    pub journal: Arc<dyn Journal>,
    /// Rejections found only when rows are seen together (duplicates), by episode.
    pub late_rejections: BTreeMap<EpisodeId, RowRejection>,
    /// Labels found the same way, to be added to the rows as they are written.
    pub late_labels: BTreeMap<EpisodeId, Vec<String>>,
    /// How often the task of each was solved, over all of its samples.
    pub pass_rates: BTreeMap<EpisodeId, PassRate>,
    /// Episodes that ended in a fault: counted on the card, never a row.
    pub faulted: u64,
    pub planned: u64,
    /// What the campaign says for the card.
    pub licence: String,
    pub seed: u64,
    pub config_digest: String,
    pub now_ms: i64,
}

/// Writes datasets.
#[async_trait]
pub trait DatasetSink: Send + Sync + 'static {
    /// Writes the next version and says why, or returns the newest one if it is the same.
    async fn write(&self, edition: DatasetWriteRequest) -> Result<Publication, Fault>;
}

/// The time of day, for records only: decisions use tokio's clock.
pub trait Clock: Send + Sync + 'static {
    fn now_ms(&self) -> i64;

    /// A time as RFC 3339 text, UTC, with milliseconds.
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
