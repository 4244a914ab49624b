//! A push from a version to a target.

use super::directory::push_directory;
use super::hub::push_hub;
use super::push_error::local;
use super::push_set::PushSet;
use super::report::{PushOutcome, PushReport};
use super::target::PushTarget;
use crate::error::Result;
use std::path::Path;

/// What is published, and where.
pub struct PushRequest<'a> {
    /// The directory of the version.
    pub version: &'a Path,
    pub target: &'a PushTarget,
    /// Whether nothing is sent, and only the plan is made.
    pub is_plan: bool,
    /// Whether a repository of the Hub is made, private, if it is not there.
    pub creates: bool,
}

/// Publishes a version. `show` is told how many bytes of how many are done. Must be called in a runtime.
pub async fn push(request: &PushRequest<'_>, show: &dyn Fn(u64, u64)) -> Result<PushReport> {
    let room = tempfile::tempdir().map_err(|error| local(&std::env::temp_dir(), error))?;
    let set = PushSet::of(request.version, request.target, room.path())?;
    let of = set.files.iter().map(|file| file.bytes).sum::<u64>() + set.sums.bytes;
    let show = |done: u64| show(done, of);
    let outcome = match request.target {
        PushTarget::Directory(home) => {
            push_directory(&set, request.target, home, request.is_plan, &show)?
        }
        PushTarget::Hub(repo) => push_hub(&set, request, repo, &show).await?,
        PushTarget::Bucket(address) => bucket(&set, request, address, &show).await?,
    };
    Ok(PushReport::of(request.target, set, outcome))
}

#[cfg(feature = "buckets")]
async fn bucket(
    set: &PushSet,
    request: &PushRequest<'_>,
    address: &str,
    show: &dyn Fn(u64),
) -> Result<PushOutcome> {
    super::bucket::push_bucket(set, request, address, show).await
}

#[cfg(not(feature = "buckets"))]
fn bucket(
    _set: &PushSet,
    request: &PushRequest<'_>,
    _address: &str,
    _show: &dyn Fn(u64),
) -> std::future::Ready<Result<PushOutcome>> {
    let why = "this synthd was built without the feature `buckets`";
    std::future::ready(Err(super::push_error::refused(request.target, why)
        .hint("push into a directory and copy it, or use a synthd with the feature")))
}
