//! The kinds of tasks. The category of a task says what its world looks like; its kind says what is
//! asked of the agent.

use serde::{Deserialize, Serialize};

/// What a task asks for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Something that should work does not: find the cause and mend it.
    Repair,
    /// Write a program, or a part of one, to a description.
    Implement,
    /// Change the form of code and keep what it does.
    Refactor,
    /// Write tests that tell right from wrong.
    Test,
    /// Make it faster or smaller, with the same results.
    SpeedUp,
    /// Bring data, a configuration or code to a new form or version.
    Migrate,
    /// Find out what happened from what is left.
    Forensics,
    /// Run, configure or order a system: services, builds, schedules, rights.
    Operate,
    /// Turn input into output once: reports, merges, conversions.
    Transform,
    /// Write documents about something that is there.
    Document,
}

impl TaskKind {
    /// Every kind, in the order of the documents.
    pub const ALL: [Self; 10] = [
        Self::Repair,
        Self::Implement,
        Self::Refactor,
        Self::Test,
        Self::SpeedUp,
        Self::Migrate,
        Self::Forensics,
        Self::Operate,
        Self::Transform,
        Self::Document,
    ];

    /// The word in templates, campaigns and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Implement => "implement",
            Self::Refactor => "refactor",
            Self::Test => "test",
            Self::SpeedUp => "speed-up",
            Self::Migrate => "migrate",
            Self::Forensics => "forensics",
            Self::Operate => "operate",
            Self::Transform => "transform",
            Self::Document => "document",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_that_of_templates() {
        for kind in TaskKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
    }
}
