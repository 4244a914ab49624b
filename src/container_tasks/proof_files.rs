//! What proofs of tasks of containers have found, as files of the data directory:
//!
//! ```text
//! <data directory>/container-proofs/<digest of the task's origin>.json     ["what does not hold"]
//! ```
//! An empty list is a proof. A file is whole or not there. A user may remove each of them: the task is
//! then proven again.

use async_trait::async_trait;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use synthd_actors::container_judge::ProofRecords;

/// The proofs of a data directory.
pub struct ProofFiles(PathBuf);

impl ProofFiles {
    /// Nothing is made before the first proof.
    pub fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("container-proofs"))
    }

    /// The file of an origin. None if it is no digest, and so no name of a file.
    fn path(&self, origin: &str) -> Option<PathBuf> {
        let is_digest = !origin.is_empty() && origin.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest.then(|| self.0.join(format!("{origin}.json")))
    }
}

#[async_trait]
impl ProofRecords for ProofFiles {
    /// A file that cannot be read is no proof.
    async fn known(&self, origin: &str) -> Option<Vec<String>> {
        let path = self.path(origin)?;
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        serde_json::from_slice(&read.ok()?.ok()?).ok()
    }

    async fn keep(&self, origin: &str, problems: &[String]) {
        let Some(path) = self.path(origin) else { return };
        let text = serde_json::json!(problems).to_string();
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        let written = written.unwrap_or_else(|failure| Err(io::Error::other(failure)));
        if let Err(error) = written {
            tracing::warn!(origin, %error, "a proof is not kept; the task will be proven again");
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let unfinished = path.with_extension("tmp");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proof_is_found_again_and_a_broken_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let proofs = ProofFiles::new(dir.path());
        assert_eq!(proofs.known("ab01").await, None);
        proofs.keep("ab01", &[]).await;
        proofs.keep("ab02", &["why".to_owned()]).await;
        let again = ProofFiles::new(dir.path());
        assert_eq!(again.known("ab01").await, Some(Vec::new()));
        assert_eq!(again.known("ab02").await, Some(vec!["why".to_owned()]));
        std::fs::write(dir.path().join("container-proofs/ab01.json"), "[").unwrap();
        assert_eq!(again.known("ab01").await, None);
        proofs.keep("../outside", &[]).await;
        assert!(!dir.path().join("outside.json").exists());
    }
}
