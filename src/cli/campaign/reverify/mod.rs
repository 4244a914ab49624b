//! `synthd campaign reverify`: judges the kept workspaces of a campaign again, with the checks that
//! its templates have now, and records each verdict beside the one of the episode.
//!
//! Several workspaces are judged at once. Each verdict is recorded when it is there, so the command
//! can be interrupted and repeated: what the newest verdict of an episode came from is not judged
//! again.

mod judging;
mod report;

use super::find;
use crate::cli::RecordDirs;
use crate::cli::daemon::signals::SignalListener;
use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::episode::origin::{campaign_config, todays_catalog};
use crate::cli::run::progress;
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_json, print_line, stderr_is_terminal, write_above,
};
use crate::error::{Code, Error, Result};
use crate::running_engine::{fault_error, store_error};
use crate::sandbox::SandboxBackends;
use crate::store::Store;
use crate::workspaces::WorkspaceFiles;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use indicatif::ProgressBar;
use judging::{JudgedAgain, ReverifyWork};
use report::ReverifyReport;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use synthd_actors::model::{CampaignRecord, EpisodeRecord, Outcome};
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::{Journal, SandboxBackend};
use synthd_actors::supervisor::spawn;
use synthd_actors::task::glob_matches;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

#[derive(Args)]
#[command(
    after_help = "The workspaces were kept by `[episode] keep_workspaces`. A new verdict is recorded beside the \
one of the episode, which stays as it is, with what has changed since: template, checks, judge. \
`synthd episode show` shows both. Rows of a dataset that is built afterwards have the new one in \
`reverified`.

What the same checks have judged is not judged again, so the command can be interrupted and \
repeated. A fault gives no verdict. No engine may use the data directory meanwhile.

Examples:
  synthd campaign reverify my-campaign
  synthd campaign reverify my-campaign --template 'debugging/*'
  synthd campaign reverify my-campaign --templates my-templates --json"
)]
pub(in crate::cli) struct CampaignReverifyArgs {
    /// The campaign's name
    campaign: String,
    /// Only episodes of templates that match
    #[arg(long, value_name = "GLOB")]
    template: Option<String>,
    /// Show no progress
    #[arg(long)]
    no_progress: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) dirs: RecordDirs,
}

/// Judges, prints the summary, and decides how the command ends.
pub(super) async fn run(store: Store, args: &CampaignReverifyArgs) -> Result<ExitCode> {
    let mut signals = SignalListener::listen()?;
    let record = find(&store, &args.campaign).await?;
    let episodes = judged_episodes(&store, &record, args.template.as_deref()).await?;
    let backend = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let limits = PoolConfig { warm: 0, ..PoolConfig::default() };
    let (pool, exit) = PoolHandle::start(backend.clone(), limits);
    let work = prepared(&store, &record, &episodes, (backend.clone(), pool.clone()), args).await;
    let judged = match work {
        Ok(work) => judge_all(&work, episodes, &mut signals, args).await,
        Err(error) => Err(error),
    };
    // Sandboxes are removed before the result is looked at, so that an error leaves nothing behind.
    pool.shut_down().await;
    let settled = backend.settle().await.map_err(|fault| fault_error(&fault));
    drop(exit);
    let report = judged?;
    settled?;
    store.barrier().await.map_err(store_error)?;
    match args.json {
        true => print_json(&report.document())?,
        false => print_line(&report.text()),
    }
    report.conclusion()
}

/// The episodes with a verdict, of templates that match, in the order of the plan.
async fn judged_episodes(
    store: &Store,
    record: &CampaignRecord,
    glob: Option<&str>,
) -> Result<Vec<EpisodeRecord>> {
    let mut episodes = store.episodes(&record.name).await.map_err(store_error)?;
    episodes.retain(|episode| matches!(episode.outcome, Some(Outcome::Judged { .. })));
    if episodes.is_empty() {
        let what = format!("no episode of campaign {} has a verdict", record.name);
        return Err(Error::new(Code::BadUsage, what)
            .hint("only work that was judged can be judged again; answers to prompts are not"));
    }
    episodes.retain(|episode| glob.is_none_or(|glob| glob_matches(glob, &episode.plan.template)));
    match (episodes.is_empty(), glob) {
        (true, Some(glob)) => {
            let what = format!("no judged episode of {} is of {glob:?}", record.name);
            Err(Error::new(Code::BadUsage, what)
                .hint("`synthd episode list` shows the templates of all episodes"))
        }
        _ => Ok(episodes),
    }
}

/// Everything that the judgements share.
async fn prepared(
    store: &Store,
    record: &CampaignRecord,
    episodes: &[EpisodeRecord],
    (backend, pool): (Arc<SandboxBackends>, PoolHandle),
    args: &CampaignReverifyArgs,
) -> Result<Arc<ReverifyWork>> {
    let first = episodes.first().ok_or_else(|| {
        Error::new(Code::Unexpected, "there is no episode to judge").hint("please report this")
    })?;
    let config = campaign_config(store, &first.plan).await?;
    let later = store.reverifications(&record.name).await.map_err(store_error)?;
    Ok(Arc::new(ReverifyWork {
        catalog: todays_catalog(&config, &args.dirs.templates.directories)?,
        editions: store.editions(&record.name).await.map_err(store_error)?,
        // Of several verdicts on an episode, the newest comes last.
        newest: later.into_iter().map(|again| (again.episode.clone(), again)).collect(),
        workspaces: WorkspaceFiles::new(&args.dirs.data.data_dir),
        ensured: tokio::sync::Mutex::default(),
        store: store.clone(),
        config,
        backend,
        pool,
    }))
}

/// Judges all workspaces, as many at once as the campaign runs episodes and as there are cores. A
/// signal ends the work; what is judged by then is recorded. Err is what concerns every episode.
async fn judge_all(
    work: &Arc<ReverifyWork>,
    episodes: Vec<EpisodeRecord>,
    signals: &mut SignalListener,
    args: &CampaignReverifyArgs,
) -> Result<ReverifyReport> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = Arc::new(Semaphore::new(work.config.concurrency.clamp(1, cores)));
    let mut shown = ReverifyProgress::new(episodes.len(), args.no_progress);
    let mut report = ReverifyReport::new(work.config.name.clone(), episodes.len());
    let judged = episodes.into_iter().map(|episode| {
        let (work, slots) = (work.clone(), slots.clone());
        spawn("reverify", async move {
            let _place = slots.acquire_owned().await;
            Box::pin(work.judge(episode)).await
        })
    });
    let mut judged: FuturesUnordered<_> = judged.collect();
    loop {
        let next = tokio::select! {
            next = judged.next() => next,
            () = signals.wait_for_stop() => {
                report.interrupted = true;
                None
            }
        };
        let Some(next) = next else { break };
        let panicked = |error: JoinError| {
            Error::new(Code::Unexpected, "a judgement panicked").with_source(error)
        };
        let episode: JudgedAgain = next.map_err(panicked)??;
        report.add(episode);
        shown.show(&report);
    }
    Ok(report)
}

/// The progress on stderr: a bar on a terminal, lines elsewhere.
struct ReverifyProgress {
    /// None if stderr is no terminal, or if no progress is wanted.
    bar: Option<ProgressBar>,
    is_hidden: bool,
    /// When the last line was printed.
    last_line: Instant,
}

impl ReverifyProgress {
    fn new(count: usize, is_hidden: bool) -> Self {
        let is_bar = stderr_is_terminal() && !is_hidden;
        let bar = is_bar.then(|| progress::bar(count as u64));
        write_above(bar.clone());
        if bar.is_none() && !is_hidden {
            eprint_line(&format!("{} with a verdict", pluralize(count as u64, "episode")));
        }
        Self { bar, is_hidden, last_line: Instant::now() }
    }

    /// Shows how far the command is. Lines are printed rarely.
    fn show(&mut self, report: &ReverifyReport) {
        let text = format!("{} judged otherwise", report.otherwise());
        match &self.bar {
            Some(bar) => {
                bar.set_position(report.episodes.len() as u64);
                bar.set_message(text);
            }
            None if !self.is_hidden && self.last_line.elapsed() >= progress::LINE_EVERY => {
                eprint_line(&format!("[{}/{}] {text}", report.episodes.len(), report.of));
                self.last_line = Instant::now();
            }
            None => {}
        }
    }
}

impl Drop for ReverifyProgress {
    /// Removes the bar, so that the summary stands in its place.
    fn drop(&mut self) {
        write_above(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
