//! Corrections of the record of money, written while nobody else has the store.

use super::adjust::{self, CorrectedHold, CorrectionError, HoldCorrection};
use super::error::StoreError;
use super::lock::DataDirLock;
use super::schema::MIGRATIONS;
use super::{money, open};
use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::path::Path;
use synthd_actors::model::Money;

/// What was corrected, and what was spoken of that is not recorded here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReconcileReport {
    pub corrected: Vec<CorrectedHold>,
    pub unknown: Vec<String>,
}

/// Corrects one hold.
pub fn reconcile(
    dir: &Path,
    correction: HoldCorrection,
    who: &str,
    at_ms: i64,
) -> Result<ReconcileReport> {
    write(dir, who, at_ms, |_| Ok(Ok((vec![correction], Vec::new()))))
}

/// Corrects all holds that a provider's own record has other costs for.
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

const HINT: &str = "`synthd money list --all --json` shows the ids of holds and requests";

/// The corrections and the unknown ids; or why nothing is to be corrected.
type WantedCorrections = Result<(Vec<HoldCorrection>, Vec<String>), CorrectionError>;

fn write(
    dir: &Path,
    who: &str,
    at_ms: i64,
    wanted: impl FnOnce(&rusqlite::Connection) -> Result<WantedCorrections, StoreError>,
) -> Result<ReconcileReport> {
    let failed = |error: StoreError| error.on_open(dir);
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

fn uncorrected(why: CorrectionError) -> Error {
    let what = match why {
        CorrectionError::Unknown(id) => format!("there is no hold {id:?}"),
        CorrectionError::Ambiguous(id, holds) => {
            format!("the id {id:?} stands for several holds: {}", holds.join(", "))
        }
    };
    Error::new(Code::HoldUnknown, what).hint(HINT)
}
