//! How the answers of several judges and several samples become one score of a row.
//!
//! The score of a judge is the mean of its samples. The rule makes one score of the judges'. A fault is
//! left out; if fewer judges than the quorum have a score, the row has none.

use super::rubric_pairs::RowPair;
use crate::model::{Money, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Who is asked, how often, and how answers are aggregated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgePanel {
    /// The judges, each a model.
    pub models: Vec<String>,
    /// How often each is asked.
    pub samples: u32,
    pub rule: PanelRule,
    /// The fewest judges that must have a score.
    pub quorum: u32,
}

/// How the scores of judges become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PanelRule {
    /// The middle one; the mean of the two middle ones if their number is even.
    #[default]
    Median,
    Mean,
    Lowest,
    Highest,
}

impl PanelRule {
    pub const ALL: [(&str, Self); 4] = [
        ("median", Self::Median),
        ("mean", Self::Mean),
        ("lowest", Self::Lowest),
        ("highest", Self::Highest),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::Mean => "mean",
            Self::Lowest => "lowest",
            Self::Highest => "highest",
        }
    }

    /// The scores as one. None if there are none.
    fn of(self, mut scores: Vec<u32>) -> Option<u32> {
        scores.sort_unstable();
        let middle = scores.len() / 2;
        match self {
            Self::Median if scores.len().is_multiple_of(2) => {
                mean(scores.get(middle.saturating_sub(1)..=middle)?)
            }
            Self::Median => scores.get(middle).copied(),
            Self::Mean => mean(&scores),
            Self::Lowest => scores.first().copied(),
            Self::Highest => scores.last().copied(),
        }
    }
}

/// The mean, rounded. None of no scores.
pub(super) fn mean(scores: &[u32]) -> Option<u32> {
    let count = u64::try_from(scores.len()).ok().filter(|count| *count > 0)?;
    let sum: u64 = scores.iter().copied().map(u64::from).sum();
    u32::try_from((sum * 2 + count) / (2 * count)).ok()
}

/// One stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelAnswer {
    pub model: String,
    pub sample: u32,
    /// In thousandths. None: the question ended as a fault.
    pub score: Option<u32>,
    pub cost: Money,
}

/// The stored answers by one rubric.
#[derive(Clone, Debug, Default)]
pub struct PanelAnswers {
    by_subject: HashMap<String, Vec<PanelAnswer>>,
    digest: String,
}

impl PanelAnswers {
    /// Answers with their subjects, in an order that is the same for the same answers.
    pub fn of(answers: impl IntoIterator<Item = (String, PanelAnswer)>) -> Self {
        let (mut by_subject, mut digest) = (HashMap::<_, Vec<_>>::new(), String::new());
        for (subject, answer) in answers {
            let PanelAnswer { model, sample, score, .. } = &answer;
            let said = format!("{model} {sample} {score:?}");
            digest = digest_of(&[&digest, &subject, &said]);
            by_subject.entry(subject).or_default().push(answer);
        }
        Self { by_subject, digest }
    }

    /// A digest of all scores.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What was answered about a subject.
    pub fn about(&self, subject: &str) -> &[PanelAnswer] {
        self.by_subject.get(subject).map_or(&[], Vec::as_slice)
    }

    fn find(&self, subject: &str, model: &str, sample: u32) -> FoundAnswer {
        let is_it = |answer: &&PanelAnswer| answer.model == model && answer.sample == sample;
        match self.about(subject).iter().find(is_it).map(|answer| answer.score) {
            None => FoundAnswer::Missing,
            Some(None) => FoundAnswer::Faulted,
            Some(Some(score)) => FoundAnswer::Score(score),
        }
    }
}

/// What the store has for one question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FoundAnswer {
    Missing,
    Faulted,
    Score(u32),
}

/// What a panel says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PanelVerdict {
    /// A judge was not asked.
    Unasked,
    /// Too few judges gave a score.
    Short,
    Scored(PanelScore),
}

/// The score of a row, in thousandths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelScore {
    pub score: u32,
    /// Each judge that has a score, in the order of the panel.
    pub judges: Vec<(String, u32)>,
}

impl PanelScore {
    /// The highest less the lowest judge.
    pub fn spread(&self) -> u32 {
        let scores = || self.judges.iter().map(|(_, score)| *score);
        scores().max().unwrap_or(0) - scores().min().unwrap_or(0)
    }
}

impl JudgePanel {
    /// The rule in words, such as `median of 2 judges, 3 samples of each, quorum 2`.
    pub fn told(&self) -> String {
        let plural = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        format!(
            "{} of {}, {} of each, quorum {}",
            self.rule.as_str(),
            plural(self.models.len(), "judge"),
            plural(usize::try_from(self.samples).unwrap_or(usize::MAX), "sample"),
            self.quorum
        )
    }

    /// Each question that the panel has about a subject: the judge and the number of the sample.
    pub fn questions(&self) -> impl Iterator<Item = (&str, u32)> {
        let samples = self.samples;
        self.models.iter().flat_map(move |model| (0..samples).map(move |at| (model.as_str(), at)))
    }

    /// What the panel says of a subject.
    pub fn verdict(&self, answers: &PanelAnswers, subject: &str) -> PanelVerdict {
        self.aggregated(|model, sample| answers.find(subject, model, sample))
    }

    /// What the panel says of a pair: the score of its first row. Each answer counts with the one to the
    /// swapped pair, so a judge that always prefers a position says that neither row is better.
    pub fn verdict_of_pair(&self, answers: &PanelAnswers, pair: &RowPair) -> PanelVerdict {
        let [straight, swapped] = pair.subjects();
        self.aggregated(|model, sample| {
            let find = |subject: &str| answers.find(subject, model, sample);
            match (find(&straight), find(&swapped)) {
                (FoundAnswer::Missing, _) | (_, FoundAnswer::Missing) => FoundAnswer::Missing,
                (FoundAnswer::Score(one), FoundAnswer::Score(other)) => {
                    FoundAnswer::Score((one + 1_000_u32.saturating_sub(other)) / 2)
                }
                _ => FoundAnswer::Faulted,
            }
        })
    }

    fn aggregated(&self, find: impl Fn(&str, u32) -> FoundAnswer) -> PanelVerdict {
        let mut judges = Vec::new();
        for model in &self.models {
            let mut scores = Vec::new();
            for sample in 0..self.samples {
                match find(model, sample) {
                    FoundAnswer::Missing => return PanelVerdict::Unasked,
                    FoundAnswer::Faulted => {}
                    FoundAnswer::Score(score) => scores.push(score),
                }
            }
            judges.extend(mean(&scores).map(|score| (model.clone(), score)));
        }
        let score = self.rule.of(judges.iter().map(|(_, score)| *score).collect());
        let answered = u32::try_from(judges.len()).unwrap_or(u32::MAX);
        match score.filter(|_| answered >= self.quorum.max(1)) {
            Some(score) => PanelVerdict::Scored(PanelScore { score, judges }),
            None => PanelVerdict::Short,
        }
    }
}
