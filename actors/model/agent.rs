//! An agent program: an external agent that a campaign runs inside the sandbox, as `[agents]` in
//! the campaign file describes it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The program to run in a sandbox for each episode of the scaffold `external/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProgram {
    /// A command line for the sandbox's shell. It starts in the workspace.
    pub command: String,
    /// Additional environment variables. They replace variables of the same name that the engine
    /// sets.
    pub environment: BTreeMap<String, String>,
    /// The port on the sandbox's loopback at which the program finds the agent gateway.
    pub port: u16,
    /// The output limit of a model call in which the program names no limit.
    pub max_output_tokens: u32,
}

impl AgentProgram {
    /// The default of `port`.
    pub const PORT: u16 = 8377;
    /// The default of `max_output_tokens`.
    pub const MAX_OUTPUT_TOKENS: u32 = 8_192;

    /// The environment of the program: its task, its limits, its model, and where and with which token it calls
    /// the model. The base URLs and keys have the names that the usual OpenAI and Anthropic clients
    /// read, so that most programs need no configuration. A variable in `environment` replaces the
    /// engine's variable of the same name.
    pub fn variables(
        &self,
        (task, limits): (&str, &str),
        model: &str,
        token: &str,
        port: u16,
    ) -> Vec<(String, String)> {
        let host = format!("http://127.0.0.1:{port}");
        let base = format!("{host}/v1");
        let ours = [
            ("SYNTHD_TASK", task),
            ("SYNTHD_LIMITS", limits),
            ("SYNTHD_MODEL", model),
            ("OPENAI_BASE_URL", base.as_str()),
            ("OPENAI_API_BASE", base.as_str()),
            ("OPENAI_API_KEY", token),
            ("ANTHROPIC_BASE_URL", host.as_str()),
            ("ANTHROPIC_API_KEY", token),
        ];
        let ours = ours.into_iter().filter(|(name, _)| !self.environment.contains_key(*name));
        let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = self.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        ours.chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::AgentProgram;

    #[test]
    fn what_a_campaign_says_goes_before() {
        let own = ("OPENAI_BASE_URL".to_owned(), "http://127.0.0.1:1/v1/".to_owned());
        let program = AgentProgram {
            command: "agent".to_owned(),
            environment: [own.clone()].into(),
            port: 1,
            max_output_tokens: 1,
        };
        let variables = program.variables(("do it", "- by noon"), "openai/gpt", "key", 1);
        let named = |name: &str| -> Vec<&str> {
            variables.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(named("OPENAI_BASE_URL"), [own.1]);
        assert_eq!(named("ANTHROPIC_BASE_URL"), ["http://127.0.0.1:1"]);
        assert_eq!(named("SYNTHD_TASK"), ["do it"]);
        assert_eq!(named("SYNTHD_LIMITS"), ["- by noon"]);
    }
}
