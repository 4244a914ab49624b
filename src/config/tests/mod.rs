//! The module as its users see it: texts in, campaigns or lists of mistakes out.

mod accepts;
mod broken;
mod completions;
mod draws;
mod files;
mod fuzz;
mod mistakes;
mod odd_files;
mod prompts;
mod routing;
mod rules;
mod sampling;
mod template_dirs;

use crate::config::*;

/// The least a campaign can be.
const MINIMAL: &str = "[campaign]\nname = \"least\"\n[tasks]\ntemplates = [\"**\"]\n[[models]]\nname = \"scripted/oracle\"\n";

fn campaign(text: &str) -> CampaignConfig {
    parse_campaign("campaign.toml", text).unwrap_or_else(|errors| panic!("{errors}")).config
}

fn errors(text: &str) -> ConfigErrors {
    parse_campaign("campaign.toml", text).expect_err(text)
}

/// `line:column: message (hint)` of every mistake.
fn brief(errors: &ConfigErrors) -> Vec<String> {
    let brief = |error: &ConfigError| {
        let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{}: {}{hint}", error.line, error.column, error.message)
    };
    errors.errors().iter().map(brief).collect()
}

/// The only mistake of the least campaign with `extra` after it.
fn only_mistake(extra: &str) -> String {
    let errors = errors(&format!("{MINIMAL}{extra}"));
    let brief = brief(&errors);
    assert_eq!(brief.len(), 1, "{errors}");
    brief[0].clone()
}
