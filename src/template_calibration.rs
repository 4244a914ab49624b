//! `calibration.toml`: what calibrations have found out of templates. It lies beside the templates: one
//! is shipped with the library, and each directory of the user's may have one. `synthd template
//! calibrate` writes it, and the library of templates loads it.

use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use synthd_actors::model::Difficulty;
use synthd_actors::policy::{MeanInterval, RateInterval};
use synthd_actors::task::{Catalog, MeasuredDifficulty, StepRange};

/// The name of the file in a directory of templates.
pub const CALIBRATION_FILE: &str = "calibration.toml";
/// The `schema` of the file.
const SCHEMA: &str = "synthd/calibration@1";
/// The most bytes of the file, 16 MiB.
const MAX_FILE: u64 = 16 << 20;
/// The file that is shipped; empty if nobody has calibrated the shipped templates.
const SHIPPED: &str = include_str!(concat!(env!("OUT_DIR"), "/calibration.toml"));

/// The calibrations of some templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationFile {
    schema: String,
    /// Sorted by id.
    #[serde(default)]
    pub templates: Vec<TemplateCalibration>,
}

/// What was measured of one template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateCalibration {
    pub id: String,
    /// The digest of the edition that was tried. The figures hold for no other edition.
    pub digest: String,
    /// The day in UTC, such as `2026-11-30`.
    pub date: String,
    pub difficulty: Difficulty,
    /// Turns of those who solved it, without the extremes. None if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_steps: Option<[u32; 2]>,
    /// The campaigns from which the figures are.
    pub campaigns: Vec<String>,
    /// One entry for each pair of model and scaffold.
    pub models: Vec<CalibratedModel>,
}

/// How one model with one scaffold did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibratedModel {
    pub model: String,
    pub scaffold: String,
    pub tries: u32,
    pub solved: u32,
    pub pass_rate: RateInterval,
    pub turns: MeanInterval,
    /// None if the provider did not count the tokens of every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<MeanInterval>,
    /// Dollars.
    pub cost_usd: MeanInterval,
}

impl Default for CalibrationFile {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), templates: Vec::new() }
    }
}

impl CalibrationFile {
    /// The file that is shipped with the library.
    pub(crate) fn shipped() -> Result<Self> {
        match SHIPPED.trim() {
            "" => Ok(Self::default()),
            text => Self::parse(text, Path::new("templates/calibration.toml")),
        }
    }

    /// The file of a directory with templates; an empty one if it has none.
    pub(crate) fn beside(directory: &Path) -> Result<Self> {
        Self::read(&directory.join(CALIBRATION_FILE))
    }

    /// Reads a file; an empty one if it is not there. `TemplateInvalid` if it is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = bounded_text(path).map_err(|error| {
            Error::new(Code::TemplateInvalid, format!("cannot read {}", path.display()))
                .with_source(error)
                .hint(WRITTEN_BY)
        })?;
        text.map_or_else(|| Ok(Self::default()), |text| Self::parse(&text, path))
    }

    /// The file from its text; `path` is for errors.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let refused = |why: &str| {
            let what = format!("{} is no calibration: {}", path.display(), why.trim_end());
            Error::new(Code::TemplateInvalid, what).hint(WRITTEN_BY)
        };
        let file: Self = toml::from_str(text).map_err(|error| refused(&error.to_string()))?;
        match file.schema == SCHEMA {
            true => Ok(file),
            false => Err(refused(&format!("its schema is {:?}, not {SCHEMA:?}", file.schema))),
        }
    }

    /// The catalog with what the file says of its templates.
    pub(crate) fn apply(&self, catalog: &Catalog) -> Catalog {
        let measured = self.templates.iter();
        catalog.calibrated(measured.map(|one| (one.id.as_str(), one.digest.as_str(), one.found())))
    }

    /// Puts newer calibrations in the place of those of the same templates.
    #[must_use]
    pub fn with(mut self, newer: Vec<TemplateCalibration>) -> Self {
        self.templates.retain(|old| !newer.iter().any(|new| new.id == old.id));
        self.templates.extend(newer);
        self.templates.sort_by(|a, b| a.id.cmp(&b.id));
        self
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).map_err(|error| {
            Error::new(Code::Unexpected, "the calibration is no TOML").with_source(error)
        })?;
        write_whole(path, &format!("{HEAD}{text}")).map_err(|error| {
            Error::new(Code::Io, format!("cannot write {}", path.display())).with_source(error)
        })
    }
}

impl TemplateCalibration {
    /// What the catalog keeps of it.
    fn found(&self) -> MeasuredDifficulty {
        MeasuredDifficulty {
            date: self.date.clone(),
            difficulty: self.difficulty,
            expected_steps: self.expected_steps.map(|[min, max]| StepRange { min, max }),
        }
    }
}

/// The hint for a file that is none.
const WRITTEN_BY: &str =
    "`synthd template calibrate` writes this file; docs/calibration.md describes it";

/// The first lines of a written file.
const HEAD: &str =
    "# Written by `synthd template calibrate`. docs/calibration.md says what the figures mean.\n\n";

/// The text of a regular file of at most [`MAX_FILE`] bytes. None if there is no file.
fn bounded_text(path: &Path) -> io::Result<Option<String>> {
    let data = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        data => data?,
    };
    // To open a pipe would wait for its other end.
    if !data.is_file() || data.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file of at most 16 MiB"));
    }
    fs::read_to_string(path).map(Some)
}

/// Writes a file beside its place and moves it there.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("toml.new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(id: &str, date: &str) -> TemplateCalibration {
        let turns = MeanInterval { mean: 12.5, low: Some(9.0), high: Some(16.0) };
        let alone = MeanInterval { mean: 0.001, low: None, high: None };
        let model = CalibratedModel {
            model: "acme/large".to_owned(),
            scaffold: "minimal".to_owned(),
            tries: 8,
            solved: 2,
            pass_rate: RateInterval::of(2, 8),
            turns,
            tokens: None,
            cost_usd: alone,
        };
        TemplateCalibration {
            id: id.to_owned(),
            digest: "d".to_owned(),
            date: date.to_owned(),
            difficulty: Difficulty::Hard,
            expected_steps: Some([9, 16]),
            campaigns: vec!["first".to_owned()],
            models: vec![model],
        }
    }

    #[test]
    fn what_is_written_is_read_and_newer_figures_replace_older_ones() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(CalibrationFile::beside(dir.path()).unwrap(), CalibrationFile::default());
        let path = dir.path().join(CALIBRATION_FILE);
        let first = CalibrationFile::default()
            .with(vec![calibration("b/y", "2026-01-01"), calibration("a/x", "2026-01-01")]);
        first.write(&path).unwrap();
        assert_eq!(CalibrationFile::beside(dir.path()).unwrap(), first);
        let second = first.with(vec![calibration("b/y", "2026-02-02")]);
        let dates: Vec<&str> = second.templates.iter().map(|one| one.date.as_str()).collect();
        assert_eq!(dates, ["2026-01-01", "2026-02-02"]);
        assert!(!dir.path().join("calibration.toml.new").exists());
    }

    #[test]
    fn what_is_no_calibration_is_refused_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CALIBRATION_FILE);
        for (text, said) in [
            ("schema = \"synthd/calibration@9\"\n", "its schema is"),
            ("schema = 1\n", "is no calibration"),
            ("schema = \"synthd/calibration@1\"\nmore = 1\n", "unknown field"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = CalibrationFile::read(&path).unwrap_err();
            assert_eq!(error.code(), Code::TemplateInvalid);
            assert!(error.report().contains(said), "{}", error.report());
            assert!(error.report().contains("calibration.toml"), "{}", error.report());
        }
        assert!(CalibrationFile::read(dir.path()).is_err(), "a directory");
        assert!(CalibrationFile::shipped().is_ok());
    }
}
