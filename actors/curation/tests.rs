//! The passes of a recipe over a few rows, with finders of a few words.

use super::curation_stage::{
    CurationStage, RowFinder, StageFinder, StageInputs, TextFinder, TextMatch, WholeFinder,
    WholeRemarks,
};
use super::note_cache::NotesInMemory;
use super::recipe::{CurationAction, RecipeStage};
use super::row_note::StageRemark;
use super::row_text::TextSource;
use super::run::CurationRun;
use super::stages::{StageName, StageSettings};
use crate::model::{
    COMPLETION_SCHEMA, CampaignName, CompletionRow, DatasetSplit, EpisodeId, Money, RowMessage,
    RowRecord, RowRejection, StageFinding, digest_of,
};

/// A completion with one question and one answer.
pub(crate) fn row(ordinal: u64, answer: &str) -> RowRecord {
    let text = |role: &str, content: &str| RowMessage {
        role: role.to_owned(),
        content: content.to_owned(),
        reasoning: None,
        tool_calls: None,
        tool_call_id: None,
        name: None,
        weight: None,
        step: None,
        loss_hint: None,
    };
    let row = CompletionRow {
        schema_version: COMPLETION_SCHEMA.to_owned(),
        completion_id: format!("ep-{ordinal}"),
        campaign: "unit".to_owned(),
        prompt_id: format!("prompt-{ordinal}"),
        source: "prompts.jsonl".to_owned(),
        prompt_index: 0,
        fields: Some(serde_json::json!({ "said": answer }).to_string()),
        messages: vec![text("user", "Say it."), text("assistant", answer)],
        response: answer.to_owned(),
        reasoning: None,
        finish_reason: "stop".to_owned(),
        llm_model: "large".to_owned(),
        llm_provider: "acme".to_owned(),
        model_version: None,
        sampling: None,
        sample: 0,
        labels: vec!["loops".to_owned(), "kept".to_owned()],
        input_tokens: None,
        output_tokens: None,
        prompt_token_ids: None,
        token_ids: None,
        logprobs: None,
        cost_usd: Money::ZERO,
        model_ms: 0,
        attempt: 1,
        calls: 1,
        created_at: String::new(),
    };
    RowRecord {
        episode: EpisodeId(format!("ep-{ordinal}")),
        campaign: CampaignName("unit".to_owned()),
        ordinal,
        rejected: Some(RowRejection { stage: "loops".to_owned(), detail: "by rule".to_owned() }),
        findings: vec![StageFinding {
            stage: "loops".to_owned(),
            version: 1,
            detail: "three times".to_owned(),
        }],
        split: DatasetSplit::Train,
        content_digest: digest_of(&[answer]),
        row: row.into(),
    }
}

/// Finds a word.
struct Word(&'static str);

impl TextFinder for Word {
    fn find(&self, text: &str, _: TextSource) -> Vec<TextMatch> {
        let all = text.match_indices(self.0);
        all.map(|(at, word)| TextMatch { at: at..at + word.len(), what: "word" }).collect()
    }
}

/// Finds long answers.
struct Long;

impl RowFinder for Long {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let length = record.row.as_completion().unwrap().response.len();
        if length < 20 {
            return Vec::new();
        }
        vec![StageRemark::new(format!("{length} bytes")).labelled("long").scored(length as f64)]
    }
}

/// Finds all but the first so many rows that it is shown, and remembers what they said.
struct Cap(usize, Vec<(u64, String)>);

impl WholeFinder for Cap {
    fn observe(&mut self, record: &RowRecord) {
        let said = record.row.as_completion().unwrap().response.clone();
        self.1.push((record.ordinal, said));
    }

    fn decide(&mut self) -> WholeRemarks {
        let over = self.1.iter().skip(self.0);
        over.map(|(ordinal, said)| (*ordinal, vec![StageRemark::new(said.clone())])).collect()
    }
}

fn stage(key: &str, action: CurationAction, finder: StageFinder) -> CurationStage {
    let (kind, key) = ("unit", digest_of(&[key]));
    CurationStage { kind, version: 1, label: "unit".to_owned(), action, key, finder }
}

fn word(action: CurationAction, word: &'static str) -> CurationStage {
    stage(word, action, StageFinder::Text(Box::new(Word(word))))
}

fn long(action: CurationAction) -> CurationStage {
    stage("long", action, StageFinder::Row(Box::new(Long)))
}

fn cap(most: usize) -> CurationStage {
    let finder = StageFinder::Whole(Box::new(Cap(most, Vec::new())));
    stage("cap", CurationAction::Reject, finder)
}

/// Runs the stages and returns the run with the rows as they are written.
fn run(
    stages: Vec<CurationStage>,
    rows: &[RowRecord],
    cache: &mut NotesInMemory,
) -> (CurationRun, Vec<RowRecord>) {
    let mut run = CurationRun::new(stages, "key".to_owned());
    let mut passes = 0;
    while run.wants_rows() {
        rows.iter().for_each(|row| run.show(row, cache));
        run.end_pass();
        passes += 1;
        assert!(passes < 10, "it never ends");
    }
    let mut written = rows.to_vec();
    written.iter_mut().for_each(|row| run.apply(row));
    (run, written)
}

fn response(record: &RowRecord) -> &str {
    &record.row.as_completion().unwrap().response
}

/// The numbers of the rows that are left.
fn left(rows: &[RowRecord]) -> Vec<u64> {
    rows.iter().filter(|row| row.rejected.is_none()).map(|row| row.ordinal).collect()
}

#[test]
fn a_campaigns_own_decision_is_undone_and_its_findings_can_be_used() {
    let rows = [row(0, "short")];
    let (_, written) = run(Vec::new(), &rows, &mut NotesInMemory::default());
    assert_eq!(written[0].rejected, None);
    assert_eq!(written[0].row.labels(), ["kept"]);
    let loops = RecipeStage {
        action: CurationAction::Label,
        settings: StageSettings::Recorded { stage: StageName::Loops },
    };
    let loops = vec![CurationStage::of(&loops, &StageInputs::default())];
    let (run, written) = run(loops, &rows, &mut NotesInMemory::default());
    assert_eq!(written[0].row.labels(), ["kept", "loops"]);
    assert_eq!(run.notes(0)[0].remarks[0].detail, "three times");
}

#[test]
fn a_rejected_row_is_not_shown_to_later_stages() {
    let rows = [row(0, "an answer that is quite long"), row(1, "short")];
    let stages = vec![long(CurationAction::Reject), word(CurationAction::Label, "o")];
    let (run, written) = run(stages, &rows, &mut NotesInMemory::default());
    assert_eq!(left(&written), [1]);
    assert_eq!([run.reports()[0].seen, run.reports()[1].seen], [2, 1]);
    assert_eq!(written[1].row.labels(), ["kept", "unit"]);
    assert_eq!(run.notes(0).len(), 1);
}

#[test]
fn a_stage_over_the_whole_set_sees_what_is_left_and_decides_before_the_next_one() {
    let rows: Vec<_> = (0..6).map(|at| row(at, if at == 2 { "no" } else { "yes" })).collect();
    let stages = vec![word(CurationAction::Reject, "no"), cap(3), word(CurationAction::Label, "y")];
    let (run, written) = run(stages, &rows, &mut NotesInMemory::default());
    assert_eq!(left(&written), [0, 1, 3]);
    let seen: Vec<u64> = run.reports().iter().map(|report| report.seen).collect();
    assert_eq!(seen, [6, 5, 3]);
}

#[test]
fn what_is_replaced_has_one_name_and_later_stages_see_it() {
    let rows = [row(0, "a secret, a secret"), row(1, "the secret \"here\"")];
    let stages = vec![word(CurationAction::Replace, "secret"), cap(0)];
    let (run, written) = run(stages, &rows, &mut NotesInMemory::default());
    let said = response(&written[0]);
    let name = said.strip_prefix("a [word-").unwrap().split(']').next().unwrap();
    assert_eq!(said, format!("a [word-{name}], a [word-{name}]"));
    assert_eq!(response(&written[1]), format!("the [word-{name}] \"here\""));
    let fields = written[1].row.as_completion().unwrap().fields.as_ref().unwrap();
    let fields: serde_json::Value = serde_json::from_str(fields).unwrap();
    assert_eq!(fields["said"], response(&written[1]));
    assert_eq!(run.notes(0)[1].remarks[0].detail, said, "the next stage sees it");
    assert_eq!(run.reports()[0].replaced, 9, "twice and once, at three places of a row");
    assert!(!serde_json::to_string(run.notes(0)).unwrap().contains("secret"));
}

#[test]
fn a_row_is_known_as_each_stage_saw_it() {
    let rows = [row(0, "a secret, and an answer that is long"), row(1, "short")];
    let stages = vec![word(CurationAction::Replace, "secret"), long(CurationAction::Reject)];
    let (run, _) = run(stages, &rows, &mut NotesInMemory::default());
    let seen = |at, ordinal: usize| {
        let seen = run.seen_by(at, &rows[ordinal]);
        seen.map(|row| response(&row).to_owned())
    };
    assert_eq!(seen(0, 0).unwrap(), response(&rows[0]), "nothing is before the first stage");
    assert!(seen(1, 0).unwrap().starts_with("a [word-"));
    assert_eq!(seen(2, 0), None, "the second stage has rejected it");
    assert_eq!(seen(2, 1).unwrap(), "short");
}

#[test]
fn another_stage_runs_anew_and_those_before_it_do_not() {
    let rows = [row(0, "one two three"), row(1, "two")];
    let mut cache = NotesInMemory::default();
    let stages =
        |second| vec![word(CurationAction::Replace, "one"), word(CurationAction::Label, second)];
    run(stages("two"), &rows, &mut cache);
    let known = |run: &CurationRun| run.reports().iter().map(|one| one.known).collect::<Vec<_>>();
    let (again, first) = run(stages("two"), &rows, &mut cache);
    assert_eq!(known(&again), [2, 2]);
    let (other, _) = run(stages("three"), &rows, &mut cache);
    assert_eq!(known(&other), [2, 0]);
    // What comes after a stage that changes rows is asked anew if that stage is another one.
    let changed = vec![word(CurationAction::Replace, "three"), word(CurationAction::Label, "two")];
    let (changed, _) = run(changed, &rows, &mut cache);
    assert_eq!(known(&changed), [0, 0]);
    let (_, fresh) = run(stages("two"), &rows, &mut NotesInMemory::default());
    assert_eq!(first, fresh, "notes of an earlier run give the same rows");
}
