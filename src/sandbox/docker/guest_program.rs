//! Brings the guest program to a place where a container engine can mount it into containers.
//!
//! - An engine that sees this host's files mounts a file: `guest-DIGEST` in a directory of this
//!   user.
//! - Any other engine gets a volume, `synthd-guest-DIGEST`. The program is uploaded into it
//!   through a container that is never started.
//!
//! Both names contain a digest of the program, so several versions of synthd do not disturb each
//! other. Before it is used, the file or the volume is compared with the program byte by byte:
//! what is mounted runs as the first process of every container. Old volumes are removed by
//! `synthd image prune`.
//!
//! The module also writes the seccomp profile for Podman, and has [`own_directory`], which checks
//! the directory for all such files.

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

/// The label of volumes that hold a guest; its value is the digest of the program in hexadecimal.
const GUEST: &str = "synthd.guest";
/// Where a file with the guest is mounted in the container. Programs see this name.
const FILE_AT: &str = "/.sandbox-init";
/// Where a volume with the guest is mounted in the container.
const VOLUME_AT: &str = "/.sandbox";
/// The path of the guest in a container that has the volume.
const IN_VOLUME: &str = "/.sandbox/init";

/// Where the container engine finds the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GuestMount {
    /// An absolute path on this host.
    File(PathBuf),
    /// The name of a volume of the container engine.
    Volume(String),
}

impl GuestMount {
    /// The path of the guest inside of the container.
    pub(super) fn entrypoint(&self) -> &'static str {
        match self {
            Self::File(_) => FILE_AT,
            Self::Volume(_) => IN_VOLUME,
        }
    }

    /// The mount for a container. It is read-only: programs in the sandbox cannot change the
    /// guest.
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

/// Sends the guest to a container engine that does not see this host's files, and returns its
/// volume.
///
/// Files get into a volume only through a container. So a container of `image` is made with the
/// volume mounted, the program is uploaded, and the container is removed without being started. A
/// volume that exists already is used again; the program is uploaded only if it is not there.
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
    // Writable this once, for the upload.
    let mount = Mount { read_only: Some(false), ..GuestMount::Volume(name.clone()).mount() };
    let carrier = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![IN_VOLUME.to_owned()]),
        labels: Some(HashMap::from([
            (OWNER.to_owned(), owner.label()),
            // Ten minutes: the container is needed only for the upload.
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
        // The container was never started. It is swept when its owner is dead.
        tracing::warn!(container = id, %fault, "the container that carried the guest stays");
    }
    sent.map(|()| GuestMount::Volume(name))
}

/// Removes volumes with guests of other versions, and returns how many were removed. The
/// container engine refuses to remove a volume that a container uses; such a volume stays.
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

/// Uploads the guest, unless the volume has it, and checks that it arrived. A volume that still
/// does not have it is refused: an engine that does not keep uploads cannot be used.
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

/// Whether the volume has the whole guest already. It downloads the file as a tar archive and
/// looks for the program's bytes in it. The download is given up if it is much longer than the
/// program.
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

/// A tar archive with the guest as its only file, as the upload needs it.
fn archive() -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(PROGRAM.len() as u64);
    header.set_mode(0o555);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "init", PROGRAM)?;
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
    // Written under another name first and then renamed: another synthd may write the same file,
    // and a reader must never see a half of it.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o555).open(&temporary)?;
    file.write_all(PROGRAM)?;
    file.set_permissions(fs::Permissions::from_mode(0o555))?;
    drop(file);
    fs::rename(&temporary, &path)?;
    Ok(path)
}

/// Writes the seccomp profile into `directory` for a container engine that reads it from a file.
/// Returns the absolute path.
pub(super) fn lay_out_profile(directory: &Path, profile: &str) -> Result<String, Fault> {
    let digest = hex::encode(Sha256::digest(profile));
    let write = || {
        own_directory(directory)?;
        let path = std::path::absolute(directory)?.join(format!("seccomp-{}.json", &digest[..16]));
        if fs::read(&path).is_ok_and(|there| there == profile.as_bytes()) {
            return Ok(path.display().to_string());
        }
        // Written under another name first, which no other task or process uses, and then
        // renamed.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}", std::process::id()));
        fs::write(&temporary, profile)?;
        fs::rename(&temporary, &path)?;
        Ok::<_, io::Error>(path.display().to_string())
    };
    write().map_err(|error| {
        Fault::new(FaultKind::SandboxStart, format!("lay out the system-call filter: {error}"))
    })
}

/// Whether the file is the guest, undamaged: a plain file of this user, with the mode 0555 and
/// the exact bytes.
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
