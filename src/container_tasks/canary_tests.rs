//! Two tests that the judge of a row adds to a run: one passes, and one fails. What the agent wrote runs in
//! the process of the tests and may change what they report. If the two are not reported as they are, what
//! is reported of the others is not believed.
//!
//! File, names and numbers are drawn for each run, so nothing can be written for them before. The file is
//! the last one of the command, so that no other test waits for it. Only pytest takes it, and only if its
//! command names a file of the test patch. Code of the agent's that reads the file while it runs can
//! still report what it likes: this finds reports that are forged as a whole, and no others.

use super::oracle_moves::shell_word;
use super::swe_report::TestReport;
use super::swe_row::SweRow;
use synthd_actors::model::{Fault, FaultKind};

/// The variable with the file, if it could be written.
const VARIABLE: &str = "synthd_added";
/// Options of pytest that end the run at a test that fails.
const ENDING: [&str; 4] = ["--exitfirst", "--maxfail", "--stepwise", "--sw"];

/// The added tests of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CanaryTests {
    /// The path in the repository, beside a file of the test patch.
    file: String,
    text: String,
    /// The function that passes, and the one that fails.
    passing: String,
    failing: String,
}

impl CanaryTests {
    /// Draws tests for a run of a row. None if its command takes none.
    pub(super) fn draw(row: &SweRow) -> Result<Option<Self>, Fault> {
        let Some(directory) = directory(row) else { return Ok(None) };
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            Fault::new(FaultKind::TaskSetup, format!("draw the names of added tests: {error}"))
        })?;
        Ok(Some(Self::of(directory, &random)))
    }

    /// The tests in a directory of the repository with these random bytes.
    fn of(directory: &str, random: &[u8; 16]) -> Self {
        let name = |bytes: &[u8]| format!("test_{}", hex::encode(bytes));
        let [file, passing, failing] = [&random[..5], &random[5..10], &random[10..15]].map(name);
        let (one, other) = (u32::from(random[0]), u32::from(random[5]));
        let sum = one + other;
        let text =
            |name: &str, sum: u32| format!("def {name}():\n    assert {one} + {other} == {sum}\n");
        let passes = text(&passing, sum);
        let fails = text(&failing, sum + 1 + u32::from(random[15]));
        let gap = if directory.is_empty() { "" } else { "/" };
        let file = format!("{directory}{gap}{file}.py");
        Self { file, text: format!("{passes}\n\n{fails}"), passing, failing }
    }

    /// The lines of the shell that write the file. Without it the command runs as it is.
    pub(super) fn writing(&self) -> String {
        let (file, text) = (shell_word(&self.file), shell_word(&self.text));
        format!("if printf %s {text} > {file}; then {VARIABLE}={file}; else {VARIABLE}=; fi\n")
    }

    /// A command that also runs the file.
    pub(super) fn added_to(&self, command: &str) -> String {
        format!("{command} ${{{VARIABLE}:+\"${VARIABLE}\"}}")
    }

    /// Whether both are reported as they are.
    pub(super) fn are_told(&self, report: &TestReport) -> bool {
        report.told(&self.passing) == (true, false) && report.told(&self.failing) == (false, true)
    }
}

/// The directory of the first file of the test patch in Python. None if the command takes no file more.
fn directory(row: &SweRow) -> Option<&str> {
    let files = row.tested_files();
    if row.command.as_deref().is_some_and(|command| !takes_a_file(command, &files)) {
        return None;
    }
    let file = files.into_iter().find(|file| file.ends_with(".py"))?;
    Some(file.rsplit_once('/').map_or("", |(directory, _)| directory))
}

/// Whether a command is one of pytest, without other words of the shell, that names one of these files and
/// does not end at the first failure.
fn takes_a_file(command: &str, files: &[&str]) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-./=:,+@".contains(c);
    let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
    let arguments = match words.as_slice() {
        ["pytest" | "py.test", rest @ ..] => rest,
        ["python" | "python3", "-m", "pytest", rest @ ..] => rest,
        _ => return false,
    };
    let ends = |word: &&str| {
        let is_short = word.starts_with('-') && !word.starts_with("--");
        (is_short && word.contains('x')) || ENDING.iter().any(|option| word.starts_with(*option))
    };
    command.chars().all(is_plain)
        && arguments.iter().any(|word| files.contains(word))
        && !arguments.iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_tasks::tests::row;

    #[test]
    fn forged_reports_do_not_tell_the_added_tests() {
        let canary = CanaryTests::draw(&row()).unwrap().unwrap();
        let (good, bad) = (&canary.passing, &canary.failing);
        let told = |text: String| canary.are_told(&TestReport::read(&text));
        let file = &canary.file;
        assert!(told(format!("PASSED {file}::{good}\nFAILED {file}::{bad} - assert 1 == 2\n")));
        assert!(told(format!("{file}::{good} PASSED [ 9%]\n{file}::{bad} FAILED [18%]\n")));
        assert!(!told(format!("PASSED {file}::{good}\nPASSED {file}::{bad}\n")), "all pass");
        assert!(!told(format!("FAILED {file}::{good}\nFAILED {file}::{bad}\n")), "all fail");
        assert!(!told("PASSED test_demo.py::test_add\n".to_owned()), "only what is known is told");
    }

    #[test]
    fn every_run_has_other_tests_beside_those_of_the_patch() {
        let draw = || CanaryTests::draw(&row()).unwrap().unwrap();
        assert_ne!(draw().file, draw().file);
        let random = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let canary = CanaryTests::of("tests/it's", &random);
        assert_eq!(canary.file, "tests/it's/test_0001020304.py");
        let lines: Vec<&str> = canary.text.lines().collect();
        assert_eq!(lines[..2], ["def test_0506070809():", "    assert 0 + 5 == 5"]);
        assert_eq!(lines[4..], ["def test_0a0b0c0d0e():", "    assert 0 + 5 == 21"]);
        assert_eq!(CanaryTests::of("", &random).file, "test_0001020304.py");
    }

    /// The shell has the file where it can be written, and else the command alone.
    #[test]
    fn a_directory_that_is_not_there_changes_no_command() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("it's")).unwrap();
        let said = |directory: &str| {
            let canary = CanaryTests::of(directory, &[7; 16]);
            let script = canary.writing() + &canary.added_to("printf '<%s>' a");
            let mut shell = std::process::Command::new("sh");
            let done = shell.arg("-c").arg(script).current_dir(dir.path()).output().unwrap();
            String::from_utf8(done.stdout).unwrap()
        };
        assert_eq!(said("it's"), "<a><it's/test_0707070707.py>");
        assert!(dir.path().join("it's/test_0707070707.py").is_file());
        assert_eq!(said("absent"), "<a>");
    }

    #[test]
    fn only_plain_commands_of_pytest_take_a_file() {
        let files = ["tests/test_a.py"];
        for (command, takes) in [
            ("pytest -rA tests/test_a.py", true),
            ("python -m pytest -rA -p no:cacheprovider tests/test_a.py", true),
            ("pytest -rA", false),
            ("pytest -vx tests/test_a.py", false),
            ("pytest --maxfail=1 tests/test_a.py", false),
            ("pytest tests/test_a.py | tail", false),
            ("pytest tests/test_a.py\necho", false),
            ("tox -e py tests/test_a.py", false),
            ("python tests/test_a.py", false),
        ] {
            assert_eq!(takes_a_file(command, &files), takes, "{command}");
        }
        let mut other = row();
        other.command = Some("make check".to_owned());
        assert_eq!(CanaryTests::draw(&other).unwrap(), None);
    }
}
