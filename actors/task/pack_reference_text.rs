//! What the agent of a task of the kind `document` is told: three wordings, each with every rule that
//! is checked.

use crate::pack::PackHead;

/// The form of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceForm {
    Json,
    Table,
    Sections,
}

impl ReferenceForm {
    /// All forms.
    pub(super) const ALL: [Self; 3] = [Self::Json, Self::Table, Self::Sections];

    /// The word for the sealed programs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Table => "table",
            Self::Sections => "sections",
        }
    }

    /// The ending of the file.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Table | Self::Sections => "md",
        }
    }

    /// Another form.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Json => Self::Sections,
            Self::Table => Self::Json,
            Self::Sections => Self::Table,
        }
    }
}

/// What the texts are made of.
pub(super) struct ReferenceText<'a> {
    pub(super) head: &'a PackHead,
    /// The file of the module.
    pub(super) module: &'a str,
    /// Names of functions in it.
    pub(super) names: &'a [&'a str],
    /// What is said of each.
    pub(super) fields: &'a [&'a str],
    pub(super) form: ReferenceForm,
    /// The file that is asked for.
    pub(super) path: &'a str,
}

impl ReferenceText<'_> {
    /// How many wordings there are.
    pub(super) const WORDINGS: usize = 3;

    /// The name of a wording, and its text.
    pub(super) fn drawn(&self, number: usize) -> (String, String) {
        let (module, path) = (self.module, self.path);
        let about = self.head.summary.trim_end();
        let (names, form, fields) = (self.listed(), self.form(), self.meanings());
        let (name, text) = match number {
            0 => (
                "complete",
                format!(
                    "{about}\n\n`{module}` has lost its docstrings, and the project has no reference of \
                     it. Write one into `{path}`, for exactly these functions:\n\n{names}\n\n{form}\n\n\
                     It says of each function:\n\n{fields}\n\n{}\n",
                    self.compared()
                ),
            ),
            1 => (
                "ticket",
                format!(
                    "We have to read the code of `{module}` again and again, because nobody has written \
                     down what its functions take and give. Please write `{path}`. Our site is built \
                     of it by a program, so its form counts.\n\n{form}\n\nThese functions belong into \
                     it, and no others:\n\n{names}\n\nThis is what it says of each:\n\n{fields}\n\n{} \
                     About the project: {about}\n",
                    self.compared()
                ),
            ),
            _ => (
                "terse",
                format!(
                    "Write the reference `{path}` of these functions of `{module}`:\n\n{names}\n\n\
                     {fields}\n\n{form}\n\n{}\n",
                    self.compared()
                ),
            ),
        };
        (name.to_owned(), text)
    }

    /// The names, one a line.
    fn listed(&self) -> String {
        let lines: Vec<String> = self.names.iter().map(|name| format!("- `{name}`")).collect();
        lines.join("\n")
    }

    /// The form of the file.
    fn form(&self) -> String {
        let (fields, count) = (self.fields.join("`, `"), self.fields.len());
        match self.form {
            ReferenceForm::Json => format!(
                "The file is one JSON map. Its keys are the names of the functions as they stand in the \
                 list. Each value is a map with the {count} keys `{fields}`, and each of these has a list \
                 of texts, also for one value or none."
            ),
            ReferenceForm::Table => format!(
                "The file has one Markdown table. Its first line is `| name | {} |`. Behind the line of \
                 dashes, each function has one line, with its name as it stands in the list. Commas stand \
                 between the values of a cell, `-` is a cell without values, and a bar in a cell is written \
                 `\\|`. Backticks around a name, a value or a whole cell are allowed. Lines without a bar at their \
                 start are free.",
                self.fields.join(" | ")
            ),
            ReferenceForm::Sections => format!(
                "The file is Markdown. Each function has a heading `## NAME`, with its name as it stands in \
                 the list, and below it one line `- FIELD: VALUES` for each of the {count} fields `{fields}`. \
                 Commas stand between values, and `-` stands for none. Backticks around a name, a value or all \
                 values of a line are allowed. Other lines are free, but not other headings `##`."
            ),
        }
    }

    /// What each field means, one a line.
    fn meanings(&self) -> String {
        let lines: Vec<String> =
            self.fields.iter().map(|field| format!("- `{field}`: {}", meaning(field))).collect();
        lines.join("\n")
    }

    /// What counts.
    fn compared(&self) -> String {
        format!(
            "A program compares it with the source. Neither the order of functions and of values \
             counts, except of parameters, nor spacing, nor the kind of quotes. Only `{}` counts.",
            self.path
        )
    }
}

/// What a field says, exactly.
fn meaning(field: &str) -> &'static str {
    match field {
        "parameters" => {
            "each parameter as the signature has it, in its order, with its default (`limit=10`) and \
             without annotation. `*more`, `**named`, a lone `*` and a lone `/` are values too. Of methods \
             and class methods, the first (`self` or `cls`) is left out."
        }
        "raises" => {
            "the exceptions that its own `raise` statements name: `Fault` for `raise Fault`, `raise \
             Fault(...)` and `raise errors.Fault(...)`. Only names that begin with a capital count. What \
             functions inside of it raise does not count."
        }
        "returns" => {
            "the constants that stand alone behind its own `return`, as Python writes them: `None`, \
             `True`, `-1`, `'text'`. A bare `return` is `None`. Names, calls, f-strings and all else \
             that is composed do not count, nor what functions inside of it return."
        }
        "calls" => {
            "what its body calls in the same module: functions and classes of the module's level that \
             are called by their names, and methods of its own class that are called as `self.name(...)`, \
             without the `self.`."
        }
        "constants" => {
            "names in capitals that its body reads, such as `LIMIT` or `_MOST_2`: two characters at least, \
             plain names only (`Limits.MOST` is none)."
        }
        "imports" => {
            "names that the module's imports at the top bring in and that its body reads as plain names. \
             What only the signature or a decorator reads does not count."
        }
        "kind" => {
            "`function` at the level of the module; in a class, `property`, `classmethod` or \
             `staticmethod` after its decorator, and otherwise `method`."
        }
        _ => {
            "the attributes of `self` to which its body assigns, without the `self.`: by `=`, `+=` and the \
             like, also in tuples. `self.name[0] = ...` is none."
        }
    }
}
