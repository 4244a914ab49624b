//! The passes of a recipe over its rows.
//!
//! ```text
//!  Pass(from 0) ──end_pass──► Pass(behind the whole-set stage) ──end_pass──► … ──► Decided
//!      │ show(row): the stages of the pass, up to the first that needs all rows or rejects
//!  Decided: apply(row) puts in what the notes say
//! ```
//! Rows are shown in each pass in the same order. A note that was found before is taken from the
//! cache. Memory holds the notes, and what whole-set stages remember; never the rows.

use super::curation_stage::{CurationStage, StageFinder, TextFinder, TextMatch};
use super::note_cache::{NoteCache, NoteKey};
use super::recipe::CurationAction;
use super::row_note::{RowNote, StageRemark};
use super::row_text::{SeenText, edit_passages, visit_passages};
use crate::model::{DatasetRow, RowRecord, RowRejection, StageFinding, digest_of};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The most places of one sort that a note names.
const NAMED_PLACES: usize = 5;
/// Labels that a campaign's own stages have put on rows. A recipe says anew which rows get them.
const CAMPAIGN_LABELS: [&str; 6] =
    ["format", "leak", "tampering", "loops", "truncation", "duplicate"];

/// A recipe that runs over its rows.
pub struct CurationRun {
    stages: Vec<CurationStage>,
    /// The digest of each stage with what comes before it and changes rows.
    keys: Vec<String>,
    reports: Vec<CurationStageReport>,
    notes: BTreeMap<u64, Vec<RowNote>>,
    /// The first stage of this pass; the number of stages if all have decided.
    next: usize,
    /// From which replaced passages get their names. See [`replaced`].
    replacement_key: String,
}

/// What a stage has seen and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurationStageReport {
    /// The rows that it was shown.
    pub seen: u64,
    /// Those for which an earlier run knew the answer.
    pub known: u64,
    /// Those with a finding.
    pub found: u64,
    /// Passages that it replaced.
    pub replaced: u64,
    /// How long it looked and decided.
    pub took: Duration,
}

impl CurationRun {
    /// A run that has seen no row. Replaced passages get their names from the key, which is secret.
    pub fn new(stages: Vec<CurationStage>, replacement_key: String) -> Self {
        let keys = keys(&stages);
        let reports = vec![CurationStageReport::default(); stages.len()];
        Self { stages, keys, reports, notes: BTreeMap::new(), next: 0, replacement_key }
    }

    pub fn stages(&self) -> &[CurationStage] {
        &self.stages
    }

    pub fn reports(&self) -> &[CurationStageReport] {
        &self.reports
    }

    /// The notes on a row, in the order of the stages.
    pub fn notes(&self, ordinal: u64) -> &[RowNote] {
        self.notes.get(&ordinal).map_or(&[], Vec::as_slice)
    }

    /// Whether all rows must be shown once more.
    pub fn wants_rows(&self) -> bool {
        self.next < self.stages.len()
    }

    /// Shows a row to the stages of this pass.
    pub fn show(&mut self, record: &RowRecord, cache: &mut dyn NoteCache) {
        if self.rejection(record.ordinal).is_some() {
            return;
        }
        let mut changed = self.changed(record, self.next);
        let row_key = format!("{}/{}", record.episode.as_str(), record.content_digest);
        for at in self.next..self.stages.len() {
            let shown = changed.as_ref().unwrap_or(record);
            let began = Instant::now();
            self.reports[at].seen += 1;
            if let StageFinder::Whole(finder) = &mut self.stages[at].finder {
                finder.observe(shown);
                self.reports[at].took += began.elapsed();
                return;
            }
            let key = NoteKey { stage: &self.keys[at], row: &row_key };
            let note = match cache.get(key) {
                Some(note) => {
                    self.reports[at].known += 1;
                    RowNote { stage: at, ..note }
                }
                None => {
                    let note = look(&self.stages[at], at, shown);
                    cache.put(key, &note);
                    note
                }
            };
            if note.replaced > 0 {
                changed = self.changed_by(at, changed.unwrap_or_else(|| record.clone()));
            }
            self.reports[at].took += began.elapsed();
            let found = !note.remarks.is_empty();
            self.keep(record.ordinal, note);
            if found && self.stages[at].action == CurationAction::Reject {
                return;
            }
        }
    }

    /// Ends a pass: the stage that needed all rows decides, and the next pass begins behind it.
    pub fn end_pass(&mut self) {
        let behind = (self.next..self.stages.len())
            .find(|at| matches!(self.stages[*at].finder, StageFinder::Whole(_)));
        let Some(at) = behind else {
            self.next = self.stages.len();
            return;
        };
        let began = Instant::now();
        let StageFinder::Whole(finder) = &mut self.stages[at].finder else { return };
        let decided = finder.decide();
        self.reports[at].took += began.elapsed();
        for (ordinal, remarks) in decided {
            self.keep(ordinal, RowNote { stage: at, remarks, replaced: 0 });
        }
        self.next = at + 1;
    }

    /// The row as a stage saw it. None if a stage before it has rejected the row. Stages that have not
    /// decided yet count as if they had found nothing.
    pub fn seen_by(&self, at: usize, record: &RowRecord) -> Option<RowRecord> {
        let is_rejected = self.notes(record.ordinal).iter().any(|note| {
            note.stage < at && self.stages[note.stage].action == CurationAction::Reject
        });
        (!is_rejected).then(|| self.changed(record, at).unwrap_or_else(|| record.clone()))
    }

    /// Puts into a row what the notes say: passages, labels and the rejection. The campaign's own
    /// decision is undone before.
    pub fn apply(&self, record: &mut RowRecord) {
        if let Some(changed) = self.changed(record, self.stages.len()) {
            *record = changed;
        }
        record.rejected = self.rejection(record.ordinal);
        record.row.labels_mut().retain(|label| !CAMPAIGN_LABELS.contains(&label.as_str()));
        for note in self.notes(record.ordinal) {
            let stage = &self.stages[note.stage];
            let details = note.remarks.iter().map(|remark| StageFinding {
                stage: stage.kind.to_owned(),
                version: stage.version,
                detail: remark.detail.clone(),
            });
            record.findings.extend(details);
            if stage.action == CurationAction::Label {
                for remark in &note.remarks {
                    add_label(record, remark.label.as_ref().unwrap_or(&stage.label));
                }
            }
        }
    }

    /// Which stage rejects a row, and why.
    fn rejection(&self, ordinal: u64) -> Option<RowRejection> {
        self.notes(ordinal).iter().find_map(|note| {
            let stage = &self.stages[note.stage];
            let remark = note.remarks.first()?;
            (stage.action == CurationAction::Reject).then(|| RowRejection {
                stage: stage.kind.to_owned(),
                detail: remark.detail.clone(),
            })
        })
    }

    fn keep(&mut self, ordinal: u64, note: RowNote) {
        if note.remarks.is_empty() {
            return;
        }
        let report = &mut self.reports[note.stage];
        report.found += 1;
        report.replaced += note.replaced;
        self.notes.entry(ordinal).or_default().push(note);
    }

    /// The row as the stages before `end` leave it. None if none of them changes it.
    fn changed(&self, record: &RowRecord, end: usize) -> Option<RowRecord> {
        let notes = self.notes(record.ordinal).iter();
        let replacing: Vec<usize> = notes
            .filter(|note| note.replaced > 0 && note.stage < end)
            .map(|note| note.stage)
            .collect();
        replacing.iter().fold(None, |changed, at| {
            self.changed_by(*at, changed.unwrap_or_else(|| record.clone()))
        })
    }

    /// The row with what one stage replaces.
    fn changed_by(&self, at: usize, mut record: RowRecord) -> Option<RowRecord> {
        let StageFinder::Text(finder) = &self.stages[at].finder else { return Some(record) };
        edit_passages(&mut record.row, &mut |seen| {
            replaced(finder.as_ref(), seen, &self.replacement_key)
        });
        Some(record)
    }
}

/// What a row stage says of a row.
fn look(stage: &CurationStage, at: usize, record: &RowRecord) -> RowNote {
    match &stage.finder {
        StageFinder::Row(finder) => {
            RowNote { stage: at, remarks: finder.find(record), replaced: 0 }
        }
        StageFinder::Text(finder) => {
            found_texts(finder.as_ref(), at, stage.replaces(), &record.row)
        }
        StageFinder::Whole(_) => RowNote { stage: at, ..RowNote::default() },
    }
}

/// A remark for each sort of passage: how many there are, and where the first ones stand.
fn found_texts(finder: &dyn TextFinder, at: usize, replaces: bool, row: &DatasetRow) -> RowNote {
    let mut places: BTreeMap<&'static str, (u64, Vec<String>)> = BTreeMap::new();
    visit_passages(row, &mut |seen| {
        let place = seen.place;
        for found in passages(finder, seen) {
            let (count, named) = places.entry(found.what).or_default();
            *count += 1;
            let name = place.to_string();
            if named.len() < NAMED_PLACES && named.last() != Some(&name) {
                named.push(name);
            }
        }
    });
    let replaced = if replaces { places.values().map(|(count, _)| count).sum() } else { 0 };
    let remarks = places.into_iter().map(|(what, (count, named))| {
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        StageRemark::new(format!("{what} {times}, in {}", named.join(", ")))
    });
    RowNote { stage: at, remarks: remarks.collect(), replaced }
}

/// The longest key and value, in bytes, that are looked at together.
const TOGETHER: usize = 512;

/// The passages of a text. A value within JSON may be one only by its key, such as a password.
fn passages(finder: &dyn TextFinder, seen: SeenText<'_>) -> Vec<TextMatch> {
    let mut found = finder.find(seen.text, seen.place.source);
    let Some(name) = seen.name.filter(|name| found.is_empty() && is_short(name, seen.text)) else {
        return found;
    };
    let before = format!("{name} = \"");
    let all = finder.find(&format!("{before}{}\"", seen.text), seen.place.source);
    let value = before.len()..before.len() + seen.text.len();
    let within =
        all.into_iter().filter(|one| value.start <= one.at.start && one.at.end <= value.end);
    found.extend(
        within.map(|one| TextMatch {
            at: one.at.start - value.start..one.at.end - value.start,
            ..one
        }),
    );
    found
}

/// Whether a key and its value can be written on one line.
fn is_short(name: &str, text: &str) -> bool {
    let is_plain = |text: &str| !text.contains(['"', '\n', '\\']);
    !text.is_empty() && name.len() + text.len() <= TOGETHER && is_plain(name) && is_plain(text)
}

/// The text with another value in place of each passage; none if there is none. The same value gets
/// the same name, in all rows of the dataset. Nobody finds the value by its name without the key.
fn replaced(finder: &dyn TextFinder, seen: SeenText<'_>, key: &str) -> Option<String> {
    let (found, text) = (passages(finder, seen), seen.text);
    if found.is_empty() {
        return None;
    }
    let (mut result, mut copied) = (String::with_capacity(text.len()), 0);
    for passage in found {
        let (Some(before), Some(value)) =
            (text.get(copied..passage.at.start), text.get(passage.at.clone()))
        else {
            continue;
        };
        let name = digest_of(&["replaced", key, passage.what, value]);
        result.push_str(before);
        result.push_str(&format!("[{}-{}]", passage.what, &name[..8]));
        copied = passage.at.end;
    }
    result.push_str(&text[copied..]);
    Some(result)
}

/// The digest of each stage with the stages before it that change rows.
fn keys(stages: &[CurationStage]) -> Vec<String> {
    let mut before = String::new();
    let key = |stage: &CurationStage| {
        let key = digest_of(&[&before, &stage.key, stage.action.as_str()]);
        if stage.replaces() {
            before.clone_from(&key);
        }
        key
    };
    stages.iter().map(key).collect()
}

/// Adds a label, once.
fn add_label(record: &mut RowRecord, label: &str) {
    let labels = record.row.labels_mut();
    if !labels.iter().any(|known| known == label) {
        labels.push(label.to_owned());
    }
}
