//! What a backend enforces on this host.

use std::collections::BTreeMap;
use synthd_actors::model::SandboxProtection;

/// What this host enforces and by which means, or why it does not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HostFacts {
    pub kernel: String,
    pub root: bool,
    pub cgroup_version: String,
    pub enforced: BTreeMap<SandboxProtection, Result<String, String>>,
    /// What else a container engine has or lacks, by name; a campaign cannot insist on it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub engine: BTreeMap<String, Result<String, String>>,
    /// Sandboxes of dead engines that were removed when the launcher started.
    pub swept: u32,
    /// Files below the directories that sandboxes see which are hidden from them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

impl HostFacts {
    /// What of `required` the host does not enforce, with the reason.
    pub fn missing<'a>(
        &'a self,
        required: impl IntoIterator<Item = &'a SandboxProtection>,
    ) -> Vec<(SandboxProtection, String)> {
        let lacks = |e: &SandboxProtection| match self.enforced.get(e) {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some((*e, why.clone())),
            None => Some((*e, "unknown to this backend".to_owned())),
        };
        required.into_iter().filter_map(lacks).collect()
    }
}
