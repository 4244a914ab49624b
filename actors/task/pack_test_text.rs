//! What the agent of a task of the kind `write-tests` is told: three wordings, each with every rule that
//! is checked.

use super::pack_test_draw::FEWEST_TESTS;
use crate::pack::PackHead;

/// Seconds that all tests may take together.
pub(super) const SECONDS: u32 = 10;

/// What the texts are made of.
pub(super) struct TestText<'a> {
    pub(super) head: &'a PackHead,
    /// The file of the module.
    pub(super) module: &'a str,
    pub(super) functions: &'a [&'a str],
    /// How many faults are tried.
    pub(super) faults: usize,
    /// The file that is asked for.
    pub(super) path: &'a str,
}

impl TestText<'_> {
    /// How many wordings there are.
    pub(super) const WORDINGS: usize = 3;

    /// The name of a wording, and its text.
    pub(super) fn drawn(&self, number: usize) -> (String, String) {
        let (module, path) = (self.module, self.path);
        let about = self.head.summary.trim_end();
        let (functions, rules, right) = (self.functions(), self.rules(), self.right());
        let (name, text) = match number {
            0 => (
                "complete",
                format!(
                    "{about}\n\nThe tests of some functions of `{module}` have been taken away:\n\n\
                     {functions}\n\nWrite new ones for them, with `unittest`, into the new file \
                     `{path}`. {right}\n\nThis is how they are judged:\n\n{rules}\n"
                ),
            ),
            1 => (
                "ticket",
                format!(
                    "Nobody would notice if these functions of `{module}` broke, because their tests \
                     are lost:\n\n{functions}\n\nThat must not stay so. Please write `{path}` with \
                     tests (`unittest`) that notice. We will try them like this:\n\n{rules}\n\n\
                     {right} About the project: {about}\n"
                ),
            ),
            _ => (
                "terse",
                format!(
                    "Write `{path}`: unittest tests for functions of `{module}`.\n\n{functions}\n\n\
                     {rules}\n\n{right}\n"
                ),
            ),
        };
        (name.to_owned(), text)
    }

    /// The functions, one a line.
    fn functions(&self) -> String {
        let lines: Vec<String> = self.functions.iter().map(|name| format!("- `{name}`")).collect();
        lines.join("\n")
    }

    /// Where it stands what is right.
    fn right(&self) -> String {
        let docs: Vec<String> = self.head.docs.iter().map(|path| format!("`{path}`")).collect();
        let also =
            if docs.is_empty() { String::new() } else { format!(" and {}", docs.join(", ")) };
        format!("The sources are right as they are; the docstrings{also} say what they should do.")
    }

    /// How the tests are judged.
    fn rules(&self) -> String {
        let (path, faults) = (self.path, self.faults);
        let name = path.strip_suffix(".py").unwrap_or(path).replace('/', ".");
        let command = self.head.runner.command();
        format!(
            "- Only `{path}` counts. It is laid into the project as you got it, and its tests are run \
             there as `{command} {name}` does.\n\
             - With the module as it is, all tests must pass, and at least {FEWEST_TESTS} must run.\n\
             - With versions of the module that do the same and are written differently, all tests must \
             pass too: other names of local variables, another order of functions, other ways to write \
             comparisons and numbers, no comments and no docstrings. All other names stay. So test what \
             the functions do, not how they are written.\n\
             - {faults} faults are put into these functions, one at a time, in versions that are \
             written differently as well. Each makes some result wrong. Each time, a test at least must \
             fail.\n\
             - The module is loaded before your tests, and its file is gone then: tests that read its \
             text, load it anew, or start the project in another process do not pass.\n\
             - Tests say what is expected: values, errors, and what holds between results. A copy of the \
             module's code is no expected value. Tests that have much of the code of these functions, with \
             other names too or as a text, are not accepted, nor are tests that execute texts (`exec`, \
             `eval`, `compile` and their like).\n\
             - All tests together must end within {SECONDS} seconds. They must depend neither on chance \
             nor on the time, and need nothing but the standard library."
        )
    }
}
