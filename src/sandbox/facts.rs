//! The facts about a host: which protections of a sandbox a backend can enforce there.
//!
//! Both backends fill in the same type. `synthd doctor` prints it. The checks before a campaign
//! compare it with `[sandbox] require`.

use std::collections::BTreeMap;
use synthd_actors::model::SandboxProtection;

/// What a backend enforces on a host, and how; or why it does not.
///
/// In every map here, `Ok` holds the means (`cgroup v2`) and `Err` the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HostFacts {
    /// The release of the kernel under the sandboxes, such as `6.1.0-18-amd64`. Empty if unknown.
    pub kernel: String,
    /// Whether the isolating process is root: synthd itself for the namespace backend, the
    /// container engine (one that is not rootless) for the container backend.
    pub root: bool,
    /// `v1` or `v2`; the namespace backend also knows `v1+v2` and `none`.
    pub cgroup_version: String,
    /// Each protection that a campaign can require, with its means or the reason why it is
    /// missing. A protection without an entry counts as not enforced.
    pub enforced: BTreeMap<SandboxProtection, Result<String, String>>,
    /// What else a container engine has or lacks, by name (`gvisor`, `user-remapping`). A
    /// campaign cannot require it. Empty for the namespace backend.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub engine: BTreeMap<String, Result<String, String>>,
    /// Sandboxes of dead synthd processes that were removed when the launcher started, or when
    /// the container engine was first connected.
    pub swept: u32,
    /// Host files that are hidden from sandboxes, although they lie below directories that
    /// sandboxes see. Empty for the container backend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

impl HostFacts {
    /// Those of the `required` protections that the host does not enforce, each with the reason.
    /// An empty list means that the host enforces all of them.
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

    /// What the user must know of a host that cannot limit the memory of a whole sandbox. None if
    /// the host limits it.
    pub fn memory_warning(&self) -> Option<String> {
        let why = self.enforced.get(&SandboxProtection::MemoryCgroup)?.as_ref().err()?;
        Some(format!(
            "on this host, each process of a sandbox has a memory limit, but the whole sandbox has \
             none, and no limit counts the kernel's memory for it ({why}); \
             `require = [\"memory-cgroup\"]` refuses such hosts"
        ))
    }
}
