//! `synthd money reconcile`: corrects the record of money. It opens the store for writing itself,
//! so it fails while another process has the data directory.

use crate::error::{Code, Error, Result};
use crate::store::accounting::adjust::{self, CorrectedHold, CorrectionError, HoldCorrection};
use crate::store::error::StoreError;
use crate::store::integrity::lock::DataDirLock;
use crate::store::integrity::replacement::refuse_pending;
use crate::store::schema::MIGRATIONS;
use crate::store::{accounting::money, open};
use serde::Serialize;
use std::path::Path;
use synthd_actors::model::Money;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReconcileReport {
    /// The holds that were corrected.
    pub corrected: Vec<CorrectedHold>,
    /// Ids in the statement that belong to no hold. They are ignored.
    pub unknown: Vec<String>,
}

/// Corrects one hold. `who` and `at_ms` (milliseconds since 1970) go into the adjustment. Fails if
/// no hold has this id, or several have it.
pub fn reconcile(
    dir: &Path,
    correction: HoldCorrection,
    who: &str,
    at_ms: i64,
) -> Result<ReconcileReport> {
    write(dir, who, at_ms, |_| Ok(Ok((vec![correction], Vec::new()))))
}

/// Corrects all holds for which a provider's statement has another cost. `costs` are the lines of
/// the statement: an id and a cost. Fails and changes nothing if an id stands for several holds.
/// Also fails if none of the ids is known, because the statement is then probably of another
/// account.
pub fn reconcile_with(
    dir: &Path,
    costs: &[(String, Money)],
    reason: &str,
    who: &str,
    at_ms: i64,
) -> Result<ReconcileReport> {
    let done = write(dir, who, at_ms, |conn| {
        let matched = money::corrections(conn, costs, reason)?;
        Ok(match matched.ambiguous {
            Some((id, holds)) => Err(CorrectionError::Ambiguous(id, holds)),
            None => Ok((matched.corrections, matched.unknown)),
        })
    })?;
    if done.corrected.is_empty() && done.unknown.len() == costs.len() && !costs.is_empty() {
        let what = "none of its ids belongs to a hold, a call or a request that is recorded here";
        return Err(Error::new(Code::HoldUnknown, what).hint(HINT));
    }
    Ok(done)
}

/// Where the user finds the ids.
const HINT: &str = "`synthd money list --all --json` shows the ids of holds and requests";

/// The corrections to make and the unknown ids, or why nothing can be corrected.
type WantedCorrections = Result<(Vec<HoldCorrection>, Vec<String>), CorrectionError>;

/// Opens the store, asks `wanted` for the corrections, makes them, and closes the store. They are
/// on the disk when this function returns. The store is also closed cleanly if an id was unknown or
/// stood for several holds.
fn write(
    dir: &Path,
    who: &str,
    at_ms: i64,
    wanted: impl FnOnce(&rusqlite::Connection) -> Result<WantedCorrections, StoreError>,
) -> Result<ReconcileReport> {
    let failed = |error: StoreError| error.on_open(dir);
    refuse_pending(dir)?;
    open::database_exists(dir)?;
    let _lock = DataDirLock::take(dir)?;
    let mut opened = open::writer(dir, MIGRATIONS)?;
    let done = match wanted(&opened.conn).map_err(failed)? {
        Err(why) => Err(why),
        Ok((corrections, unknown)) => {
            let done = adjust::correct(&mut opened.conn, &corrections, who, at_ms);
            done.map_err(failed)?.map(|corrected| ReconcileReport { corrected, unknown })
        }
    };
    if done.is_ok() {
        opened.sync_all().map_err(failed)?;
    }
    opened.close(true).map_err(failed)?;
    done.map_err(uncorrected)
}

/// The error for a hold that could not be corrected.
fn uncorrected(why: CorrectionError) -> Error {
    let what = match why {
        CorrectionError::Unknown(id) => format!("there is no hold {id:?}"),
        CorrectionError::Ambiguous(id, holds) => {
            format!("the id {id:?} stands for several holds: {}", holds.join(", "))
        }
    };
    Error::new(Code::HoldUnknown, what).hint(HINT)
}
