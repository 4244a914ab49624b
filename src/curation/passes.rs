//! The passes of a recipe's stages over its rows, page by page.

use super::note_store::NoteStore;
use super::recipe_rows::RecipeRows;
use crate::error::{Code, Error, Result};
use crate::running_engine::fault_error;
use std::collections::HashSet;
use synthd_actors::curation::CurationRun;
use synthd_actors::model::RowRecord;
use synthd_actors::ports::RowPages;

/// How many rows are in memory at once.
const PAGE: usize = 64;

/// Shows all rows to the stages until they have decided. `progress` is told how many rows of how many were
/// shown; a pass over all rows adds to both.
pub(super) async fn run_passes(
    run: &mut CurationRun,
    rows: &RecipeRows,
    notes: &mut NoteStore,
    progress: &dyn Fn(u64, u64),
) -> Result<()> {
    let (mut shown, mut whole) = (0, 0);
    let mut ids = HashSet::new();
    while run.wants_rows() {
        let is_first = whole == 0;
        whole += rows.count();
        for_each_page(rows, PAGE, &mut |page| {
            if is_first {
                page.iter().try_for_each(|row| refuse_known_id(&mut ids, row.row.id()))?;
            }
            page.iter().for_each(|row| run.show(row, notes));
            shown += page.len() as u64;
            progress(shown, whole);
            Ok(())
        })
        .await?;
        run.end_pass();
    }
    Ok(())
}

/// Calls `see` with all rows, so many at once.
pub(super) async fn for_each_page(
    rows: &RecipeRows,
    size: usize,
    see: &mut dyn FnMut(&[RowRecord]) -> Result<()>,
) -> Result<()> {
    let mut after = None;
    loop {
        let page = rows.page(after, size).await.map_err(|fault| fault_error(&fault))?;
        let Some(last) = page.last().map(|row| row.ordinal) else { return Ok(()) };
        see(&page)?;
        after = Some(last);
    }
}

/// Refuses a row that two sources have, such as two copies of one data directory.
fn refuse_known_id(ids: &mut HashSet<String>, id: &str) -> Result<()> {
    if ids.insert(id.to_owned()) {
        return Ok(());
    }
    let what = format!("two sources of the recipe have the row {id}");
    Err(Error::new(Code::RecipeSources, what)
        .hint("leave one of them out; a copy of a data directory has the same rows"))
}
