//! The guest where a container engine can show it to its containers: a file of this host, or
//! a volume of an engine that does not see this host's files.

use super::container_remover::now;
use super::engine_faults::{refused, with_timeout};
use super::owner::{ContainerOwner, DEADLINE, OWNER};
use crate::private_directory::{is_this_users, own_directory};
use crate::sandbox::guest::PROGRAM;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, ListVolumesOptions,
    RemoveContainerOptions, RemoveVolumeOptions, UploadToContainerOptions,
};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use synthd_actors::model::{Fault, FaultKind};

/// The label of volumes that hold a guest.
const GUEST: &str = "synthd.guest";
/// Where a file is mounted, and a volume; and the guest in the latter.
const FILE_AT: &str = "/.synthd-guest";
const VOLUME_AT: &str = "/.synthd";
const IN_VOLUME: &str = "/.synthd/guest";

/// The guest, as an engine finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GuestMount {
    File(PathBuf),
    Volume(String),
}

impl GuestMount {
    /// Where it is inside.
    pub(super) fn entrypoint(&self) -> &'static str {
        match self {
            Self::File(_) => FILE_AT,
            Self::Volume(_) => IN_VOLUME,
        }
    }

    pub(super) fn mount(&self) -> Mount {
        let (typ, source, target) = match self {
            Self::File(path) => (MountType::BIND, path.display().to_string(), FILE_AT),
            Self::Volume(name) => (MountType::VOLUME, name.clone(), VOLUME_AT),
        };
        Mount {
            typ: Some(typ),
            source: Some(source),
            target: Some(target.to_owned()),
            read_only: Some(true),
            ..Default::default()
        }
    }
}

/// Sends the guest to an engine that does not see this host's files: into a volume, through
/// a container of `image` that is never started.
pub(super) async fn send(
    docker: &Docker,
    image: &str,
    owner: &ContainerOwner,
) -> Result<GuestMount, Fault> {
    let digest = hex::encode(Sha256::digest(PROGRAM));
    let name = format!("synthd-guest-{}", &digest[..16]);
    let volume = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(HashMap::from([(GUEST.to_owned(), digest)])),
        ..Default::default()
    };
    with_timeout("create a volume for the guest", docker.create_volume(volume)).await?;
    let mount = Mount { read_only: Some(false), ..GuestMount::Volume(name.clone()).mount() };
    let carrier = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![IN_VOLUME.to_owned()]),
        labels: Some(HashMap::from([
            (OWNER.to_owned(), owner.label()),
            (DEADLINE.to_owned(), (now() + 600).to_string()),
        ])),
        network_disabled: Some(true),
        host_config: Some(HostConfig { mounts: Some(vec![mount]), ..Default::default() }),
        ..Default::default()
    };
    let created = docker.create_container(None::<CreateContainerOptions>, carrier);
    let id = with_timeout("create a container for the guest", created).await?.id;
    let sent = fill(docker, &id).await;
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    let removed = docker.remove_container(&id, Some(options));
    if let Err(fault) = with_timeout("remove the container for the guest", removed).await {
        // It was never started, and goes with its owner.
        tracing::warn!(container = id, %fault, "the container that carried the guest stays");
    }
    sent.map(|()| GuestMount::Volume(name))
}

/// Removes guests of other versions, unless a container uses them; how many are gone.
pub(super) async fn prune(docker: &Docker) -> Result<usize, Fault> {
    let filters = HashMap::from([("label".to_owned(), vec![GUEST.to_owned()])]);
    let options = ListVolumesOptions { filters: Some(filters) };
    let listed = with_timeout("list volumes", docker.list_volumes(Some(options))).await?;
    let this = hex::encode(Sha256::digest(PROGRAM));
    let mut gone = 0;
    for volume in listed.volumes.unwrap_or_default() {
        if volume.labels.get(GUEST).is_none_or(|digest| *digest == this) {
            continue;
        }
        match docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await {
            Ok(()) => gone += 1,
            Err(error) => tracing::info!(volume = volume.name, %error, "a guest stays"),
        }
    }
    Ok(gone)
}

async fn fill(docker: &Docker, id: &str) -> Result<(), Fault> {
    if held(docker, id).await? {
        return Ok(());
    }
    let archive = archive()
        .map_err(|error| Fault::new(FaultKind::SandboxStart, format!("pack the guest: {error}")))?;
    let options = UploadToContainerOptions { path: VOLUME_AT.to_owned(), ..Default::default() };
    let body = bollard::body_full(archive.into());
    with_timeout("send the guest", docker.upload_to_container(id, Some(options), body)).await?;
    if held(docker, id).await? {
        return Ok(());
    }
    Err(refused("the engine did not keep the guest as it was sent"))
}

/// Whether the volume has the guest already, whole.
async fn held(docker: &Docker, id: &str) -> Result<bool, Fault> {
    let options = DownloadFromContainerOptions { path: IN_VOLUME.to_owned() };
    let download = docker.download_from_container(id, Some(options));
    let collected = download.try_fold(Vec::new(), |mut all, bytes| async move {
        all.extend_from_slice(&bytes);
        if all.len() > 2 * PROGRAM.len() + (1 << 16) {
            return Err(Error::IOError { err: io::Error::other("more than a guest") });
        }
        Ok(all)
    });
    let absent =
        |error: &Error| matches!(error, Error::DockerResponseServerError { status_code: 404, .. });
    let found = async {
        match collected.await {
            Err(error) if absent(&error) => Ok(Vec::new()),
            other => other,
        }
    };
    let found = with_timeout("look for the guest", found).await?;
    Ok(found.windows(PROGRAM.len()).any(|part| part == PROGRAM))
}

/// One file, as the engine takes it.
fn archive() -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(PROGRAM.len() as u64);
    header.set_mode(0o555);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "guest", PROGRAM)?;
    archive.into_inner()
}

/// Writes the guest below `directory`, under a name that tells its content.
pub(super) fn write_guest_file(directory: &Path) -> io::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(PROGRAM));
    own_directory(directory)?;
    let path = std::path::absolute(directory)?.join(format!("guest-{}", &digest[..16]));
    if is_ours(&path) {
        return Ok(path);
    }
    // Beside it first: another synthd may be doing the same.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o555).open(&beside)?;
    file.write_all(PROGRAM)?;
    file.set_permissions(fs::Permissions::from_mode(0o555))?;
    drop(file);
    fs::rename(&beside, &path)?;
    Ok(path)
}

/// Writes the system-call filter for an engine that reads it from a file; its path.
pub(super) fn lay_out_profile(directory: &Path, profile: &str) -> Result<String, Fault> {
    let digest = hex::encode(Sha256::digest(profile));
    let write = || {
        own_directory(directory)?;
        let path = std::path::absolute(directory)?.join(format!("seccomp-{}.json", &digest[..16]));
        if fs::read(&path).is_ok_and(|there| there == profile.as_bytes()) {
            return Ok(path.display().to_string());
        }
        // Beside it first, under a name that nobody else has, in this process or another.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{number}", std::process::id()));
        fs::write(&beside, profile)?;
        fs::rename(&beside, &path)?;
        Ok::<_, io::Error>(path.display().to_string())
    };
    write().map_err(|error| {
        Fault::new(FaultKind::SandboxStart, format!("lay out the system-call filter: {error}"))
    })
}

/// Whether what is there is the guest, whole and as it was written.
fn is_ours(path: &Path) -> bool {
    let executable = fs::symlink_metadata(path).is_ok_and(|facts| {
        facts.is_file() && is_this_users(&facts) && facts.permissions().mode() & 0o777 == 0o555
    });
    executable && fs::read(path).is_ok_and(|bytes| bytes == PROGRAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_write_to_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(write_guest_file(&open).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let shared = dir.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o775)).unwrap();
        write_guest_file(&shared).unwrap();
        assert_eq!(fs::metadata(&shared).unwrap().permissions().mode() & 0o777, 0o755);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert_eq!(write_guest_file(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn it_is_written_once_and_again_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = write_guest_file(&dir.path().join("inner")).unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(write_guest_file(&dir.path().join("inner")).unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&path, "x").unwrap();
        assert_eq!(write_guest_file(&dir.path().join("inner")).unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), PROGRAM);
        assert_eq!(fs::read_dir(dir.path().join("inner")).unwrap().count(), 1);
    }
}
