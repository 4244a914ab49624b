//! Writes the entries around the work: campaigns, their planned episodes, their template editions,
//! and their dataset versions. `apply` calls these functions inside a transaction. Each of them may
//! be repeated without effect.

use crate::store::error::StoreError;
use crate::store::writing::apply::{ApplyOutcome, StoreResult, json, whole};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use synthd_actors::model::{
    CampaignName, CampaignRecord, CampaignState, DatasetRecord, PlannedEpisode, TemplateEdition,
};

/// Inserts a campaign, or opens it again. A campaign that is opened again keeps its state and its
/// age. It takes the new configuration, images, price table and sampling parameters, because its
/// budget or its plan may have grown. It is refused if the identity differs: then it is another
/// campaign with the same name. Only a record of an older synthd, which has no sampling parameters
/// beside its identity, gets a new identity.
pub(super) fn open_campaign(conn: &Connection, record: &CampaignRecord) -> StoreResult {
    let name = record.name.as_str();
    // No row is changed if the identity differs. This is how the difference is noticed.
    let kept = conn
        .prepare_cached(
            "INSERT INTO campaign (name, identity, config, state, reason, created_at_ms, images,
                 price_table, sampling, kind)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (name) DO UPDATE SET config = excluded.config, images = excluded.images,
                 price_table = excluded.price_table, identity = excluded.identity,
                 sampling = coalesce(excluded.sampling, sampling)
             WHERE identity = excluded.identity
                 OR (sampling IS NULL AND excluded.sampling IS NOT NULL)",
        )?
        .execute(params![
            name,
            record.identity,
            record.config,
            record.state.as_str(),
            record.reason,
            record.created_at_ms,
            json(&record.images)?,
            record.price_table,
            record.sampling.as_ref().map(json).transpose()?,
            record.kind.as_str()
        ])?;
    if kept == 0 {
        let what = format!("a campaign named {name} with other settings is stored already");
        return Err(StoreError::refused(what));
    }
    // A new sum begins with the charges of this campaign without a hold: a restored store may have
    // been charged for a campaign that it had lost.
    conn.prepare_cached(
        "INSERT INTO ledger (campaign, spent) VALUES (?1, (SELECT coalesce(sum(after), 0)
             FROM adjustment WHERE hold IS NULL AND campaign = ?2)) ON CONFLICT DO NOTHING",
    )?
    .execute(params![campaign_key(conn, &record.name)?, name])?;
    Ok(ApplyOutcome::Kept)
}

/// Sets the state of a campaign and the reason for it.
pub(super) fn move_campaign(
    conn: &Connection,
    name: &CampaignName,
    state: CampaignState,
    reason: Option<&str>,
) -> StoreResult {
    let key = campaign_key(conn, name)?;
    conn.prepare_cached("UPDATE campaign SET state = ?2, reason = ?3 WHERE key = ?1")?
        .execute(params![key, state.as_str(), reason])?;
    Ok(ApplyOutcome::Kept)
}

/// Stores the editions of templates that a campaign uses from now on. Each one replaces the earlier
/// edition of the same template.
pub(super) fn use_editions(
    conn: &Connection,
    name: &CampaignName,
    editions: &[TemplateEdition],
) -> StoreResult {
    let key = campaign_key(conn, name)?;
    let mut write = conn.prepare_cached(
        "INSERT INTO edition (campaign, template, digest, files, tasks) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (campaign, template) DO UPDATE SET digest = excluded.digest,
             files = excluded.files, tasks = excluded.tasks",
    )?;
    for one in editions {
        let files = json(&one.files)?;
        write.execute(params![key, one.template, one.digest, files, one.tasks])?;
    }
    Ok(ApplyOutcome::Kept)
}

/// Inserts planned episodes. An episode with the same id stays as it is.
pub(super) fn add_episodes(conn: &Connection, episodes: &[PlannedEpisode]) -> StoreResult {
    let mut add = conn.prepare_cached(
        "INSERT INTO episode (id, campaign, ordinal, task, template, task_index, category,
             difficulty, model, scaffold, draw_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
    )?;
    // The campaign of the episode before, with its key. A plan usually has one campaign.
    let mut last: Option<(&CampaignName, i64)> = None;
    for plan in episodes {
        let campaign = match last {
            Some((name, key)) if *name == plan.campaign => key,
            _ => campaign_key(conn, &plan.campaign)?,
        };
        last = Some((&plan.campaign, campaign));
        add_episode(conn, &mut add, campaign, plan)?;
    }
    Ok(ApplyOutcome::Kept)
}

/// Inserts one episode and its progress. Refused if its place in the plan is taken by another one.
fn add_episode(
    conn: &Connection,
    add: &mut CachedStatement<'_>,
    campaign: i64,
    plan: &PlannedEpisode,
) -> StoreResult<()> {
    let new = add
        .execute(params![
            plan.id.as_str(),
            campaign,
            whole(plan.ordinal)?,
            plan.task.as_str(),
            plan.template,
            plan.index,
            plan.category,
            plan.difficulty,
            plan.model,
            plan.scaffold,
            plan.reason
        ])
        .map_err(|error| collision(error, plan))?;
    // An episode that is planned already has its progress, which must not be reset.
    if new == 1 {
        conn.prepare_cached("INSERT INTO progress (episode) VALUES (?1)")?
            .execute([conn.last_insert_rowid()])?;
    }
    Ok(())
}

/// The error for an episode that could not be inserted.
fn collision(error: rusqlite::Error, plan: &PlannedEpisode) -> StoreError {
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return error.into();
    }
    StoreError::refused(format!(
        "episode {} cannot be planned at place {} of {}: another one is there",
        plan.id, plan.ordinal, plan.campaign
    ))
}

/// Inserts a dataset version, or updates its record. The record may change, because the directory
/// may have been moved with its data directory. It is refused if the digest differs: a version is
/// immutable.
pub(super) fn add_dataset(conn: &Connection, record: &DatasetRecord) -> StoreResult {
    let campaign = campaign_key(conn, &record.campaign)?;
    let text = json(record)?;
    // No row is changed if the digest differs.
    let kept = conn
        .prepare_cached(
            "INSERT INTO dataset (campaign, version, record) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET record = excluded.record
             WHERE json_extract(record, '$.digest') = json_extract(excluded.record, '$.digest')",
        )?
        .execute(params![campaign, record.version, text])?;
    if kept == 1 {
        return Ok(ApplyOutcome::Kept);
    }
    let DatasetRecord { campaign, version, .. } = record;
    Err(StoreError::refused(format!("version {version} of {campaign} is written already")))
}

/// The row key of a campaign. Refused if there is no campaign with this name.
fn campaign_key(conn: &Connection, name: &CampaignName) -> StoreResult<i64> {
    conn.prepare_cached("SELECT key FROM campaign WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::refused(format!("there is no campaign {name}")))
}
