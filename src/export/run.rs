//! An export from a version to a directory. Rows are read one after the other. If a line is made of
//! several rows, the version is read twice: first for what is needed to choose, then for the chosen
//! rows.

use super::best_of::{BestChoice, BestGroup, choose_best, joined};
use super::export_files::ExportDraft;
use super::export_format::{ExportFormat, LinePlace, RowConverter};
use super::export_record::{ExportChoices, ExportFilter, ExportRecord, ExportSource, SplitExport};
use super::left_reason::{ExportedRow, LeftReason, LostParts};
use super::preference::{
    PairChoice, PairRules, PairSide, PreferencePair, PreferenceTry, TryGroup, choose,
};
use super::share_gpt::dataset_info;
use super::side_store::SideStore;
use crate::dataset::{DatasetMetadata, each_row, metadata_of};
use crate::error::{Code, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use synthd_actors::model::{DatasetRow, DatasetSplit};

/// The file in which chosen rows wait for their partners.
const SIDES: &str = ".sides.tmp";

/// What is exported, and how.
pub struct ExportRequest<'a> {
    /// The directory of the version.
    pub version: &'a Path,
    /// The directory of the export.
    pub out: &'a Path,
    pub format: ExportFormat,
    pub filter: ExportFilter,
    /// How pairs are chosen, if the format has pairs.
    pub rules: PairRules,
}

/// Writes an export. `show` is told how many rows of how many were read. Nothing is written if the
/// directory has files, or if no row can be said in the format.
pub fn export(request: &ExportRequest<'_>, show: &dyn Fn(u64, u64)) -> Result<ExportRecord> {
    let metadata = metadata_of(request.version)?;
    let draft = ExportDraft::create(request.out).map_err(|error| unwritten(request, error))?;
    let passes = if request.format.has_groups() { 2 } else { 1 };
    let of = metadata.figures.rows().saturating_mul(passes);
    let splits = request.filter.splits.iter().map(|split| (*split, SplitExport::default()));
    let (splits, seen) = (splits.collect(), BTreeSet::new());
    let mut run = ExportRun { request, draft, splits, seen, read: 0, of, show };
    match request.format.converter() {
        Some(convert) => run.rows(convert)?,
        None => run.groups()?,
    }
    run.finish(&metadata)
}

/// An export that is being made.
struct ExportRun<'a> {
    request: &'a ExportRequest<'a>,
    draft: ExportDraft,
    splits: BTreeMap<DatasetSplit, SplitExport>,
    /// The keys of which a split has a row, if the format has each key once.
    seen: BTreeSet<(DatasetSplit, String)>,
    /// Rows that were read, in all passes.
    read: u64,
    of: u64,
    show: &'a dyn Fn(u64, u64),
}

impl ExportRun<'_> {
    /// Writes a line for each row.
    fn rows(&mut self, convert: RowConverter) -> Result<()> {
        self.each(&mut |run, split, row| run.row(split, row, convert))
    }

    fn row(
        &mut self,
        split: DatasetSplit,
        row: &DatasetRow,
        convert: RowConverter,
    ) -> io::Result<()> {
        let Some(counts) = counted(&mut self.splits, &self.request.filter, split, row) else {
            return Ok(());
        };
        let place = LinePlace { split, index: counts.written };
        match convert.convert(row, place).and_then(|made| first_of(&mut self.seen, split, made)) {
            Ok(exported) => {
                self.draft.add(split, &exported)?;
                counts.written += 1;
                counts.lose(&exported.lost);
            }
            Err(reason) => counts.leave_out(reason),
        }
        Ok(())
    }

    /// Writes a line for each pair, or for each group of rows.
    fn groups(&mut self) -> Result<()> {
        let mut groups: BTreeMap<TryGroup, Vec<PreferenceTry>> = BTreeMap::new();
        self.each(&mut |run, split, row| {
            let Some(counts) = counted(&mut run.splits, &run.request.filter, split, row) else {
                return Ok(());
            };
            match PreferenceTry::of(split, row) {
                Ok((group, one)) => groups.entry(group).or_default().push(one),
                Err(reason) => counts.leave_out(reason),
            }
            Ok(())
        })?;
        let rules = self.request.rules;
        match self.request.format.has_pairs() {
            true => self.write_pairs(&choose(groups, rules)),
            false => self.write_best(&choose_best(groups, rules)),
        }
    }

    /// Counts rows that are in no line.
    fn leave_out(&mut self, left: &[(DatasetSplit, LeftReason)]) {
        for (split, reason) in left {
            self.splits.entry(*split).or_default().leave_out(*reason);
        }
    }

    /// Reads the chosen rows, and writes the pairs.
    fn write_pairs(&mut self, choice: &PairChoice) -> Result<()> {
        self.leave_out(&choice.left);
        let both = |pair: &'_ PreferencePair| [pair.chosen.clone(), pair.rejected.clone()];
        let wanted: BTreeSet<String> = choice.pairs.iter().flat_map(both).collect();
        self.with_sides(&wanted, &mut |run, sides| {
            choice.pairs.iter().try_for_each(|pair| run.write_pair(pair, sides))
        })
    }

    /// Reads the rows of the groups, and writes a line for each group.
    fn write_best(&mut self, choice: &BestChoice) -> Result<()> {
        self.leave_out(&choice.left);
        let ids = choice.groups.iter().flat_map(|group| group.ids.clone());
        let wanted: BTreeSet<String> = ids.collect();
        self.with_sides(&wanted, &mut |run, sides| {
            choice.groups.iter().try_for_each(|group| run.write_group(group, sides))
        })
    }

    /// Reads the wanted rows into a file, and calls `write` with it.
    fn with_sides(
        &mut self,
        wanted: &BTreeSet<String>,
        write: &mut dyn FnMut(&mut Self, &SideStore) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.draft.dir().join(SIDES);
        let request = self.request;
        let failed = |error: io::Error| unwritten(request, error);
        let mut sides = SideStore::create(&path).map_err(failed)?;
        self.each(&mut |run, split, row| {
            if !wanted.contains(row.id()) {
                return Ok(());
            }
            if let Ok((side, lost)) = PairSide::of(row) {
                sides.put(row.id(), &side)?;
                run.splits.entry(split).or_default().lose(&lost);
            }
            Ok(())
        })?;
        write(self, &sides).map_err(failed)?;
        fs::remove_file(&path).map_err(failed)
    }

    fn write_pair(&mut self, pair: &PreferencePair, sides: &SideStore) -> io::Result<()> {
        let (chosen, rejected) = (sides.get(&pair.chosen)?, sides.get(&pair.rejected)?);
        let scored = self.request.format == ExportFormat::RewardModel;
        let line = serde_json::to_string(&chosen.over(&rejected, scored))?;
        self.write_line(pair.split, line)
    }

    fn write_group(&mut self, group: &BestGroup, sides: &SideStore) -> io::Result<()> {
        let tries = group.ids.iter().map(|id| sides.get(id)).collect::<io::Result<Vec<_>>>()?;
        match joined(&tries) {
            Some(line) => self.write_line(group.split, serde_json::to_string(&line)?),
            None => Ok(()),
        }
    }

    /// Writes a line that is made of several rows.
    fn write_line(&mut self, split: DatasetSplit, line: String) -> io::Result<()> {
        self.draft.add(split, &ExportedRow::new(line, LostParts::new()))?;
        self.splits.entry(split).or_default().written += 1;
        Ok(())
    }

    /// Calls `see` with each row of the wanted splits, until it fails.
    fn each(
        &mut self,
        see: &mut dyn FnMut(&mut Self, DatasetSplit, &DatasetRow) -> io::Result<()>,
    ) -> Result<()> {
        let request = self.request;
        let mut failed = None;
        each_row(request.version, &mut |split, row| {
            self.read += 1;
            (self.show)(self.read, self.of);
            if failed.is_none() && request.filter.splits.contains(&split) {
                failed = see(self, split, &row).err();
            }
        })?;
        failed.map_or(Ok(()), |error| Err(unwritten(request, error)))
    }

    /// Writes what stands beside the rows, and gives the export its name.
    fn finish(mut self, metadata: &DatasetMetadata) -> Result<ExportRecord> {
        let request = self.request;
        let failed = |error: io::Error| unwritten(request, error);
        let files = self.draft.finish_rows().map_err(failed)?;
        if files.is_empty() {
            return Err(nothing(request, &self.splits));
        }
        let record = ExportRecord {
            format: request.format.as_str(),
            engine: format!("synthd {}", env!("CARGO_PKG_VERSION")),
            source: ExportSource {
                campaign: metadata.campaign.clone(),
                version: metadata.version,
                digest: metadata.digest.clone(),
                row_schema: metadata.row_schema.clone(),
                licence: metadata.licence.clone(),
            },
            options: ExportChoices::of(request.format, &request.filter, request.rules),
            splits: self.splits,
            files,
        };
        self.draft.write_json("export.json", &record).map_err(failed)?;
        if request.format == ExportFormat::LlamaFactory {
            self.draft.write_json("dataset_info.json", &info(&record)).map_err(failed)?;
        }
        self.draft.publish().map_err(failed)?;
        Ok(record)
    }
}

/// The row, unless the format has its key once and an earlier row has it.
fn first_of(
    seen: &mut BTreeSet<(DatasetSplit, String)>,
    split: DatasetSplit,
    mut made: ExportedRow,
) -> Result<ExportedRow, LeftReason> {
    let Some((key, reason)) = made.once.take() else { return Ok(made) };
    match seen.insert((split, key)) {
        true => Ok(made),
        false => Err(reason),
    }
}

/// Counts a row of a split. None if the filter does not take it.
fn counted<'a>(
    splits: &'a mut BTreeMap<DatasetSplit, SplitExport>,
    filter: &ExportFilter,
    split: DatasetSplit,
    row: &DatasetRow,
) -> Option<&'a mut SplitExport> {
    let counts = splits.entry(split).or_default();
    counts.read += 1;
    if filter.takes(row) {
        return Some(counts);
    }
    counts.filtered += 1;
    None
}

/// The names of the files for LLaMA-Factory: that of the campaign and the split.
fn info(record: &ExportRecord) -> serde_json::Value {
    let name = |path: &str| {
        let split = path.split_once('.').map_or(path, |(split, _)| split);
        (format!("{}-{split}", record.source.campaign), path.to_owned())
    };
    let files: Vec<_> = record.files.iter().map(|file| name(&file.path)).collect();
    dataset_info(&files)
}

/// The error for a directory that cannot be written.
fn unwritten(request: &ExportRequest<'_>, error: io::Error) -> Error {
    let what = format!("{} cannot be written", request.out.display());
    Error::new(Code::ExportUnwritten, what)
        .with_source(error)
        .hint("name another directory with `--out`; nothing is overwritten")
}

/// The error for an export without a line.
fn nothing(request: &ExportRequest<'_>, splits: &BTreeMap<DatasetSplit, SplitExport>) -> Error {
    let (version, format) = (request.version.display(), request.format.as_str());
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for counts in splits.values() {
        for (reason, count) in &counts.left_out {
            *reasons.entry(reason).or_default() += count;
        }
        *reasons.entry("filtered").or_default() += counts.filtered;
    }
    let rows = reasons.iter().filter(|(_, count)| **count > 0);
    let rows: Vec<_> = rows.map(|(reason, count)| format!("{count} {reason}")).collect();
    let why = if rows.is_empty() { "it has no rows there".to_owned() } else { rows.join(", ") };
    Error::new(Code::ExportUnwritten, format!("no row of {version} becomes {format}: {why}"))
        .hint("docs/exports.md explains each reason and what each format has a place for")
}
