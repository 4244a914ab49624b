//! The limits that hold for an agent, in words: the scaffold's prompt tells them, and so may the
//! campaign's own prompts. An agent's program gets them in an environment variable.

use crate::model::{CampaignConfig, EpisodeLimits, NetworkPolicy, SandboxLimits, TaskResources};
use std::time::Duration;

/// The limits of an episode, of its sandbox and of each command in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentLimits {
    pub sandbox: SandboxLimits,
    pub episode: EpisodeLimits,
    /// The hosts that programs may reach. None means no network at all.
    pub network: Option<NetworkPolicy>,
}

impl AgentLimits {
    /// The variables of prompts that stand for limits. Most have the name of their key in campaign
    /// files; `limits` is all of them as a list.
    pub const VARIABLES: [&str; 10] = [
        "limits",
        "command_timeout",
        "command_cpu",
        "memory",
        "processes",
        "disk",
        "output_kept",
        "max_turns",
        "timeout",
        "network",
    ];

    /// The limits of an episode of a campaign whose task states these resources.
    pub fn of(config: &CampaignConfig, resources: &TaskResources) -> Self {
        let timeout = resources.time_within(config.episode.timeout);
        Self {
            sandbox: resources.lowered(&config.sandbox.limits),
            episode: EpisodeLimits { timeout, ..config.episode.clone() },
            network: config.sandbox.network.clone(),
        }
    }

    /// The text of a variable, for example `512 MiB` for `memory`. None if no limit has the name.
    pub fn variable(&self, name: &str) -> Option<String> {
        let (sandbox, episode) = (&self.sandbox, &self.episode);
        Some(match name {
            "limits" => self.list(),
            "command_timeout" => seconds(sandbox.command_timeout),
            "command_cpu" => seconds(sandbox.command_cpu),
            "memory" => bytes(sandbox.memory_bytes),
            "processes" => sandbox.processes.to_string(),
            "disk" => bytes(sandbox.disk_bytes),
            "output_kept" => bytes(sandbox.output_kept.into()),
            "max_turns" => episode.max_turns.to_string(),
            "timeout" => seconds(episode.timeout),
            "network" => self.hosts(),
            _ => return None,
        })
    }

    /// All limits as a list in Markdown.
    pub fn list(&self) -> String {
        let sandbox = &self.sandbox;
        let commands = [
            format!(
                "- A command is killed after {}, or after {} of processor time.",
                seconds(sandbox.command_timeout),
                seconds(sandbox.command_cpu)
            ),
            format!(
                "- You see {} of a command's output. Of longer output, the middle is left out.",
                bytes(sandbox.output_kept.into())
            ),
        ];
        [commands.join("\n"), self.common()].join("\n")
    }

    /// The limits that hold for an agent's program, as a list in Markdown. The program runs its
    /// commands itself, so those of the engine's commands do not hold for it.
    pub fn list_for_program(&self) -> String {
        let time = seconds(self.sandbox.command_cpu);
        format!("- A process is killed after {time} of processor time.\n{}", self.common())
    }

    /// The limits that hold for every agent.
    fn common(&self) -> String {
        let (sandbox, episode) = (&self.sandbox, &self.episode);
        let lines = [
            format!(
                "- All programs together have {} of memory, and {} processes and threads.",
                bytes(sandbox.memory_bytes),
                sandbox.processes
            ),
            format!(
                "- The workspace has room for {} in {} files and directories.",
                bytes(sandbox.disk_bytes),
                sandbox.inodes
            ),
            format!(
                "- The work ends after {} replies, or after {}.",
                episode.max_turns,
                seconds(episode.timeout)
            ),
            format!("- {}", self.reach()),
        ];
        lines.join("\n")
    }

    /// What programs can reach, as sentences.
    fn reach(&self) -> String {
        match &self.network {
            None => "There is no network.".to_owned(),
            Some(_) => format!(
                "The network leads only to these hosts, through the proxy that http_proxy and \
                 https_proxy name: {}.",
                self.hosts()
            ),
        }
    }

    /// The hosts that programs may reach, separated by commas, or `none`.
    fn hosts(&self) -> String {
        let allowed = self.network.iter().flat_map(|network| &network.allow);
        let names: Vec<String> = allowed.map(ToString::to_string).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// A time in seconds, for example `30 s` or `0.5 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// A size in the largest unit that divides it, for example `512 MiB` or `1000 bytes`.
fn bytes(size: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = |shift: u32| size > 0 && size.is_multiple_of(1_u64 << shift);
    match units.into_iter().find(|(shift, _)| fits(*shift)) {
        Some((shift, unit)) => format!("{} {unit}", size >> shift),
        None => format!("{size} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AllowedHost;

    #[test]
    fn limits_are_told_in_words() {
        let defaults = AgentLimits::default();
        let told = "- A command is killed after 30 s, or after 60 s of processor time.\n\
             - You see 32 KiB of a command's output. Of longer output, the middle is left out.\n\
             - All programs together have 512 MiB of memory, and 128 processes and threads.\n\
             - The workspace has room for 128 MiB in 20000 files and directories.\n\
             - The work ends after 40 replies, or after 1800 s.\n\
             - There is no network.";
        assert_eq!(defaults.variable("limits").as_deref(), Some(told));
        // A program runs its commands itself.
        let common = told.split_once("- All programs").unwrap().1;
        let program = "- A process is killed after 60 s of processor time.\n- All programs";
        assert_eq!(defaults.list_for_program(), format!("{program}{common}"));
        let allow = ["pypi.org", "*.crates.io:8080"]
            .map(|host| host.parse::<AllowedHost>().unwrap())
            .to_vec();
        let network = Some(NetworkPolicy { name: "packages".to_owned(), allow });
        let open = AgentLimits { network, ..defaults };
        let all = open.variable("limits").unwrap();
        assert!(all.ends_with("name: pypi.org, *.crates.io:8080."), "{all}");
        assert!(!all.contains("no network"), "{all}");
    }

    /// The prompt tells what holds for the task, and not what the campaign would grant.
    #[test]
    fn the_limits_that_a_task_states_are_told() {
        let (memory_bytes, time) = (Some(64 << 20), Some(Duration::from_secs(60)));
        let stated = TaskResources { memory_bytes, time, ..TaskResources::default() };
        let limits = AgentLimits::of(&crate::testkit::campaign("c", 1), &stated);
        let texts = ["memory", "disk", "timeout"].map(|name| limits.variable(name));
        let expected = [Some("64 MiB"), Some("128 MiB"), Some("60 s")];
        assert_eq!(texts.each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn every_variable_has_a_text_and_no_other_name_has() {
        let limits = AgentLimits {
            sandbox: SandboxLimits {
                command_timeout: Duration::from_millis(500),
                memory_bytes: 1 << 40,
                output_kept: 1_000,
                ..SandboxLimits::default()
            },
            ..AgentLimits::default()
        };
        for name in AgentLimits::VARIABLES {
            assert!(limits.variable(name).is_some_and(|text| !text.is_empty()), "{name}");
        }
        let texts = ["command_timeout", "memory", "output_kept", "network", "instruction"]
            .map(|name| limits.variable(name));
        let expected = [Some("0.5 s"), Some("1024 GiB"), Some("1000 bytes"), Some("none"), None];
        assert_eq!(texts.each_ref().map(Option::as_deref), expected);
    }
}
