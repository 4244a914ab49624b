//! Queries: rows become records. Each function here answers one method of `Store`, on a connection
//! of the `ReaderPool`.
//!
//! An archive with an older schema is read too (from `READ_FROM` on), so a query checks whether a
//! newer table or view exists before it uses it. Only [`spending`] does not check: it is asked
//! before calls are made, so the store was opened for writing and has the newest schema. A row that
//! does not decode is an error of the kind `Unreadable`.

use crate::error::Code;
use crate::store::blob;
use crate::store::error::StoreError;
use crate::store::keeping::pruned;
use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, Params, Row, params};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use synthd_actors::model::{
    AttemptNumber, AttemptRecord, CampaignName, CampaignRecord, CampaignState, CostOverrun,
    DatasetRecord, EpisodeId, EpisodeRecord, Money, PlannedEpisode, Reverification, RowDecision,
    RowRecord, RowRejection, SpendingTotals, TaskId, TemplateEdition, Turn, Usage, WorkName,
    day_of, day_that_counts,
};
use synthd_actors::model::{CampaignCounts, EpisodeCounts, RowCounts, TokenCounts};
use synthd_actors::quality::TurnParts;

/// The query for the columns that [`campaign_of`] reads, for the schema of this store. An older
/// schema has no sampling parameters, and trajectories only.
fn campaign_sql(conn: &Connection) -> StoreResult<String> {
    let sql = "SELECT 1 FROM pragma_table_info('campaign') WHERE name = ?1";
    let mut has = conn.prepare_cached(sql)?;
    let sampling = if has.exists(["sampling"])? { "sampling" } else { "NULL" };
    let kind = if has.exists(["kind"])? { "kind" } else { "'trajectories'" };
    Ok(format!(
        "SELECT name, identity, config, state, reason, created_at_ms, images, price_table,
             {sampling}, {kind}
         FROM campaign"
    ))
}

/// Whether the store records which calls were counted. An archive with an older schema does not.
fn says_what_is_counted(conn: &Connection) -> StoreResult<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'uncounted'";
    Ok(conn.prepare_cached(sql)?.exists([])?)
}

/// The query [`EPISODE`] for the schema of this store. An older schema gives zero uncounted calls, and
/// no reasons of choices.
fn episode_sql(conn: &Connection) -> StoreResult<String> {
    let uncounted = match says_what_is_counted(conn)? {
        true => "(SELECT calls FROM uncounted WHERE uncounted.episode = episode.key)",
        false => "0",
    };
    let has_reason = "SELECT 1 FROM pragma_table_info('episode') WHERE name = 'draw_reason'";
    let reason = match conn.prepare_cached(has_reason)?.exists([])? {
        true => "draw_reason",
        false => "NULL",
    };
    Ok(EPISODE.replace("{uncounted}", uncounted).replace("{reason}", reason))
}

/// The query for the columns that [`episode_of`] reads. `{uncounted}` and `{reason}` are replaced
/// before it is used.
const EPISODE: &str = "
    SELECT id, name, episode.ordinal, task, template, task_index, category, difficulty, model,
        scaffold, progress.attempt, failed_attempts, outcome.body, 
        CASE WHEN judged.episode IS NOT NULL THEN judged.rejected IS NOT NULL END,
        now.steps, now.input_tokens, now.output_tokens, now.cost, fingerprint, started_at_ms,
        finished_at_ms, {uncounted}, {reason}
    FROM episode
    JOIN campaign ON campaign.key = episode.campaign
    JOIN progress ON progress.episode = episode.key
    JOIN figures AS now ON now.episode = episode.key
    LEFT JOIN outcome ON outcome.episode = episode.key
    LEFT JOIN judged ON judged.episode = episode.key";

/// The campaign with this name. None if there is none.
pub(super) fn campaign(
    conn: &Connection,
    name: &CampaignName,
) -> StoreResult<Option<CampaignRecord>> {
    let sql = format!("{} WHERE name = ?1", campaign_sql(conn)?);
    Ok(collect(conn, &sql, [name.as_str()], campaign_of)?.pop())
}

/// All campaigns, oldest first.
pub(super) fn campaigns(conn: &Connection) -> StoreResult<Vec<CampaignRecord>> {
    collect(conn, &format!("{} ORDER BY key", campaign_sql(conn)?), [], campaign_of)
}

/// The editions of templates that a campaign makes its tasks from. Empty for a store with an older
/// schema.
pub(super) fn editions(
    conn: &Connection,
    campaign: &CampaignName,
) -> StoreResult<Vec<TemplateEdition>> {
    let has: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'edition'", [], |row| {
            row.get(0)
        })?;
    if has == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT template, digest, files, tasks FROM edition
        JOIN campaign ON campaign.key = edition.campaign WHERE name = ?1 ORDER BY template";
    collect(conn, sql, [campaign.as_str()], edition_of)
}

/// Reads one row of the table `edition`.
fn edition_of(row: &Row<'_>) -> StoreResult<TemplateEdition> {
    let files: String = row.get(2)?;
    let files = serde_json::from_str(&files)
        .map_err(|e| StoreError::unreadable(format!("the files of a template: {e}")))?;
    Ok(TemplateEdition { template: row.get(0)?, digest: row.get(1)?, files, tasks: row.get(3)? })
}

/// All planned episodes of a campaign, in the order of the plan.
pub(super) fn episodes(
    conn: &Connection,
    campaign: &CampaignName,
) -> StoreResult<Vec<EpisodeRecord>> {
    let sql = format!("{} WHERE name = ?1 ORDER BY episode.ordinal", episode_sql(conn)?);
    collect(conn, &sql, [campaign.as_str()], episode_of)
}

/// The episode with this id. None if it is not planned.
pub(super) fn episode(conn: &Connection, id: &EpisodeId) -> StoreResult<Option<EpisodeRecord>> {
    let sql = format!("{} WHERE id = ?1", episode_sql(conn)?);
    Ok(collect(conn, &sql, [id.as_str()], episode_of)?.pop())
}

/// The attempts of an episode, oldest first. The cost of an attempt does not include turns that it
/// inherited from the attempt it resumed. The attempt with the outcome has ended when its episode did.
pub(super) fn attempts(conn: &Connection, episode: &EpisodeId) -> StoreResult<Vec<AttemptRecord>> {
    let sql = "
        SELECT attempt.attempt, attempt.resumed_from, fault, count(step.key),
            COALESCE(SUM(step.cost) FILTER (WHERE NOT inherited), 0), attempt.started_at_ms,
            COALESCE(ended_at_ms, CASE attempt.key WHEN attempt_key THEN finished_at_ms END)
        FROM episode
        JOIN progress ON progress.episode = episode.key
        JOIN attempt ON attempt.episode = episode.key
        LEFT JOIN step ON step.attempt = attempt.key
        WHERE id = ?1 GROUP BY attempt.key ORDER BY attempt.attempt";
    collect(conn, sql, [episode.as_str()], attempt_of)
}

/// The turns of one attempt, in order. Empty if a rule of retention has removed them.
pub(super) fn turns(
    conn: &Connection,
    episode: &EpisodeId,
    attempt: AttemptNumber,
) -> StoreResult<Vec<Turn>> {
    let sql = "
        SELECT body FROM episode
        JOIN attempt ON attempt.episode = episode.key
        JOIN step ON step.attempt = attempt.key
        WHERE id = ?1 AND attempt.attempt = ?2 AND length(body) > 0 ORDER BY step";
    collect(conn, sql, params![episode.as_str(), attempt.0], |row| body_of(row, 0))
}

/// The judged rows of a campaign in the order of the plan: at most `limit`, and only those whose
/// ordinal is greater than `after`. None for `after` begins at the first row.
pub(super) fn rows(
    conn: &Connection,
    campaign: &CampaignName,
    after: Option<u64>,
    limit: usize,
) -> StoreResult<Vec<RowRecord>> {
    let sql = format!(
        "SELECT body, {}, {} FROM campaign JOIN judged ON judged.campaign = campaign.key
         WHERE name = ?1 AND ordinal > ?2 ORDER BY ordinal LIMIT ?3",
        turns_of(conn)?,
        newest_reverification(conn)?
    );
    // Ordinals begin at zero, so -1 comes before all of them.
    let after = after.map_or(-1, |ordinal| i64::try_from(ordinal).unwrap_or(i64::MAX));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = params![campaign.as_str(), after, limit];
    collect(conn, &sql, found, |row| judged_row(conn, row))
}

/// The judged row of an episode. None before the episode is judged.
pub(super) fn row(conn: &Connection, episode: &EpisodeId) -> StoreResult<Option<RowRecord>> {
    let sql = format!(
        "SELECT body, {}, {} FROM episode JOIN judged ON judged.episode = episode.key
         WHERE id = ?1",
        turns_of(conn)?,
        newest_reverification(conn)?
    );
    Ok(collect(conn, &sql, [episode.as_str()], |row| judged_row(conn, row))?.pop())
}

/// The column with the attempt whose turns complete a row. An older schema stores whole rows only.
fn turns_of(conn: &Connection) -> StoreResult<&'static str> {
    let sql = "SELECT 1 FROM pragma_table_info('judged') WHERE name = 'turns_of'";
    Ok(if conn.prepare_cached(sql)?.exists([])? { "turns_of" } else { "NULL" })
}

/// The query of all judged rows, for [`judged_row`]. The key of the episode is the fourth column.
pub(super) fn all_rows(conn: &Connection) -> StoreResult<String> {
    let (turns_of, newest) = (turns_of(conn)?, newest_reverification(conn)?);
    Ok(format!("SELECT body, {turns_of}, {newest}, episode FROM judged"))
}

/// Whether the store can have later verdicts. An archive with an older schema cannot.
pub(super) fn has_reverifications(conn: &Connection) -> StoreResult<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'reverification'";
    Ok(conn.prepare_cached(sql)?.exists([])?)
}

/// The column with the newest later verdict on the episode of a judged row.
fn newest_reverification(conn: &Connection) -> StoreResult<&'static str> {
    Ok(match has_reverifications(conn)? {
        true => {
            "(SELECT again.body FROM reverification AS again
              WHERE again.episode = judged.episode ORDER BY again.key DESC LIMIT 1)"
        }
        false => "NULL",
    })
}

/// The later verdicts on the episodes of a campaign, in the order in which they were reached.
pub(super) fn reverifications(
    conn: &Connection,
    campaign: &CampaignName,
) -> StoreResult<Vec<Reverification>> {
    later_verdicts(conn, "campaign.name", campaign.as_str())
}

/// The later verdicts on one episode, in the order in which they were reached.
pub(super) fn reverifications_of(
    conn: &Connection,
    episode: &EpisodeId,
) -> StoreResult<Vec<Reverification>> {
    later_verdicts(conn, "episode.id", episode.as_str())
}

/// The later verdicts where a column has this value.
fn later_verdicts(
    conn: &Connection,
    column: &str,
    value: &str,
) -> StoreResult<Vec<Reverification>> {
    if !has_reverifications(conn)? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT reverification.body FROM reverification
         JOIN episode ON episode.key = reverification.episode
         JOIN campaign ON campaign.key = episode.campaign
         WHERE {column} = ?1 ORDER BY reverification.key"
    );
    collect(conn, &sql, [value], |row| body_of(row, 0))
}

/// Reads a row from the body and the attempt of its turns, and makes the parts again that the turns
/// hold. The newest later verdict is added to it.
pub(super) fn judged_row(conn: &Connection, found: &Row<'_>) -> StoreResult<RowRecord> {
    let mut record: RowRecord = body_of(found, 0)?;
    if let Some(attempt) = found.get::<_, Option<i64>>(1)? {
        match pruned::rule_of_turns(conn, attempt)? {
            Some(rule) => leave_out(&mut record, &rule),
            None => put_turns(conn, attempt, &mut record)?,
        }
    }
    if let (Some(body), Some(row)) =
        (found.get::<_, Option<Vec<u8>>>(2)?, record.row.as_trajectory_mut())
    {
        row.reverified = Some(blob::decode::<Reverification>(&body)?.row());
    }
    Ok(record)
}

/// Makes the parts of a row again that the turns of the attempt hold.
fn put_turns(conn: &Connection, attempt: i64, record: &mut RowRecord) -> StoreResult<()> {
    let Some(row) = record.row.as_trajectory_mut() else { return Ok(()) };
    let sql = "SELECT body FROM step WHERE attempt = ?1 ORDER BY step";
    let turns: Vec<Turn> = collect(conn, sql, [attempt], |row| body_of(row, 0))?;
    let calls: i64 = turns.iter().map(|turn| i64::from(turn.calls)).sum();
    if row.calls.is_some_and(|recorded| recorded != calls) {
        return Err(StoreError::unreadable("the turns of a row are not all there"));
    }
    TurnParts::of(&turns, row.verification.score).put(row);
    Ok(())
}

/// A row whose turns were removed by a rule of retention stays without them, so no dataset may have it.
fn leave_out(record: &mut RowRecord, rule: &str) {
    record.rejected.get_or_insert_with(|| RowRejection {
        stage: "pruned".to_owned(),
        detail: format!("its turns were removed by the rule `{rule}` of [retention]"),
    });
}

/// The dataset versions of a campaign, oldest first.
pub(super) fn datasets(
    conn: &Connection,
    campaign: &CampaignName,
) -> StoreResult<Vec<DatasetRecord>> {
    let sql = "
        SELECT record FROM campaign JOIN dataset ON dataset.campaign = campaign.key
        WHERE name = ?1 ORDER BY version";
    collect(conn, sql, [campaign.as_str()], |row| json_of(&row.get::<_, String>(0)?))
}

/// The sum of a campaign: settled money, and each open hold in full. Zero if there is no campaign.
pub(super) fn spent(conn: &Connection, campaign: &CampaignName) -> StoreResult<Money> {
    let sql = "
        SELECT spent FROM campaign JOIN ledger ON ledger.campaign = campaign.key WHERE name = ?1";
    let found = collect(conn, sql, [campaign.as_str()], |row| money_of(row, 0))?;
    Ok(found.into_iter().sum())
}

/// The sum of a campaign, split by what the money was spent on. `day` is today as a number of days
/// since 1970, UTC. A settled hold counts with its cost, and an open hold counts in full.
pub(super) fn spending(
    conn: &Connection,
    campaign: &CampaignName,
    day: i64,
) -> StoreResult<SpendingTotals> {
    // The sum of the holds of a query. The caller appends more joins and the condition.
    const OF: &str = "sum(coalesce(settled, amount)) FROM hold
        JOIN campaign ON campaign.key = hold.campaign";
    let name = campaign.as_str();
    const DAY_MS: i64 = 86_400_000;
    let bounds = params![name, day.saturating_mul(DAY_MS)];
    let newest = "
        SELECT max(at_ms) FROM hold JOIN campaign ON campaign.key = hold.campaign WHERE name = ?1";
    let newest: Vec<Option<i64>> = collect(conn, newest, [name], |row| Ok(row.get(0)?))?;
    let counts = day_that_counts(day, newest.into_iter().flatten().map(day_of).max());
    // Records with a later time come from a clock that was ahead. They count for today, so the
    // condition has no upper limit.
    let today = "
        SELECT (SELECT coalesce(sum(coalesce(settled, amount)), 0) FROM hold
                JOIN campaign ON campaign.key = hold.campaign
                WHERE name = ?1 AND at_ms >= ?2)
            + (SELECT coalesce(sum(after), 0) FROM adjustment
                WHERE hold IS NULL AND campaign = ?1 AND at_ms >= ?2)";
    let today: Vec<Money> = collect(conn, today, bounds, |row| money_of(row, 0))?;
    let models = format!("SELECT model, {OF} WHERE name = ?1 AND model IS NOT NULL GROUP BY model");
    let models = collect(conn, &models, [name], |row| Ok((row.get(0)?, money_of(row, 1)?)))?;
    // Charges without a hold. Nobody knows for which model or episode the money was spent.
    let unexplained =
        "SELECT coalesce(sum(after), 0) FROM adjustment WHERE hold IS NULL AND campaign = ?1";
    let unexplained: Vec<Money> = collect(conn, unexplained, [name], |row| money_of(row, 0))?;
    const UNFINISHED: &str = "name = ?1
        AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.episode = episode.key)";
    let episodes = format!(
        "SELECT episode.id, {OF} JOIN episode ON episode.key = hold.episode
         WHERE {UNFINISHED} GROUP BY episode.id"
    );
    // A call is answered if its record has no fault. A call may have a hold and no record. It was
    // answered if it was settled for another amount than its hold, and if nobody has corrected the
    // hold. A call that was not answered counts in full. The id of a call is the id of its hold
    // without the part `@EPOCH`.
    let unanswered = format!(
        "SELECT episode.id, {OF} JOIN episode ON episode.key = hold.episode
         LEFT JOIN call ON call.id = CASE instr(hold.id, '@') WHEN 0 THEN hold.id
             ELSE substr(hold.id, 1, instr(hold.id, '@') - 1) END
         WHERE {UNFINISHED} AND CASE
             WHEN call.id IS NULL THEN settled IS NULL OR settled = amount
                 OR EXISTS (SELECT 1 FROM adjustment WHERE adjustment.hold = hold.id)
             ELSE call.fault IS NOT NULL END
         GROUP BY episode.id"
    );
    let of_episodes = |sql: &str| {
        collect(conn, sql, [name], |row| Ok((EpisodeId(row.get(0)?), money_of(row, 1)?)))
    };
    let (episodes, unanswered) = (of_episodes(&episodes)?, of_episodes(&unanswered)?);
    // The oldest hold that cost more than its worst case and that nobody has corrected.
    let overrun = "
        SELECT id, amount, settled FROM hold JOIN campaign ON campaign.key = hold.campaign
        WHERE name = ?1 AND settled > amount
            AND NOT EXISTS (SELECT 1 FROM adjustment WHERE adjustment.hold = hold.id)
        ORDER BY hold.at_ms LIMIT 1";
    let overrun = collect(conn, overrun, [name], |row| {
        Ok(CostOverrun { hold: row.get(0)?, held: money_of(row, 1)?, cost: money_of(row, 2)? })
    })?;
    Ok(SpendingTotals {
        overrun: overrun.into_iter().next(),
        total: spent(conn, campaign)?,
        models: models.into_iter().collect(),
        unexplained: unexplained.into_iter().sum(),
        day: (counts, today.into_iter().sum()),
        episodes: episodes.into_iter().collect(),
        unanswered: unanswered.into_iter().collect(),
    })
}

/// What SQLite finds wrong with the database file. Empty if the file is sound.
pub(super) fn integrity(conn: &Connection) -> StoreResult<Vec<String>> {
    // A file may be too damaged even for the check. This is a finding, and not a failure of the
    // check.
    inspect(conn).or_else(|error| match error.code() {
        Code::StoreDamaged => Ok(vec![error.to_string()]),
        _ => Err(error),
    })
}

/// Checks all pages and indexes, and then that each reference between rows has its target.
fn inspect(conn: &Connection) -> StoreResult<Vec<String>> {
    let mut findings = collect(conn, "PRAGMA integrity_check", [], |row| Ok(row.get(0)?))?;
    findings.retain(|finding: &String| finding != "ok");
    let orphan = |row: &Row<'_>| Ok(format!("a row of {} has no parent", row.get::<_, String>(0)?));
    findings.extend(collect(conn, "PRAGMA foreign_key_check", [], orphan)?);
    Ok(findings)
}

/// Runs a query and reads each row with `read`. The first row that cannot be read ends it with an
/// error.
fn collect<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Reads one row of the query of [`campaign_sql`].
fn campaign_of(row: &Row<'_>) -> StoreResult<CampaignRecord> {
    Ok(CampaignRecord {
        name: CampaignName(row.get(0)?),
        kind: kind_of(&row.get::<_, String>(9)?)?,
        identity: row.get(1)?,
        config: row.get(2)?,
        state: state_of(&row.get::<_, String>(3)?)?,
        reason: row.get(4)?,
        created_at_ms: row.get(5)?,
        images: texts_of(&row.get::<_, String>(6)?, "images")?,
        price_table: row.get(7)?,
        sampling: (row.get::<_, Option<String>>(8)?)
            .map(|text| texts_of(&text, "sampling parameters"))
            .transpose()?,
    })
}

/// Parses a JSON object of strings. `what` says what of a campaign it has.
fn texts_of(text: &str, what: &str) -> StoreResult<BTreeMap<String, String>> {
    serde_json::from_str(text)
        .map_err(|e| StoreError::unreadable(format!("a campaign's {what}: {e}")))
}

/// The kind of work with this stored name.
fn kind_of(text: &str) -> StoreResult<WorkName> {
    let mut kinds = WorkName::ALL.into_iter();
    kinds
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| StoreError::unreadable(format!("kind of work {text:?}")))
}

/// The campaign state with this stored name.
fn state_of(text: &str) -> StoreResult<CampaignState> {
    use CampaignState::{Cancelled, Complete, Paused, Running, Stopped};
    [Running, Paused, Stopped, Cancelled, Complete]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| StoreError::unreadable(format!("campaign state {text:?}")))
}

/// Reads one row of the query [`EPISODE`].
fn episode_of(row: &Row<'_>) -> StoreResult<EpisodeRecord> {
    Ok(EpisodeRecord {
        plan: plan_of(row)?,
        attempt: AttemptNumber(row.get(10)?),
        failed_attempts: row.get(11)?,
        outcome: row.get::<_, Option<Vec<u8>>>(12)?.map(|b| blob::decode(&b)).transpose()?,
        judged: row.get::<_, Option<bool>>(13)?.map(judged_of),
        steps: row.get(14)?,
        usage: Usage::of(count_of(row, 15)?, count_of(row, 16)?),
        cost: money_of(row, 17)?,
        fingerprint: row.get::<_, Option<String>>(18)?.map(|text| json_of(&text)).transpose()?,
        started_at_ms: row.get(19)?,
        finished_at_ms: row.get(20)?,
        uncounted_calls: count_of(row, 21)?,
    })
}

/// The counts of a campaign, computed by the database. No body is decoded. Steps, tokens and
/// uncounted calls are those of finished episodes only.
pub(super) fn figures(conn: &Connection, campaign: &CampaignName) -> StoreResult<CampaignCounts> {
    let uncounted = match says_what_is_counted(conn)? {
        true => "coalesce(sum(progress.uncounted) FILTER (WHERE label IS NOT NULL), 0)",
        false => "0",
    };
    let sql = format!(
        "SELECT count(DISTINCT task), count(*), count(label),
            count(*) FILTER (WHERE label = 'resolved'), count(*) FILTER (WHERE label = 'faulted'),
            count(*) FILTER (WHERE label = 'answered'),
            coalesce(sum(steps) FILTER (WHERE label IS NOT NULL), 0),
            coalesce(sum(input_tokens) FILTER (WHERE label IS NOT NULL), 0),
            coalesce(sum(output_tokens) FILTER (WHERE label IS NOT NULL), 0),
            count(judged.episode) - count(judged.rejected), count(judged.rejected), {uncounted}
        FROM episode
        JOIN campaign ON campaign.key = episode.campaign
        JOIN progress ON progress.episode = episode.key
        LEFT JOIN outcome ON outcome.episode = episode.key
        LEFT JOIN judged ON judged.episode = episode.key
        WHERE name = ?1"
    );
    Ok(collect(conn, &sql, [campaign.as_str()], figures_of)?.pop().unwrap_or_default())
}

/// Reads the row of the query in [`figures`]. `unresolved` is what remains of the finished
/// episodes.
fn figures_of(row: &Row<'_>) -> StoreResult<CampaignCounts> {
    let (finished, resolved) = (count_of(row, 2)?, count_of(row, 3)?);
    let (faulted, answered) = (count_of(row, 4)?, count_of(row, 5)?);
    Ok(CampaignCounts {
        tasks: count_of(row, 0)?,
        episodes: EpisodeCounts {
            planned: count_of(row, 1)?,
            finished,
            resolved,
            unresolved: finished.saturating_sub(resolved + faulted + answered),
            answered,
            faulted,
        },
        steps: count_of(row, 6)?,
        tokens: TokenCounts {
            input: count_of(row, 7)?,
            output: count_of(row, 8)?,
            uncounted_calls: count_of(row, 11)?,
        },
        rows: RowCounts { accepted: count_of(row, 9)?, rejected: count_of(row, 10)? },
    })
}

/// The decision on a row, from whether a stage rejected it.
fn judged_of(rejected: bool) -> RowDecision {
    if rejected { RowDecision::Rejected } else { RowDecision::Accepted }
}

/// Reads the first ten columns of the query [`EPISODE`], and the last one.
fn plan_of(row: &Row<'_>) -> StoreResult<PlannedEpisode> {
    Ok(PlannedEpisode {
        id: EpisodeId(row.get(0)?),
        campaign: CampaignName(row.get(1)?),
        ordinal: count_of(row, 2)?,
        task: TaskId(row.get(3)?),
        template: row.get(4)?,
        index: row.get(5)?,
        category: row.get(6)?,
        difficulty: row.get(7)?,
        model: row.get(8)?,
        scaffold: row.get(9)?,
        reason: row.get(22)?,
    })
}

/// Reads one row of the query in [`attempts`].
fn attempt_of(row: &Row<'_>) -> StoreResult<AttemptRecord> {
    Ok(AttemptRecord {
        attempt: AttemptNumber(row.get(0)?),
        resumed_from: row.get::<_, Option<u32>>(1)?.map(AttemptNumber),
        fault: row.get::<_, Option<String>>(2)?.map(|text| json_of(&text)).transpose()?,
        steps: row.get(3)?,
        cost: money_of(row, 4)?,
        started_at_ms: row.get(5)?,
        ended_at_ms: row.get(6)?,
    })
}

/// Decodes an encoded body (see `blob`) in a column.
fn body_of<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> StoreResult<T> {
    blob::decode(row.get_ref(column)?.as_blob().map_err(StoreError::unreadable)?)
}

/// Parses a column that holds plain JSON.
fn json_of<T: DeserializeOwned>(text: &str) -> StoreResult<T> {
    blob::parse(text.as_bytes())
}

/// An amount of nano-dollars in a column.
fn money_of(row: &Row<'_>, column: usize) -> StoreResult<Money> {
    count_of(row, column).map(Money::from_nanos)
}

/// A number in a column that must not be negative. A negative number means a damaged store.
fn count_of(row: &Row<'_>, column: usize) -> StoreResult<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| StoreError::unreadable(format!("a count of {number}")))
}
