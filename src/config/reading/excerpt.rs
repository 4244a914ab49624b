//! Shows a mistake in a text that is not TOML (such as a template in YAML) in the same form as the
//! mistakes in configuration files: the line, a caret and a hint.

use crate::config::reading::errors::ConfigError;
use crate::config::reading::render;
use crate::config::reading::source::excerpt;

/// What is wrong with a text, and where.
pub(crate) struct TextDiagnostic<'a> {
    /// What the text is called.
    pub(crate) path: &'a str,
    /// The whole text; the line is taken out of it.
    pub(crate) text: &'a str,
    /// Line and column in characters, both counted from 1. None if the text as a whole is wrong.
    pub(crate) location: Option<(u64, u64)>,
    /// How many characters are marked.
    pub(crate) length: usize,
    pub(crate) message: &'a str,
    pub(crate) hint: Option<String>,
}

impl TextDiagnostic<'_> {
    /// The message with its line, a caret under the marked characters, and the hint.
    pub(crate) fn render(self) -> String {
        let (line, column) = self.location.unwrap_or((0, 0));
        let (line, column) = (count(line), count(column));
        let source = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let (source_line, cut) = excerpt(source, column.saturating_sub(1));
        render::error(&ConfigError {
            path: self.path.to_owned(),
            line,
            column,
            length: self.length,
            message: self.message.to_owned(),
            hint: self.hint,
            source_line,
            cut,
        })
    }
}

/// A number that does not fit counts as the largest one; then no line is found.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::TextDiagnostic;

    #[test]
    fn the_line_is_shown_with_a_caret() {
        let mistake = |location| TextDiagnostic {
            path: "own/a.yaml",
            text: "one: 1\ntwo: {{ nobody }}\n",
            location,
            length: 6,
            message: "`nobody` is undefined",
            hint: Some("did you mean `somebody`?".to_owned()),
        };
        assert_eq!(
            mistake(Some((2, 9))).render(),
            "error: `nobody` is undefined\n\
             \x20 --> own/a.yaml:2:9\n\
             \x20  |\n \
             2 | two: {{ nobody }}\n\
             \x20  |         ^^^^^^\n\
             \x20  = help: did you mean `somebody`?\n\n"
        );
        assert!(mistake(None).render().contains(" --> own/a.yaml\n"));
        // A place that is not there.
        assert!(mistake(Some((9, 9))).render().contains("own/a.yaml:9:9"));
    }
}
