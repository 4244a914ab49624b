//! What the engine does for clients.
//!
//! ```text
//!            submit                    pause
//!  (none) ───────────► running ─────────────────► paused
//!                       │  ▲ ◄──────resume───────   │
//!                       │  └─ resume ── stopped     │
//!                       ├── cancel ──► cancelled ◄──┤ cancel
//!                       └── drain ───► at rest; running again at the next start
//! ```

use super::admission::{restart_campaign, start_campaign, with_templates};
use super::follow::{follow, is_over};
use super::messages::ControlHandle;
use super::protocol::{ControlCommand, ErrorBody, RetryParams, SubmitParams};
use super::reply_writer::{ClientGone, ReplyWriter};
use super::report::{ProcessDescription, ProcessMode};
use super::session::{ControlDispatcher, DispatchError};
use crate::config::ConfigErrors;
use crate::engine::{Engine, fault_error, store_error};
use crate::error::{Code, Error};
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
use synthd_actors::ports::Journal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a client wants of the process as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownRequest {
    #[default]
    Stay,
    /// Let running episodes finish, then end.
    Finish,
    /// End at once; what runs is resumable.
    Now,
}

/// What ties the desk to the rest of the process.
pub(super) struct LifecycleChannels {
    pub(super) request: watch::Sender<ShutdownRequest>,
    /// Cancelled once no more of the last daemon's campaigns will be taken up.
    pub(super) revived: CancellationToken,
}

pub(super) struct EngineDispatcher {
    pub(super) engine: Engine,
    library: Arc<TemplateLibrary>,
    pub(super) about: ProcessDescription,
    wires: LifecycleChannels,
    /// Set once the socket listens; it is part of what status says.
    pub(super) control: OnceLock<ControlHandle>,
}

pub(super) type DispatchResult = Result<Value, DispatchError>;

impl EngineDispatcher {
    pub(super) fn new(
        engine: Engine,
        library: Arc<TemplateLibrary>,
        about: ProcessDescription,
        wires: LifecycleChannels,
    ) -> Self {
        Self { engine, library, about, wires, control: OnceLock::new() }
    }

    pub(super) fn attach(&self, control: ControlHandle) {
        // A second one would be the same.
        self.control.set(control).ok();
    }

    async fn submit(&self, submission: SubmitParams, writer: &mut ReplyWriter) -> DispatchResult {
        self.daemon_only()?;
        let SubmitParams { name, source, accept_changed } = submission;
        let read = with_templates(&self.library, name, source).await?;
        let (loaded, library) =
            read.map_err(|errors| DispatchError::Refused(Box::new(listing(errors))))?;
        let config = Arc::new(loaded.config);
        let doing = Mutex::new("preparing".to_owned());
        let told = |pulled: &PullProgress| {
            *doing.lock().unwrap_or_else(PoisonError::into_inner) = pulled.to_string();
        };
        let admitted = Box::pin(start_campaign(
            &self.engine,
            &library.catalog,
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

    /// `synthd run` starts nothing beside its own campaign.
    fn daemon_only(&self) -> Result<(), Error> {
        if self.about.mode != ProcessMode::Foreground {
            return Ok(());
        }
        Err(Error::new(Code::ControlRefused, "this is `synthd run`, which runs one campaign")
            .hint("wait until it has ended, start `synthd serve`, and ask the daemon"))
    }

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
        to_answer(&follow(&campaign, writer).await?)
    }

    /// The campaign meant by a client that names none.
    fn only_live(&self) -> Result<CampaignName, Error> {
        let known = self.engine.handle.campaigns();
        let moving: Vec<&CampaignProgress> = known.iter().filter(|p| !is_over(p)).collect();
        match (moving.as_slice(), known.as_slice()) {
            ([one], _) => Ok(one.campaign.clone()),
            // The one it just ran is meant, too, by who comes a moment late.
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

    async fn pause(&self, name: CampaignName, writer: &mut ReplyWriter) -> DispatchResult {
        let paused = match self.campaign(&name, writer).await? {
            Some(campaign) => campaign.pause("paused by a client").await,
            None => false,
        };
        self.obeyed(name, paused, "paused").await
    }

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
        let revived = restart_campaign(&self.engine, &self.library, &record, ReopenFilter::Nothing);
        self.waiting(revived, writer, || "preparing".to_owned()).await??;
        self.obeyed(name, true, "resumed").await
    }

    /// Starts a campaign that rests once more, with its faulted episodes that are chosen.
    async fn retry(&self, retry: RetryParams, writer: &mut ReplyWriter) -> DispatchResult {
        self.daemon_only()?;
        let name = CampaignName(retry.campaign);
        self.all_taken_up(writer).await?;
        let record = self.record(&name).await?;
        let reopen = ReopenFilter::Matching { kinds: retry.faults, template: retry.template };
        let revived = restart_campaign(&self.engine, &self.library, &record, reopen);
        let campaign = self.waiting(revived, writer, || "preparing".to_owned()).await??;
        tracing::info!(campaign = %name, "faulted episodes are tried again: a client asked for it");
        to_answer(&*campaign.progress().borrow())
    }

    async fn cancel(&self, name: CampaignName, writer: &mut ReplyWriter) -> DispatchResult {
        let live = self.campaign(&name, writer).await?.filter(CampaignHandle::is_alive);
        let cancelled = match live {
            Some(campaign) => campaign.cancel().await,
            None => self.cancel_stored(&name).await?,
        };
        self.obeyed(name, cancelled, "cancelled").await
    }

    /// A campaign that rests here without an actor has only its record to change.
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
        let written = self.engine.world.collector.record(vec![moved]).await;
        Ok(written.map(|()| true).map_err(|fault| fault_error(&fault))?)
    }

    /// Says where the campaign stands now, or why it did not obey.
    async fn obeyed(&self, name: CampaignName, obeyed: bool, done: &str) -> DispatchResult {
        let standing = self.campaign_status(&self.record(&name).await?).await?;
        if obeyed {
            tracing::info!(campaign = %name, "{done} by a client");
            return to_answer(&standing);
        }
        let state = match standing.progress.publishing {
            true => "writing its dataset",
            false => standing.progress.state.as_str(),
        };
        let what = format!("campaign {name} is {state} and cannot be {done}");
        Err(DispatchError::from(Error::new(Code::ControlRefused, what).hint(
            match standing.progress.state {
                CampaignState::Cancelled => "submit its file again to start it again",
                _ => "`synthd status` shows the state of every campaign",
            },
        )))
    }

    async fn drain(&self, writer: &mut ReplyWriter) -> DispatchResult {
        tracing::info!("draining: a client asked for it");
        self.engine.handle.drain(false).await;
        self.waiting(self.engine.handle.wait_until_settled(), writer, || "draining".to_owned())
            .await?;
        to_answer(&json!({ "drained": true, "campaigns": self.campaign_statuses().await? }))
    }

    async fn shut_down(&self, now: bool, writer: &mut ReplyWriter) -> DispatchResult {
        let wanted = if now { ShutdownRequest::Now } else { ShutdownRequest::Finish };
        // The more urgent wish stands.
        self.wires.request.send_if_modified(|shutdown| {
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

    /// Waits for work and tells the client now and then that it still does.
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

    /// The campaign, if this process has run it; one that is about to be taken up is waited
    /// for.
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

    async fn all_taken_up(&self, writer: &mut ReplyWriter) -> Result<(), ClientGone> {
        self.waiting(self.wires.revived.cancelled(), writer, || "resuming".to_owned()).await
    }

    async fn record(&self, name: &CampaignName) -> Result<CampaignRecord, DispatchError> {
        let found = self.engine.store.campaign(name).await.map_err(store_error)?;
        match found {
            Some(record) => Ok(record),
            None => Err(self.unknown(name.as_str()).await),
        }
    }

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

pub(super) fn to_answer(value: &impl Serialize) -> DispatchResult {
    serde_json::to_value(value).map_err(|error| {
        DispatchError::from(
            Error::new(Code::Unexpected, "the answer is not JSON").with_source(error),
        )
    })
}

/// All mistakes of a file, as `synthd check` shows them.
fn listing(errors: ConfigErrors) -> ErrorBody {
    let (text, details) = (errors.render(), errors.to_json());
    let mut body = ErrorBody::from(&Error::new(errors.code(), errors.summary()));
    body.text = Some(text);
    body.details = Some(details);
    body
}
