//! Reads log filters: the text of `[log] level` in a daemon's file, or of `--log-level`, that says
//! what is logged. Both use the same rule and get the same error messages.
//!
//! Examples of filters: `warn`, `info,synthd::sandbox=debug`, `synthd[store]=trace`.

use crate::word_suggestion::closest;
use tracing_subscriber::EnvFilter;

/// The words that `tracing` takes as levels, in lower case.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why a text is no log filter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogFilterError {
    /// What is wrong with the text.
    pub(crate) what: String,
    /// What the user can write instead.
    pub(crate) hint: String,
}

/// Reads a log filter. `tracing` takes a word without a level as the name of a module, and then
/// logs nothing but that module. So a mistyped level, such as `inof`, would silence all logs. Such
/// a word is refused unless it is the name of a module of this program.
pub(crate) fn parse(text: &str) -> Result<EnvFilter, LogFilterError> {
    for directive in text.split(',').map(str::trim) {
        if !directive.contains(['=', '[']) && !is_level(directive) && !is_own_module(directive) {
            return Err(unknown_level(directive));
        }
    }
    EnvFilter::builder().parse(text).map_err(|error| LogFilterError {
        what: format!("not a log filter: {error}"),
        hint: "a level, or for example \"info,synthd::sandbox=debug\"".to_owned(),
    })
}

/// Whether the word is a level, in upper or lower case.
fn is_level(word: &str) -> bool {
    LEVELS.contains(&word.to_lowercase().as_str())
}

/// Whether the word names a module of one of the two packages, such as `synthd::pool`.
fn is_own_module(word: &str) -> bool {
    ["synthd", "synthd_actors"].contains(&word.split("::").next().unwrap_or(word))
}

/// The error for a word that is neither a level nor a module, with the nearest level as the hint.
fn unknown_level(word: &str) -> LogFilterError {
    let hint = match closest(word, LEVELS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!(
                "a level ({}), or for example \"info,synthd::sandbox=debug\"",
                LEVELS.join(", ")
            )
        }
    };
    LogFilterError { what: format!("unknown level \"{word}\""), hint }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_filter_says_a_level_for_all_it_names() {
        for text in
            ["warn", "INFO", "off", "info,synthd=debug", "synthd[store]=trace", "synthd::pool"]
        {
            assert!(parse(text).is_ok(), "{text}");
        }
        for (text, hint) in [
            ("nonsense", "a level (off,"),
            ("inof", "did you mean `info`?"),
            ("info,sinthd", "a level (off,"),
            ("", "a level (off,"),
            ("synthd=loud", "for example"),
        ] {
            let bad = parse(text).unwrap_err();
            assert!(bad.hint.contains(hint), "{text}: {bad:?}");
        }
    }
}
