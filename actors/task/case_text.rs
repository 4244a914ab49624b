//! What the agent of a task from a pack with cases is told: three wordings for each kind, and a case in
//! words.

use super::pack_spec::{FaultReport, PackKind};
use super::pack_text::{ToldChange, listed, numbered_reports};
use crate::pack::{PackHead, PackLanguage, ProgramCase};

/// Characters of a text of a case that are quoted.
const QUOTED: usize = 2_000;

/// What the texts are made of.
pub(super) struct CaseText<'a> {
    pub(super) head: &'a PackHead,
    pub(super) kind: PackKind,
    /// What is told of a fault.
    pub(super) report: Option<FaultReport>,
    pub(super) changes: Vec<ToldChange>,
}

impl CaseText<'_> {
    /// How many wordings there are.
    pub(super) const WORDINGS: usize = 3;

    /// The name of a wording, and its text.
    pub(super) fn drawn(&self, number: usize) -> (String, String) {
        let (asked, details, judged) = (self.asked(), self.details(), self.judged());
        let (summary, spoken) = (self.head.summary.trim_end(), self.spoken());
        let (name, text) = match number {
            0 => {
                ("complete", format!("{summary}\n\n{asked}\n\n{details}\n\n{spoken}\n\n{judged}\n"))
            }
            1 => (
                "ticket",
                format!(
                    "{asked}\n\n{details}\n\nAbout the project: {summary}\n\n{spoken} {judged}\n"
                ),
            ),
            _ => ("terse", format!("{asked}\n\n{details}\n\n{judged}\n")),
        };
        (name.to_owned(), text)
    }

    /// What is asked for.
    fn asked(&self) -> String {
        let count = self.changes.len();
        let (roots, stub) = (listed(&self.head.source), stub(self.head.language));
        match (self.kind, count) {
            (PackKind::Implement, 1) => {
                format!("A function below {roots} is not written yet: it {stub}. Write it.")
            }
            (PackKind::Implement, _) => format!(
                "{count} functions below {roots} are not written yet: each {stub}. Write all of them."
            ),
            (_, 1) => format!(
                "A fault has got into the sources below {roots}: some results of the program are wrong. \
                 Find it and mend it."
            ),
            _ => format!(
                "{count} faults have got into the sources below {roots}, in different functions: some \
                 results of the program are wrong. Find all of them and mend them."
            ),
        }
    }

    /// What is known of the changes.
    pub(super) fn details(&self) -> String {
        let lines: Vec<String> = match (self.kind, self.report) {
            (PackKind::Implement, _) => {
                let line = |told: &ToldChange| format!("- `{}` in `{}`", told.function, told.file);
                self.changes.iter().map(line).collect()
            }
            (_, Some(FaultReport::Area)) => {
                let mut files: Vec<&str> = self.changes.iter().map(|told| &*told.file).collect();
                files.sort_unstable();
                files.dedup();
                files.iter().map(|file| format!("- Something is wrong in `{file}`.")).collect()
            }
            _ => {
                let examples = self.changes.iter().map(|told| told.example.clone());
                return numbered_reports(examples.collect());
            }
        };
        lines.join("\n")
    }

    /// Where it stands what is right.
    pub(super) fn spoken(&self) -> String {
        let docs = &self.head.docs;
        let also = if docs.is_empty() { String::new() } else { format!(" and {}", listed(docs)) };
        format!("The comments in the sources{also} say what is right.")
    }

    /// How the work is judged.
    fn judged(&self) -> String {
        let (running, sources) = (self.running(), listed(&self.head.source));
        format!(
            "{running} In the end, all of them must be right, and everything else must stay as it is. Only \
             your changes below {sources} count: the program is built anew from them."
        )
    }

    /// What runs the cases, and that there are others.
    pub(super) fn running(&self) -> String {
        let tests = listed(&self.head.tests);
        let command = self.head.runner.command();
        let builds = match self.head.build.is_empty() {
            true => String::new(),
            false => format!("builds the program with `{}` and ", self.head.build.join(" ")),
        };
        format!(
            "`{command}` {builds}runs the cases below {tests}; a case has arguments, input, and the \
             output that is right. Other cases are kept back."
        )
    }
}

/// What a function does whose body was taken away.
pub(super) fn stub(language: PackLanguage) -> &'static str {
    match language {
        PackLanguage::Python => "raises `NotImplementedError`",
        PackLanguage::C => "says `not implemented` and ends the program",
        PackLanguage::JavaScript | PackLanguage::TypeScript => "throws `not implemented`",
        PackLanguage::Shell => "says `not implemented` and fails",
        PackLanguage::Go | PackLanguage::Rust => "panics with `not implemented`",
    }
}

/// A case that is wrong, and what is wrong with it.
pub(super) fn case_in_words(head: &PackHead, case: &ProgramCase, says: &str) -> String {
    let command: Vec<String> = head.run.iter().chain(&case.args).map(|word| quoted(word)).collect();
    let mut parts = vec![format!("This case is wrong:\n\n{}", indented(&command.join(" ")))];
    if !case.input.is_empty() {
        parts.push(format!("It reads:\n\n{}", indented(&case.input)));
    }
    for (path, text) in &case.files {
        parts.push(format!("Beside it lies `{path}`:\n\n{}", indented(text)));
    }
    let status = case.status;
    let expected = match case.out.is_empty() {
        true => format!("It must print nothing, and end with exit code {status}."),
        false => {
            format!("It must end with exit code {status}, and print:\n\n{}", indented(&case.out))
        }
    };
    parts.push(expected);
    parts.push(format!("But: {}", says.trim_end()));
    parts.join("\n\n")
}

/// A word of a command as one would type it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The beginning of a text as a block.
fn indented(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).collect();
    let mut lines: Vec<String> = shown.lines().map(|line| format!("    {line}")).collect();
    if shown.len() < text.len() {
        lines.push(format!("    ... ({} bytes in all)", text.len()));
    }
    lines.join("\n")
}
