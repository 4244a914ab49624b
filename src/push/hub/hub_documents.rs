//! The documents of the Hub's interface, as far as a push needs them. Other keys are ignored.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who has the token. Answer of `/api/whoami-v2`.
#[derive(Deserialize)]
pub(super) struct HubUser {
    pub(super) name: String,
    #[serde(default)]
    auth: Option<UserAuth>,
}

#[derive(Deserialize)]
struct UserAuth {
    #[serde(default, rename = "accessToken")]
    access_token: Option<AccessToken>,
}

#[derive(Deserialize)]
struct AccessToken {
    #[serde(default)]
    role: Option<String>,
}

impl HubUser {
    /// Whether the token is one that may only read.
    pub(super) fn only_reads(&self) -> bool {
        let token = self.auth.as_ref().and_then(|auth| auth.access_token.as_ref());
        token.and_then(|token| token.role.as_deref()) == Some("read")
    }
}

/// A branch of a repository.
#[derive(Deserialize)]
pub(super) struct HubHead {
    /// The newest commit.
    pub(super) sha: String,
}

/// A new repository. Request of `/api/repos/create`.
#[derive(Serialize)]
pub(super) struct NewRepo<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    /// None for the user's own repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<&'a str>,
    pub(super) private: bool,
}

/// Asks how files are to be sent.
#[derive(Serialize)]
pub(super) struct PreuploadAsk {
    pub(super) files: Vec<PreuploadFile>,
}

#[derive(Serialize)]
pub(super) struct PreuploadFile {
    pub(super) path: String,
    /// The first bytes in base64.
    pub(super) sample: String,
    pub(super) size: u64,
}

/// How files are to be sent.
#[derive(Deserialize)]
pub(super) struct PreuploadAnswer {
    pub(super) files: Vec<FileMode>,
}

#[derive(Deserialize)]
pub(super) struct FileMode {
    pub(super) path: String,
    #[serde(rename = "uploadMode")]
    pub(super) mode: String,
    #[serde(default, rename = "shouldIgnore")]
    pub(super) is_ignored: bool,
}

/// Asks where large files go.
#[derive(Serialize)]
pub(super) struct LfsAsk {
    pub(super) operation: &'static str,
    pub(super) transfers: [&'static str; 2],
    pub(super) objects: Vec<LfsObject>,
    pub(super) hash_algo: &'static str,
}

#[derive(Clone, Serialize)]
pub(super) struct LfsObject {
    /// The checksum.
    pub(super) oid: String,
    pub(super) size: u64,
}

/// Where large files go.
#[derive(Deserialize)]
pub(super) struct LfsAnswer {
    pub(super) objects: Vec<LfsPlace>,
}

/// Where one large file goes.
#[derive(Deserialize)]
pub(super) struct LfsPlace {
    pub(super) oid: String,
    /// None if the store has the file.
    #[serde(default)]
    pub(super) actions: Option<LfsActions>,
    #[serde(default)]
    pub(super) error: Option<LfsError>,
}

#[derive(Deserialize)]
pub(super) struct LfsActions {
    #[serde(default)]
    pub(super) upload: Option<LfsAction>,
    #[serde(default)]
    pub(super) verify: Option<LfsAction>,
}

#[derive(Deserialize)]
pub(super) struct LfsAction {
    pub(super) href: String,
    /// For a file in parts: `chunk_size`, and the address of each part by its number.
    #[serde(default)]
    pub(super) header: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct LfsError {
    #[serde(default)]
    pub(super) code: u16,
    #[serde(default)]
    pub(super) message: String,
}

/// Says that all parts of a file are sent.
#[derive(Serialize)]
pub(super) struct PartsDone<'a> {
    pub(super) oid: &'a str,
    pub(super) parts: Vec<PartDone>,
}

#[derive(Serialize)]
pub(super) struct PartDone {
    #[serde(rename = "partNumber")]
    pub(super) number: usize,
    pub(super) etag: String,
}

/// A line of a commit.
#[derive(Serialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase")]
pub(super) enum CommitLine<'a> {
    Header {
        summary: String,
        description: String,
        #[serde(rename = "parentCommit")]
        parent: &'a str,
    },
    File {
        content: String,
        path: &'a str,
        encoding: &'static str,
    },
    LfsFile {
        path: &'a str,
        algo: &'static str,
        oid: &'a str,
        size: u64,
    },
    DeletedFile {
        path: &'a str,
    },
}

/// A commit that was made.
#[derive(Deserialize)]
pub(super) struct CommitDone {
    #[serde(rename = "commitOid")]
    pub(super) commit: String,
}

/// An entry of a directory of a repository.
#[derive(Deserialize)]
pub(super) struct RepoEntry {
    pub(super) path: String,
    #[serde(default)]
    pub(super) lfs: Option<LfsPointer>,
}

/// A large file of a repository.
#[derive(Deserialize)]
pub(super) struct LfsPointer {
    /// The checksum.
    pub(super) oid: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_commit_are_those_of_the_interface() {
        let lines = [
            CommitLine::Header { summary: "s".into(), description: "d".into(), parent: "abc" },
            CommitLine::File { content: "eA==".into(), path: "a", encoding: "base64" },
            CommitLine::LfsFile { path: "b", algo: "sha256", oid: "00", size: 3 },
            CommitLine::DeletedFile { path: "c" },
        ];
        let texts = lines.map(|line| serde_json::to_string(&line).unwrap());
        assert_eq!(
            texts,
            [
                r#"{"key":"header","value":{"summary":"s","description":"d","parentCommit":"abc"}}"#,
                r#"{"key":"file","value":{"content":"eA==","path":"a","encoding":"base64"}}"#,
                r#"{"key":"lfsFile","value":{"path":"b","algo":"sha256","oid":"00","size":3}}"#,
                r#"{"key":"deletedFile","value":{"path":"c"}}"#,
            ]
        );
    }

    #[test]
    fn a_token_that_may_only_read_is_known_by_its_role() {
        let user = |text: &str| serde_json::from_str::<HubUser>(text).unwrap();
        let with =
            |role: &str| format!(r#"{{"name":"me","auth":{{"accessToken":{{"role":"{role}"}}}}}}"#);
        assert!(user(&with("read")).only_reads());
        assert!(!user(&with("write")).only_reads());
        assert!(!user(&with("fineGrained")).only_reads());
        assert!(!user(r#"{"name":"me"}"#).only_reads());
    }
}
