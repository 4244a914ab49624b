//! Large files on their way to the Hub, by Git LFS with its transfers `basic` and `multipart`.
//!
//! ```text
//! batch: which does the store lack? ─► PUT the whole file, or each part and then the list of parts
//!                                            └─► verify, if the Hub asks for it
//! ```
//! The store takes a file only if it has the checksum by which it is named.

use super::hub_client::{HubBody, HubClient, HubFault};
use super::hub_documents::{
    LfsAction, LfsActions, LfsAnswer, LfsAsk, LfsObject, PartDone, PartsDone,
};
use crate::push::file_parts::{part_of, parts};
use crate::push::push_set::PushFile;
use futures_util::stream::{self, StreamExt};
use reqwest::header::ETAG;
use reqwest::{Body, Method};
use std::collections::BTreeMap;
use std::path::Path;

/// The media type of LFS documents.
const LFS: &str = "application/vnd.git-lfs+json";
/// How many files are asked for at once.
const ASKED: usize = 100;
/// How much of a file is in memory at once.
const PIECE: usize = 1 << 20;

/// Sends what the store lacks. `sent` is told each file with whether it was sent.
pub(super) async fn send_large_files(
    hub: &HubClient,
    repo: &str,
    files: &[&PushFile],
    sent: &mut dyn FnMut(&PushFile, bool),
) -> Result<(), HubFault> {
    for files in files.chunks(ASKED) {
        let objects =
            files.iter().map(|file| LfsObject { oid: file.sha256.clone(), size: file.bytes });
        let ask = LfsAsk {
            operation: "upload",
            transfers: ["basic", "multipart"],
            objects: objects.collect(),
            hash_algo: "sha256",
        };
        let path = format!("/datasets/{repo}.git/info/lfs/objects/batch");
        let answer: LfsAnswer = hub.post(&path, LFS, &ask).await?;
        let mut places: BTreeMap<String, Option<LfsActions>> = BTreeMap::new();
        for place in answer.objects {
            if let Some(error) = place.error {
                return Err(HubFault::Refused { status: error.code, why: error.message });
            }
            places.insert(place.oid, place.actions);
        }
        for file in files {
            let unnamed = || HubFault::Broken(format!("the Hub names no place for {}", file.path));
            let actions = places.get(&file.sha256).ok_or_else(unnamed)?;
            let upload = actions.as_ref().and_then(|actions| actions.upload.as_ref());
            if let Some(upload) = upload {
                send_file(hub, file, upload).await?;
            }
            let verify = actions.as_ref().and_then(|actions| actions.verify.as_ref());
            if let Some(verify) = verify {
                verify_file(hub, file, verify).await?;
            }
            sent(file, upload.is_some());
        }
    }
    Ok(())
}

/// Sends one file to its place.
async fn send_file(hub: &HubClient, file: &PushFile, place: &LfsAction) -> Result<(), HubFault> {
    let Some(size) = place.header.get("chunk_size") else {
        let whole = usize::try_from(file.bytes).unwrap_or(usize::MAX);
        return put(hub, file, &place.href, (0, whole)).await.map(drop);
    };
    let size = size.as_u64().or_else(|| size.as_str()?.parse().ok());
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let addresses = part_addresses(&place.header);
    let parts = size.map(|size| parts(file.bytes, size)).filter(|all| all.len() == addresses.len());
    let Some(parts) = parts else {
        return Err(HubFault::Broken(format!("the Hub names other parts than {} has", file.path)));
    };
    let mut done = Vec::new();
    for ((number, address), part) in addresses.iter().zip(parts) {
        let etag = put(hub, file, address, part).await?;
        let unnamed = || HubFault::Broken(format!("part {number} of {} has no name", file.path));
        done.push(PartDone { number: *number, etag: etag.ok_or_else(unnamed)? });
    }
    let document = PartsDone { oid: &file.sha256, parts: done };
    let bytes = serde_json::to_vec(&document).map_err(|e| HubFault::Broken(e.to_string()))?;
    let body = HubBody::Bytes { kind: LFS, bytes };
    hub.ask(Method::POST, &place.href, body).await.map(drop)
}

/// The address of each part, by its number.
fn part_addresses(header: &BTreeMap<String, serde_json::Value>) -> BTreeMap<usize, String> {
    let number = |key: &String| {
        key.parse::<usize>().ok().filter(|_| key.bytes().all(|b| b.is_ascii_digit()))
    };
    let address = |(key, value): (&String, &serde_json::Value)| {
        Some((number(key)?, value.as_str()?.to_owned()))
    };
    header.iter().filter_map(address).collect()
}

/// Sends a part of a file, and returns the name that the store gave it.
async fn put(
    hub: &HubClient,
    file: &PushFile,
    address: &str,
    (from, length): (u64, usize),
) -> Result<Option<String>, HubFault> {
    let length = length as u64;
    let make = || body_of(&file.source, from, length);
    let headers = hub.store(Method::PUT, address, HubBody::Stream { length, make: &make }).await?;
    Ok(headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned))
}

/// A part of a file as the body of a request, read while it is sent.
fn body_of(path: &Path, from: u64, length: u64) -> Body {
    let path = path.to_owned();
    let pieces = stream::iter(parts(length, PIECE)).then(move |(at, length)| {
        let path = path.clone();
        async move { part_of(&path, from + at, length).await }
    });
    Body::wrap_stream(pieces)
}

/// Has the Hub look at a file that was sent.
async fn verify_file(hub: &HubClient, file: &PushFile, place: &LfsAction) -> Result<(), HubFault> {
    let document = LfsObject { oid: file.sha256.clone(), size: file.bytes };
    let bytes = serde_json::to_vec(&document).map_err(|e| HubFault::Broken(e.to_string()))?;
    let body = HubBody::Bytes { kind: LFS, bytes };
    hub.ask(Method::POST, &place.href, body).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_are_in_the_order_of_their_numbers() {
        let header: BTreeMap<String, serde_json::Value> = serde_json::from_value(json!({
            "chunk_size": "5", "00010": "https://s/ten", "00002": "https://s/two", "+3": "x",
        }))
        .unwrap();
        let addresses: Vec<_> = part_addresses(&header).into_iter().collect();
        assert_eq!(addresses, [(2, "https://s/two".to_owned()), (10, "https://s/ten".to_owned())]);
    }
}
