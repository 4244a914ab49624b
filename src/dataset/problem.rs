//! Problems of a dataset: the findings of `synthd dataset verify`, each with its file and row.

use serde::Serialize;
use std::fmt;

/// How many findings are kept one by one. The others are only counted.
const KEPT: usize = 1_000;

/// One finding. Example: `train.parquet, row 3: total_reward is 2, but rewards sum to 1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatasetProblem {
    /// The file's name in the version; `.` for the directory itself.
    pub file: String,
    /// The number of the row in its file, from zero. None if the finding is about the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// What is wrong, without the file and the row.
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

/// All findings, or the first thousand and the number of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DatasetProblems {
    /// The findings that are kept.
    pub found: Vec<DatasetProblem>,
    /// How many findings were not kept.
    pub left_out: u64,
}

impl DatasetProblems {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many findings there are, also those that were not kept.
    pub fn count(&self) -> u64 {
        self.found.len() as u64 + self.left_out
    }

    /// Adds a finding about a whole file.
    pub(super) fn file(&mut self, file: &str, message: impl Into<String>) {
        self.add(DatasetProblem { file: file.to_owned(), row: None, message: message.into() });
    }

    /// Adds a finding about a row.
    pub(super) fn row(&mut self, file: &str, row: u64, message: impl Into<String>) {
        self.add(DatasetProblem { file: file.to_owned(), row: Some(row), message: message.into() });
    }

    /// Keeps a finding, or counts it if there are too many.
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

/// Why a JSON file of a dataset could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadJsonError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The file has more than this many bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
}

impl ReadJsonError {
    /// Whether the file does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}
