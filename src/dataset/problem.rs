//! What is wrong with a dataset: every finding, each with its file and row.

use serde::Serialize;
use std::fmt;

/// Beyond this many a dataset is not being checked any more, only listed.
const KEPT: usize = 1_000;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatasetProblem {
    pub file: String,
    /// Zero-based number of the row in its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    pub message: String,
}

impl fmt::Display for DatasetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "{}, row {row}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// All findings, or the first thousand and how many more there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DatasetProblems {
    pub found: Vec<DatasetProblem>,
    pub left_out: u64,
}

impl DatasetProblems {
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn count(&self) -> u64 {
        self.found.len() as u64 + self.left_out
    }

    pub(super) fn file(&mut self, file: &str, message: impl Into<String>) {
        self.add(DatasetProblem { file: file.to_owned(), row: None, message: message.into() });
    }

    pub(super) fn row(&mut self, file: &str, row: u64, message: impl Into<String>) {
        self.add(DatasetProblem { file: file.to_owned(), row: Some(row), message: message.into() });
    }

    fn add(&mut self, problem: DatasetProblem) {
        if self.found.len() < KEPT {
            self.found.push(problem);
        } else {
            self.left_out += 1;
        }
    }
}

impl fmt::Display for DatasetProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.found.iter().map(DatasetProblem::to_string).collect();
        f.write_str(&lines.join("\n         "))?;
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\n         and {more} more"),
        }
    }
}

impl std::error::Error for DatasetProblems {}

/// Why a JSON file of a dataset could not be taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadJsonError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("larger than {0} bytes")]
    TooLarge(u64),
}

impl ReadJsonError {
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}
