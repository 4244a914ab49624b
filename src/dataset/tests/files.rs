//! The Parquet files themselves: shards, options, plainness.

use super::super::fixture::{row, row_with_steps};
use super::super::read::{check_schema, for_each_row, schema_differences};
use super::super::row_schema;
use super::super::schema::{TableShape, earlier_schemas, long_texts};
use super::super::writer::{ShardLimits, SplitWriter};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::ParquetMetaData;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{DatasetRow, DatasetSplit, RowFormat};
use tempfile::tempdir;

fn write(dir: &Path, limits: ShardLimits, rows: &[DatasetRow]) -> Vec<(String, u64)> {
    let mut writer = SplitWriter::new(dir, DatasetSplit::Train, RowFormat::Trajectory, limits);
    for page in rows.chunks(16) {
        writer.push(&page.iter().collect::<Vec<_>>()).unwrap();
    }
    let files = writer.finish().unwrap();
    files.into_iter().map(|file| (file.path, file.rows.unwrap())).collect()
}

fn metadata(path: &Path) -> Arc<ParquetMetaData> {
    let options = parquet::arrow::arrow_reader::ArrowReaderOptions::new()
        .with_page_index_policy(parquet::file::metadata::PageIndexPolicy::Required);
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    Arc::clone(reader.metadata())
}

#[test]
fn shards_are_full_numbered_and_keep_the_order() {
    let dir = tempdir().unwrap();
    let rows: Vec<DatasetRow> = (0..100).map(|n| row(n).into()).collect();
    let files = write(dir.path(), ShardLimits { rows: 40, ..Default::default() }, &rows);
    let wanted = [
        ("train-00000-of-00003.parquet".to_owned(), 40),
        ("train-00001-of-00003.parquet".to_owned(), 40),
        ("train-00002-of-00003.parquet".to_owned(), 20),
    ];
    assert_eq!(files, wanted);
    let mut read = Vec::new();
    for (name, _) in &files {
        for_each_row(&dir.path().join(name), RowFormat::Trajectory, |_, row| read.push(row))
            .unwrap();
    }
    assert_eq!(read, rows);
}

#[test]
fn a_shard_that_fills_exactly_is_the_only_one() {
    let dir = tempdir().unwrap();
    let rows: Vec<_> = (0..40).map(|n| row(n).into()).collect();
    let files = write(dir.path(), ShardLimits { rows: 40, ..Default::default() }, &rows);
    assert_eq!(files, [("train.parquet".to_owned(), 40)]);
}

#[test]
fn bytes_end_a_shard_too() {
    let dir = tempdir().unwrap();
    let rows: Vec<_> = (0..64).map(|n| row_with_steps(n, 20).into()).collect();
    let files = write(dir.path(), ShardLimits { bytes: 1_000, ..Default::default() }, &rows);
    assert_eq!(files.len(), 4, "a page of 16 rows is well over 1,000 bytes");
}

#[test]
fn files_are_plain_compressed_indexed_and_without_useless_dictionaries() {
    let dir = tempdir().unwrap();
    write(dir.path(), ShardLimits::default(), &(0..50).map(|n| row(n).into()).collect::<Vec<_>>());
    let metadata = metadata(&dir.path().join("train.parquet"));
    let index = metadata.page_index_for_row_group(0);
    assert!(index.column_index(0).is_some() && index.offset_index(0).is_some());
    let notes = metadata.file_metadata().key_value_metadata().unwrap();
    let keys: Vec<_> = notes.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(keys, ["synthd.row_schema", "synthd.version"], "no ARROW:schema");
    assert_eq!(metadata.num_row_groups(), 1);
    let mut long = 0;
    let texts = long_texts(TableShape::of(RowFormat::Trajectory));
    let texts: Vec<String> = texts.iter().map(|path| path.join(".")).collect();
    for column in metadata.row_group(0).columns() {
        let path = column.column_path().string();
        assert!(matches!(column.compression(), Compression::ZSTD(_)), "{path}");
        let dictionary = column.encodings().any(|e| e == Encoding::RLE_DICTIONARY);
        if texts.contains(&path) {
            long += 1;
            assert!(!dictionary, "{path}");
        }
        assert!(path != "category" || dictionary);
    }
    assert_eq!(long, texts.len(), "a path of a long text names no column");
}

#[test]
fn a_plain_file_reads_back_as_the_canonical_schema() {
    let dir = tempdir().unwrap();
    write(dir.path(), ShardLimits::default(), &[]);
    let file = File::open(dir.path().join("train.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = row_schema(RowFormat::Trajectory);
    assert_eq!(reader.schema().fields(), schema.fields());
    assert_eq!(schema_differences(&schema, reader.schema()), Vec::<String>::new());
}

/// Each edition of a format added columns or made them nullable.
#[test]
fn files_of_earlier_editions_are_still_read() {
    let trajectory = RowFormat::Trajectory;
    let earlier = earlier_schemas(trajectory);
    let names = |schema: &arrow::datatypes::Schema| -> Vec<String> {
        schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    let [.., third, second, oldest, first_format] = &earlier[..] else { panic!("{earlier:?}") };
    assert!(names(third).contains(&"template_digest".to_owned()));
    assert!(!names(second).contains(&"template_digest".to_owned()));
    let differences = schema_differences(second, oldest);
    assert_eq!(differences.len(), 2, "the steps and the total: {differences:?}");
    assert!(!names(first_format).contains(&"sampling".to_owned()));
    earlier.iter().for_each(|schema| check_schema(trajectory, schema).unwrap());
    check_schema(trajectory, &row_schema(trajectory)).unwrap();
    check_schema(RowFormat::Completion, &row_schema(RowFormat::Completion)).unwrap();
    assert!(check_schema(RowFormat::Completion, &row_schema(trajectory)).is_err());
    let mut fields: Vec<_> = oldest.fields().iter().cloned().collect();
    fields.swap(0, 1);
    assert!(check_schema(trajectory, &arrow::datatypes::Schema::new(fields)).is_err());
}

#[test]
fn inserting_a_row_leaves_most_pages_as_they_were() {
    let dir = tempdir().unwrap();
    let mut rows: Vec<_> = (0..400).map(|n| DatasetRow::from(row_with_steps(n, 4))).collect();
    for (n, row) in rows.iter_mut().enumerate() {
        // Text that does not compress away, so that there is more than one page.
        for step in &mut row.as_trajectory_mut().unwrap().trajectory {
            let noise = synthd_actors::model::digest_of(&[&format!("{n}/{}", step.step)]);
            step.observation = noise.repeat(64);
        }
    }
    write(dir.path(), ShardLimits::default(), &rows);
    let before = pages(&dir.path().join("train.parquet"));
    rows.insert(7, row(9_999_999).into());
    let second = tempdir().unwrap();
    write(second.path(), ShardLimits::default(), &rows);
    let after = pages(&second.path().join("train.parquet"));
    let kept = after.iter().filter(|page| before.contains(*page)).count();
    assert!(after.len() >= 8, "{} pages", after.len());
    assert!(kept * 2 > after.len(), "{kept} of {} pages kept", after.len());
}

/// The bytes of the observation column's pages.
fn pages(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let metadata = metadata(path);
    let columns = metadata.row_group(0).columns();
    let index = columns.iter().position(|c| c.column_path().string().ends_with("observation"));
    let all = metadata.page_index_for_row_group(0);
    let offsets = all.offset_index(index.unwrap()).unwrap();
    let slice = |page: &parquet::file::page_index::offset_index::PageLocation| {
        let from = usize::try_from(page.offset).unwrap();
        bytes[from..from + usize::try_from(page.compressed_page_size).unwrap()].to_vec()
    };
    offsets.page_locations().iter().map(slice).collect()
}
