//! `synthd episode verify`: judges the kept workspace of an episode again, with the checks that its
//! template has now. Nothing is recorded. A verdict that differs is an error, so that scripts notice
//! it.

use super::origin::{EpisodeOrigin, campaign_config, is_asked, recorded_spec};
use super::page::EpisodePage;
use super::{find, outcome_label};
use crate::cli::RecordDirs;
use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::terminal::output::{eprint_line, print_json, print_line};
use crate::cli::terminal::terminal_text::TextStyler;
use crate::error::{Code, Error, Result};
use crate::running_engine::{ensure_sandbox, fault_error, store_error};
use crate::sandbox::SandboxBackends;
use crate::store::Store;
use crate::workspaces::WorkspaceFiles;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::model::{
    AttemptNumber, CampaignConfig, EpisodeId, EpisodeRecord, Outcome, Task, TaskId, Verdict,
    WorkspaceCopy,
};
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::{Journal, SandboxBackend};
use synthd_actors::work::trajectory::verify_snapshot;

#[derive(Args)]
#[command(
    after_help = "The workspace was kept by `[episode] keep_workspaces`. Nothing is recorded: the store keeps its \
verdict. `synthd campaign reverify` judges all episodes of a campaign again and records the verdicts.

Examples:
  synthd episode verify ep-4f1c
  synthd episode verify ep-4f1c --templates my-templates --json"
)]
pub(in crate::cli) struct EpisodeVerifyArgs {
    /// The episode's id, or a beginning of it that no other episode has
    id: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) dirs: RecordDirs,
}

/// The result; also the document of `--json`.
#[derive(Serialize)]
struct VerifyReport<'a> {
    episode: &'a EpisodeId,
    attempt: AttemptNumber,
    /// The task whose checks have judged.
    task: &'a TaskId,
    /// Whether it is another task than the one that was tried: its checks or files have changed.
    task_changed: bool,
    /// The verdict in the store.
    recorded: &'a Verdict,
    /// The verdict of today's checks.
    found: Verdict,
    /// Whether both say the same of the work.
    same: bool,
}

/// Judges the workspace that the attempt with the outcome left.
pub(super) async fn run(store: &Store, args: &EpisodeVerifyArgs) -> Result<ExitCode> {
    let episode = find(store, &args.id).await?;
    let recorded = recorded_verdict(&episode)?;
    let copy = kept_workspace(&episode, &args.dirs.data.data_dir)?;
    let config = campaign_config(store, &episode.plan).await?;
    let task = todays_task(store, &episode, &config, &args.dirs.templates.directories).await?;
    ensure_whole(&task)?;
    let found = in_sandboxes(&episode, &config, &task, copy).await?;
    let report = VerifyReport {
        episode: &episode.plan.id,
        attempt: episode.attempt,
        task: &task.id,
        task_changed: task.id != episode.plan.task,
        same: is_same(recorded, &found),
        recorded,
        found,
    };
    match args.json {
        true => print_json(&report)?,
        false => print_line(&text_of(&report, &episode)),
    }
    conclusion(&report)
}

/// The verdict in the store.
fn recorded_verdict(episode: &EpisodeRecord) -> Result<&Verdict> {
    if let Some(Outcome::Judged { verdict, .. }) = &episode.outcome {
        return Ok(verdict);
    }
    let what = format!("{} has no verdict: it is {}", episode.plan.id, outcome_label(episode));
    Err(Error::new(Code::BadUsage, what).hint("only work that was judged can be judged again"))
}

/// The workspace that the episode left.
fn kept_workspace(episode: &EpisodeRecord, data_dir: &Path) -> Result<WorkspaceCopy> {
    let id = &episode.plan.id;
    let read = WorkspaceFiles::new(data_dir).read(id, episode.attempt).map_err(|error| {
        Error::new(Code::BadUsage, format!("the kept workspace of {id} cannot be read"))
            .hint("remove the file from `workspaces` in the data directory")
            .with_source(error)
    })?;
    read.ok_or_else(|| {
        let what = format!("the workspace of {id}, attempt {} is not kept", episode.attempt);
        Error::new(Code::BadUsage, what).hint(
            "`[episode] keep_workspaces` of a campaign says which are kept: all, solved or none",
        )
    })
}

/// The task with today's checks. It must ask the agent for the same work as the one that was tried.
async fn todays_task(
    store: &Store,
    episode: &EpisodeRecord,
    config: &CampaignConfig,
    directories: &[PathBuf],
) -> Result<Arc<Task>> {
    let plan = &episode.plan;
    let origin = EpisodeOrigin::of_today(plan, config, directories)?;
    if origin.task.id == plan.task {
        return Ok(origin.task);
    }
    let turns = store.turns(&plan.id, episode.attempt).await.map_err(store_error)?;
    if !is_asked(&turns, &origin.task) {
        return Err(origin.changed(plan));
    }
    eprint_line("note: the template has changed since, but it asks for the same work");
    Ok(origin.task)
}

/// Refuses a task with stages: each of them was judged over a workspace of its own.
fn ensure_whole(task: &Task) -> Result<()> {
    if task.stages.is_empty() {
        return Ok(());
    }
    let what = format!("{} has stages, and only its last workspace is kept", task.template);
    let hint = "`synthd episode show` has the verdict over each stage";
    Err(Error::new(Code::BadUsage, what).hint(hint))
}

/// Starts a pool only for the verification, judges, and removes everything again.
async fn in_sandboxes(
    episode: &EpisodeRecord,
    config: &CampaignConfig,
    task: &Task,
    copy: WorkspaceCopy,
) -> Result<Verdict> {
    let backend = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let spec = recorded_spec(episode, config, task).offline();
    ensure_sandbox(&backend, &spec, None).await?;
    let limits = PoolConfig { warm: 0, ..PoolConfig::default() };
    let (pool, exit) = PoolHandle::start(backend.clone(), limits);
    let found = verify_snapshot(&pool, task, &Arc::new(spec), Arc::new(copy)).await;
    pool.shut_down().await;
    let settled = backend.settle().await;
    drop(exit);
    let verdict = found.map_err(|fault| fault_error(&fault))?;
    settled.map_err(|fault| fault_error(&fault))?;
    Ok(verdict)
}

/// Whether two verdicts say the same of the work.
fn is_same(recorded: &Verdict, found: &Verdict) -> bool {
    recorded.label() == found.label() && (recorded.score - found.score).abs() < 1e-9
}

/// Both verdicts, then today's checks.
fn text_of(report: &VerifyReport<'_>, episode: &EpisodeRecord) -> String {
    let told = |verdict: &Verdict| format!("{}, score {:.3}", verdict.label(), verdict.score + 0.0);
    let mut page = EpisodePage::new(TextStyler::for_stdout(), false);
    page.line(format!("{}, attempt {}", report.episode, report.attempt));
    page.field("recorded", told(report.recorded));
    page.field("today", told(&report.found));
    page.judge(report.found.judge.as_deref(), episode.fingerprint.as_ref());
    page.checks(&report.found.checks);
    page.text()
}

/// A difference is an error.
fn conclusion(report: &VerifyReport<'_>) -> Result<ExitCode> {
    if report.same {
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("today's checks judge {} otherwise", report.episode);
    Err(Error::new(Code::ReplayDiffers, what).hint("the store keeps the recorded verdict"))
}
