//! The rows of the dataset version that is reviewed. Only a few are in memory at once.

use crate::curation::notes_of;
use crate::dataset::{each_row, metadata_of};
use crate::error::{Code, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use synthd_actors::model::{DatasetRow, SealedVerdict, digest_of};
use synthd_actors::review::{
    REVIEW_SCHEMA, ReviewCandidate, ReviewHead, ReviewItem, SampleDesign, SamplePlan,
    contradictions, draw_sample,
};

/// Draws a sample of a version: the head of the review and its items.
pub fn sample_version(
    dir: &Path,
    name: &str,
    design: SampleDesign,
    plan: SamplePlan,
    created_at: String,
) -> Result<(ReviewHead, Vec<ReviewItem>)> {
    let metadata = metadata_of(dir)?;
    let notes = noted(dir)?;
    let none = Vec::new();
    let (mut candidates, mut facts) = (Vec::new(), BTreeMap::new());
    each_row(dir, &mut |_, row| {
        let noted = notes.get(row.id()).unwrap_or(&none);
        let stratum = design.stratum(&row, noted);
        candidates.push(ReviewCandidate { row: row.id().to_owned(), stratum });
        let fact = (content_of(&row), SealedVerdict::of(&row), contradictions(&row, noted));
        facts.insert(row.id().to_owned(), fact);
    })?;
    let rows = candidates.len();
    let sample = draw_sample(candidates, design, plan).map_err(|fault| {
        let what = format!("no sample of {} can be drawn: {fault}", dir.display());
        Error::new(Code::ReviewUnusable, what)
            .hint("take more rows with --rows, or fewer strata with --how")
    })?;
    let known = sample.into_iter().filter_map(|one| Some((facts.remove(&one.row)?, one)));
    let items = known.enumerate().map(|(at, (fact, one))| {
        let (digest, verdict, contradictions) = fact;
        ReviewItem {
            number: wide(at) + 1,
            row: one.row,
            digest,
            stratum: one.stratum,
            drawn: one.drawn,
            of: one.of,
            reviewers: if one.twice { 2 } else { 1 },
            verdict,
            contradictions,
        }
    });
    let items: Vec<ReviewItem> = items.collect();
    let head = ReviewHead {
        schema: REVIEW_SCHEMA.to_owned(),
        name: name.to_owned(),
        dir: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).display().to_string(),
        dataset: metadata.campaign,
        version: metadata.version,
        digest: metadata.digest,
        design,
        seed: plan.seed,
        rows: wide(rows),
        items: wide(items.len()),
        created_at,
    };
    Ok((head, items))
}

/// The stages whose notes say something of a row, by the row's id.
fn noted(dir: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut noted = BTreeMap::new();
    notes_of(dir, &mut |line| {
        let kinds = line.stages.into_iter().map(|stage| stage.kind).collect();
        noted.insert(line.row, kinds);
    })?;
    Ok(noted)
}

/// How many rows are read at once.
const AHEAD: usize = 8;

/// Reads rows of items. A look at the version reads several of them.
#[derive(Debug)]
pub struct ReviewRows {
    dir: PathBuf,
    review: String,
    read: BTreeMap<String, DatasetRow>,
}

impl ReviewRows {
    /// The version that a review is of. `dir` is where it lies now, if it has moved.
    pub fn open(head: &ReviewHead, dir: Option<&Path>) -> Result<Self> {
        let dir = dir.map_or_else(|| PathBuf::from(&head.dir), Path::to_owned);
        let metadata = metadata_of(&dir).map_err(|error| {
            error.hint("the version was moved or removed: name its directory with --version DIR")
        })?;
        if metadata.digest != head.digest {
            let what = format!(
                "the review {} is of version {} of {}, and {} has other rows",
                head.name,
                head.version,
                head.dataset,
                dir.display()
            );
            return Err(Error::new(Code::ReviewUnusable, what)
                .hint("name the directory of the reviewed version with --version DIR"));
        }
        Ok(Self { dir, review: head.name.clone(), read: BTreeMap::new() })
    }

    /// The row of an item. `next` are the items that are likely to be wanted after it.
    pub fn row<'a>(
        &mut self,
        item: &ReviewItem,
        next: impl Iterator<Item = &'a ReviewItem>,
    ) -> Result<DatasetRow> {
        if !self.read.contains_key(&item.row) {
            let wanted = std::iter::once(item.row.clone());
            let wanted: BTreeSet<String> =
                wanted.chain(next.map(|item| item.row.clone()).take(AHEAD)).collect();
            self.read.clear();
            each_row(&self.dir, &mut |_, row| {
                if wanted.contains(row.id()) {
                    self.read.insert(row.id().to_owned(), row);
                }
            })?;
        }
        let row = self.read.get(&item.row).filter(|row| content_of(row) == item.digest);
        row.cloned().ok_or_else(|| {
            let what = format!(
                "{} has not the row {} of item {} of the review {}",
                self.dir.display(),
                item.row,
                item.number,
                self.review
            );
            Error::new(Code::ReviewUnusable, what).hint(format!(
                "`synthd dataset verify {}` looks at the version",
                self.dir.display()
            ))
        })
    }
}

/// The digest of a row's content.
fn content_of(row: &DatasetRow) -> String {
    digest_of(&[&serde_json::to_string(row).unwrap_or_default()])
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
