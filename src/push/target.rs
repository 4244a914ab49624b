//! Where a version is published.

use crate::error::{Code, Error, Result};
use std::fmt;
use std::path::PathBuf;

/// A place for versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushTarget {
    /// A directory of this host. Each version is a directory in it.
    Directory(PathBuf),
    /// A bucket, by its address. Each version is a prefix below it.
    Bucket(String),
    /// A dataset repository of the Hub. Each version is a commit.
    Hub(HubRepo),
}

/// A dataset repository of the Hub, and a branch of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubRepo {
    pub owner: String,
    pub name: String,
    pub branch: String,
}

/// The first words of addresses of buckets.
const BUCKETS: [&str; 3] = ["s3://", "az://", "gs://"];

impl PushTarget {
    /// Reads a target as a user writes it. A text without `://` is a directory.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("hf://") {
            return HubRepo::parse(path).map(Self::Hub).ok_or_else(|| {
                unknown(
                    text,
                    "name it as hf://datasets/OWNER/NAME, or with a branch: …/NAME@BRANCH",
                )
            });
        }
        if let Some(rest) = BUCKETS.iter().find_map(|start| text.strip_prefix(start)) {
            let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() || !is_plain_path(path) {
                return Err(unknown(text, "name it as s3://BUCKET/PATH, az:// or gs://"));
            }
            return Ok(Self::Bucket(text.trim_end_matches('/').to_owned()));
        }
        if text.contains("://") || text.is_empty() {
            let hint = "name hf://datasets/OWNER/NAME, s3://…, az://…, gs://… or a directory";
            return Err(unknown(text, hint));
        }
        Ok(Self::Directory(PathBuf::from(text)))
    }
}

impl HubRepo {
    /// Reads `datasets/OWNER/NAME` with or without `@BRANCH`.
    fn parse(path: &str) -> Option<Self> {
        let (path, branch) = path.split_once('@').unwrap_or((path, "main"));
        let (owner, name) = path.strip_prefix("datasets/")?.split_once('/')?;
        let is_name = |text: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            !text.is_empty() && !text.starts_with('.') && text.bytes().all(plain)
        };
        let parts = [owner, name, branch];
        let [owner, name, branch] = parts.map(str::to_owned);
        parts.into_iter().all(is_name).then_some(Self { owner, name, branch })
    }

    /// The name by which the Hub and its readers know it.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "{}", dir.display()),
            Self::Bucket(address) => f.write_str(address),
            Self::Hub(repo) => write!(f, "hf://datasets/{}@{}", repo.id(), repo.branch),
        }
    }
}

/// Whether a path has no empty part and none that leads elsewhere. It may be empty or end with a slash.
fn is_plain_path(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    path.is_empty() || path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

fn unknown(text: &str, hint: &str) -> Error {
    Error::new(Code::BadUsage, format!("{text:?} is no place for a version")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_target_is_known_by_its_first_word() {
        for (text, shown) in [
            ("out", "out"),
            ("/srv/data sets", "/srv/data sets"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
            ("az://container/x", "az://container/x"),
            ("gs://bucket/x", "gs://bucket/x"),
            ("hf://datasets/me/rows", "hf://datasets/me/rows@main"),
            ("hf://datasets/me/rows.v2@next", "hf://datasets/me/rows.v2@next"),
        ] {
            assert_eq!(PushTarget::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for text in [
            "",
            "http://x/y",
            "s3://",
            "s3:///x",
            "s3://b/../c",
            "s3://b//c",
            "hf://me/rows",
            "hf://models/me/rows",
            "hf://datasets/rows",
            "hf://datasets/me/rows/x",
            "hf://datasets/me/..",
            "hf://datasets/me/rows@",
            "hf://datasets/me/rows?x=1",
        ] {
            assert_eq!(
                PushTarget::parse(text).err().map(|e| e.code()),
                Some(Code::BadUsage),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_target_that_is_shown_is_read_again(text in "(s3|az|gs|hf)://[a-z./@-]{0,24}") {
            if let Ok(target) = PushTarget::parse(&text) {
                prop_assert_eq!(PushTarget::parse(&target.to_string()).unwrap(), target);
            }
        }
    }
}
