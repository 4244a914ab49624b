//! What to log, as a file or the command line says it. One rule for both.

use crate::word_suggestion::closest;
use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why a text is no filter, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogFilterError {
    pub(crate) what: String,
    pub(crate) hint: String,
}

/// Reads a filter. `tracing` takes a word without a level for the name of a module and logs
/// nothing else, so that a mistyped level would silence everything. Such a word is refused,
/// unless it names a module of this program.
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

fn is_level(word: &str) -> bool {
    LEVELS.contains(&word.to_lowercase().as_str())
}

fn is_own_module(word: &str) -> bool {
    ["synthd", "synthd_actors"].contains(&word.split("::").next().unwrap_or(word))
}

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
