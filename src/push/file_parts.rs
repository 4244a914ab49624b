//! Reads parts of files of this host without blocking the runtime.

use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tokio::task::spawn_blocking;

/// A part of a file. Fails if the file is shorter.
pub(super) async fn part_of(path: &Path, from: u64, length: usize) -> io::Result<Bytes> {
    let path = path.to_owned();
    let read = move || -> io::Result<Bytes> {
        let mut part = vec![0; length];
        File::open(path)?.read_exact_at(&mut part, from)?;
        Ok(Bytes::from(part))
    };
    spawn_blocking(read).await.map_err(io::Error::other)?
}

/// Where parts of at most `most` bytes begin, and how long they are. An empty file has one part.
pub(super) fn parts(bytes: u64, most: usize) -> Vec<(u64, usize)> {
    let step = most.max(1) as u64;
    let starts = (0..bytes.div_ceil(step).max(1)).map(|at| at * step);
    starts.map(|from| (from, usize::try_from(step.min(bytes - from)).unwrap_or(most))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_a_file_once(bytes in 0u64..5_000, most in 1usize..700) {
            let parts = parts(bytes, most);
            let mut at = 0;
            for (from, length) in &parts {
                prop_assert_eq!(*from, at);
                prop_assert!(*length <= most);
                at += *length as u64;
            }
            prop_assert_eq!(at, bytes);
            prop_assert!(bytes == 0 || parts.iter().all(|(_, length)| *length > 0));
        }
    }

    #[tokio::test]
    async fn a_part_is_read_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(part_of(&path, 3, 4).await.unwrap(), "3456");
        assert!(part_of(&path, 8, 4).await.is_err());
    }
}
