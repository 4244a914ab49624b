//! A version in a bucket: `PATH/v<N>/`. `SHA256SUMS` is the last object. A version whose `SHA256SUMS` is
//! absent is not there.
//!
//! ```text
//! SHA256SUMS there? ──the same──► known       ──another──► refused
//!   └─no─► other files there? ──► refused
//!            └─► a marker is written ─► each file: sent unless it is there, and read back
//!                                          └─► the marker is removed ─► SHA256SUMS
//! ```
//! The marker shows that the bucket may be written before a row is sent. Large files go in parts. An
//! object that is there with the size of its file is read and kept if it has the checksum.

use super::file_parts::{part_of, parts};
use super::push_error::{cut_off, local, refused};
use super::push_set::{PushFile, PushSet};
use super::report::{PushOutcome, PushState, SentFiles};
use super::run::PushRequest;
use super::sum_file::SUMS;
use super::target::PushTarget;
use crate::error::{Error, Result};
use futures_util::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{
    ClientConfigKey, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
    RetryConfig,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// The name of the marker of a push that is under way.
const MARKER: &str = ".push";
/// The size of a part. A file of at most one part is sent whole.
const PART: usize = 16 << 20;
/// The most parts of a file. S3 takes 10,000.
const PARTS: u64 = 9_000;
/// The most bytes of `SHA256SUMS` that are read.
const MOST: u64 = 16 << 20;
/// How many parts are on their way at once.
const AT_ONCE: usize = 4;
/// How often a request is repeated, how long that goes on, and how long one request may take.
const RETRIES: usize = 4;
const RETRYING: Duration = Duration::from_secs(120);
const TIMEOUT: &str = "600 seconds";

/// The result of a request to a bucket.
type BucketResult<T> = std::result::Result<T, object_store::Error>;

/// A version on its way into a bucket.
struct BucketPush<'a> {
    store: Box<dyn ObjectStore>,
    set: &'a PushSet,
    target: &'a PushTarget,
    /// The prefix of the version, such as `agents/v3`.
    prefix: Path,
    address: String,
    /// The least size of a part.
    part: usize,
    sent: SentFiles,
}

/// Publishes a version in a bucket, or only says what would be sent. `show` is told how many bytes are
/// done.
pub(super) async fn push_bucket(
    set: &PushSet,
    request: &PushRequest<'_>,
    address: &str,
    show: &dyn Fn(u64),
) -> Result<PushOutcome> {
    let mut push = BucketPush::open(set, request.target, address)?;
    if push.is_known().await? {
        return Ok(push.outcome(PushState::Known));
    }
    let there = push.objects().await?;
    if request.is_plan {
        push.plan(&there);
        return Ok(push.outcome(PushState::Planned));
    }
    push.mark().await?;
    let mut done = 0;
    for file in &set.files {
        push.place(file, there.get(&file.path).copied()).await?;
        done += file.bytes;
        show(done);
    }
    push.publish().await?;
    show(done + set.sums.bytes);
    Ok(push.outcome(PushState::Published))
}

impl<'a> BucketPush<'a> {
    /// Opens the bucket of an address with the credentials of the environment.
    fn open(set: &'a PushSet, target: &'a PushTarget, address: &str) -> Result<Self> {
        // Sets the TLS library of the process. A later call fails, which does no harm.
        rustls::crypto::ring::default_provider().install_default().ok();
        let told = |error: object_store::Error| {
            refused(target, plain(&error.to_string())).hint(CREDENTIALS)
        };
        let store = opened(address).map_err(told)?;
        let (_, rest) = address.split_once("://").unwrap_or_default();
        let (_, path) = rest.split_once('/').unwrap_or_default();
        let version = format!("v{}", set.version);
        let prefix = match path {
            "" => version.clone(),
            path => format!("{path}/{version}"),
        };
        let prefix = Path::parse(prefix).map_err(|error| told(error.into()))?;
        let address = format!("{address}/{version}");
        let sent = SentFiles::default();
        Ok(Self { store, set, target, prefix, address, part: PART, sent })
    }

    fn outcome(&self, state: PushState) -> PushOutcome {
        PushOutcome { place: self.address.clone(), state, sent: self.sent }
    }

    /// The place of a file of the version.
    fn at(&self, path: &str) -> Result<Path> {
        let place = Path::parse(format!("{}/{path}", self.prefix));
        place.map_err(|error| self.told(error.into()))
    }

    /// Whether this version is there. Fails if another has its place.
    async fn is_known(&self) -> Result<bool> {
        match self.sum_at(&self.at(SUMS)?, MOST).await {
            Ok(sum) if sum.as_deref() == Some(self.set.root.as_str()) => Ok(true),
            Ok(_) => Err(refused(self.target, format!("{} has other content", self.address))
                .hint("a published version never changes; name another path")),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.told(error)),
        }
    }

    /// The size of each file of the version that is there. Fails if there are other files: a reader who
    /// takes all files of a prefix would mix them.
    async fn objects(&self) -> Result<BTreeMap<String, u64>> {
        let listed = self.store.list(Some(&self.prefix)).try_collect::<Vec<ObjectMeta>>().await;
        let mut there = BTreeMap::new();
        for object in listed.map_err(|error| self.told(error))? {
            let full = object.location.as_ref();
            let path = full.strip_prefix(self.prefix.as_ref()).unwrap_or(full);
            let path = path.trim_start_matches('/');
            if path != MARKER && !self.set.files.iter().any(|file| file.path == path) {
                let why = format!("{} has {path}, which is not of this version", self.address);
                return Err(refused(self.target, why)
                    .hint("remove what an earlier push has left there, or name another path"));
            }
            there.insert(path.to_owned(), object.size);
        }
        Ok(there)
    }

    /// Counts what a push would send. An object with the size of its file is taken for the file.
    fn plan(&mut self, there: &BTreeMap<String, u64>) {
        for file in self.set.files.iter().chain([&self.set.sums]) {
            if there.get(&file.path) != Some(&file.bytes) {
                self.sent.add(file.bytes);
            }
        }
    }

    /// Writes the marker.
    async fn mark(&self) -> Result<()> {
        let root = PutPayload::from(self.set.root.clone());
        let put = self.store.put(&self.at(MARKER)?, root).await;
        put.map(drop).map_err(|error| self.told(error))
    }

    /// Sends a file unless it is there, and reads it back. Other bytes are sent once more.
    async fn place(&mut self, file: &PushFile, there: Option<u64>) -> Result<()> {
        let at = self.at(&file.path)?;
        if there == Some(file.bytes) && self.is_same(&at, file).await? {
            return Ok(());
        }
        for _ in 0..2 {
            self.send(&at, file).await?;
            if self.is_same(&at, file).await? {
                self.sent.add(file.bytes);
                return Ok(());
            }
        }
        Err(cut_off(self.target, format!("{} was read back with other bytes", file.path)))
    }

    /// Whether an object has the bytes of a file.
    async fn is_same(&self, at: &Path, file: &PushFile) -> Result<bool> {
        match self.sum_at(at, file.bytes).await {
            Ok(sum) => Ok(sum.as_deref() == Some(file.sha256.as_str())),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.told(error)),
        }
    }

    /// The checksum of an object. None if it is longer than `most` bytes.
    async fn sum_at(&self, at: &Path, most: u64) -> BucketResult<Option<String>> {
        let mut pieces = self.store.get(at).await?.into_stream();
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            bytes += piece.len() as u64;
            if bytes > most {
                return Ok(None);
            }
            hash.update(&piece);
        }
        Ok(Some(hex::encode(hash.finalize())))
    }

    /// Sends a file, whole or in parts.
    async fn send(&self, at: &Path, file: &PushFile) -> Result<()> {
        let size = usize::try_from(file.bytes.div_ceil(PARTS)).unwrap_or(PART).max(self.part);
        let parts = parts(file.bytes, size);
        if let [(from, length)] = parts[..] {
            let whole = part_of(&file.source, from, length).await;
            let whole = whole.map_err(|error| local(&file.source, error))?;
            let put = self.store.put(at, whole.into()).await;
            return put.map(drop).map_err(|error| self.told(error));
        }
        let upload = self.store.put_multipart(at).await;
        let mut upload = upload.map_err(|error| self.told(error))?;
        let sent = self.send_parts(&mut *upload, file, &parts).await;
        // Parts that nobody completes would be paid for.
        if sent.is_err()
            && let Err(error) = upload.abort().await
        {
            let why = plain(&error.to_string());
            tracing::warn!(why = %why, "parts of a push were not removed");
        }
        sent
    }

    async fn send_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        file: &PushFile,
        parts: &[(u64, usize)],
    ) -> Result<()> {
        let mut sending = FuturesUnordered::new();
        for (from, length) in parts {
            let part = part_of(&file.source, *from, *length).await;
            let part = part.map_err(|error| local(&file.source, error))?;
            sending.push(upload.put_part(part.into()));
            if sending.len() >= AT_ONCE
                && let Some(sent) = sending.next().await
            {
                sent.map_err(|error| self.told(error))?;
            }
        }
        while let Some(sent) = sending.next().await {
            sent.map_err(|error| self.told(error))?;
        }
        upload.complete().await.map(drop).map_err(|error| self.told(error))
    }

    /// Removes the marker and makes the version visible.
    async fn publish(&mut self) -> Result<()> {
        // Whoever may not delete leaves the marker, which does no harm.
        if let Err(error) = self.store.delete(&self.at(MARKER)?).await {
            let why = plain(&error.to_string());
            tracing::warn!(why = %why, "the marker of a push was not removed");
        }
        let (at, set) = (self.at(SUMS)?, self.set);
        self.send(&at, &set.sums).await?;
        self.sent.add(set.sums.bytes);
        if self.is_same(&at, &set.sums).await? {
            return Ok(());
        }
        // Else the next push would take it for another version.
        self.store.delete(&at).await.map_err(|error| self.told(error))?;
        Err(cut_off(self.target, format!("{SUMS} was read back with other bytes")))
    }

    /// The error for a request that failed.
    fn told(&self, error: object_store::Error) -> Error {
        use object_store::Error as Fault;
        let why = plain(&error.to_string());
        match error {
            Fault::PermissionDenied { .. } | Fault::Unauthenticated { .. } => {
                refused(self.target, why).hint(CREDENTIALS)
            }
            Fault::NotFound { .. } => refused(self.target, why).hint("make the bucket first"),
            Fault::InvalidPath { .. }
            | Fault::NotSupported { .. }
            | Fault::NotImplemented { .. }
            | Fault::UnknownConfigurationKey { .. } => refused(self.target, why),
            _ => cut_off(self.target, why),
        }
    }
}

/// What to do about credentials.
const CREDENTIALS: &str =
    "set credentials that may list, read and write it; docs/push.md has the variables";

/// A client of the bucket of an address.
fn opened(address: &str) -> BucketResult<Box<dyn ObjectStore>> {
    let retry =
        || RetryConfig { max_retries: RETRIES, retry_timeout: RETRYING, ..RetryConfig::default() };
    let timeout = ClientConfigKey::Timeout;
    let store: Box<dyn ObjectStore> = match address.split_once("://").map(|(scheme, _)| scheme) {
        Some("gs") => Box::new(
            GoogleCloudStorageBuilder::from_env()
                .with_url(address)
                .with_config(GoogleConfigKey::Client(timeout), TIMEOUT)
                .with_retry(retry())
                .build()?,
        ),
        Some("az") => Box::new(
            MicrosoftAzureBuilder::from_env()
                .with_url(address)
                .with_config(AzureConfigKey::Client(timeout), TIMEOUT)
                .with_retry(retry())
                .build()?,
        ),
        _ => Box::new(
            AmazonS3Builder::from_env()
                .with_url(address)
                .with_config(AmazonS3ConfigKey::Client(timeout), TIMEOUT)
                .with_checksum_algorithm(Checksum::SHA256)
                .with_retry(retry())
                .build()?,
        ),
    };
    Ok(store)
}

/// A message on one line without what stands behind `?` in addresses: that may be a signature.
fn plain(text: &str) -> String {
    let word = |word: &str| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address.to_owned(),
        _ => word.to_owned(),
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::sum_file::sha256_hex;
    use super::*;
    use object_store::memory::InMemory;

    /// A file that needs eleven parts.
    fn large(room: &std::path::Path) -> PushFile {
        let bytes: Vec<u8> = (0..251u8).cycle().take(10_500).collect();
        let source = room.join("large");
        std::fs::write(&source, &bytes).unwrap();
        let (path, sha256) = ("t/large".to_owned(), sha256_hex(&bytes));
        PushFile { path, source, bytes: 10_500, sha256 }
    }

    fn set(file: &PushFile) -> PushSet {
        PushSet {
            campaign: "c".to_owned(),
            version: 1,
            files: vec![file.clone()],
            sums: file.clone(),
            root: file.sha256.clone(),
            tables: Vec::new(),
            left_out: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn a_large_file_goes_in_parts_and_is_sent_again_only_with_other_bytes() {
        let room = tempfile::tempdir().unwrap();
        let file = large(room.path());
        let (set, target) = (set(&file), PushTarget::Bucket("s3://b".to_owned()));
        let mut push = BucketPush {
            store: Box::new(InMemory::new()),
            set: &set,
            target: &target,
            prefix: Path::from("v1"),
            address: "s3://b/v1".to_owned(),
            part: 1_000,
            sent: SentFiles::default(),
        };
        push.place(&file, None).await.unwrap();
        assert_eq!(push.objects().await.unwrap(), BTreeMap::from([(file.path.clone(), 10_500)]));
        push.place(&file, Some(10_500)).await.unwrap();
        assert_eq!(push.sent, SentFiles { files: 1, bytes: 10_500 });
        let other = PutPayload::from(vec![7; 10_500]);
        push.store.put(&Path::from("v1/t/large"), other).await.unwrap();
        push.place(&file, Some(10_500)).await.unwrap();
        assert_eq!(push.sent.files, 2);
        assert!(push.is_same(&Path::from("v1/t/large"), &file).await.unwrap());
    }

    #[test]
    fn a_signature_stands_in_no_message() {
        let text = "Error performing PUT https://a.blob.net/c/x?sig=canary&se=1 in 3ms\n - no";
        assert_eq!(plain(text), "Error performing PUT https://a.blob.net/c/x in 3ms - no");
        assert_eq!(plain("why? because"), "why? because");
    }
}
