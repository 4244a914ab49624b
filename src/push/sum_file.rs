//! `SHA256SUMS`: the checksum of each file of a published version, as `sha256sum` writes it. It is
//! written last. The checksum of this file stands for the whole version: it is the root of a tree with
//! the files as leaves, and what somebody signs.

use super::push_set::PushFile;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The name of the file.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The text for these files, in the order of their paths.
pub(super) fn sums_of(files: &[PushFile]) -> String {
    let sums: BTreeMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
    sums.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect()
}

/// The paths that a text lists. Lines that are of another form are left out.
pub(super) fn paths_in(text: &str) -> Vec<&str> {
    let listed = text.lines().filter_map(|line| line.split_once("  "));
    listed.filter(|(sum, _)| sum.len() == 64).map(|(_, path)| path).collect()
}

/// The checksum of a text, as hexadecimal text.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn file(path: &str) -> PushFile {
        let sha256 = sha256_hex(path.as_bytes());
        PushFile { path: path.to_owned(), source: PathBuf::new(), bytes: 0, sha256 }
    }

    #[test]
    fn the_order_of_files_does_not_count() {
        let (a, b) = (file("a/train-00000-of-00001.parquet"), file("README.md"));
        let text = sums_of(&[a.clone(), b.clone()]);
        assert_eq!(text, sums_of(&[b, a]));
        assert_eq!(paths_in(&text), ["README.md", "a/train-00000-of-00001.parquet"]);
        assert_eq!(paths_in("no sums\n\nshort  x\n"), Vec::<&str>::new());
    }

    #[test]
    fn the_sum_is_that_of_the_standard() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
