//! The control dispatcher: carries out the commands of clients on the engine. The sessions give it
//! a parsed [`ControlCommand`]; it returns the answer as JSON, or an error.
//!
//! The states of a campaign, and the commands that lead from one to the next:
//!
//! ```text
//!            submit                    pause
//!  (none) ───────────► running ─────────────────► paused
//!                       │  ▲ ◄──────resume───────   │
//!                       │  └─ resume ── stopped     │
//!                       ├── cancel ──► cancelled ◄──┤ cancel
//!                       └── drain ───► at rest; running again at the next start
//! ```
//!
//! A command that takes longer sends an event every few seconds, so that the client knows that the
//! daemon works. If the client disconnects, the dispatcher stops waiting. Commands that were
//! already given to the engine are carried out all the same.

use super::admission::{restart_campaign, start_campaign, with_templates};
use super::follow::{follow, is_over};
use super::messages::ControlHandle;
use super::protocol::{ControlCommand, ErrorBody, RetryParams, SubmitParams};
use super::reply_writer::{ClientGone, ReplyWriter};
use super::report::{ProcessDescription, ProcessMode};
use super::session::{ControlDispatcher, DispatchError};
use crate::config::ConfigErrors;
use crate::error::{Code, Error};
use crate::running_engine::{RunningEngine, fault_error, store_error};
use crate::sandbox::docker::PullProgress;
use crate::templates::TemplateLibrary;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use synthd_actors::campaign::{
    CampaignHandle, CampaignProgress, ChangedTemplates, ReopenFilter, RestartOptions,
};
use synthd_actors::model::{CampaignName, CampaignRecord, CampaignState, JournalEntry};
use synthd_actors::policy::CapStats;
use synthd_actors::ports::Journal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How far a client wants the process to end. The variants are in the order of their urgency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownRequest {
    /// Nobody has asked for a shutdown.
    #[default]
    Stay,
    /// Let running episodes finish, then end the process.
    Finish,
    /// Cut off running episodes and end the process. The episodes can be resumed.
    Now,
}

/// Connects the dispatcher with the start and the shutdown of the process.
pub(super) struct LifecycleChannels {
    /// The most urgent shutdown request so far. The process watches the other end.
    pub(super) request: watch::Sender<ShutdownRequest>,
    /// Cancelled when each campaign of the last daemon was tried once, or when that was given up.
    /// Until then, a command that names a campaign waits.
    pub(super) restarted: CancellationToken,
}

/// The dispatcher of a running engine, for `serve` and for `run`.
pub(super) struct EngineDispatcher {
    /// The engine on which commands are carried out.
    pub(super) engine: RunningEngine,
    /// The templates of the process. A campaign may add its own directories for itself.
    library: Arc<TemplateLibrary>,
    /// What the status report says about the process.
    pub(super) about: ProcessDescription,
    /// The connection to the start and the shutdown of the process.
    lifecycle: LifecycleChannels,
    /// The handle of the control actor, for the status report. It is set after the socket listens.
    pub(super) control: OnceLock<ControlHandle>,
}

/// The answer of a command as JSON, or the reason why there is none.
pub(super) type DispatchResult = Result<Value, DispatchError>;

impl EngineDispatcher {
    /// A dispatcher without its control handle; [`attach`](Self::attach) adds it.
    pub(super) fn new(
        engine: RunningEngine,
        library: Arc<TemplateLibrary>,
        about: ProcessDescription,
        lifecycle: LifecycleChannels,
    ) -> Self {
        Self { engine, library, about, lifecycle, control: OnceLock::new() }
    }

    /// Adds the handle of the control actor. The actor needs the dispatcher to start, so the handle
    /// cannot be there from the beginning.
    pub(super) fn attach(&self, control: ControlHandle) {
        // There is one control actor for each dispatcher, so a second call would set an equal
        // handle.
        self.control.set(control).ok();
    }

    /// Starts or resumes the campaign of a file. The answer is its progress. Faulted episodes whose
    /// reason may have passed are tried again. While the preflight runs, events say what it does,
    /// such as the progress of an image pull.
    async fn submit(&self, submission: SubmitParams, writer: &mut ReplyWriter) -> DispatchResult {
        self.daemon_only()?;
        let SubmitParams { name, source, accept_changed } = submission;
        let read = with_templates(&self.library, name, source).await?;
        let (loaded, library) =
            read.map_err(|errors| DispatchError::Refused(Box::new(listing(errors))))?;
        let inputs = loaded.inputs(&library.catalog);
        let config = Arc::new(loaded.config);
        // What the preflight does right now. The listener of pulls writes it, and the events of
        // `waiting` show it.
        let doing = Mutex::new("preparing".to_owned());
        let told = |pulled: &PullProgress| {
            *doing.lock().unwrap_or_else(PoisonError::into_inner) = pulled.to_string();
        };
        // Boxed, because the future is large and is nested in the futures of the session.
        let admitted = Box::pin(start_campaign(
            &self.engine,
            &inputs,
            &config,
            loaded.source,
            RestartOptions {
                reopen: ReopenFilter::MayHavePassed,
                changed: match accept_changed {
                    true => ChangedTemplates::Accept,
                    false => ChangedTemplates::Refuse,
                },
            },
            &told,
        ));
        let campaign = self
            .waiting(admitted, writer, || {
                doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
            })
            .await??;
        tracing::info!(campaign = %config.name, "a campaign was submitted");
        to_answer(&*campaign.progress().borrow())
    }

    /// Refuses a command that would start a campaign if this process is `synthd run`, which runs
    /// only its own campaign.
    fn daemon_only(&self) -> Result<(), Error> {
        if self.about.mode != ProcessMode::Foreground {
            return Ok(());
        }
        Err(Error::new(Code::ControlRefused, "this is `synthd run`, which runs one campaign")
            .hint("wait until it has ended, start `synthd serve`, and ask the daemon"))
    }

    /// Follows a campaign to its end. A campaign that this process does not run is answered at once
    /// from the store. Without a name, the only running campaign is meant.
    async fn watch(&self, name: Option<String>, writer: &mut ReplyWriter) -> DispatchResult {
        let name = match name {
            Some(name) => CampaignName(name),
            None => {
                self.all_taken_up(writer).await?;
                self.only_live()?
            }
        };
        let Some(campaign) = self.campaign(&name, writer).await? else {
            let record = self.record(&name).await?;
            return to_answer(&self.stored_progress(&record).await?);
        };
        to_answer(&follow(&campaign, || self.budgets(&name), writer).await?)
    }

    /// The caps of a campaign, except those of its episodes.
    fn budgets(&self, name: &CampaignName) -> Vec<CapStats> {
        let accounts = self.engine.services.router.stats().into_iter();
        accounts.filter(|one| one.campaign == *name).flat_map(|one| one.budgets).collect()
    }

    /// The campaign that a client means if it names none: the only one that is not over.
    fn only_live(&self) -> Result<CampaignName, Error> {
        let known = self.engine.handle.campaigns();
        let moving: Vec<&CampaignProgress> = known.iter().filter(|p| !is_over(p)).collect();
        match (moving.as_slice(), known.as_slice()) {
            ([one], _) => Ok(one.campaign.clone()),
            // A client that comes a moment too late means the campaign that has just ended.
            ([], [one]) => Ok(one.campaign.clone()),
            ([], _) => Err(Error::new(Code::ControlRefused, "no campaign is running")
                .hint("`synthd submit` starts a campaign; `synthd status` lists all campaigns")),
            (several, _) => {
                let names: Vec<&str> = several.iter().map(|p| p.campaign.as_str()).collect();
                let what = format!("{} campaigns are running", several.len());
                let hint = format!("name one of {}", names.join(", "));
                Err(Error::new(Code::ControlRefused, what).hint(hint))
            }
        }
    }

    /// Pauses a campaign. The engine refuses this for a campaign that has ended or that writes its
    /// dataset.
    async fn pause(&self, name: CampaignName, writer: &mut ReplyWriter) -> DispatchResult {
        let paused = match self.campaign(&name, writer).await? {
            Some(campaign) => campaign.pause("paused by a client").await,
            None => false,
        };
        self.obeyed(name, paused, "paused").await
    }

    /// Resumes a campaign. If the campaign has no running actor, it is started again from its text
    /// in the store; only paused and stopped campaigns can be resumed in this way.
    async fn resume(&self, name: CampaignName, writer: &mut ReplyWriter) -> DispatchResult {
        let live = self.campaign(&name, writer).await?.filter(CampaignHandle::is_alive);
        if let Some(campaign) = live {
            let resumed = campaign.resume().await;
            return self.obeyed(name, resumed, "resumed").await;
        }
        let record = self.record(&name).await?;
        if !matches!(record.state, CampaignState::Paused | CampaignState::Stopped) {
            return self.obeyed(name, false, "resumed").await;
        }
        self.daemon_only()?;
        let restarted =
            restart_campaign(&self.engine, &self.library, &record, ReopenFilter::Nothing);
        self.waiting(restarted, writer, || "preparing".to_owned()).await??;
        self.obeyed(name, true, "resumed").await
    }

    /// Starts a campaign that is at rest once more, with those of its faulted episodes that match.
    async fn retry(&self, retry: RetryParams, writer: &mut ReplyWriter) -> DispatchResult {
        self.daemon_only()?;
        let name = CampaignName(retry.campaign);
        self.all_taken_up(writer).await?;
        let record = self.record(&name).await?;
        let reopen = ReopenFilter::Matching { kinds: retry.faults, template: retry.template };
        let restarted = restart_campaign(&self.engine, &self.library, &record, reopen);
        let campaign = self.waiting(restarted, writer, || "preparing".to_owned()).await??;
        tracing::info!(campaign = %name, "faulted episodes are tried again: a client asked for it");
        to_answer(&*campaign.progress().borrow())
    }

    /// Cancels a campaign, with or without a running actor.
    async fn cancel(&self, name: CampaignName, writer: &mut ReplyWriter) -> DispatchResult {
        let live = self.campaign(&name, writer).await?.filter(CampaignHandle::is_alive);
        let cancelled = match live {
            Some(campaign) => campaign.cancel().await,
            None => self.cancel_stored(&name).await?,
        };
        self.obeyed(name, cancelled, "cancelled").await
    }

    /// Cancels a campaign that has no running actor: only its record in the store changes. Returns
    /// false if the campaign is complete or cancelled already.
    async fn cancel_stored(&self, name: &CampaignName) -> Result<bool, DispatchError> {
        let record = self.record(name).await?;
        if matches!(record.state, CampaignState::Complete | CampaignState::Cancelled) {
            return Ok(false);
        }
        let moved = JournalEntry::CampaignMoved {
            campaign: name.clone(),
            state: CampaignState::Cancelled,
            reason: None,
        };
        let written = self.engine.services.collector.record(vec![moved]).await;
        Ok(written.map(|()| true).map_err(|fault| fault_error(&fault))?)
    }

    /// The answer to `pause`, `resume` and `cancel`: the campaign's new state, or an error with its
    /// state if the command was refused. `done` is the past tense of the command, such as `paused`.
    async fn obeyed(&self, name: CampaignName, obeyed: bool, done: &str) -> DispatchResult {
        let status = self.campaign_status(&self.record(&name).await?).await?;
        if obeyed {
            tracing::info!(campaign = %name, "{done} by a client");
            return to_answer(&status);
        }
        let state = match status.progress.publishing {
            true => "writing its dataset",
            false => status.progress.state.as_str(),
        };
        let what = format!("campaign {name} is {state} and cannot be {done}");
        Err(DispatchError::from(Error::new(Code::ControlRefused, what).hint(
            match status.progress.state {
                CampaignState::Cancelled => "submit its file again to start it again",
                _ => "`synthd status` shows the state of every campaign",
            },
        )))
    }

    /// Drains the engine: nothing new starts. The answer comes when all campaigns are at rest. The
    /// process goes on and still answers.
    async fn drain(&self, writer: &mut ReplyWriter) -> DispatchResult {
        tracing::info!("draining: a client asked for it");
        self.engine.handle.drain(false).await;
        self.waiting(self.engine.handle.wait_until_settled(), writer, || "draining".to_owned())
            .await?;
        to_answer(&json!({ "drained": true, "campaigns": self.campaign_statuses().await? }))
    }

    /// Asks the process to end. The answer comes when no episode runs any more; the connection
    /// closes just before the process ends.
    async fn shut_down(&self, now: bool, writer: &mut ReplyWriter) -> DispatchResult {
        let wanted = if now { ShutdownRequest::Now } else { ShutdownRequest::Finish };
        // Of several requests, the most urgent one counts; a later, less urgent one changes
        // nothing.
        self.lifecycle.request.send_if_modified(|shutdown| {
            let more = wanted > *shutdown;
            *shutdown = wanted.max(*shutdown);
            more
        });
        self.waiting(self.engine.handle.wait_until_settled(), writer, || {
            "shutting_down".to_owned()
        })
        .await?;
        to_answer(&json!({ "shutting_down": true }))
    }

    /// Waits for `work` and sends the client an event in every heartbeat interval, such as
    /// `{"waiting":"draining","running":3}`. `doing` gives the text of `waiting`. If the client is
    /// gone, `work` is dropped.
    async fn waiting<T>(
        &self,
        work: impl Future<Output = T>,
        writer: &mut ReplyWriter,
        doing: impl Fn() -> String,
    ) -> Result<T, ClientGone> {
        tokio::pin!(work);
        loop {
            let beat = tokio::time::sleep(writer.heartbeat());
            tokio::select! {
                done = &mut work => return Ok(done),
                () = beat => {
                    let running = self.engine.handle.running();
                    writer.event(&json!({ "waiting": doing(), "running": running })).await?;
                }
            }
        }
    }

    /// The handle of a campaign that this process runs or has run; None if there is none. A
    /// campaign of the last daemon may be about to be resumed, so the search waits for that before
    /// it gives up.
    async fn campaign(
        &self,
        name: &CampaignName,
        writer: &mut ReplyWriter,
    ) -> Result<Option<CampaignHandle>, ClientGone> {
        if self.engine.handle.campaign(name).is_none() {
            self.all_taken_up(writer).await?;
        }
        Ok(self.engine.handle.campaign(name))
    }

    /// Waits until the campaigns of the last daemon were tried once.
    async fn all_taken_up(&self, writer: &mut ReplyWriter) -> Result<(), ClientGone> {
        self.waiting(self.lifecycle.restarted.cancelled(), writer, || "resuming".to_owned()).await
    }

    /// The campaign's record in the store. An unknown name is a refusal.
    async fn record(&self, name: &CampaignName) -> Result<CampaignRecord, DispatchError> {
        let found = self.engine.store.campaign(name).await.map_err(store_error)?;
        match found {
            Some(record) => Ok(record),
            None => Err(self.unknown(name.as_str()).await),
        }
    }

    /// The refusal for an unknown name. It lists up to ten names that exist. The client's text is
    /// cut, so that it cannot blow up the message.
    pub(super) async fn unknown(&self, name: &str) -> DispatchError {
        let known = self.engine.store.campaigns().await.unwrap_or_default();
        let names: Vec<&str> = known.iter().take(10).map(|c| c.name.as_str()).collect();
        let hint = match names.as_slice() {
            [] => "there is no campaign yet; `synthd submit` starts one".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        let shown: String = name.chars().take(80).collect();
        let what = format!("there is no campaign {shown:?} here");
        DispatchError::from(Error::new(Code::ControlRefused, what).hint(hint))
    }
}

#[async_trait]
impl ControlDispatcher for EngineDispatcher {
    async fn serve(&self, order: ControlCommand, writer: &mut ReplyWriter) -> DispatchResult {
        match order {
            ControlCommand::Submit(submission) => self.submit(submission, writer).await,
            ControlCommand::Status(which) => self.status(which.campaign).await,
            ControlCommand::Watch(which) => self.watch(which.campaign, writer).await,
            ControlCommand::Pause(named) => self.pause(CampaignName(named.campaign), writer).await,
            ControlCommand::Resume(named) => {
                self.resume(CampaignName(named.campaign), writer).await
            }
            ControlCommand::Retry(retry) => self.retry(retry, writer).await,
            ControlCommand::Cancel(named) => {
                self.cancel(CampaignName(named.campaign), writer).await
            }
            ControlCommand::Drain(_) => self.drain(writer).await,
            ControlCommand::Shutdown(shutdown) => self.shut_down(shutdown.now, writer).await,
        }
    }
}

/// Turns an answer into JSON.
pub(super) fn to_answer(value: &impl Serialize) -> DispatchResult {
    serde_json::to_value(value).map_err(|error| {
        DispatchError::from(
            Error::new(Code::Unexpected, "the answer is not JSON").with_source(error),
        )
    })
}

/// The refusal of a file with mistakes: `text` has all of them as `synthd check` prints them, and
/// `details` has the same as JSON.
fn listing(errors: ConfigErrors) -> ErrorBody {
    let (text, details) = (errors.render(), errors.to_json());
    let mut body = ErrorBody::from(&Error::new(errors.code(), errors.summary()));
    body.text = Some(text);
    body.details = Some(details);
    body
}
