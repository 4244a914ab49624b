//! One question to one judge, until it has an answer or is given up.
//!
//! ```text
//!  asking(0) ──an answer──► answered
//!     └──a mistake──► asking(1) ──► asking(2) ──a mistake──► faulted
//! ```
//! A fault is no score. What a provider or the store fails at is no mistake of the judge and does not
//! come here.

use super::rubric_answer::{RubricAnswer, RubricMistake};
use serde::{Deserialize, Serialize};

/// How often a judge is asked one question.
pub const MOST_ASKS: u32 = 3;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RubricOutcome {
    Answered(RubricAnswer),
    /// With the mistake of the last answer.
    Faulted(RubricMistake),
}

impl RubricOutcome {
    /// The score in thousandths. None for a fault.
    pub fn score(&self) -> Option<u32> {
        match self {
            Self::Answered(answer) => Some(answer.score),
            Self::Faulted(_) => None,
        }
    }
}

/// Where a question is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RubricAsk {
    /// How often it was asked.
    asked: u32,
    last: Option<Result<RubricAnswer, RubricMistake>>,
}

impl RubricAsk {
    /// A question of which earlier answers are known: their number, and the mistake of the last one.
    pub fn resumed(asked: u32, mistake: Option<RubricMistake>) -> Self {
        Self { asked, last: mistake.map(Err) }
    }

    /// The number of the next request from 0, and the mistake that it tells the judge. None if the
    /// question has its outcome.
    pub fn next_ask(&self) -> Option<(u32, Option<RubricMistake>)> {
        match &self.last {
            Some(Ok(_)) => None,
            _ if self.asked >= MOST_ASKS => None,
            Some(Err(mistake)) => Some((self.asked, Some(*mistake))),
            None => Some((self.asked, None)),
        }
    }

    /// Takes the answer to the next request.
    pub fn take(&mut self, answer: Result<RubricAnswer, RubricMistake>) {
        if self.next_ask().is_some() {
            self.asked += 1;
            self.last = Some(answer);
        }
    }

    /// What came of it. None while it is to be asked.
    pub fn outcome(&self) -> Option<RubricOutcome> {
        match &self.last {
            Some(Ok(answer)) => Some(RubricOutcome::Answered(answer.clone())),
            Some(Err(mistake)) if self.asked >= MOST_ASKS => Some(RubricOutcome::Faulted(*mistake)),
            _ => None,
        }
    }

    /// How often it was asked.
    pub fn asked(&self) -> u32 {
        self.asked
    }
}
