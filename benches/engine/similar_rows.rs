//! The stages of recipes that compare texts: near-duplicates, and texts of benchmarks. Beside them, a
//! plain pass over the same texts on as many threads, which hashes each word and does nothing else.

use crate::Figure;
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::time::Instant;
use synthd_actors::curation::stages::{BenchmarkOverlap, ComparedText, KeepRule, StageSettings};
use synthd_actors::curation::{
    CurationAction, CurationStage, RecipeStage, StageFinder, StageInputs, WholeRemarks,
};
use synthd_actors::model::{
    COMPLETION_SCHEMA, CampaignName, CompletionRow, DatasetSplit, EpisodeId, Money, RowRecord,
};

const ROWS: usize = 50_000;
/// About 1.5 kB.
const WORDS: usize = 215;
/// Each tenth row is the one nine before it with up to so many other words.
const CHANGES: u64 = 9;
const THRESHOLD: f64 = 0.8;
const ITEMS: usize = 10_000;
const THREADS: usize = 2;

pub fn measure() -> Vec<Figure> {
    let mut texts = Texts::new();
    let rows: Vec<RowRecord> =
        texts.rows().into_iter().zip(0..).map(|(text, at)| row(at, text)).collect();
    let mut figures = near_duplicates(&rows);
    figures.extend(decontamination(&rows, &mut texts));
    figures
}

fn near_duplicates(rows: &[RowRecord]) -> Vec<Figure> {
    let plain = ROWS as f64 / plain_pass(rows);
    let settings = StageSettings::NearDuplicates {
        of: ComparedText::Answer,
        threshold: 800,
        words: 5,
        keep: KeepRule::Drawn,
    };
    let StageFinder::Whole(mut finder) = stage(settings, &StageInputs::default()).finder else {
        return Vec::new();
    };
    let begun = Instant::now();
    rows.iter().for_each(|row| finder.observe(row));
    let found = finder.decide();
    let rate = ROWS as f64 / begun.elapsed().as_secs_f64();
    let (recall, precision) = quality(rows, &found);
    vec![
        Figure::rate("near-duplicates of 1.5 kB, a thread", rate, plain, ">= 50,000/s"),
        Figure::plain("their recall at the threshold or above", recall, ">= 0.99"),
        Figure::plain("their precision", precision, "1"),
    ]
}

/// The share of alike pairs that were found, and of found rows that are alike, by sets of words.
fn quality(rows: &[RowRecord], found: &WholeRemarks) -> (String, String) {
    let (mut alike, mut hits) = (0, 0);
    for at in (9..rows.len()).step_by(10) {
        if similarity(answer(&rows[at]), answer(&rows[at - 9])) >= THRESHOLD {
            let pair = [&rows[at], &rows[at - 9]];
            alike += 1;
            hits += u32::from(pair.iter().any(|row| found.contains_key(&row.ordinal)));
        }
    }
    let is_right = |(ordinal, remarks): (&u64, &Vec<synthd_actors::curation::StageRemark>)| {
        let named = remarks[0].detail.split("ep-").nth(1).unwrap();
        let other: usize = named.split([',', ' ']).next().unwrap().parse().unwrap();
        let row = usize::try_from(*ordinal).unwrap();
        similarity(answer(&rows[row]), answer(&rows[other])) >= THRESHOLD
    };
    let right = found.iter().filter(|one| is_right(*one)).count();
    let recall = format!("{:.4}", f64::from(hits) / f64::from(alike));
    (recall, format!("{:.4}", right as f64 / found.len().max(1) as f64))
}

/// The Jaccard similarity over rows of five words.
fn similarity(one: &str, other: &str) -> f64 {
    let sets = [one, other].map(|text| {
        let words: Vec<&str> = text.split(' ').collect();
        words.windows(5).map(|words| words.join(" ")).collect::<HashSet<_>>()
    });
    let both = sets[0].intersection(&sets[1]).count() as f64;
    both / sets[0].union(&sets[1]).count() as f64
}

fn decontamination(rows: &[RowRecord], texts: &mut Texts) -> Vec<Figure> {
    let items: String = (0..ITEMS)
        .map(|at| format!("{{\"id\": {at}, \"prompt\": \"{}\"}}\n", texts.of(120)))
        .collect();
    let settings = StageSettings::Decontamination {
        benchmarks: vec!["items".to_owned()],
        by: BenchmarkOverlap::ALL.map(|(_, by)| by).to_vec(),
        observations: false,
    };
    let files = [("items".to_owned(), items.into())].into_iter().collect();
    let begun = Instant::now();
    let inputs = StageInputs { files, ..StageInputs::default() };
    let StageFinder::Row(finder) = stage(settings, &inputs).finder else { return Vec::new() };
    let indexed = begun.elapsed();
    let bytes: usize = rows.iter().map(|row| answer(row).len()).sum();
    let megabytes = bytes as f64 / 1e6;
    let look = |rows: &[RowRecord]| rows.iter().map(|row| finder.find(row).len()).sum::<usize>();
    let (seconds, found) = on_threads(rows, &look);
    let (plain, _) = on_threads(rows, &|rows| {
        plain_pass(rows);
        0
    });
    let (ours, floor) = (megabytes / seconds, megabytes / plain);
    let what = format!("MB against {ITEMS} items, {THREADS} threads");
    vec![
        Figure::rate(&what, ours, floor, ">= 200 MB/s"),
        Figure::time("reading and indexing the items", indexed, None, ""),
        Figure::plain("rows that are found by chance", found.to_string(), "0"),
    ]
}

/// The seconds that threads need for all rows, each for its part, and the sum of what they return.
fn on_threads(rows: &[RowRecord], work: &(dyn Fn(&[RowRecord]) -> usize + Sync)) -> (f64, usize) {
    let begun = Instant::now();
    let found = std::thread::scope(|scope| {
        let parts = rows.chunks(rows.len().div_ceil(THREADS));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    (begun.elapsed().as_secs_f64(), found)
}

/// The seconds of a pass that hashes each word.
fn plain_pass(rows: &[RowRecord]) -> f64 {
    let begun = Instant::now();
    let mut sum = 0_u64;
    for row in rows {
        for word in answer(row).split_ascii_whitespace() {
            let mut hasher = DefaultHasher::new();
            word.hash(&mut hasher);
            sum = sum.wrapping_add(hasher.finish());
        }
    }
    black_box(sum);
    begun.elapsed().as_secs_f64()
}

fn stage(settings: StageSettings, inputs: &StageInputs) -> CurationStage {
    CurationStage::of(&RecipeStage { action: CurationAction::Label, settings }, inputs)
}

fn answer(record: &RowRecord) -> &str {
    &record.row.as_completion().unwrap().response
}

/// Texts of drawn words.
struct Texts {
    state: u64,
    words: Vec<String>,
}

impl Texts {
    fn new() -> Self {
        let mut texts = Self { state: 88_172_645_463_325_252, words: Vec::new() };
        let usual = ["if", "for", "in", "return", "def", "0", "1"].map(str::to_owned);
        let drawn: Vec<String> = (0..20_000).map(|_| texts.word()).collect();
        // A tenth of all words are usual ones.
        let usual = usual.into_iter().cycle().take(drawn.len() / 9);
        texts.words = usual.chain(drawn).collect();
        texts
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }

    fn word(&mut self) -> String {
        let length = 3 + self.draw(8);
        (0..length).map(|_| char::from(b'a' + self.draw(26) as u8)).collect()
    }

    fn of(&mut self, count: usize) -> String {
        let words: Vec<usize> = (0..count).map(|_| self.place()).collect();
        self.text(&words)
    }

    fn place(&mut self) -> usize {
        self.draw(self.words.len() as u64) as usize
    }

    fn text(&self, words: &[usize]) -> String {
        words.iter().map(|at| self.words[*at].as_str()).collect::<Vec<_>>().join(" ")
    }

    fn rows(&mut self) -> Vec<String> {
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for at in 0..ROWS {
            let mut words: Vec<usize> = match at % 10 {
                9 => rows[at - 9].clone(),
                _ => (0..WORDS).map(|_| self.place()).collect(),
            };
            let changes = if at % 10 == 9 { self.draw(CHANGES) } else { 0 };
            for _ in 0..changes {
                let place = self.draw(WORDS as u64) as usize;
                words[place] = self.place();
            }
            rows.push(words);
        }
        rows.iter().map(|words| self.text(words)).collect()
    }
}

/// A completion with this answer.
fn row(ordinal: u64, answer: String) -> RowRecord {
    let row = CompletionRow {
        schema_version: COMPLETION_SCHEMA.to_owned(),
        completion_id: format!("ep-{ordinal}"),
        campaign: "bench".to_owned(),
        prompt_id: format!("prompt-{ordinal}"),
        source: "prompts.jsonl".to_owned(),
        prompt_index: 0,
        fields: None,
        messages: Vec::new(),
        response: answer,
        reasoning: None,
        finish_reason: "stop".to_owned(),
        llm_model: "large".to_owned(),
        llm_provider: "acme".to_owned(),
        model_version: None,
        sampling: None,
        sample: 0,
        labels: Vec::new(),
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
        campaign: CampaignName("bench".to_owned()),
        ordinal,
        rejected: None,
        findings: Vec::new(),
        split: DatasetSplit::Train,
        content_digest: String::new(),
        row: row.into(),
    }
}
