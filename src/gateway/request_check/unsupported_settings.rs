//! Settings of a request that the format of the model's provider has no field for. Such a request
//! is refused, and the refusal names the setting: without the setting, the answer would be another
//! one. `translate` checks each request here after it was parsed.

use crate::gateway::refusal::GatewayRefusal;
use synthd_actors::model::{RequestSettings, ToolChoice};

/// Refuses a request with a setting that the provider's format (`dialect`, such as `gemini`)
/// cannot express. Models that the engine itself plays have no format and accept every setting.
pub(in crate::gateway) fn refuse_unsupported(
    dialect: Option<&str>,
    settings: &RequestSettings,
) -> Result<(), GatewayRefusal> {
    let Some(setting) = dialect.and_then(|dialect| unsaid(dialect, settings)) else {
        return Ok(());
    };
    let what = format!(
        "the model behind this name speaks another format, in which there is no field for \
         {setting}; leave it out, or ask another model"
    );
    Err(GatewayRefusal::new(400, "unsupported_parameter", what))
}

/// The first setting that the format has no field for, in words for the client.
fn unsaid(dialect: &str, settings: &RequestSettings) -> Option<&'static str> {
    let chooses = settings.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::Auto);
    let lacks: &[(bool, &str)] = &[
        (
            settings.end_user.is_some() && matches!(dialect, "gemini" | "ollama-native"),
            "the user of a request (`user`, `safety_identifier`, `metadata`)",
        ),
        (
            !settings.stop.is_empty() && dialect == "responses",
            "sequences that end an answer (`stop`, `stop_sequences`)",
        ),
        (chooses && dialect == "ollama-native", "the choice of a tool (`tool_choice`)"),
        (
            // Both formats allow several tool calls at once anyway. Only the opposite cannot be
            // expressed.
            settings.parallel_calls == Some(false) && matches!(dialect, "gemini" | "ollama-native"),
            "one tool call at a time (`parallel_tool_calls`, `disable_parallel_tool_use`)",
        ),
    ];
    lacks.iter().find(|(lost, _)| *lost).map(|(_, setting)| *setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a dialect refuses, by the word in the refusal.
    fn refused(dialect: &str, settings: &RequestSettings) -> Option<String> {
        refuse_unsupported(Some(dialect), settings).err().map(|refusal| refusal.message)
    }

    #[test]
    fn what_a_format_has_no_field_for_is_refused_by_name() {
        let usual = RequestSettings::default;
        let user = RequestSettings { end_user: Some("u-1".to_owned()), ..usual() };
        let stop = RequestSettings { stop: vec!["END".to_owned()], ..usual() };
        let none = RequestSettings { tool_choice: Some(ToolChoice::None), ..usual() };
        let one = RequestSettings { parallel_calls: Some(false), ..usual() };
        for (settings, word, dialects) in [
            (&user, "`user`", &["gemini", "ollama-native"][..]),
            (&stop, "`stop`", &["responses"]),
            (&none, "`tool_choice`", &["ollama-native"]),
            (&one, "`parallel_tool_calls`", &["gemini", "ollama-native"]),
        ] {
            for dialect in ["openai", "anthropic", "responses", "gemini", "ollama-native"] {
                let told = refused(dialect, settings);
                assert_eq!(told.is_some(), dialects.contains(&dialect), "{dialect} {word}");
                assert!(told.is_none_or(|told| told.contains(word)), "{dialect} {word}");
            }
            assert!(refuse_unsupported(None, settings).is_ok());
        }
    }

    #[test]
    fn what_a_format_does_by_itself_may_be_asked_for() {
        let settings = RequestSettings {
            tool_choice: Some(ToolChoice::Auto),
            parallel_calls: Some(true),
            ..RequestSettings::default()
        };
        assert_eq!(refused("ollama-native", &settings), None);
        assert_eq!(refused("gemini", &settings), None);
    }
}
