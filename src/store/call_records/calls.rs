//! Call records as rows of the table `call`: [`pack`] and [`add`] write them, the other functions
//! read them.
//!
//! A call record is one try of a model call with all its bytes. [`pack`] runs on the core of the
//! caller that appends: it compresses the bodies, and it replaces the request by its difference
//! from an earlier request of the same episode (see `request_delta`). [`add`] runs on the writer
//! thread and only inserts. Whoever reads a request rebuilds it from the chain of requests it
//! refers to.
//!
//! Columns hold what is searched or listed. All other parts are JSON in the column `rest`
//! ([`CallDetails`]).

use crate::store::accounting::ledger::nanos;
use crate::store::blob;
use crate::store::call_records::request_delta::{self, BaseRequest, NewestRequests};
use crate::store::error::StoreError;
use crate::store::writing::apply::{ApplyOutcome, StoreResult, whole as integer};
use crate::store::writing::fence::FenceCache;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    AnsweredCalls, AttemptNumber, CallPosition, CallRecord, CampaignName, EpisodeId, Fault,
    HeaderList, HttpExchange, Money, RequestDigest, Usage, request_digest,
};

/// A call made ready for its row.
pub(in crate::store) struct PackedCall {
    /// The call itself, for the columns that are not packed.
    pub(in crate::store) call: Arc<CallRecord>,
    /// The id of the call whose request this request refers to. None if the request is stored
    /// whole.
    base: Option<String>,
    /// How many bytes at the beginning are equal to those of the base.
    head: usize,
    /// How many bytes at the end are equal to those of the base.
    tail: usize,
    /// The bytes of the request between `head` and `tail`, packed.
    request: Vec<u8>,
    /// The bytes of the response, packed.
    response: Vec<u8>,
    /// The encoded [`CallDetailsRef`].
    rest: Vec<u8>,
    /// The digest of the whole request.
    digest: RequestDigest,
    /// The whole request. After the append has succeeded, the next request of the episode may refer
    /// to it.
    pub(in crate::store) known: BaseRequest,
}

/// The parts of a call record that no query searches, as they are read from the column `rest`.
#[derive(Deserialize)]
struct CallDetails {
    url: String,
    dialect: String,
    request_headers: HeaderList,
    response_headers: HeaderList,
    usage: Option<Usage>,
    fault: Option<Fault>,
    /// Missing in records of older versions, like `why`.
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    why: String,
}

/// The same parts, borrowed from the call record that is written. Its fields must stay equal to
/// those of [`CallDetails`].
#[derive(Serialize)]
struct CallDetailsRef<'c> {
    url: &'c str,
    dialect: &'c str,
    request_headers: &'c HeaderList,
    response_headers: &'c HeaderList,
    usage: Option<Usage>,
    fault: Option<&'c Fault>,
    provider: Option<&'c str>,
    why: &'c str,
}

impl<'c> CallDetailsRef<'c> {
    /// Borrows the details of a call.
    fn of(call: &'c CallRecord) -> Self {
        let exchange = &call.exchange;
        Self {
            url: &exchange.url,
            dialect: &exchange.dialect,
            request_headers: &exchange.request_headers,
            response_headers: &exchange.response_headers,
            usage: call.usage,
            fault: call.fault.as_ref(),
            provider: call.provider.as_deref(),
            why: &call.why,
        }
    }
}

/// One call as one line of a list, without its bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallSummary {
    /// Episode, attempt, turn and retry of the call.
    pub id: String,
    pub campaign: String,
    pub episode: String,
    pub attempt: u32,
    /// The number of the turn within the attempt.
    pub turn: u32,
    /// The number of the try within the turn's call.
    pub retry: u32,
    /// The model that was asked, by the campaign's name for it.
    pub model: String,
    /// The model that answered, by the provider's name for it.
    pub answered_by: Option<String>,
    /// The HTTP status. None if there was no response.
    pub status: Option<u16>,
    /// The kind of fault that the try ended with. None if there was no fault.
    pub fault: Option<String>,
    /// What the try cost.
    pub cost_usd: Money,
    /// None if the provider did not count the tokens. The same holds for `output_tokens`.
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Microseconds from the request to the first byte of the response, and below to the last byte.
    pub first_byte_us: Option<u64>,
    pub last_byte_us: Option<u64>,
    /// The size of the whole body before it was packed. The same holds for `response_bytes`.
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Whether a rule of retention has removed the bytes of both.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pruned: bool,
}

/// Encodes and compresses a call for its row. If a request of the same episode is known, only the
/// bytes between their common head and tail are kept. Fails only if the call cannot be encoded.
pub(in crate::store) fn pack(
    call: Arc<CallRecord>,
    newest: &NewestRequests,
) -> StoreResult<PackedCall> {
    let body: Arc<[u8]> = call.exchange.request.as_slice().into();
    let base = newest.base(&call.place.episode);
    // Without a base, nothing is in common, and the whole request is stored.
    let (head, tail) =
        base.as_ref().map_or((0, 0), |base| request_delta::common_ends(&base.body, &body));
    let depth = base.as_ref().map_or(0, |base| base.depth + 1);
    Ok(PackedCall {
        request: blob::pack(&body[head..body.len() - tail])?,
        response: blob::pack(&call.exchange.response)?,
        rest: blob::encode(&CallDetailsRef::of(&call))?,
        digest: request_digest(&body),
        base: base.map(|base| base.id),
        head,
        tail,
        known: BaseRequest { id: call.place.id(), body, depth },
        call,
    })
}

/// Inserts a packed call. The same call may be appended again, and nothing changes then. Another
/// call with the same id is refused. It is also refused if its base is not stored.
pub(in crate::store) fn add(
    conn: &Connection,
    fences: &mut FenceCache,
    packed: &PackedCall,
) -> StoreResult {
    let PackedCall { call, known, .. } = packed;
    let CallRecord { place, exchange, .. } = &**call;
    let base = packed.base.as_ref().map(|id| key_of(conn, id)).transpose()?;
    let (campaign, episode) = fences.owner(conn, &place.campaign, &place.episode)?;
    let fault = call.fault.as_ref().map(|fault| fault.kind.as_str());
    let input = call.usage.map(|usage| integer(usage.input_tokens)).transpose()?;
    let output = call.usage.map(|usage| integer(usage.output_tokens)).transpose()?;
    let (first_byte, last_byte) = (exchange.first_byte.map(micros), exchange.last_byte.map(micros));
    let (head, tail) = (packed.head as i64, packed.tail as i64);
    let request_bytes = known.body.len() as i64;
    let response_bytes = exchange.response.len() as i64;
    // The values that identify the call. They are compared if the call is stored already.
    let what = params![
        known.id,
        campaign,
        episode,
        place.attempt.0,
        place.turn,
        place.retry,
        call.model,
        call.answered_by,
        exchange.status,
        fault,
        nanos(call.cost)?,
        input,
        output,
        call.at_ms,
        first_byte,
        last_byte,
        request_bytes,
        response_bytes,
        packed.digest,
        packed.response,
        packed.rest,
    ];
    // How the request is packed. This may differ if the same call is appended again.
    let how = params![base, head, tail, packed.request];
    let new = conn
        .prepare_cached(
            "INSERT INTO call (id, campaign, episode, attempt, turn, retry, model, answered_by,
             status, fault, cost, input_tokens, output_tokens, at_ms, first_byte_us, last_byte_us,
             request_bytes, response_bytes, digest, response, rest, base, head, tail, request)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
             ?19, ?20, ?21, ?22, ?23, ?24, ?25) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(&*[what, how].concat())?;
    match new {
        0 => same_call(conn, &known.id, what),
        _ => Ok(ApplyOutcome::Kept),
    }
}

/// The result for a call whose id is stored already: kept if all values are equal, refused
/// otherwise. The columns `base`, `head`, `tail` and `request` are not compared, because they
/// depend on what was known when the call was packed. The digest stands for them.
fn same_call(conn: &Connection, id: &str, values: &[&dyn ToSql]) -> StoreResult {
    let same = conn
        .prepare_cached(
            "SELECT 1 FROM call WHERE id = ?1 AND campaign = ?2 AND episode = ?3 AND attempt = ?4
                 AND turn = ?5 AND retry = ?6 AND model = ?7 AND answered_by IS ?8
                 AND status IS ?9 AND fault IS ?10 AND cost = ?11 AND input_tokens IS ?12
                 AND output_tokens IS ?13 AND at_ms = ?14 AND first_byte_us IS ?15
                 AND last_byte_us IS ?16 AND request_bytes = ?17 AND response_bytes = ?18
                 AND digest = ?19 AND response = ?20 AND rest = ?21",
        )?
        .exists(values)?;
    match same {
        true => Ok(ApplyOutcome::Kept),
        false => Err(StoreError::refused(format!("there is another call by the id {id} already"))),
    }
}

/// A duration in whole microseconds. A longer one than the column can hold becomes the largest
/// value.
fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// The row key of a call. Refused if no call has this id.
fn key_of(conn: &Connection, id: &str) -> StoreResult<i64> {
    conn.prepare_cached("SELECT key FROM call WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::refused(format!("there is no call {id} to go by")))
}

/// The query for the columns of a [`CallSummary`], in the order in which [`line_of`] reads them.
const LINE: &str = "SELECT call.id, campaign.name, episode.id, call.attempt, turn, retry,
    call.model, answered_by, status, fault, cost, input_tokens, output_tokens, at_ms,
    first_byte_us, last_byte_us, request_bytes, response_bytes, length(request) = 0 FROM call
    JOIN campaign ON campaign.key = call.campaign JOIN episode ON episode.key = call.episode";

/// The calls whose ids begin with `begins`, in the order in which they were inserted.
pub(in crate::store) fn lines(conn: &Connection, begins: &str) -> StoreResult<Vec<CallSummary>> {
    // The upper end of the range is `begins` with the largest Unicode character, which no id
    // contains.
    let sql =
        format!("{LINE} WHERE call.id >= ?1 AND call.id < ?1 || char(1114111) ORDER BY call.key");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([begins], line_of)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Reads one row of the query [`LINE`].
fn line_of(row: &Row<'_>) -> rusqlite::Result<CallSummary> {
    Ok(CallSummary {
        id: row.get(0)?,
        campaign: row.get(1)?,
        episode: row.get(2)?,
        attempt: row.get(3)?,
        turn: row.get(4)?,
        retry: row.get(5)?,
        model: row.get(6)?,
        answered_by: row.get(7)?,
        status: row.get(8)?,
        fault: row.get(9)?,
        cost_usd: Money::from_nanos(unsigned(row.get(10)?)),
        input_tokens: row.get::<_, Option<i64>>(11)?.map(unsigned),
        output_tokens: row.get::<_, Option<i64>>(12)?.map(unsigned),
        at_ms: row.get(13)?,
        first_byte_us: row.get::<_, Option<i64>>(14)?.map(unsigned),
        last_byte_us: row.get::<_, Option<i64>>(15)?.map(unsigned),
        request_bytes: unsigned(row.get(16)?),
        response_bytes: unsigned(row.get(17)?),
        pruned: row.get(18)?,
    })
}

/// A stored count. The store never writes a negative one.
fn unsigned(stored: i64) -> u64 {
    stored.unsigned_abs()
}

/// How many row keys of calls one query of [`answered`] looks at.
const PAGE: i64 = if cfg!(test) { 2 } else { 16_384 };

/// The answered calls of a campaign's model among the next [`PAGE`] row keys after `after`, in the
/// order in which they were recorded. A provider's refusal of the request counts as an answer,
/// because the same request would be refused again.
///
/// The query looks at every call of the page. An index by digest would make a replay faster, but
/// replays are rare, and each recorded call would have to write a page of the index at a random
/// place.
pub(in crate::store) fn answered(
    conn: &Connection,
    campaign: &str,
    model: &str,
    after: i64,
) -> StoreResult<AnsweredCalls> {
    let newest: Option<i64> = conn.query_row("SELECT max(key) FROM call", [], |row| row.get(0))?;
    // The page ends at the newest call at the latest. It never ends before `after`, so an empty
    // store gives `after`.
    let until = newest.unwrap_or(0).min(after.saturating_add(PAGE)).max(after);
    let mut statement = conn.prepare_cached(
        "SELECT digest, call.key FROM call JOIN campaign ON campaign.key = call.campaign
         WHERE call.key > ?1 AND call.key <= ?2 AND name = ?3 AND model = ?4
             AND length(request) > 0
             AND (status = 200 AND fault IS NULL
                 OR status = 403 AND fault IS NULL
                 OR status IN (400, 413, 422)
                     AND coalesce(fault, '') IN ('', 'context_full', 'model_rejected'))
         ORDER BY call.key",
    )?;
    let calls = statement
        .query_map(params![after, until, campaign, model], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(AnsweredCalls { calls: calls.collect::<rusqlite::Result<_>>()?, until })
}

/// The oldest call of a campaign's model. If `place` is given, the call is the oldest one of that
/// task and turn.
pub(in crate::store) fn find_call_id(
    conn: &Connection,
    campaign: &str,
    model: &str,
    place: Option<(&str, u32)>,
) -> StoreResult<Option<String>> {
    let (task, turn) = place.unzip();
    conn.prepare_cached(
        "SELECT call.id FROM call JOIN campaign ON campaign.key = call.campaign
         JOIN episode ON episode.key = call.episode
         WHERE name = ?1 AND call.model = ?2 AND (?3 IS NULL OR task = ?3)
             AND (?4 IS NULL OR turn = ?4)
         ORDER BY call.key LIMIT 1",
    )?
    .query_row(params![campaign, model, task, turn], |row| row.get(0))
    .optional()
    .map_err(StoreError::from)
}

/// The call with this id, with all its bytes. None if there is none.
pub(in crate::store) fn call(conn: &Connection, id: &str) -> StoreResult<Option<CallRecord>> {
    let mut statement = conn.prepare_cached("SELECT key FROM call WHERE id = ?1")?;
    let key = statement.query_row([id], |row| row.get(0)).optional()?;
    key.map_or(Ok(None), |key| call_at(conn, key))
}

/// The call with this row key, with all its bytes. None if there is none.
pub(in crate::store) fn call_at(conn: &Connection, key: i64) -> StoreResult<Option<CallRecord>> {
    let mut statement = conn.prepare_cached(&format!("{LINE} WHERE call.key = ?1"))?;
    let Some(line) = statement.query_row([key], line_of).optional()? else { return Ok(None) };
    if line.pruned {
        let what = format!("a rule of [retention] has removed the bytes of call {}", line.id);
        return Err(StoreError::refused(what));
    }
    let (response, rest): (Vec<u8>, Vec<u8>) = conn
        .prepare_cached("SELECT response, rest FROM call WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rest: CallDetails = blob::decode(&rest)?;
    Ok(Some(CallRecord {
        place: CallPosition {
            campaign: CampaignName(line.campaign),
            episode: EpisodeId(line.episode),
            attempt: AttemptNumber(line.attempt),
            turn: line.turn,
            retry: line.retry,
        },
        model: line.model,
        provider: rest.provider,
        why: rest.why,
        answered_by: line.answered_by,
        usage: rest.usage,
        cost: line.cost_usd,
        fault: rest.fault,
        at_ms: line.at_ms,
        exchange: HttpExchange {
            url: rest.url,
            dialect: rest.dialect,
            request_headers: rest.request_headers,
            request: request(conn, key)?,
            status: line.status,
            response_headers: rest.response_headers,
            response: blob::unpack(&response)?,
            first_byte: line.first_byte_us.map(Duration::from_micros),
            last_byte: line.last_byte_us.map(Duration::from_micros),
        },
    }))
}

/// A stored request as the difference from its base.
struct RequestDelta {
    /// The row key of the base. None if the request is stored whole.
    base: Option<i64>,
    head: usize,
    tail: usize,
    /// The bytes between the common head and the common tail.
    between: Vec<u8>,
}

/// Rebuilds the body of a request. It collects the chain of deltas back to the request that is
/// stored whole, and then applies them from the oldest to the newest.
fn request(conn: &Connection, key: i64) -> StoreResult<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut next = Some(key);
    while let Some(key) = next {
        let piece = piece(conn, key)?;
        // A base is always older than the request that refers to it. This check ends the loop even
        // if a damaged store has a circle.
        next = piece.base.filter(|base| *base < key);
        pieces.push(piece);
    }
    let mut body = Vec::new();
    for RequestDelta { head, tail, between, .. } in pieces.into_iter().rev() {
        body = request_delta::rebuild(&body, head, tail, &between)
            .ok_or_else(|| StoreError::unreadable("a request longer than what it goes by"))?;
    }
    Ok(body)
}

/// Reads the delta of one request.
fn piece(conn: &Connection, key: i64) -> StoreResult<RequestDelta> {
    let (base, head, tail, packed): (_, i64, i64, Vec<u8>) = conn
        .prepare_cached("SELECT base, head, tail, request FROM call WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let size = |size: i64| usize::try_from(size).map_err(StoreError::unreadable);
    Ok(RequestDelta { base, head: size(head)?, tail: size(tail)?, between: blob::unpack(&packed)? })
}
