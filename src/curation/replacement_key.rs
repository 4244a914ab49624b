//! The key from which replaced passages get their names, in `curation/replacement.key` of the data directory.
//!
//! A name must not tell its value. Without a key, whoever has the dataset could try all telephone numbers until
//! one has the name that stands there. The key is drawn once for a data directory and stands in no dataset. So a
//! version can be built again where its rows are, with the same names.

use crate::durable::create_dir;
use crate::error::{Code, Error, Result};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The bytes of a key.
const BYTES: usize = 32;

/// The key of a data directory, as hexadecimal digits. The first call draws it.
pub(super) fn replacement_key(data_dir: &Path) -> Result<String> {
    let dir = data_dir.join("curation");
    let path = dir.join("replacement.key");
    let failed = |why: &dyn std::fmt::Display| {
        let what = format!("{} cannot be used: {why}", path.display());
        Error::new(Code::RecipeSources, what)
            .hint("replaced passages get their names from this key; make it readable, or remove a damaged one: the names are then others")
    };
    create_dir(&dir, 0o777).map_err(|error| failed(&error))?;
    draw(&dir, &path).map_err(|error| failed(&error))?;
    let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let key = text.trim_end();
    match hex::decode(key) {
        Ok(bytes) if bytes.len() == BYTES => Ok(key.to_owned()),
        _ => Err(failed(&format!("it has not {BYTES} bytes in hexadecimal digits"))),
    }
}

/// Writes a key that was drawn, unless there is one. Of two that are drawn at once, the first one stays.
fn draw(dir: &Path, path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let draft = dir.join(format!(".replacement-{}.key", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(format!("{}\n", hex::encode(random)).as_bytes())?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_drawn_once_and_only_its_owner_reads_it() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let key = replacement_key(dirs[0].path()).unwrap();
        assert_eq!(replacement_key(dirs[0].path()).unwrap(), key);
        assert_ne!(replacement_key(dirs[1].path()).unwrap(), key);
        let curation = dirs[0].path().join("curation");
        let mode = fs::metadata(curation.join("replacement.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(curation).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_damaged_key_is_told_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("curation")).unwrap();
        let path = dir.path().join("curation/replacement.key");
        for damaged in ["", "1234", "no digits at all"] {
            fs::write(&path, damaged).unwrap();
            let error = replacement_key(dir.path()).unwrap_err();
            assert_eq!(error.code(), Code::RecipeSources);
            assert!(error.report().contains("replacement.key"), "{}", error.report());
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }
}
