//! Small disks to fill up and disks that cannot be written, seen by one thread alone: the
//! kernel takes them away with it, so nothing is left behind however a test ends.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;

/// Runs `body` on a fresh file system of `bytes`, where this user may mount one.
pub(super) fn on_a_small_disk(bytes: usize, body: impl FnOnce(&Path) + Send + 'static) {
    let test = std::thread::spawn(move || {
        let dir = tempfile::tempdir().unwrap();
        match mount_private(dir.path(), bytes) {
            Ok(()) => body(dir.path()),
            Err(error) => skip(error),
        }
        // The directory below the mount goes when the mount is gone from this view.
        nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH).ok();
    });
    if let Err(panic) = test.join() {
        std::panic::resume_unwind(panic);
    }
}

/// From here on nothing can be written on the small disk.
pub(super) fn make_read_only(dir: &Path) {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, dir, None::<&str>, flags, None::<&str>).unwrap();
}

fn mount_private(dir: &Path, bytes: usize) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    let size = format!("size={bytes}");
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
}

#[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
fn skip(error: nix::Error) {
    let required = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let root = nix::unistd::geteuid().is_root();
    assert!(!(required && root), "root cannot mount a file system in CI: {error}");
    eprintln!("SKIPPED: this user cannot mount a file system of its own: {error}");
}
