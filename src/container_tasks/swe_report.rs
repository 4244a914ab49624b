//! What tests have printed: which of them passed and which failed. The lines of pytest (`-rA` or verbose)
//! and those of unittest (verbose) are understood. A test of which nothing is printed has not passed.
//!
//! ```text
//! PASSED tests/test_a.py::test_one            tests/test_a.py::test_one PASSED   [ 50%]
//! FAILED tests/test_a.py::test_two - assert   test_one (package.module.Class) ... ok
//! ```
//! A test that is reported as failed anywhere has failed. But what the agent wrote runs in the process of
//! the tests (`conftest.py`, the package, a `pytest.py` at the top), needs no root, and can end them or
//! change what they report; see `canary_tests`.

use std::collections::BTreeSet;

/// What stands between the name of a test that failed and the reason, which can be empty. A name can have
/// it inside.
const REASON: &str = " -";
/// Words of pytest, and whether the test has passed.
const WORDS: [(&str, bool); 5] =
    [("FAILED", false), ("ERROR", false), ("PASSED", true), ("XPASS", true), ("XFAIL", true)];

/// The tests of an output, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TestReport {
    passed: BTreeSet<String>,
    /// Names, some with the reason behind.
    failed: BTreeSet<String>,
}

impl TestReport {
    /// Reads an output.
    pub(super) fn read(output: &str) -> Self {
        let mut report = Self::default();
        let mut before = String::new();
        for line in output.lines() {
            let line = plain(line);
            if let Some((name, passed)) = of_pytest(&line).or_else(|| of_unittest(&line, &before)) {
                report.add(name, passed);
            }
            before = line;
        }
        report
    }

    /// Whether a test has passed, and is nowhere told to have failed.
    pub(super) fn passed(&self, test: &str) -> bool {
        let test = test.trim();
        self.passed.contains(test) && !self.failed(test)
    }

    /// Whether a function of a file is told to have passed, and whether it is told to have failed. No other
    /// function has its name in its own.
    pub(super) fn told(&self, function: &str) -> (bool, bool) {
        let named = format!("::{function}");
        let is_it = |name: &String| name.contains(&named);
        (self.passed.iter().any(is_it), self.failed.iter().any(is_it))
    }

    /// Whether a test is told to have failed, with or without a reason. Where a name ends and a reason
    /// begins is not known, so every such place counts.
    fn failed(&self, test: &str) -> bool {
        let with_reason = format!("{test}{REASON}");
        let next = self.failed.range(with_reason.clone()..).next();
        self.failed.contains(test) || next.is_some_and(|name| name.starts_with(&with_reason))
    }

    /// The tests of these that have not passed.
    pub(super) fn not_passed<'t>(&self, tests: &'t [String]) -> Vec<&'t str> {
        tests.iter().map(String::as_str).filter(|test| !self.passed(test)).collect()
    }

    fn add(&mut self, name: &str, passed: bool) {
        let tests = if passed { &mut self.passed } else { &mut self.failed };
        tests.insert(name.to_owned());
    }
}

/// The line without colours and without spaces at its ends.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).map_or(after.len(), |at| at + 1);
        rest = &after[end..];
    }
    plain.push_str(rest);
    plain.trim().to_owned()
}

/// A line of pytest: the word before the name, or behind it. What failed may have its reason behind the
/// name, and words of pytest in that.
fn of_pytest(line: &str) -> Option<(&str, bool)> {
    for (word, passed) in WORDS {
        if let Some(name) = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')) {
            return Some((name.trim(), passed));
        }
    }
    for (word, passed) in WORDS {
        let behind = line.split_once(&format!(" {word}"));
        if let Some((name, rest)) = behind.filter(|(name, _)| name.contains("::"))
            && (rest.is_empty() || rest.starts_with(' '))
        {
            return Some((name.trim(), passed));
        }
    }
    None
}

/// A line of unittest. If the test has a description, its name is on the line before.
fn of_unittest<'l>(line: &'l str, before: &'l str) -> Option<(&'l str, bool)> {
    let (name, end) = line.rsplit_once(" ... ")?;
    let passed = match end.trim() {
        "ok" | "expected failure" => true,
        end if end.starts_with("FAIL") || end.starts_with("ERROR") => false,
        _ => return None,
    };
    let is_test = |text: &str| text.ends_with(')') && text.contains(" (");
    let name = if !is_test(name) && is_test(before) { before } else { name };
    Some((name.trim(), passed))
}
