//! The commit that publishes a version: all its files at once, and none of an earlier version's that it
//! does not have.

use super::hub_client::{HubBody, HubClient, HubFault, parsed};
use super::hub_documents::{
    CommitDone, CommitLine, FileMode, PreuploadAnswer, PreuploadAsk, PreuploadFile,
};
use crate::push::file_parts::part_of;
use crate::push::push_set::{PushFile, PushSet};
use crate::push::target::HubRepo;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Method;
use std::collections::BTreeSet;

/// How many files are asked for at once.
const ASKED: usize = 256;
/// How many first bytes of a file the Hub is shown, to see whether it is text.
const SAMPLE: usize = 512;
/// The largest file that may be inside of a commit, in bytes.
const MOST: u64 = 64 << 20;

/// Which files of a version are sent how.
#[derive(Default)]
pub(super) struct SendModes<'a> {
    /// Files of the large-file store.
    pub(super) large: Vec<&'a PushFile>,
    /// Files that are in the commit itself.
    pub(super) small: Vec<&'a PushFile>,
}

/// Asks whether the token may write. The Hub is told of one small file and shown nothing of it.
pub(super) async fn probe(hub: &HubClient, repo: &HubRepo, set: &PushSet) -> Result<(), HubFault> {
    let sample = String::new();
    ask(hub, repo, vec![PreuploadFile { path: set.sums.path.clone(), sample, size: 0 }])
        .await
        .map(drop)
}

/// Asks how each file is sent.
pub(super) async fn modes<'a>(
    hub: &HubClient,
    repo: &HubRepo,
    files: &[&'a PushFile],
) -> Result<SendModes<'a>, HubFault> {
    let mut modes = SendModes::default();
    for files in files.chunks(ASKED) {
        let mut asked = Vec::new();
        for file in files {
            let length = usize::try_from(file.bytes).unwrap_or(SAMPLE).min(SAMPLE);
            let sample = part_of(&file.source, 0, length).await.map_err(|e| unread(file, &e))?;
            let sample = BASE64_STANDARD.encode(sample);
            asked.push(PreuploadFile { path: file.path.clone(), sample, size: file.bytes });
        }
        let answer = ask(hub, repo, asked).await?;
        for &file in files {
            let mode = answer.iter().find(|mode| mode.path == file.path);
            let unnamed =
                || HubFault::Broken(format!("the Hub does not say how to send {}", file.path));
            let mode = mode.ok_or_else(unnamed)?;
            if mode.is_ignored {
                let why = format!("its .gitignore leaves {} out", file.path);
                return Err(HubFault::Refused { status: 422, why });
            }
            // The large-file store takes no empty file.
            match mode.mode.as_str() {
                "lfs" if file.bytes > 0 => modes.large.push(file),
                _ => modes.small.push(file),
            }
        }
    }
    Ok(modes)
}

async fn ask(
    hub: &HubClient,
    repo: &HubRepo,
    files: Vec<PreuploadFile>,
) -> Result<Vec<FileMode>, HubFault> {
    let path = format!("/api/datasets/{}/preupload/{}", repo.id(), repo.branch);
    let answer: PreuploadAnswer =
        hub.post(&path, "application/json", &PreuploadAsk { files }).await?;
    Ok(answer.files)
}

/// Commits a version on the head `parent`. `gone` are files of an earlier version. Returns the commit.
pub(super) async fn commit(
    hub: &HubClient,
    repo: &HubRepo,
    set: &PushSet,
    modes: &SendModes<'_>,
    parent: &str,
    gone: &BTreeSet<String>,
) -> Result<String, HubFault> {
    let header = CommitLine::Header {
        summary: format!("{} v{}", set.campaign, set.version),
        description: format!("SHA256SUMS: {}", set.root),
        parent,
    };
    let mut bytes = Vec::new();
    add(&mut bytes, &header)?;
    for file in &modes.small {
        add(&mut bytes, &small(file).await?)?;
    }
    for file in &modes.large {
        let (path, oid, size) = (&file.path, &file.sha256, file.bytes);
        add(&mut bytes, &CommitLine::LfsFile { path, algo: "sha256", oid, size })?;
    }
    for path in gone {
        add(&mut bytes, &CommitLine::DeletedFile { path })?;
    }
    let path = format!("/api/datasets/{}/commit/{}", repo.id(), repo.branch);
    let body = HubBody::Bytes { kind: "application/x-ndjson", bytes };
    let (_, answer) = hub.ask(Method::POST, &path, body).await?;
    parsed::<CommitDone>(&path, &answer).map(|done| done.commit)
}

/// The line of a small file.
async fn small(file: &PushFile) -> Result<CommitLine<'_>, HubFault> {
    if file.bytes > MOST {
        let why = format!(
            "it takes {} only as a file inside of a commit, and it is too large",
            file.path
        );
        return Err(HubFault::Refused { status: 413, why });
    }
    let length = usize::try_from(file.bytes).unwrap_or(usize::MAX);
    let content = part_of(&file.source, 0, length).await.map_err(|e| unread(file, &e))?;
    let content = BASE64_STANDARD.encode(content);
    Ok(CommitLine::File { content, path: &file.path, encoding: "base64" })
}

/// Adds a line to the body of a commit.
fn add(bytes: &mut Vec<u8>, line: &CommitLine<'_>) -> Result<(), HubFault> {
    serde_json::to_writer(&mut *bytes, line).map_err(|e| HubFault::Broken(e.to_string()))?;
    bytes.push(b'\n');
    Ok(())
}

fn unread(file: &PushFile, error: &std::io::Error) -> HubFault {
    HubFault::Broken(format!("{} cannot be read: {error}", file.source.display()))
}
