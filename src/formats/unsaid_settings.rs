//! Settings of a request that the format of a provider has no field for. Without the setting, the
//! answer would be another one. So nobody leaves it out: an adapter and the gateway refuse the
//! request by its name.

use super::{gemini, messages, ollama, responses};
use synthd_actors::model::RequestSettings;

/// The first setting that the format of a dialect (such as `gemini`) has no field for, in words.
/// Every dialect that is not named here is a host of the OpenAI chat format, which has them all.
pub(crate) fn unsaid_setting(dialect: &str, settings: &RequestSettings) -> Option<&'static str> {
    match dialect {
        messages::DIALECT => messages::request_writer::unsaid(settings),
        responses::DIALECT => responses::request_writer::unsaid(settings),
        gemini::DIALECT => gemini::request_writer::unsaid(settings),
        ollama::DIALECT => ollama::request_writer::unsaid(settings),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::ToolChoice;

    fn refused(dialect: &str, settings: &RequestSettings) -> Option<&'static str> {
        unsaid_setting(dialect, settings)
    }

    #[test]
    fn what_a_format_has_no_field_for_is_refused_by_name() {
        let usual = RequestSettings::default;
        let user = RequestSettings { end_user: Some("u-1".to_owned()), ..usual() };
        let stop = RequestSettings { stop: vec!["END".to_owned()], ..usual() };
        let none = RequestSettings { tool_choice: Some(ToolChoice::None), ..usual() };
        let one = RequestSettings { parallel_calls: Some(false), ..usual() };
        let hot = RequestSettings { temperature: Some(1.5), ..usual() };
        for (settings, word, dialects) in [
            (&user, "`user`", &["gemini", "ollama-native"][..]),
            (&stop, "`stop`", &["responses"]),
            (&none, "`tool_choice`", &["ollama-native"]),
            (&one, "`parallel_tool_calls`", &["gemini", "ollama-native"]),
            (&hot, "above 1", &["anthropic"]),
        ] {
            for dialect in ["openai", "anthropic", "responses", "gemini", "ollama-native"] {
                let told = refused(dialect, settings);
                assert_eq!(told.is_some(), dialects.contains(&dialect), "{dialect} {word}");
                assert!(told.is_none_or(|told| told.contains(word)), "{dialect} {word}");
            }
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
