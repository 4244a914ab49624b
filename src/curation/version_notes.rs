//! The notes of a version: a line of `notes.jsonl` for each row of which a stage says something.

use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use synthd_actors::curation::StageRemark;

/// The longest line. A row has a few remarks for each stage.
const LONGEST_LINE: usize = 16 << 20;

/// What all stages say of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteLine {
    /// The id of the row.
    pub row: String,
    /// The stage that rejected it; null if it is in the version.
    pub rejected: Option<String>,
    pub stages: Vec<NotedStage>,
}

/// What one stage says of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotedStage {
    /// The position of the stage in the recipe, from 0.
    pub stage: usize,
    pub kind: String,
    pub version: u32,
    pub action: String,
    /// How many passages are replaced.
    #[serde(default)]
    pub replaced: u64,
    pub remarks: Vec<StageRemark>,
}

/// Calls `see` with each line of a version's notes. A version without notes has none.
pub fn notes_of(dir: &Path, see: &mut dyn FnMut(NoteLine)) -> Result<()> {
    let path = dir.join("notes.jsonl");
    let unread = |why: String| {
        Error::new(Code::DatasetDamaged, format!("{} cannot be read: {why}", path.display()))
            .hint("build the version again")
    };
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|error| unread(error.to_string()))?,
    };
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| unread(error.to_string()))?;
        if line.len() > LONGEST_LINE {
            return Err(unread(format!("line {} is too long", at + 1)));
        }
        let note = serde_json::from_str(&line);
        see(note.map_err(|error| unread(format!("line {}: {error}", at + 1)))?);
    }
    Ok(())
}
