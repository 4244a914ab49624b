//! Slow forms: texts that do the same as the project's own, and need far more work for it. They are
//! written by hand, each with a workload that shows it, so they have files of their own and outlive
//! mining. Tasks of the kind `speed-up` are drawn from them.

use super::index::{FailureSign, PackChange};
use super::project_pack::{PackProblem, ProjectPack, json_lines, overlapping, wrong};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The list of slow forms. A pack may have none.
pub const SLOW_FILE: &str = "slow.jsonl";
/// The directory with the workloads, programs that are named `NAME.py`.
pub const WORKLOAD_DIRECTORY: &str = "workloads";
/// What stands for the size in the text of a form.
const SIZE: &str = "{size}";

/// What the author of a pack wrote of its slow forms, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlowParts {
    /// The text of [`SLOW_FILE`].
    pub forms: String,
    /// The texts of the workloads by their names.
    pub workloads: BTreeMap<String, String>,
}

/// A function that can be made slow, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowForm {
    pub id: String,
    /// The function, such as `leaseq.journal.Journal.news`.
    pub function: String,
    /// Its places. With one place, the change has the id of the form.
    pub places: Vec<PackChange>,
    /// The name of the workload.
    pub workload: String,
    /// How large the workload is when it is judged.
    pub size: u64,
    /// The operation that has become slow, with its size. Agents read it.
    pub says: String,
}

/// A line of [`SLOW_FILE`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlowLine {
    id: String,
    function: String,
    operator: String,
    places: Vec<SlowPlace>,
    workload: String,
    size: u64,
    says: String,
}

/// A place of a form: the bytes that are replaced, and the text that stands there in a task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlowPlace {
    file: String,
    at: (usize, usize),
    text: String,
}

impl SlowParts {
    /// What counts for the digest of a pack: nothing if there are no slow forms.
    pub(super) fn digested(&self) -> Vec<&[u8]> {
        if *self == Self::default() {
            return Vec::new();
        }
        let workloads = self.workloads.iter();
        let texts = workloads.flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
        let head: [&[u8]; 2] = [b"slow", self.forms.as_bytes()];
        head.into_iter().chain(texts).collect()
    }

    /// The forms, checked against the files of the pack.
    pub(super) fn read(&self, pack: &ProjectPack) -> Result<Vec<SlowForm>, PackProblem> {
        let mut known = BTreeSet::new();
        let mut forms = Vec::new();
        for (number, line) in json_lines::<SlowLine>(SLOW_FILE, &self.forms)? {
            let form = line.form();
            self.check(pack, &form).map_err(|why| wrong(SLOW_FILE, number, why))?;
            if !known.insert(form.id.clone()) {
                let why = format!("the id {:?} is there twice", form.id);
                return Err(wrong(SLOW_FILE, number, why));
            }
            forms.push(form);
        }
        Ok(forms)
    }

    /// Checks one form.
    fn check(&self, pack: &ProjectPack, form: &SlowForm) -> Result<(), String> {
        if form.places.is_empty() {
            return Err("it has no place".to_owned());
        }
        for place in &form.places {
            pack.check_text(place)?;
        }
        if let Some(file) = overlapping(form.places.iter().map(|one| (one.file.as_str(), one.at))) {
            return Err(format!("two of its places in {file} overlap"));
        }
        if !self.workloads.contains_key(&form.workload) {
            return Err(format!("there is no {WORKLOAD_DIRECTORY}/{}.py", form.workload));
        }
        Ok(())
    }
}

impl SlowLine {
    fn form(self) -> SlowForm {
        let is_alone = self.places.len() == 1;
        let (id, operator, function) = (&self.id, &self.operator, &self.function);
        let change = |(place, number): (SlowPlace, usize)| PackChange {
            id: if is_alone { id.clone() } else { format!("{id}.{number}") },
            file: place.file,
            at: place.at,
            text: place.text,
            operator: operator.clone(),
            function: function.clone(),
            // No test fails.
            failure: FailureSign::Wrong,
            tests: Vec::new(),
            example: 0,
            says: String::new(),
        };
        let places = self.places.into_iter().zip(1..).map(change).collect();
        let says = self.says.replace(SIZE, &grouped(self.size));
        SlowForm {
            places,
            says,
            id: self.id,
            function: self.function,
            workload: self.workload,
            size: self.size,
        }
    }
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::tests::{CODE, parts, slow_parts};

    /// The problem of slow parts after a change of their lines.
    fn problem(change: impl Fn(&mut SlowParts)) -> String {
        let mut parts = parts();
        parts.slow = slow_parts();
        change(&mut parts.slow);
        ProjectPack::read(parts).unwrap_err().to_string()
    }

    #[test]
    fn a_form_has_its_places_and_its_workload() {
        let pack = ProjectPack::read(crate::pack::PackParts { slow: slow_parts(), ..parts() });
        let pack = pack.unwrap();
        let form = &pack.slow[0];
        assert_eq!(form.says, "`twice` of 1,000,000");
        assert_eq!(form.places.len(), 1);
        assert_eq!(&CODE[form.places[0].at.0..form.places[0].at.1], "n + n");
        assert_eq!(form.places[0].id, form.id);
        assert_eq!(pack.workload(form), "def data(size, draw):\n    return size\n");
    }

    #[test]
    fn slow_forms_count_for_the_digest_and_their_absence_does_not() {
        let digest = |slow: SlowParts| {
            ProjectPack::read(crate::pack::PackParts { slow, ..parts() }).unwrap().digest
        };
        let mut other = slow_parts();
        other.workloads.insert("more".to_owned(), String::new());
        assert_eq!(SlowParts::default().digested(), Vec::<&[u8]>::new());
        assert_ne!(digest(SlowParts::default()), digest(slow_parts()));
        assert_ne!(digest(slow_parts()), digest(other));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let lost = problem(|slow| slow.workloads.clear());
        assert_eq!(lost, "slow.jsonl:1: there is no workloads/twice.py");
        let twice = problem(|slow| slow.forms = slow.forms.repeat(2));
        assert_eq!(twice, "slow.jsonl:2: the id \"w0001\" is there twice");
        let test = problem(|slow| slow.forms = slow.forms.replace("lib.py", "tests/test_lib.py"));
        assert_eq!(test, "slow.jsonl:1: tests/test_lib.py is no source of the pack");
        let key = problem(|slow| slow.forms = slow.forms.replace("\"size\"", "\"sise\""));
        assert!(key.starts_with("slow.jsonl:1: unknown field `sise`"), "{key}");
        let none = problem(|slow| {
            let mut line: serde_json::Value = serde_json::from_str(&slow.forms).unwrap();
            line["places"] = serde_json::json!([]);
            slow.forms = line.to_string();
        });
        assert_eq!(none, "slow.jsonl:1: it has no place");
        let overlap = problem(|slow| {
            let mut line: serde_json::Value = serde_json::from_str(&slow.forms).unwrap();
            let place = line["places"][0].clone();
            line["places"] = serde_json::json!([place, place]);
            slow.forms = line.to_string();
        });
        assert_eq!(overlap, "slow.jsonl:1: two of its places in lib.py overlap");
    }

    #[test]
    fn numbers_have_commas() {
        let shown = [0, 12, 999, 1000, 65_536, 1_000_000].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "65,536", "1,000,000"]);
    }
}
