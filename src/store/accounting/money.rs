//! Holds and adjustments as lists for people (`synthd money list`), and the comparison of holds
//! with a provider's statement (`synthd money reconcile`).
//!
//! A hold is worth a look if it is open, if it was settled in full because nobody knew the cost, or
//! if its call cost more than its worst case.

use crate::store::writing::apply::StoreResult;
use crate::store::{accounting::adjust, call_records::calls};
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use synthd_actors::model::{HttpExchange, Money};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// The hold was never settled. Its call has no answer yet, or the process was killed. It counts
    /// in full.
    Open,
    /// The hold was settled in full, and no record has token counts of its call. So nobody knew
    /// what the call cost.
    Unknown,
    /// The call cost more than its worst case. This stops the campaign.
    Over,
    /// The hold was settled for less than the held amount, or for all of it while the provider
    /// counted the tokens.
    Settled,
    /// An operator has corrected the hold.
    Corrected,
}

impl HoldState {
    /// The state as the command line shows it, and as JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unknown => "unknown",
            Self::Over => "over",
            Self::Settled => "settled",
            Self::Corrected => "corrected",
        }
    }

    /// Whether an operator may want to check this hold against the provider's statement.
    pub fn is_doubtful(self) -> bool {
        matches!(self, Self::Open | Self::Unknown | Self::Over)
    }
}

/// One hold as one line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldSummary {
    /// The id of the hold: the id of its call, `@`, and the number of the epoch.
    pub hold: String,
    pub state: HoldState,
    pub campaign: String,
    pub episode: String,
    pub attempt: u32,
    /// The campaign's name for the model. None for holds of old versions, which did not record it.
    pub model: Option<String>,
    /// Milliseconds since 1970, UTC. None for holds of old versions.
    pub at_ms: Option<i64>,
    /// The worst case that was held.
    pub held_usd: Money,
    /// What the hold counts for now: its settled cost, or the full amount if it is open.
    pub counts_usd: Money,
    /// The id of the call's record. None if the call has no record.
    pub call: Option<String>,
    /// The HTTP status of the response. None without a record or a response.
    pub status: Option<u16>,
    pub fault: Option<String>,
    /// The id that the provider gave the request, from a response header. None if the provider gave
    /// none, or if the hold is not doubtful: only doubtful holds are looked up.
    pub request_id: Option<String>,
    /// The id that the provider gave the response, from its body. None in the same cases.
    pub response_id: Option<String>,
}

/// One adjustment: a correction of a hold, or a charge without a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdjustmentRecord {
    pub campaign: String,
    /// None for a charge that no hold explains.
    pub hold: Option<String>,
    /// What counted before. Zero for a charge.
    pub before_usd: Money,
    /// What counts since.
    pub after_usd: Money,
    pub was_open: bool,
    pub reason: String,
    /// Who made the adjustment.
    pub who: String,
    pub at_ms: i64,
}

/// The holds of one campaign, or of all, by their time. An archive of an older schema has no
/// adjustments, so none of its holds is shown as corrected.
pub(in crate::store) fn holds(
    conn: &Connection,
    campaign: Option<&str>,
) -> StoreResult<Vec<HoldSummary>> {
    let corrected = match has_adjustments(conn)? {
        true => "EXISTS (SELECT 1 FROM adjustment WHERE adjustment.hold = hold.id)",
        false => "0",
    };
    let sql = format!(
        "SELECT hold.id, name, episode.id, hold.attempt, hold.model, hold.at_ms, amount, settled,
             call.id, status, call.fault, call.input_tokens, call.key, {corrected}
         FROM hold
         JOIN campaign ON campaign.key = hold.campaign
         JOIN episode ON episode.key = hold.episode
         LEFT JOIN call ON call.id = CASE instr(hold.id, '@') WHEN 0 THEN hold.id
             ELSE substr(hold.id, 1, instr(hold.id, '@') - 1) END
         WHERE ?1 IS NULL OR name = ?1
         ORDER BY hold.at_ms, hold.id"
    );
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params![campaign])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(line_of(conn, row)?);
    }
    Ok(lines)
}

/// Reads one row of the query in [`holds`]. The state depends on the order of the cases: a
/// correction wins over the comparison of the amounts.
fn line_of(conn: &Connection, row: &Row<'_>) -> StoreResult<HoldSummary> {
    let money = |nanos: i64| Money::from_nanos(nanos.unsigned_abs());
    let (amount, settled): (i64, Option<i64>) = (row.get(6)?, row.get(7)?);
    let (counted, corrected): (Option<i64>, bool) = (row.get(11)?, row.get(13)?);
    let state = match settled {
        None => HoldState::Open,
        Some(_) if corrected => HoldState::Corrected,
        Some(settled) if settled > amount => HoldState::Over,
        Some(settled) if settled == amount && counted.is_none() => HoldState::Unknown,
        Some(_) => HoldState::Settled,
    };
    let exchange = match row.get::<_, Option<i64>>(12)? {
        Some(key) if state.is_doubtful() => calls::call_at(conn, key)?.map(|call| call.exchange),
        _ => None,
    };
    Ok(HoldSummary {
        hold: row.get(0)?,
        state,
        campaign: row.get(1)?,
        episode: row.get(2)?,
        attempt: row.get(3)?,
        model: row.get(4)?,
        at_ms: row.get(5)?,
        held_usd: money(amount),
        counts_usd: money(settled.unwrap_or(amount)),
        call: row.get(8)?,
        status: row.get(9)?,
        fault: row.get(10)?,
        request_id: exchange.as_ref().and_then(request_id),
        response_id: exchange.as_ref().and_then(response_id),
    })
}

/// Whether the schema of this store has the table of adjustments.
fn has_adjustments(conn: &Connection) -> StoreResult<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'adjustment'";
    Ok(conn.prepare(sql)?.exists([])?)
}

/// The adjustments of one campaign, or of all, oldest first.
pub(in crate::store) fn adjustments(
    conn: &Connection,
    campaign: Option<&str>,
) -> StoreResult<Vec<AdjustmentRecord>> {
    if !has_adjustments(conn)? {
        return Ok(Vec::new());
    }
    let mut statement = conn.prepare(
        "SELECT campaign, hold, before, after, was_open, reason, who, at_ms FROM adjustment
         WHERE ?1 IS NULL OR campaign = ?1 ORDER BY key",
    )?;
    let money = |nanos: i64| Money::from_nanos(nanos.unsigned_abs());
    let lines = statement.query_map(params![campaign], |row| {
        Ok(AdjustmentRecord {
            campaign: row.get(0)?,
            hold: row.get(1)?,
            before_usd: money(row.get(2)?),
            after_usd: money(row.get(3)?),
            was_open: row.get(4)?,
            reason: row.get(5)?,
            who: row.get(6)?,
            at_ms: row.get(7)?,
        })
    })?;
    Ok(lines.collect::<rusqlite::Result<_>>()?)
}

/// The comparison of the holds with a provider's statement.
#[derive(Debug)]
pub(in crate::store) struct StatementMatch {
    /// The holds that the statement has another cost for.
    pub(in crate::store) corrections: Vec<adjust::HoldCorrection>,
    /// Ids in the statement that belong to no hold.
    pub(in crate::store) unknown: Vec<String>,
    /// An id that belongs to several holds, and these holds. Then nothing is corrected.
    pub(in crate::store) ambiguous: Option<(String, Vec<String>)>,
}

/// Compares the holds with the lines of a provider's statement: an id and a cost each. The id may
/// be the hold's, the call's, or the provider's id of the request or the response. Costs of lines
/// for the same hold are added, because a provider may charge one call in several lines. A hold is
/// corrected if it is open or counts for another amount.
pub(in crate::store) fn corrections(
    conn: &Connection,
    costs: &[(String, Money)],
    reason: &str,
) -> StoreResult<StatementMatch> {
    let lines = holds(conn, None)?;
    let known = index(conn, &lines)?;
    let (mut charged, mut unknown, mut ambiguous) = (BTreeMap::new(), Vec::new(), None);
    for (id, cost) in costs {
        match known.get(id.as_str()).map(Vec::as_slice) {
            None | Some([]) => unknown.push(id.clone()),
            Some([line]) => {
                let (_, sum) = charged.entry(&line.hold).or_insert((*line, Money::ZERO));
                *sum = sum.saturating_add(*cost);
            }
            Some(several) => {
                let holds = several.iter().map(|line| line.hold.clone()).collect();
                ambiguous.get_or_insert((id.clone(), holds));
            }
        }
    }
    let differs =
        |line: &HoldSummary, cost: Money| line.state == HoldState::Open || line.counts_usd != cost;
    let differing = charged.into_values().filter(|(line, cost)| differs(line, *cost));
    let corrections = differing.map(|(line, cost)| {
        let (hold, reason) = (line.hold.clone(), reason.to_owned());
        adjust::HoldCorrection { hold, cost, reason }
    });
    Ok(StatementMatch { corrections: corrections.collect(), unknown, ambiguous })
}

/// All holds by each id that may stand for them. An id stands for several holds if several calls
/// share it, for example if a server gives all its responses the same id.
fn index<'l>(
    conn: &Connection,
    lines: &'l [HoldSummary],
) -> StoreResult<HashMap<String, Vec<&'l HoldSummary>>> {
    let mut known: HashMap<String, Vec<&HoldSummary>> = HashMap::new();
    let mut add = |id: String, line: &'l HoldSummary| {
        let holds = known.entry(id).or_default();
        if holds.iter().all(|other| other.hold != line.hold) {
            holds.push(line);
        }
    };
    for line in lines {
        add(line.hold.clone(), line);
        if let Some((id, _)) = line.hold.split_once('@') {
            add(id.to_owned(), line);
        }
        let Some(id) = &line.call else { continue };
        add(id.clone(), line);
        let exchange = calls::call(conn, id)?.map(|call| call.exchange);
        let ids = exchange.iter().flat_map(|e| [request_id(e), response_id(e)]);
        ids.flatten().for_each(|id| add(id, line));
    }
    Ok(known)
}

/// The provider's id of a request, from the response headers. None if there is none.
fn request_id(exchange: &HttpExchange) -> Option<String> {
    const NAMES: [&str; 3] = ["x-request-id", "request-id", "x-goog-request-id"];
    let headers = exchange.response_headers.iter();
    let named = |name: &str| NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    headers.into_iter().find(|(name, _)| named(name)).map(|(_, value)| value.clone())
}

/// The provider's id of a response: from the whole JSON body, or from the first event of a stream
/// that has an id. None if there is none.
fn response_id(exchange: &HttpExchange) -> Option<String> {
    let text = std::str::from_utf8(&exchange.response).ok()?;
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    std::iter::once(text).chain(events).find_map(|json| {
        let value: serde_json::Value = serde_json::from_str(json.trim()).ok()?;
        let places = ["/id", "/message/id", "/response/id", "/responseId"];
        places.iter().find_map(|place| Some(value.pointer(place)?.as_str()?.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_names_its_answers_in_many_places() {
        let cases = [
            (r#"{"id":"chatcmpl-1"}"#, Some("chatcmpl-1")),
            ("data: {\"id\":\"chatcmpl-2\"}\n\ndata: [DONE]\n", Some("chatcmpl-2")),
            ("event: message_start\ndata: {\"message\":{\"id\":\"msg_1\"}}\n", Some("msg_1")),
            ("data: {\"response\":{\"id\":\"resp_1\"}}\n", Some("resp_1")),
            ("<html>", None),
            ("", None),
        ];
        for (body, id) in cases {
            let exchange = HttpExchange { response: body.into(), ..HttpExchange::default() };
            assert_eq!(response_id(&exchange).as_deref(), id, "{body}");
        }
    }
}
