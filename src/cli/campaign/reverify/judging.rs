//! Judges the kept workspace of one episode again, and records the verdict.

use crate::cli::episode::origin::{is_asked, recorded_spec, todays_task};
use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, ensure_sandbox, store_error};
use crate::sandbox::SandboxBackends;
use crate::store::Store;
use crate::workspaces::WorkspaceFiles;
use std::collections::BTreeMap;
use std::sync::Arc;
use synthd_actors::model::{
    CampaignConfig, EpisodeId, EpisodeRecord, JournalEntry, Outcome, Reverification,
    ReverificationReason, SandboxSpec, Task, TemplateEdition, Verdict, WorkspaceCopy,
};
use synthd_actors::policy::changed_templates;
use synthd_actors::pool::PoolHandle;
use synthd_actors::ports::{Clock, Journal};
use synthd_actors::task::Catalog;
use synthd_actors::work::trajectory::verify_snapshot;

/// The version of the engine, which has the judge.
const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// An episode after the command.
pub(super) struct JudgedAgain {
    pub(super) episode: EpisodeId,
    pub(super) ordinal: u64,
    pub(super) template: String,
    /// The label of its own verdict.
    pub(super) before: &'static str,
    pub(super) result: ReverifyResult,
}

/// What became of an episode.
pub(super) enum ReverifyResult {
    /// Today's checks have judged it.
    Judged {
        again: Box<Reverification>,
        /// An earlier run of the command has recorded it.
        earlier: bool,
    },
    /// It has no verdict of today's checks.
    Unjudged { reason: UnjudgedReason, detail: String },
}

/// Why there is no verdict of today's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UnjudgedReason {
    /// The workspace was not kept, or it was removed since.
    NotKept,
    /// The file of the workspace cannot be read.
    Unreadable,
    /// The task has stages. Each was judged at its own end, and only the last workspace is kept.
    Staged,
    /// The template is gone, makes no task, or asks for other work.
    OtherWork,
    /// A sandbox failed. That says nothing about the work.
    Faulted,
}

impl UnjudgedReason {
    /// The word in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotKept => "not_kept",
            Self::Unreadable => "unreadable",
            Self::Staged => "staged",
            Self::OtherWork => "other_work",
            Self::Faulted => "faulted",
        }
    }

    /// The words in the summary.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::NotKept => "the workspace is not kept",
            Self::Unreadable => "the kept workspace cannot be read",
            Self::Staged => "the task has stages, and only its last workspace is kept",
            Self::OtherWork => "the template is gone, or asks for other work",
            Self::Faulted => "a fault, which is no verdict",
        }
    }
}

/// What the judgements of a campaign share.
pub(super) struct ReverifyWork {
    pub(super) store: Store,
    pub(super) config: CampaignConfig,
    pub(super) catalog: Arc<Catalog>,
    /// The editions of the templates that the campaign used last.
    pub(super) editions: Vec<TemplateEdition>,
    /// The newest later verdict of each episode that has one.
    pub(super) newest: BTreeMap<EpisodeId, Reverification>,
    pub(super) workspaces: WorkspaceFiles,
    pub(super) backend: Arc<SandboxBackends>,
    pub(super) pool: PoolHandle,
    /// The kinds of sandboxes that this host is known to make as asked.
    pub(super) ensured: tokio::sync::Mutex<Vec<SandboxSpec>>,
}

/// Something of an episode, or why it has no new verdict.
type JudgedPart<T> = std::result::Result<T, (UnjudgedReason, String)>;

impl ReverifyWork {
    /// Judges an episode, unless its newest verdict is of the same checks. Err is a failure that
    /// concerns every episode: of the store, or a host that cannot make the sandboxes.
    pub(super) async fn judge(self: Arc<Self>, episode: EpisodeRecord) -> Result<JudgedAgain> {
        let before = episode.outcome.as_ref().map_or("pending", Outcome::label);
        let result = match self.verdict(&episode).await? {
            Ok((again, earlier)) => ReverifyResult::Judged { again: Box::new(again), earlier },
            Err((reason, detail)) => ReverifyResult::Unjudged { reason, detail },
        };
        let plan = episode.plan;
        let (ordinal, template) = (plan.ordinal, plan.template);
        Ok(JudgedAgain { episode: plan.id, ordinal, template, before, result })
    }

    /// The verdict of today's checks, and whether it was recorded earlier.
    async fn verdict(
        self: &Arc<Self>,
        episode: &EpisodeRecord,
    ) -> Result<JudgedPart<(Reverification, bool)>> {
        let task = match self.task(episode).await? {
            Ok(task) => task,
            Err(why) => return Ok(Err(why)),
        };
        let judge = Reverification::judge_digest(&task, ENGINE);
        let newest = self.newest.get(&episode.plan.id);
        if let Some(newest) = newest.filter(|newest| newest.judge == judge) {
            return Ok(Ok((newest.clone(), true)));
        }
        let copy = match self.workspace(episode).await? {
            Ok(copy) => copy,
            Err(why) => return Ok(Err(why)),
        };
        let spec = recorded_spec(episode, &self.config, &task).offline();
        self.ensure(&spec).await?;
        match verify_snapshot(&self.pool, &task, &Arc::new(spec), Arc::new(copy)).await {
            Ok(found) => Ok(Ok((self.record(episode, &task, judge, found).await?, false))),
            Err(fault) => Ok(Err((UnjudgedReason::Faulted, fault.to_string()))),
        }
    }

    /// The task with today's checks. It must ask the agent for the same work as the one that was
    /// tried.
    async fn task(&self, episode: &EpisodeRecord) -> Result<JudgedPart<Task>> {
        let plan = &episode.plan;
        let task = match todays_task(plan, &self.config, &self.catalog) {
            Ok(task) if task.stages.is_empty() => task,
            Ok(_) => return Ok(Err((UnjudgedReason::Staged, String::new()))),
            Err(error) => return Ok(Err((UnjudgedReason::OtherWork, error.to_string()))),
        };
        if task.id == plan.task {
            return Ok(Ok(task));
        }
        let turns = self.store.turns(&plan.id, episode.attempt).await.map_err(store_error)?;
        let other = || format!("the template asks for other work now: {}", task.id);
        Ok(match is_asked(&turns, &task) {
            true => Ok(task),
            false => Err((UnjudgedReason::OtherWork, other())),
        })
    }

    /// The workspace that the episode left.
    async fn workspace(
        self: &Arc<Self>,
        episode: &EpisodeRecord,
    ) -> Result<JudgedPart<WorkspaceCopy>> {
        let (work, id, attempt) = (self.clone(), episode.plan.id.clone(), episode.attempt);
        let read = tokio::task::spawn_blocking(move || work.workspaces.read(&id, attempt)).await;
        let read = read.map_err(|error| {
            Error::new(Code::Unexpected, "the reading of a workspace panicked").with_source(error)
        })?;
        Ok(match read {
            Ok(Some(copy)) => Ok(copy),
            Ok(None) => Err((UnjudgedReason::NotKept, String::new())),
            Err(error) => Err((UnjudgedReason::Unreadable, error.to_string())),
        })
    }

    /// Checks once for each kind of sandbox that this host makes it as asked.
    async fn ensure(&self, spec: &SandboxSpec) -> Result<()> {
        let mut ensured = self.ensured.lock().await;
        if !ensured.contains(spec) {
            ensure_sandbox(&self.backend, spec, None).await?;
            ensured.push(spec.clone());
        }
        Ok(())
    }

    /// Records a verdict beside that of the episode.
    async fn record(
        &self,
        episode: &EpisodeRecord,
        task: &Task,
        judge: String,
        verdict: Verdict,
    ) -> Result<Reverification> {
        let at_ms = SystemClock.now_ms();
        let again = Reverification {
            episode: episode.plan.id.clone(),
            attempt: episode.attempt,
            judge,
            reason: self.reason(episode, task, &verdict).await?,
            verdict,
            at: SystemClock.stamp(at_ms),
            at_ms,
        };
        let entry = JournalEntry::Reverified(Box::new(again.clone()));
        self.store.append(vec![entry]).await.map_err(store_error)?;
        Ok(again)
    }

    /// What has changed since the episode was judged.
    async fn reason(
        &self,
        episode: &EpisodeRecord,
        task: &Task,
        found: &Verdict,
    ) -> Result<ReverificationReason> {
        let Some(Outcome::Judged { verdict, .. }) = &episode.outcome else {
            let what = format!("{} has no verdict", episode.plan.id);
            return Err(Error::new(Code::Unexpected, what).hint("please report this"));
        };
        let row = self.store.row(&episode.plan.id).await.map_err(store_error)?;
        let row = row.as_ref().and_then(|record| record.row.as_trajectory());
        let then = row.and_then(|row| row.template_digest.clone());
        let reason = ReverificationReason::of(ENGINE, (&episode.plan.task, verdict), (task, found));
        let files = then.as_deref().map(|then| self.changed_files(task, then));
        Ok(ReverificationReason { template_then: then, files: files.unwrap_or_default(), ..reason })
    }

    /// The files of the template that have changed since an edition. None are known if the campaign
    /// has used a later edition.
    fn changed_files(&self, task: &Task, then: &str) -> Vec<String> {
        let of_task = |edition: &&TemplateEdition| edition.template == task.template;
        let before = self.editions.iter().find(of_task).filter(|edition| edition.digest == then);
        let (Some(before), Some(now)) = (before, self.catalog.get(&task.template)) else {
            return Vec::new();
        };
        let now = TemplateEdition { digest: now.digest(), files: now.files(), ..before.clone() };
        let changes = changed_templates(std::slice::from_ref(before), &[now]);
        changes.iter().flat_map(|change| &change.files).map(ToString::to_string).collect()
    }
}
