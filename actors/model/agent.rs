//! An agent program of somebody else's, as a campaign describes it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is run in a sandbox for an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentProgram {
    /// Run by the sandbox's shell, in the workspace.
    pub command: String,
    /// Variables it is given besides.
    pub environment: BTreeMap<String, String>,
    /// Of the sandbox's loopback, where it finds its model.
    pub port: u16,
    /// Where a call of its names no cap of the output.
    pub max_output_tokens: u32,
}

impl AgentProgram {
    pub const PORT: u16 = 8377;
    pub const MAX_OUTPUT_TOKENS: u32 = 8_192;

    /// What it is told of its task, and of where its model is, in the words of the clients that
    /// there are. The campaign's own words go before.
    pub fn variables(
        &self,
        task: &str,
        model: &str,
        token: &str,
        port: u16,
    ) -> Vec<(String, String)> {
        let host = format!("http://127.0.0.1:{port}");
        let base = format!("{host}/v1");
        let ours = [
            ("SYNTHD_TASK", task),
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
        let variables = program.variables("do it", "openai/gpt", "key", 1);
        let named = |name: &str| -> Vec<&str> {
            variables.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(named("OPENAI_BASE_URL"), [own.1]);
        assert_eq!(named("ANTHROPIC_BASE_URL"), ["http://127.0.0.1:1"]);
        assert_eq!(named("SYNTHD_TASK"), ["do it"]);
    }
}
