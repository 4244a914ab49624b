//! What the Hub has of a version: the checksums of large files as the Hub states them, and the bytes of
//! small files.

use super::commit::SendModes;
use super::hub_client::{HubClient, HubFault, parsed};
use super::hub_documents::RepoEntry;
use crate::push::push_set::{PushFile, PushSet};
use crate::push::sum_file::{SUMS, sha256_hex};
use crate::push::target::HubRepo;
use reqwest::header::{HeaderMap, LINK};
use std::collections::{BTreeMap, BTreeSet};

/// The text of `SHA256SUMS` at a commit or branch. None if there is none.
pub(super) async fn sums_at(
    hub: &HubClient,
    repo: &HubRepo,
    revision: &str,
) -> Result<Option<String>, HubFault> {
    match hub.get(&file_path(repo, revision, SUMS)).await {
        Ok((_, bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(HubFault::Refused { status: 404, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The first file of which a commit has other bytes. None if all are the same.
pub(super) async fn differing(
    hub: &HubClient,
    repo: &HubRepo,
    revision: &str,
    modes: &SendModes<'_>,
) -> Result<Option<String>, HubFault> {
    let stated = entries_at(hub, repo, revision, &paths_of(&modes.large)).await?;
    let sum_of = |path: &str| stated.get(path).and_then(Option::as_deref);
    let other = modes.large.iter().find(|file| sum_of(&file.path) != Some(file.sha256.as_str()));
    if let Some(file) = other {
        return Ok(Some(file.path.clone()));
    }
    for file in &modes.small {
        match hub.get(&file_path(repo, revision, &file.path)).await {
            Ok((_, bytes)) if sha256_hex(&bytes) == file.sha256 => {}
            Ok(_) | Err(HubFault::Refused { status: 404, .. }) => {
                return Ok(Some(file.path.clone()));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(None)
}

/// Whether a commit has every file of a set. The sets are told apart by what the Hub says of them.
pub(super) async fn is_whole(
    hub: &HubClient,
    repo: &HubRepo,
    revision: &str,
    set: &PushSet,
) -> Result<bool, HubFault> {
    let files: Vec<&PushFile> = set.files.iter().collect();
    let stated = entries_at(hub, repo, revision, &paths_of(&files)).await?;
    let is_large = |file: &&PushFile| stated.get(&file.path).is_some_and(Option::is_some);
    let (large, small) = files.into_iter().partition(is_large);
    Ok(differing(hub, repo, revision, &SendModes { large, small }).await?.is_none())
}

/// The path of a file of a repository on the Hub.
fn file_path(repo: &HubRepo, revision: &str, path: &str) -> String {
    format!("/datasets/{}/resolve/{revision}/{path}", repo.id())
}

fn paths_of<'a>(files: &[&'a PushFile]) -> Vec<&'a str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

/// What a commit has in the directories of these paths: each path, and for a large file the checksum
/// that the Hub states.
pub(super) async fn entries_at(
    hub: &HubClient,
    repo: &HubRepo,
    revision: &str,
    paths: &[&str],
) -> Result<BTreeMap<String, Option<String>>, HubFault> {
    let dir = |path: &&str| match path.rsplit_once('/') {
        Some((dir, _)) => format!("/{dir}"),
        None => String::new(),
    };
    let dirs: BTreeSet<String> = paths.iter().map(dir).collect();
    let mut entries = BTreeMap::new();
    for dir in dirs {
        let mut page = Some(format!("/api/datasets/{}/tree/{revision}{dir}", repo.id()));
        while let Some(path) = page {
            let (headers, answer) = match hub.get(&path).await {
                Err(HubFault::Refused { status: 404, .. }) => break,
                found => found?,
            };
            let found: Vec<RepoEntry> = parsed(&path, &answer)?;
            let found = found.into_iter().map(|entry| (entry.path, entry.lfs.map(|lfs| lfs.oid)));
            entries.extend(found);
            page = next_page(&headers);
        }
    }
    Ok(entries)
}

/// The address of the next page of a list. None if this was the last.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (address, _) = next.trim().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn a_list_goes_on_while_it_names_a_next_page() {
        let page = |link: &'static str| {
            next_page(&HeaderMap::from_iter([(LINK, HeaderValue::from_static(link))]))
        };
        let next = "<https://h/a?cursor=x>; rel=\"next\"";
        assert_eq!(page(next).as_deref(), Some("https://h/a?cursor=x"));
        assert_eq!(page("<https://h/a>; rel=\"first\""), None);
        assert_eq!(next_page(&HeaderMap::new()), None);
    }
}
