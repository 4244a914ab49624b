//! A task whose environment is a container image, and not files in a workspace: a task folder of
//! Harbor, or a row in the style of SWE-bench.

use super::{BackendKind, SandboxSpec, SeccompProfile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a task of a container comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerSource {
    /// A task folder of Harbor's.
    Harbor,
    /// A row with a repository, a patch and the tests that must pass.
    Swe,
}

impl ContainerSource {
    /// The word in ids of tasks and in labels of rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Harbor => "harbor",
            Self::Swe => "swe",
        }
    }
}

/// The environment of a task of a container, and where the task comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskContainer {
    pub source: ContainerSource,
    /// The digest of the folder or of the row.
    pub origin: String,
    /// The licence that the source states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The authors that the source states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// The name of the image.
    pub image: String,
    pub site: ContainerSite,
    /// The memory of all processes.
    pub memory_bytes: u64,
}

/// How programs begin in a container whose root can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerSite {
    /// Where commands start. None: where the image says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// None: the user of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl TaskContainer {
    /// The sandbox in which an agent works at the task: a container of the task's image, with the
    /// campaign's limits, and with as much memory as the task states at least.
    pub fn sandbox(&self, campaign: &SandboxSpec) -> SandboxSpec {
        let mut limits = campaign.limits.clone();
        limits.memory_bytes = limits.memory_bytes.max(self.memory_bytes);
        SandboxSpec {
            image: self.image.clone(),
            digest: None,
            backend: BackendKind::Docker,
            filter: SeccompProfile::Engine,
            limits,
            site: Some(Box::new(self.site.clone())),
            ..campaign.clone()
        }
    }

    /// The labels of rows that say where the task comes from.
    pub fn labels(&self) -> Vec<String> {
        let licence = self.licence.iter().map(|licence| format!("licence:{licence}"));
        let authors = self.authors.iter().map(|author| format!("author:{author}"));
        let mut labels = vec![
            format!("source:{}", self.source.as_str()),
            format!("source-digest:{}", self.origin),
        ];
        labels.extend(licence.chain(authors));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_its_image_and_the_larger_memory() {
        let container = TaskContainer {
            source: ContainerSource::Harbor,
            origin: "0123".to_owned(),
            licence: Some("MIT".to_owned()),
            authors: vec!["A. Uthor".to_owned()],
            image: "theirs:1".to_owned(),
            site: ContainerSite::default(),
            memory_bytes: 2 << 30,
        };
        let small = container.sandbox(&SandboxSpec::default());
        assert_eq!((small.image.as_str(), small.limits.memory_bytes), ("theirs:1", 2 << 30));
        assert_eq!(small.backend, BackendKind::Docker);
        let mut campaign = SandboxSpec::default();
        campaign.limits.memory_bytes = 4 << 30;
        assert_eq!(container.sandbox(&campaign).limits.memory_bytes, 4 << 30);
        let labels = container.labels();
        let expected = ["source:harbor", "source-digest:0123", "licence:MIT", "author:A. Uthor"];
        assert_eq!(labels, expected);
    }
}
