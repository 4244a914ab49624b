//! Rows that have texts of a benchmark. A model that is trained on them is no longer measured by it.
//!
//! ```text
//!  text ─► words ─► grams ─► filter ─► index of all items ─► counts for each part ─► findings
//! ```
//! One gram of thirteen words is enough. Short functions have none, and names may be other ones, so two
//! shares count too: of the grams of eight words of a part, and of its code with names told by their
//! places. Single grams of these are often idioms, so a share must be large.

mod benchmark_items;
mod gram_index;
#[cfg(test)]
mod tests;
mod text_grams;

use super::text_words::bytes_hash;
use crate::curation::{RowFinder, StageInputs, StageRemark, TextPlace, TextSource, visit_strings};
use crate::model::RowRecord;
use benchmark_items::{BenchmarkItem, benchmark_items};
use gram_index::GramIndex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use text_grams::{GramReader, LONG, SHORT};

/// By what a row is found to have an item of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BenchmarkOverlap {
    /// Thirteen words that follow each other.
    Words,
    /// Half of the rows of eight words of a part.
    Share,
    /// Most of the code of a part, whatever its names are.
    Code,
}

impl BenchmarkOverlap {
    pub const ALL: [(&str, Self); 3] =
        [("words", Self::Words), ("share", Self::Share), ("code", Self::Code)];

    /// The least overlap: the share of a part's grams in thousandths, and the number of grams.
    fn least(self) -> (u64, u32) {
        match self {
            Self::Words => (0, 1),
            Self::Share => (500, 2),
            Self::Code => (600, 5),
        }
    }
}

/// How many short grams are passed over at a time.
const PASSED: usize = 2;
/// The most items that are named in a row.
const MOST_NAMED: usize = 5;
/// A gram that more items of a file have, and more than a twentieth of them, is the file's own phrase.
const COMMON: usize = 16;

/// Finds texts of benchmarks.
pub struct BenchmarkText {
    by: Vec<BenchmarkOverlap>,
    observations: bool,
    grams: GramReader,
    /// The grams of each sort, in the order of [`BenchmarkOverlap`].
    indexes: [GramIndex; 3],
    parts: Vec<BenchmarkPart>,
    /// The name of each item, with its file.
    items: Vec<String>,
}

/// A part of an item.
struct BenchmarkPart {
    item: usize,
    name: String,
    /// How many different grams of each sort it has.
    grams: [u32; 3],
}

/// The overlap of a row with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PartOverlap {
    /// The share in thousandths.
    share: u64,
    shared: u32,
    part: u32,
}

/// Where hits of each sort stand in the indexes.
type GramHits = [Vec<u32>; 3];

/// What a file must be to be read as a benchmark. None if it is one.
pub(super) fn fault_of(paths: &[String], inputs: &StageInputs) -> Option<String> {
    paths.iter().find_map(|path| {
        let why = match benchmark_items(&inputs.file(path)) {
            Err(why) => why,
            Ok(items) if !items.iter().any(is_visible) => {
                format!("no part of an item has {SHORT} words, so none can be found")
            }
            Ok(_) => return None,
        };
        Some(format!("the benchmark {path} cannot be used: {why}"))
    })
}

/// Whether an item has a part that is long enough.
fn is_visible(item: &BenchmarkItem) -> bool {
    let reader = GramReader::new();
    item.parts.iter().any(|(_, text)| {
        let mut any = false;
        reader.each(text, |grams| any |= grams.short.is_some());
        any
    })
}

impl BenchmarkText {
    /// `paths` name the files. One that cannot be read as a benchmark has no items.
    pub fn new(
        paths: &[String],
        by: &[BenchmarkOverlap],
        observations: bool,
        inputs: &StageInputs,
    ) -> Self {
        let grams = GramReader::new();
        let (mut items, mut parts) = (Vec::new(), Vec::new());
        let mut found: [Vec<(u64, u32)>; 3] = Default::default();
        // The file of each item, and how many items each file has.
        let (mut files, mut counts) = (Vec::new(), Vec::new());
        for (file, path) in paths.iter().enumerate() {
            let read = benchmark_items(&inputs.file(path)).unwrap_or_default();
            counts.push(read.len());
            for item in read {
                for (name, text) in item.parts {
                    let part = parts.len() as u32;
                    grams.each(&text, |grams| {
                        let sorts = [grams.long, grams.short, grams.shape];
                        for (found, hash) in found.iter_mut().zip(sorts) {
                            found.extend(hash.map(|hash| (hash, part)));
                        }
                    });
                    parts.push(BenchmarkPart { item: items.len(), name, grams: [0; 3] });
                }
                items.push(format!("{path} {}", item.id));
                files.push(file);
            }
        }
        let is_common = |same: &[(u64, u32)]| {
            let mut of_file: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
            if same.len() <= COMMON {
                return false;
            }
            for (_, part) in same {
                let item = parts[*part as usize].item;
                of_file.entry(files[item]).or_default().insert(item);
            }
            of_file.iter().any(|(file, items)| items.len() > COMMON.max(counts[*file] / 20))
        };
        let indexes = found.map(|found| GramIndex::new(found, is_common));
        for (sort, index) in indexes.iter().enumerate() {
            index.all_parts().for_each(|part| parts[part as usize].grams[sort] += 1);
        }
        Self { by: by.to_vec(), observations, grams, indexes, parts, items }
    }

    /// Whether a text is compared.
    fn compares(&self, place: TextPlace) -> bool {
        match place.source {
            TextSource::Given => !place.json,
            TextSource::Written => true,
            TextSource::Shown => self.observations,
            TextSource::Judged => false,
        }
    }

    /// Adds what a text overlaps with to what other texts of the row do.
    fn look(&self, text: &str, found: &mut BTreeMap<(BenchmarkOverlap, usize), PartOverlap>) {
        let hits = self.hits(text);
        for (_, overlap) in BenchmarkOverlap::ALL {
            let sort = overlap as usize;
            if hits[sort].is_empty() || !self.by.contains(&overlap) {
                continue;
            }
            for (part, shared) in self.counts(sort, &hits[sort]) {
                let Some(most) = self.overlap(overlap, part, shared) else { continue };
                let item = self.parts[part as usize].item;
                let known = found.entry((overlap, item)).or_insert(most);
                *known = most.max(*known);
            }
        }
    }

    /// Where the grams of a text stand in the indexes, each once.
    fn hits(&self, text: &str) -> GramHits {
        let [long, short, shape] = &self.indexes;
        let find = |index: &GramIndex, hash: u64| index.may_have(hash).then(|| index.find(hash))?;
        let mut hits = GramHits::default();
        // Only every third short gram is looked up. Where it is there, its neighbours are too.
        let (mut row, mut passed) = (0, Vec::with_capacity(PASSED));
        let wants_code = self.by.contains(&BenchmarkOverlap::Code);
        self.grams.each(text, |grams| {
            let Some(hash) = grams.short else { return };
            if row == 0 && passed.len() < PASSED {
                passed.push(hash);
            } else if let Some(at) = find(short, hash) {
                let known = hits[1].len();
                hits[1].push(at);
                hits[1].extend(passed.drain(..).rev().map_while(|hash| find(short, hash)));
                row += hits[1].len() - known;
            } else {
                row = 0;
                passed.clear();
            }
            // A long gram is there only if all short ones within it are.
            if row > LONG - SHORT {
                hits[0].extend(grams.long.and_then(|hash| find(long, hash)));
            }
            if wants_code {
                hits[2].extend(grams.shape.and_then(|hash| find(shape, hash)));
            }
        });
        for hits in &mut hits {
            hits.sort_unstable();
            hits.dedup();
        }
        hits
    }

    /// How many grams each part shares.
    fn counts(&self, sort: usize, hits: &[u32]) -> BTreeMap<u32, u32> {
        let index = &self.indexes[sort];
        let mut counts = BTreeMap::new();
        for begin in hits {
            index.same(*begin).for_each(|part| *counts.entry(part).or_insert(0) += 1);
        }
        counts
    }

    /// The overlap with a part; none if it is too small.
    fn overlap(&self, by: BenchmarkOverlap, part: u32, shared: u32) -> Option<PartOverlap> {
        let all = self.parts[part as usize].grams[by as usize].max(1);
        let share = u64::from(shared) * 1_000 / u64::from(all);
        let (least, count) = by.least();
        (share >= least && shared >= count).then_some(PartOverlap { share, shared, part })
    }

    fn remark(&self, by: BenchmarkOverlap, item: usize, overlap: PartOverlap) -> StageRemark {
        let part = &self.parts[overlap.part as usize];
        let (shared, all) = (overlap.shared, part.grams[by as usize]);
        let of = match by {
            BenchmarkOverlap::Words => "rows of 13 words",
            BenchmarkOverlap::Share => "rows of 8 words",
            BenchmarkOverlap::Code => "rows of 13 words with other names",
        };
        let said = format!("{}: {shared} of {all} {of} of its {}", self.items[item], part.name);
        let remark = StageRemark::new(said).scored(overlap.share as f64 / 1_000.0);
        match by {
            BenchmarkOverlap::Words => remark,
            BenchmarkOverlap::Share | BenchmarkOverlap::Code => remark.labelled("benchmark-like"),
        }
    }
}

impl RowFinder for BenchmarkText {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let mut found = BTreeMap::new();
        // The same text often stands at several places.
        let mut seen = BTreeSet::new();
        visit_strings(&record.row, &mut |place, text| {
            if self.compares(place) && seen.insert(bytes_hash(text.as_bytes())) {
                self.look(text, &mut found);
            }
        });
        // Of each item the surest overlap, and of all items the largest ones.
        let mut named = BTreeSet::new();
        let mut first: Vec<_> =
            found.into_iter().filter(|((_, item), _)| named.insert(*item)).collect();
        first.sort_by_key(|((by, item), most)| (*by, std::cmp::Reverse(*most), *item));
        let others = first.len().saturating_sub(MOST_NAMED);
        let mut remarks: Vec<StageRemark> = first
            .into_iter()
            .take(MOST_NAMED)
            .map(|((by, item), most)| self.remark(by, item, most))
            .collect();
        if let (Some(last), true) = (remarks.last_mut(), others > 0) {
            last.detail.push_str(&format!(", and {others} more items"));
        }
        remarks
    }
}
