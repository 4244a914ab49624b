//! Turns journal entries into rows. `batch` calls [`apply`] for each entry, inside its transaction.
//!
//! An entry that is applied a second time changes nothing, because a caller that lost an answer
//! sends its entries again. A turn, a fault or an outcome of an attempt that is not the current one
//! is dropped (fenced) and counted. So is a start or a reopening that comes too late. Holds,
//! settlements and calls are never fenced, because their money counts. An entry that contradicts the
//! store is refused, and its whole append fails.

use crate::store::blob;
use crate::store::error::StoreError;
use crate::store::writing::fence::{FenceCache, UnitFence};
use crate::store::writing::prepare::{PreparedWrite, WriteContent};
use crate::store::{accounting::ledger, call_records::calls, plan};
use rusqlite::{Connection, OptionalExtension, params};
use synthd_actors::model::{
    AttemptNumber, EpisodeId, Fault, JournalEntry, Outcome, Reverification, RowRecord,
    SandboxFingerprint, Turn,
};

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum ApplyOutcome {
    /// The entry is in the store, from now on or since an earlier append.
    Kept,
    /// The entry was dropped, because its attempt may not write any more.
    Fenced,
}

/// The result of a function of the store.
pub(in crate::store) type StoreResult<T = ApplyOutcome> = std::result::Result<T, StoreError>;

/// Applies one entry. Refused if the entry contradicts what is stored.
pub(in crate::store) fn apply(
    conn: &Connection,
    fences: &mut FenceCache,
    write: &PreparedWrite,
) -> StoreResult {
    let entry = match &write.entry {
        WriteContent::Entry(entry) => entry,
        WriteContent::Call(packed) => return calls::add(conn, fences, packed),
    };
    match entry {
        JournalEntry::CampaignOpened(record) => plan::open_campaign(conn, record),
        JournalEntry::CampaignMoved { campaign, state, reason } => {
            plan::move_campaign(conn, campaign, *state, reason.as_deref())
        }
        JournalEntry::EditionsUsed { campaign, editions } => {
            plan::use_editions(conn, campaign, editions)
        }
        JournalEntry::Planned(episodes) => plan::add_episodes(conn, episodes),
        JournalEntry::AttemptStarted { episode, attempt, resumed_from, at_ms } => {
            start(conn, fences, episode, *attempt, *resumed_from, *at_ms)
        }
        JournalEntry::TurnTaken { episode, attempt, turn } => {
            take_turn(conn, fences, episode, *attempt, turn, &write.body)
        }
        JournalEntry::AttemptFaulted { episode, attempt, fault, at_ms } => {
            end_attempt(conn, fences, episode, *attempt, fault, *at_ms)
        }
        JournalEntry::Finished { episode, attempt, outcome, fingerprint, at_ms } => {
            let ending = UnitEnding { outcome, body: &write.body, fingerprint, at_ms: *at_ms };
            finish(conn, fences, episode, *attempt, &ending)
        }
        JournalEntry::Reopened { episode, attempt } => reopen(conn, fences, episode, *attempt),
        JournalEntry::Judged(row) => judge(conn, fences, row, &write.body),
        JournalEntry::Reverified(again) => reverify(conn, again, &write.body),
        JournalEntry::Held { id, campaign, episode, attempt, amount, model, at_ms } => {
            let (attempt, amount, at_ms) = (*attempt, *amount, *at_ms);
            let hold = ledger::HoldRow { id, campaign, episode, attempt, amount, model, at_ms };
            ledger::hold(conn, fences, &hold)
        }
        JournalEntry::Settled { id, amount } => {
            ledger::settle(conn, &mut fences.buffer, id, *amount)
        }
        JournalEntry::Called(_) => Err(StoreError::refused("a call that was not packed")),
        JournalEntry::DatasetWritten(record) => plan::add_dataset(conn, record),
    }
}

/// Makes an attempt the current one. Older attempts of the episode may not write from now on.
/// Fenced if the episode is finished or has a newer attempt already. Refused if the number is zero,
/// or not greater than that of the attempt it resumes.
fn start(
    conn: &Connection,
    fences: &mut FenceCache,
    id: &EpisodeId,
    attempt: AttemptNumber,
    resumed_from: Option<AttemptNumber>,
    at_ms: i64,
) -> StoreResult {
    if attempt == AttemptNumber(0) || resumed_from.is_some_and(|source| source >= attempt) {
        let what = format!("attempt {attempt} of {id} must come after zero and after its source");
        return Err(StoreError::refused(what));
    }
    let fence = fences.of(conn, id)?;
    if fence.finished || attempt < fence.attempt {
        return Ok(ApplyOutcome::Fenced);
    }
    // An equal number is the same entry, sent again.
    if attempt > fence.attempt {
        let key = advance(conn, &fence, attempt, resumed_from, at_ms)?;
        fences.set(id, fence.started(attempt, key, resumed_from));
    }
    Ok(ApplyOutcome::Kept)
}

/// Inserts an attempt and moves the fence of its episode to it. Returns the attempt's row key.
fn advance(
    conn: &Connection,
    fence: &UnitFence,
    attempt: AttemptNumber,
    resumed_from: Option<AttemptNumber>,
    at_ms: i64,
) -> StoreResult<i64> {
    let source = resumed_from.map(|a| a.0);
    conn.prepare_cached(
        "INSERT INTO attempt (episode, attempt, resumed_from, started_at_ms) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![fence.episode, attempt.0, source, at_ms])?;
    let key = conn.last_insert_rowid();
    conn.prepare_cached(
        "UPDATE progress SET attempt = ?2, attempt_key = ?3, resumed_from = ?4,
             started_at_ms = COALESCE(started_at_ms, ?5)
         WHERE episode = ?1",
    )?
    .execute(params![fence.episode, attempt.0, key, source, at_ms])?;
    Ok(key)
}

/// Inserts a turn of the current attempt.
fn take_turn(
    conn: &Connection,
    fences: &mut FenceCache,
    id: &EpisodeId,
    attempt: AttemptNumber,
    turn: &Turn,
    body: &[u8],
) -> StoreResult {
    let fence = fences.of(conn, id)?;
    // A turn of an older attempt, or of a finished episode, is dropped here.
    let Some(key) = fence.admits(attempt) else { return Ok(ApplyOutcome::Fenced) };
    let step = &turn.step;
    let figures = StepFigures {
        inherited: is_inherited(conn, &fence, step.index)?,
        input: whole(step.usage.input_tokens)?,
        output: whole(step.usage.output_tokens)?,
        counted: !turn.reply.uncounted,
        cost: ledger::nanos(step.cost)?,
    };
    insert_step(conn, key, step.index, &figures, body)?;
    Ok(ApplyOutcome::Kept)
}

/// The numbers of a turn that have columns of their own, to be summed without decoding the turn.
struct StepFigures {
    /// Whether an earlier attempt has paid for this turn, so that its cost does not count again.
    inherited: bool,
    /// Tokens in and out of the turn's call. Zero if the provider did not count them.
    input: i64,
    output: i64,
    /// Whether the provider counted the tokens.
    counted: bool,
    /// Nano-dollars.
    cost: i64,
}

/// Inserts a step. A step with the same number in the same attempt stays as it is.
fn insert_step(
    conn: &Connection,
    attempt_key: i64,
    step: u32,
    figures: &StepFigures,
    body: &[u8],
) -> StoreResult<()> {
    let StepFigures { inherited, input, output, counted, cost } = figures;
    conn.prepare_cached(
        "INSERT INTO step (attempt, step, inherited, input_tokens, output_tokens, counted, cost, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (attempt, step) DO NOTHING",
    )?
    .execute(params![attempt_key, step, inherited, input, output, counted, cost, body])?;
    Ok(())
}

/// Whether this step was taken in an attempt from which the current attempt took its turns over.
/// That attempt may itself have taken turns over from an earlier one, so the whole chain is
/// searched.
fn is_inherited(conn: &Connection, fence: &UnitFence, step: u32) -> StoreResult<bool> {
    // An attempt that resumed nothing has paid for all of its turns.
    let Some(source) = fence.resumed_from else { return Ok(false) };
    let mut seek = conn.prepare_cached(
        "WITH RECURSIVE source (key, resumed_from) AS (
             SELECT key, resumed_from FROM attempt WHERE episode = ?1 AND attempt = ?2
             UNION ALL
             SELECT attempt.key, attempt.resumed_from FROM source
             JOIN attempt ON attempt.episode = ?1 AND attempt.attempt = source.resumed_from
         )
         SELECT EXISTS (SELECT 1 FROM source JOIN step ON step.attempt = source.key AND step.step = ?3)",
    )?;
    Ok(seek.query_row(params![fence.episode, source, step], |row| row.get(0))?)
}

/// Records the fault that ended an attempt. Only the first fault of an attempt counts. It uses up
/// one of the episode's attempts if its kind says so.
fn end_attempt(
    conn: &Connection,
    fences: &mut FenceCache,
    id: &EpisodeId,
    attempt: AttemptNumber,
    fault: &Fault,
    at_ms: i64,
) -> StoreResult {
    let fence = fences.of(conn, id)?;
    let Some(key) = fence.admits(attempt) else { return Ok(ApplyOutcome::Fenced) };
    // The condition makes a repeated entry harmless: the fault is set, and the failed attempt is
    // counted, only once.
    let new = conn
        .prepare_cached(
            "UPDATE attempt SET fault = ?2, ended_at_ms = ?3 WHERE key = ?1 AND fault IS NULL",
        )?
        .execute(params![key, json(fault)?, at_ms])?;
    if new == 1 && fault.kind.consumes_attempt() {
        conn.prepare_cached(
            "UPDATE progress SET failed_attempts = failed_attempts + 1 WHERE episode = ?1",
        )?
        .execute([fence.episode])?;
    }
    Ok(ApplyOutcome::Kept)
}

/// The end of a unit of any kind.
struct UnitEnding<'a> {
    outcome: &'a Outcome,
    /// The outcome as `blob` has encoded it.
    body: &'a [u8],
    /// What the sandbox of the attempt was, if there was one.
    fingerprint: &'a Option<SandboxFingerprint>,
    at_ms: i64,
}

/// Records the outcome of an episode. From then on no attempt of it may write, so a second outcome
/// is fenced.
fn finish(
    conn: &Connection,
    fences: &mut FenceCache,
    id: &EpisodeId,
    attempt: AttemptNumber,
    ending: &UnitEnding<'_>,
) -> StoreResult {
    let fence = fences.of(conn, id)?;
    let Some(key) = fence.admits(attempt) else { return Ok(ApplyOutcome::Fenced) };
    let fingerprint = ending.fingerprint.as_ref().map(json).transpose()?;
    conn.prepare_cached(
        "INSERT INTO outcome (episode, attempt, label, body, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![fence.episode, attempt.0, ending.outcome.label(), ending.body, fingerprint])?;
    // This also marks the episode as finished, so the cached fence is out of date.
    sum_up(conn, &fence, key, ending.at_ms)?;
    fences.forget(id);
    // The end of the attempt is that of its episode: it is not written twice.
    Ok(ApplyOutcome::Kept)
}

/// Takes back the outcome of an episode, if it faulted in this attempt. Its count of failed
/// attempts begins at zero again. Fenced if there is no such outcome: a judged episode keeps its
/// outcome.
fn reopen(
    conn: &Connection,
    fences: &mut FenceCache,
    id: &EpisodeId,
    attempt: AttemptNumber,
) -> StoreResult {
    let fence = fences.of(conn, id)?;
    // The attempt is compared too, so that a late command cannot take back a newer outcome.
    let taken_back = conn
        .prepare_cached(
            "DELETE FROM outcome WHERE episode = ?1 AND attempt = ?2 AND label = 'faulted'",
        )?
        .execute(params![fence.episode, attempt.0])?;
    if taken_back == 0 {
        return Ok(ApplyOutcome::Fenced);
    }
    conn.prepare_cached(
        "UPDATE progress SET finished_at_ms = NULL, failed_attempts = 0 WHERE episode = ?1",
    )?
    .execute([fence.episode])?;
    fences.forget(id);
    Ok(ApplyOutcome::Kept)
}

/// Stores the sums of a finished episode. The sums of a running episode are computed when somebody
/// asks for them, because otherwise each turn would have to write them again.
fn sum_up(conn: &Connection, fence: &UnitFence, attempt_key: i64, at_ms: i64) -> StoreResult<()> {
    conn.prepare_cached(
        "UPDATE progress SET finished_at_ms = ?3, (steps, input_tokens, output_tokens, uncounted) =
             (SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
                  count(*) FILTER (WHERE NOT counted)
              FROM step WHERE step.attempt = ?2),
             cost = (SELECT coalesce(sum(cost), 0) FROM attempt
                     JOIN step ON step.attempt = attempt.key AND NOT inherited
                     WHERE attempt.episode = ?1)
         WHERE episode = ?1",
    )?
    .execute([fence.episode, attempt_key, at_ms])?;
    Ok(())
}

/// Inserts the row of an episode. `body` is the row without the parts that its turns hold, and is
/// stored if the store has these turns. A second row for the same episode is ignored. Refused if the row
/// does not have the ordinal of its episode in the plan, because rows are read in this order.
fn judge(conn: &Connection, fences: &mut FenceCache, row: &RowRecord, body: &[u8]) -> StoreResult {
    let ordinal = whole(row.ordinal)?;
    let planned = fences.planned(conn, &row.campaign, &row.episode)?;
    let (campaign, episode, _) =
        planned.filter(|(_, _, place)| *place == ordinal).ok_or_else(|| {
            StoreError::refused(format!("the row of {} is not where it was planned", row.episode))
        })?;
    let turns_of = turns_of(conn, episode, row)?;
    // The prepared body of a trajectory lacks what its turns hold. Every other row is whole there.
    let lacks_turns = turns_of.is_none() && row.row.as_trajectory().is_some();
    let whole = if lacks_turns { Some(blob::encode_checked(row)?) } else { None };
    conn.prepare_cached(
        "INSERT INTO judged (episode, campaign, ordinal, rejected, body, turns_of)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (episode) DO NOTHING",
    )?
    .execute(params![
        episode,
        campaign,
        ordinal,
        row.rejected.as_ref().map(|r| &r.stage),
        whole.as_deref().unwrap_or(body),
        turns_of,
    ])?;
    Ok(ApplyOutcome::Kept)
}

/// Inserts a later verdict on an episode. The same entry, sent again, is ignored. Refused if the
/// episode was not judged, or not in this attempt.
fn reverify(conn: &Connection, again: &Reverification, body: &[u8]) -> StoreResult {
    let episode: i64 = conn
        .prepare_cached(
            "SELECT key FROM episode JOIN outcome ON outcome.episode = episode.key
             WHERE id = ?1 AND outcome.attempt = ?2 AND label NOT IN ('faulted', 'answered')",
        )?
        .query_row(params![again.episode.as_str(), again.attempt.0], |found| found.get(0))
        .optional()?
        .ok_or_else(|| {
            StoreError::refused(format!("there is no verdict on {} to stand beside", again.episode))
        })?;
    conn.prepare_cached(
        "INSERT INTO reverification (episode, judge, label, body, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (episode, at_ms, judge) DO NOTHING",
    )?
    .execute(params![episode, again.judge, again.verdict.label(), body, again.at_ms])?;
    Ok(ApplyOutcome::Kept)
}

/// The key of the attempt whose turns hold the steps of a row. None if the row is none of a
/// trajectory, or if the store does not have as many turns as the row has steps: then the row must
/// be stored whole.
fn turns_of(conn: &Connection, episode: i64, record: &RowRecord) -> StoreResult<Option<i64>> {
    let Some(row) = record.row.as_trajectory() else { return Ok(None) };
    let found = conn
        .prepare_cached(
            "SELECT key, (SELECT count(*) FROM step WHERE step.attempt = attempt.key)
             FROM attempt WHERE episode = ?1 AND attempt = ?2",
        )?
        .query_row(params![episode, row.attempt], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    let has_all = |(_, turns): &(i64, i64)| usize::try_from(*turns) == Ok(row.trajectory.len());
    Ok(found.filter(has_all).map(|(key, _)| key))
}

/// A number as SQLite keeps it: signed, with 64 bits. Refused if it is too large.
pub(in crate::store) fn whole(number: u64) -> StoreResult<i64> {
    i64::try_from(number)
        .map_err(|_| StoreError::refused(format!("{number} is too large to be kept")))
}

/// JSON text for a column. Refused if the value cannot be expressed as JSON.
pub(in crate::store) fn json<T: serde::Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|e| StoreError::refused(e.to_string()))
}
