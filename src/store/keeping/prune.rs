//! `synthd store prune`: removes what the rules of retention do not keep.
//!
//! ```text
//! campaign that has ended ──► its episodes that have ended ──► parts that are over
//!     ▲                                                              │ 32 at a time
//!     └────────── looked at again in each transaction ◄──────────────┘
//! ```
//! Each transaction removes parts and records their removal, so a kill leaves every part whole or gone, and the
//! next prune goes on. Nothing is removed of a campaign that may go on, of a row of a dataset, or of the record
//! of money. Kept workspaces are files beside the store; they go after the transactions.

use crate::error::{Error, Result};
use crate::store::error::StoreError;
use crate::store::keeping::maintenance::MaintenanceAccess;
use crate::store::keeping::prune_parts::{self, PartToPrune};
use crate::store::keeping::pruned::{self, PrunedPart};
use crate::store::open;
use crate::store::writing::apply::StoreResult;
use crate::workspaces::{KeptWorkspace, kept_workspaces};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use synthd_actors::model::RetentionRules;

/// How many parts one transaction removes. An engine waits for as long.
pub(super) const AT_ONCE: usize = 32;

/// The rules of one campaign, and what the store does not know of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CampaignRetention {
    pub rules: RetentionRules,
    /// Whether a recipe has made a dataset of its rows.
    pub is_source: bool,
}

/// What the user asks for.
pub struct PruneRequest<'a> {
    pub data_dir: &'a Path,
    /// By the campaign's name. A campaign that is not here is left as it is.
    pub campaigns: &'a BTreeMap<String, CampaignRetention>,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Milliseconds since 1970, UTC.
    pub now_ms: i64,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    pub dry_run: bool,
    pub campaigns: Vec<PrunedCampaign>,
    /// Of all campaigns.
    pub workspaces: PruneCount,
}

/// What was removed of one campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrunedCampaign {
    pub campaign: String,
    pub turns: PruneCount,
    pub calls: PruneCount,
    /// Episodes whose turns stay only because a dataset was made of their rows.
    pub in_datasets: u64,
    /// Why nothing was removed, such as `running`.
    pub left: Option<String>,
}

/// How many things, and how many bytes they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneCount {
    pub count: u64,
    pub bytes: u64,
}

impl PruneCount {
    /// Counts one more.
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// Applies the rules. `progress` is told how many of how many episodes of a campaign were looked at.
pub fn prune(request: &PruneRequest<'_>, progress: &dyn Fn(&str, u64, u64)) -> Result<PruneReport> {
    let dir = request.data_dir;
    if request.dry_run {
        open::check_readable(dir)?;
        let conn = open::reader(&open::database(dir)).map_err(|error| error.on_open(dir))?;
        let looked = Pruning { request, progress }.look(&conn);
        return looked.map_err(|error| error.on_open(dir));
    }
    let mut access = MaintenanceAccess::open(dir)?;
    let done = Pruning { request, progress }.run(access.conn());
    // Also after a failure: what was removed is recorded.
    let closed = access.close(dir);
    let report = done.map_err(|error| unpruned(dir, error))?;
    closed.map(|()| report)
}

/// The error for a prune that did not end.
fn unpruned(dir: &Path, error: StoreError) -> Error {
    error.on_open(dir).hint("what was removed is recorded; the same command goes on")
}

/// One prune.
struct Pruning<'a> {
    request: &'a PruneRequest<'a>,
    progress: &'a dyn Fn(&str, u64, u64),
}

impl Pruning<'_> {
    /// Says what would be removed.
    fn look(&self, conn: &Connection) -> StoreResult<PruneReport> {
        let mut report = PruneReport { dry_run: true, ..PruneReport::default() };
        let mut emptied = BTreeSet::new();
        for (name, retention) in self.request.campaigns {
            let (found, parts) = self.parts(conn, name, retention)?;
            let Some(mut found) = found else { continue };
            parts.iter().for_each(|part| found.count(part, &mut emptied));
            report.campaigns.push(found);
        }
        for workspace in self.workspaces(conn, &report.campaigns, &emptied)? {
            report.workspaces.add(workspace.bytes);
        }
        Ok(report)
    }

    /// Removes it.
    fn run(&self, conn: &mut Connection) -> StoreResult<PruneReport> {
        let mut report = PruneReport::default();
        let mut emptied = BTreeSet::new();
        for (name, retention) in self.request.campaigns {
            let (found, parts) = self.parts(conn, name, retention)?;
            let Some(mut found) = found else { continue };
            for some in parts.chunks(AT_ONCE) {
                if !self.remove(conn, name, some)? {
                    found.left = Some("it goes on".to_owned());
                    break;
                }
                some.iter().for_each(|part| found.count(part, &mut emptied));
            }
            report.campaigns.push(found);
        }
        for workspace in self.workspaces(conn, &report.campaigns, &emptied)? {
            if workspace.remove()? {
                report.workspaces.add(workspace.bytes);
            }
        }
        Ok(report)
    }

    /// What the rules remove of a campaign. Without a campaign of this name, nothing.
    fn parts(
        &self,
        conn: &Connection,
        name: &str,
        retention: &CampaignRetention,
    ) -> StoreResult<(Option<PrunedCampaign>, Vec<PartToPrune>)> {
        let Some((key, state)) = campaign(conn, name)? else { return Ok((None, Vec::new())) };
        let mut found = PrunedCampaign { campaign: name.to_owned(), ..Default::default() };
        if !has_ended(&state) {
            found.left = Some(state);
            return Ok((Some(found), Vec::new()));
        }
        let (rules, now_ms) = (&retention.rules, self.request.now_ms);
        let episodes = prune_parts::ended(conn, key, retention.is_source)?;
        let (mut parts, all) = (Vec::new(), episodes.len() as u64);
        for (at, episode) in (1..).zip(&episodes) {
            parts.extend(episode.unwanted(conn, rules, now_ms)?);
            found.in_datasets += u64::from(episode.stays_for_dataset(rules, now_ms));
            (self.progress)(name, at, all);
        }
        Ok((Some(found), parts))
    }

    /// Removes some parts in one transaction. False, and nothing is removed, if the campaign goes on meanwhile
    /// or a dataset was made of it.
    fn remove(
        &self,
        conn: &mut Connection,
        name: &str,
        parts: &[PartToPrune],
    ) -> StoreResult<bool> {
        let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((key, state)) = campaign(&step, name)? else { return Ok(false) };
        if !has_ended(&state) || has_new_dataset(&step, key, parts)? {
            return Ok(false);
        }
        for part in parts {
            part.remove(&step, self.request.now_ms)?;
        }
        step.commit()?;
        Ok(true)
    }

    /// The kept workspaces that go: those of episodes without turns, and those that are too old. A workspace of
    /// a campaign that may go on stays. `emptied` are episodes whose turns have just gone, or would go; a prune
    /// that was cut off may have left others.
    fn workspaces(
        &self,
        conn: &Connection,
        campaigns: &[PrunedCampaign],
        emptied: &BTreeSet<String>,
    ) -> StoreResult<Vec<KeptWorkspace>> {
        let ended = campaigns.iter().filter(|found| found.left.is_none());
        let ended: Vec<&str> = ended.map(|found| found.campaign.as_str()).collect();
        let mut gone = Vec::new();
        for kept in kept_workspaces(self.request.data_dir)? {
            let Some(name) = campaign_of(conn, &kept.episode)? else { continue };
            let Some(retention) = self.request.campaigns.get(&name) else { continue };
            let is_old = retention
                .rules
                .workspaces
                .is_some_and(|age| age.is_over(kept.modified_ms, self.request.now_ms));
            let without_turns = || -> StoreResult<bool> {
                let gone = pruned::of_episode(conn, &kept.episode)?;
                Ok(emptied.contains(&kept.episode)
                    || gone.iter().any(|record| record.part == PrunedPart::Turns))
            };
            if ended.contains(&name.as_str()) && (is_old || without_turns()?) {
                gone.push(kept);
            }
        }
        Ok(gone)
    }
}

impl PrunedCampaign {
    /// Counts a part. Episodes that lose their turns are added to `emptied`.
    fn count(&mut self, part: &PartToPrune, emptied: &mut BTreeSet<String>) {
        match part.part {
            PrunedPart::Turns => {
                self.turns.add(part.bytes);
                emptied.insert(part.id.clone());
            }
            PrunedPart::Calls => self.calls.add(part.bytes),
        }
    }
}

/// The key and the state of a campaign.
pub(super) fn campaign(conn: &Connection, name: &str) -> StoreResult<Option<(i64, String)>> {
    let mut statement = conn.prepare_cached("SELECT key, state FROM campaign WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Whether a campaign in this state goes on only if somebody gives its file again.
pub(super) fn has_ended(state: &str) -> bool {
    matches!(state, "complete" | "cancelled")
}

/// Whether one of the parts has become a part of a dataset since it was chosen.
fn has_new_dataset(conn: &Connection, campaign: i64, parts: &[PartToPrune]) -> StoreResult<bool> {
    for part in parts {
        if part.is_in_dataset(conn, campaign)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The campaign of an episode.
fn campaign_of(conn: &Connection, episode: &str) -> StoreResult<Option<String>> {
    let sql = "SELECT name FROM campaign JOIN episode ON episode.campaign = campaign.key
        WHERE episode.id = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([episode], |row| row.get(0)).optional()?)
}
