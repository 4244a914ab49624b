//! The digest of a dataset: two versions with the same digest have the same rows, in the same
//! splits and order, and the same configuration.
//!
//! Each split is hashed alone, because this is what a reader of the files can compute again. A row
//! is hashed as one line of JSON.

use super::first_format::{FIRST_FORMAT, FirstFormatRow};
use sha2::{Digest, Sha256};
use std::io;
use synthd_actors::model::{DatasetRow, DatasetSplit, digest_of};

/// The name of the method by which the digest is computed. It is part of the digest.
const VERSION: &str = "synthd.dataset/1";

/// A digest that rows are added to.
#[derive(Clone, Default)]
pub(super) struct RowsDigest {
    splits: [Sha256; 3],
}

impl RowsDigest {
    /// Adds a row at the end of its split.
    pub(super) fn add(&mut self, split: DatasetSplit, row: &DatasetRow) -> Result<(), io::Error> {
        let hash = match split {
            DatasetSplit::Train => &mut self.splits[0],
            DatasetSplit::Validation => &mut self.splits[1],
            DatasetSplit::Test => &mut self.splits[2],
        };
        // Each row format has its own JSON text, so that the digest of an old version never
        // changes.
        match row {
            DatasetRow::Trajectory(row) if row.schema_version == FIRST_FORMAT => {
                serde_json::to_writer(&mut DigestWriter(hash), &FirstFormatRow(row))?;
            }
            row => serde_json::to_writer(&mut DigestWriter(hash), row)?,
        }
        hash.update(b"\n");
        Ok(())
    }

    /// The digest as hexadecimal text, over the splits, the row format and the configuration.
    pub(super) fn finish(&self, row_schema: &str, config_digest: &str) -> String {
        let splits = self.splits.clone().map(|hash| hex::encode(hash.finalize()));
        digest_of(&[VERSION, row_schema, config_digest, &splits[0], &splits[1], &splits[2]])
    }
}

/// Passes JSON text to the hash while it is written, so that a long row is never in memory as text.
struct DigestWriter<'a>(&'a mut Sha256);

impl io::Write for DigestWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::row;
    use synthd_actors::model::ROW_SCHEMA;

    fn digest(rows: &[(DatasetSplit, u64)], config: &str) -> String {
        let mut digest = RowsDigest::default();
        for (split, n) in rows {
            digest.add(*split, &row(*n).into()).unwrap();
        }
        digest.finish(ROW_SCHEMA, config)
    }

    #[test]
    fn order_split_content_and_configuration_all_count() {
        use DatasetSplit::{Test, Train};
        let base = digest(&[(Train, 1), (Train, 2)], "c");
        assert_eq!(base, digest(&[(Train, 1), (Train, 2)], "c"));
        for other in [
            digest(&[(Train, 2), (Train, 1)], "c"),
            digest(&[(Train, 1), (Test, 2)], "c"),
            digest(&[(Train, 1)], "c"),
            digest(&[(Train, 1), (Train, 2)], "d"),
        ] {
            assert_ne!(base, other);
        }
    }
}
