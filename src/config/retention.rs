//! `[retention]`: how long the record of a campaign is kept. A campaign's file and the daemon's file have
//! the same section.

use crate::config::reading::section::ConfigSection;
use crate::config::reading::units::{duration, seconds};
use crate::config::reading::values::ValueResult;
use std::time::Duration;
use synthd_actors::model::{RetentionAge, RetentionRules};
use toml::de::DeValue;

/// The longest age. A longer one is written as `"forever"`.
const CENTURY: Duration = seconds(36_500 * 86_400);

/// Reads the section. A wrong value was reported and counts as none.
pub(super) fn read(mut section: ConfigSection<'_, '_>) -> RetentionRules {
    let mut rule = |key| section.optional(key, age).into_option();
    let rules = RetentionRules {
        solved: rule("solved"),
        failed: rule("failed"),
        calls: rule("calls"),
        workspaces: rule("workspaces"),
    };
    section.finish();
    rules
}

/// An age, or the word `forever`.
fn age(value: &DeValue<'_>) -> ValueResult<RetentionAge> {
    match value {
        DeValue::String(text) if text.trim() == "forever" => Ok(RetentionAge::Forever),
        other => duration(Duration::ZERO..=CENTURY)(other)
            .map(RetentionAge::For)
            .map_err(|fault| fault.hint("write \"forever\", or an age such as \"30d\" or \"12h\"")),
    }
}
