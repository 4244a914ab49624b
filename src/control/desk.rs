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

use super::admission::{admit, revive};
use super::messages::ControlHandle;
use super::outlet::{Gone, Outlet};
use super::protocol::{ErrorBody, Order, Submission};
use super::report::{About, Mode, Process, Report, Standing};
use super::session::{Desk, Stop};
use crate::config::{self, ConfigErrors};
use crate::engine::{Engine, sandbox_error, store_error};
use crate::error::{Code, Error};
use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use synthd_actors::campaign::{CampaignHandle, Progress};
use synthd_actors::model::{CampaignName, CampaignRecord, CampaignState, Entry};
use synthd_actors::ports::Journal;
use synthd_actors::task::Catalog;
use tokio::sync::watch;

/// Progress is told at most this often.
const PACE: Duration = Duration::from_millis(100);

/// What a client wants of the process as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Farewell {
    #[default]
    Stay,
    /// Let running episodes finish, then end.
    Finish,
    /// End at once; what runs is resumable.
    Now,
}

pub(super) struct EngineDesk {
    engine: Engine,
    catalog: Arc<Catalog>,
    about: About,
    farewell: watch::Sender<Farewell>,
    /// Set once the socket listens; it is part of what status says.
    control: OnceLock<ControlHandle>,
}

type Answer = Result<Value, Stop>;

impl EngineDesk {
    pub(super) fn new(
        engine: Engine,
        catalog: Arc<Catalog>,
        about: About,
        farewell: watch::Sender<Farewell>,
    ) -> Self {
        Self { engine, catalog, about, farewell, control: OnceLock::new() }
    }

    pub(super) fn attach(&self, control: ControlHandle) {
        // A second one would be the same.
        self.control.set(control).ok();
    }

    async fn submit(&self, submission: Submission, outlet: &mut Outlet) -> Answer {
        if self.about.mode == Mode::Foreground {
            return Err(Stop::from(
                Error::new(Code::ControlRefused, "this is `synthd run`, which runs one campaign")
                    .hint("start `synthd serve` on another data directory and submit there"),
            ));
        }
        let loaded = config::parse_campaign(&submission.name, &submission.source)
            .map_err(|errors| Stop::Refused(Box::new(listing(errors))))?;
        let config = Arc::new(loaded.config);
        let admitted = admit(&self.engine, &self.catalog, &config, loaded.source);
        let campaign = self.waiting(admitted, outlet, "preparing").await??;
        tracing::info!(campaign = %config.name, "a campaign was submitted");
        answer(&*campaign.progress().borrow())
    }

    async fn status(&self, only: Option<String>) -> Answer {
        let mut campaigns = self.standings().await?;
        if let Some(name) = &only {
            campaigns.retain(|standing| standing.progress.campaign.as_str() == name);
            if campaigns.is_empty() {
                return Err(self.unknown(name).await);
            }
        }
        let world = &self.engine.world;
        let handle = &self.engine.handle;
        answer(&Report {
            daemon: Process::of(&self.about, handle.running(), handle.is_draining()),
            campaigns,
            pool: world.pool.stats().await,
            collector: world.collector.stats().await,
            router: world.router.stats(),
            store: self.engine.store.stats(),
            control: match self.control.get() {
                Some(control) => control.stats().await,
                None => Default::default(),
            },
        })
    }

    /// Every campaign of the data directory, in the order of their names.
    async fn standings(&self) -> Result<Vec<Standing>, Error> {
        let mut standings = Vec::new();
        for record in self.engine.store.campaigns().await.map_err(store_error)? {
            standings.push(self.standing(&record).await?);
        }
        standings.sort_by(|a, b| a.progress.campaign.cmp(&b.progress.campaign));
        Ok(standings)
    }

    async fn standing(&self, record: &CampaignRecord) -> Result<Standing, Error> {
        if let Some(campaign) = self.engine.handle.campaign(&record.name) {
            let progress = campaign.progress().borrow().clone();
            return Ok(Standing { live: campaign.is_alive(), progress });
        }
        Ok(Standing { live: false, progress: self.stored(record).await? })
    }

    async fn stored(&self, record: &CampaignRecord) -> Result<Progress, Error> {
        let store = &self.engine.store;
        let episodes = store.episodes(&record.name).await.map_err(store_error)?;
        let datasets = store.datasets(&record.name).await.map_err(store_error)?;
        let newest = datasets.into_iter().max_by_key(|dataset| dataset.version);
        Ok(Progress::stored(record, &episodes, newest))
    }

    async fn watch(&self, name: Option<String>, outlet: &mut Outlet) -> Answer {
        let name = match name {
            Some(name) => CampaignName(name),
            None => self.only_live()?,
        };
        let Some(campaign) = self.engine.handle.campaign(&name) else {
            let record = self.record(&name).await?;
            return answer(&self.stored(&record).await?);
        };
        answer(&follow(&campaign, outlet).await?)
    }

    /// The campaign meant by a client that names none.
    fn only_live(&self) -> Result<CampaignName, Error> {
        let known = self.engine.handle.campaigns();
        let moving: Vec<&Progress> = known.iter().filter(|p| !is_over(p)).collect();
        match (moving.as_slice(), known.as_slice()) {
            ([one], _) => Ok(one.campaign.clone()),
            // The one it just ran is meant, too, by who comes a moment late.
            ([], [one]) => Ok(one.campaign.clone()),
            ([], _) => Err(Error::new(Code::ControlRefused, "no campaign is running")
                .hint("`synthd submit` starts one; `synthd status` lists those there are")),
            (several, _) => {
                let names: Vec<&str> = several.iter().map(|p| p.campaign.as_str()).collect();
                let what = format!("{} campaigns are running", several.len());
                let hint = format!("name one of {}", names.join(", "));
                Err(Error::new(Code::ControlRefused, what).hint(hint))
            }
        }
    }

    async fn pause(&self, name: CampaignName) -> Answer {
        let paused = match self.engine.handle.campaign(&name) {
            Some(campaign) => campaign.pause("paused by a client").await,
            None => false,
        };
        self.obeyed(name, paused, "paused").await
    }

    async fn resume(&self, name: CampaignName, outlet: &mut Outlet) -> Answer {
        let live = self.engine.handle.campaign(&name).filter(CampaignHandle::is_alive);
        if let Some(campaign) = live {
            let resumed = campaign.resume().await;
            return self.obeyed(name, resumed, "resumed").await;
        }
        let record = self.record(&name).await?;
        if !matches!(record.state, CampaignState::Paused | CampaignState::Stopped) {
            return self.obeyed(name, false, "resumed").await;
        }
        let revived = revive(&self.engine, &self.catalog, &record);
        self.waiting(revived, outlet, "preparing").await??;
        self.obeyed(name, true, "resumed").await
    }

    async fn cancel(&self, name: CampaignName) -> Answer {
        let live = self.engine.handle.campaign(&name).filter(CampaignHandle::is_alive);
        let cancelled = match live {
            Some(campaign) => campaign.cancel().await,
            None => self.cancel_stored(&name).await?,
        };
        self.obeyed(name, cancelled, "cancelled").await
    }

    /// A campaign that rests here without an actor has only its record to change.
    async fn cancel_stored(&self, name: &CampaignName) -> Result<bool, Stop> {
        let record = self.record(name).await?;
        if matches!(record.state, CampaignState::Complete | CampaignState::Cancelled) {
            return Ok(false);
        }
        let moved = Entry::CampaignMoved {
            campaign: name.clone(),
            state: CampaignState::Cancelled,
            reason: None,
        };
        let written = self.engine.world.collector.record(vec![moved]).await;
        Ok(written.map(|()| true).map_err(sandbox_error)?)
    }

    /// Says where the campaign stands now, or why it did not obey.
    async fn obeyed(&self, name: CampaignName, obeyed: bool, done: &str) -> Answer {
        let standing = self.standing(&self.record(&name).await?).await?;
        if obeyed {
            tracing::info!(campaign = %name, "{done} by a client");
            return answer(&standing);
        }
        let state = standing.progress.state.as_str();
        let what = format!("campaign {name} is {state} and cannot be {done}");
        Err(Stop::from(Error::new(Code::ControlRefused, what).hint(
            match standing.progress.state {
                CampaignState::Cancelled => "submit its file again to take it up once more",
                _ => "`synthd status` shows where every campaign stands",
            },
        )))
    }

    async fn drain(&self, outlet: &mut Outlet) -> Answer {
        tracing::info!("draining: a client asked for it");
        self.engine.handle.drain(false).await;
        self.waiting(self.engine.handle.rested(), outlet, "draining").await?;
        answer(&json!({ "drained": true, "campaigns": self.standings().await? }))
    }

    async fn shut_down(&self, now: bool, outlet: &mut Outlet) -> Answer {
        let wanted = if now { Farewell::Now } else { Farewell::Finish };
        // The more urgent wish stands.
        self.farewell.send_if_modified(|farewell| {
            let more = wanted > *farewell;
            *farewell = wanted.max(*farewell);
            more
        });
        self.engine.handle.drain(now).await;
        self.waiting(self.engine.handle.rested(), outlet, "shutting_down").await?;
        answer(&json!({ "shutting_down": true }))
    }

    /// Waits for work and tells the client now and then that it still does.
    async fn waiting<T>(
        &self,
        work: impl Future<Output = T>,
        outlet: &mut Outlet,
        doing: &str,
    ) -> Result<T, Gone> {
        tokio::pin!(work);
        loop {
            let beat = tokio::time::sleep(outlet.heartbeat());
            tokio::select! {
                done = &mut work => return Ok(done),
                () = beat => {
                    let running = self.engine.handle.running();
                    outlet.event(&json!({ "waiting": doing, "running": running })).await?;
                }
            }
        }
    }

    async fn record(&self, name: &CampaignName) -> Result<CampaignRecord, Stop> {
        let found = self.engine.store.campaign(name).await.map_err(store_error)?;
        match found {
            Some(record) => Ok(record),
            None => Err(self.unknown(name.as_str()).await),
        }
    }

    async fn unknown(&self, name: &str) -> Stop {
        let known = self.engine.store.campaigns().await.unwrap_or_default();
        let names: Vec<&str> = known.iter().take(10).map(|c| c.name.as_str()).collect();
        let hint = match names.as_slice() {
            [] => "there is none yet; `synthd submit` starts one".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        let shown: String = name.chars().take(80).collect();
        let what = format!("there is no campaign {shown:?} here");
        Stop::from(Error::new(Code::ControlRefused, what).hint(hint))
    }
}

#[async_trait]
impl Desk for EngineDesk {
    async fn serve(&self, order: Order, outlet: &mut Outlet) -> Answer {
        match order {
            Order::Submit(submission) => self.submit(submission, outlet).await,
            Order::Status(which) => self.status(which.campaign).await,
            Order::Watch(which) => self.watch(which.campaign, outlet).await,
            Order::Pause(named) => self.pause(CampaignName(named.campaign)).await,
            Order::Resume(named) => self.resume(CampaignName(named.campaign), outlet).await,
            Order::Cancel(named) => self.cancel(CampaignName(named.campaign)).await,
            Order::Drain(_) => self.drain(outlet).await,
            Order::Shutdown(shutdown) => self.shut_down(shutdown.now, outlet).await,
        }
    }
}

/// Tells of every change until the campaign is over; its last standing.
async fn follow(campaign: &CampaignHandle, outlet: &mut Outlet) -> Result<Progress, Stop> {
    let mut progress = campaign.progress();
    loop {
        let now = progress.borrow_and_update().clone();
        if is_over(&now) {
            return Ok(now);
        }
        outlet.event(&now).await?;
        tokio::time::sleep(PACE).await;
        tokio::select! {
            changed = progress.changed() => changed.map_err(|_| died(&now))?,
            () = tokio::time::sleep(outlet.heartbeat()) => {}
            () = outlet.closing() => return Ok(progress.borrow().clone()),
        }
    }
}

/// Whether nothing more will happen to a campaign by itself or by a client's `resume`.
pub fn is_over(progress: &Progress) -> bool {
    let waits = progress.state == CampaignState::Paused && !progress.escalated;
    progress.settled && !waits
}

fn died(progress: &Progress) -> Error {
    Error::new(Code::Escalated, format!("the actor of campaign {} died", progress.campaign))
        .hint("the daemon's log says why; submit the campaign again to resume it")
}

fn answer(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| {
        Stop::from(Error::new(Code::Unexpected, "the answer is not JSON").because(error))
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
