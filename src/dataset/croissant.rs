//! `croissant.json`: what a version is, in the vocabulary of Croissant 1.0 (JSON-LD over schema.org).
//! Catalogues of datasets and the library `mlcroissant` read it.
//!
//! ```text
//! distribution: each file with its checksum, and a file set for each table
//! recordSet:    each table with its columns; a column of structs has its fields as sub-fields
//! ```
//! Paths of files are relative to the document.

use super::manifest::FileEntry;
use super::metadata::DatasetMetadata;
use serde_json::{Map, Value, json};
use synthd_actors::model::{ColumnType, RowColumn, RowFormat};

/// The name of the document in a version.
pub(crate) const CROISSANT: &str = "croissant.json";
/// The version of Croissant that the document follows.
const CONFORMS_TO: &str = "http://mlcommons.org/croissant/1.0";
/// The media type of Parquet files, as readers of Croissant know it.
const PARQUET: &str = "application/x-parquet";

/// A table of a version: the files that its pattern matches.
pub(crate) struct CroissantTable<'a> {
    pub(crate) name: &'a str,
    /// What the rows are, in a sentence.
    pub(crate) about: &'a str,
    /// The pattern of its files, relative to the document.
    pub(crate) includes: String,
    pub(crate) columns: &'a [RowColumn],
}

/// The name of the table of rows of a format.
pub(crate) fn table_name(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Trajectory => "trajectories",
        RowFormat::Completion => "completions",
    }
}

/// What the rows of a format are.
pub(crate) fn table_about(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Trajectory => "One task tried by one model with one scaffold in each row.",
        RowFormat::Completion => "One answer of one model to one prompt in each row.",
    }
}

/// The document of a version as its directory has it.
pub(super) fn version_croissant(metadata: &DatasetMetadata, files: &[FileEntry]) -> Value {
    let format = metadata.format();
    let table = CroissantTable {
        name: table_name(format),
        about: table_about(format),
        includes: "*.parquet".to_owned(),
        columns: format.columns(),
    };
    croissant(metadata, "./", files, &[table])
}

/// The document of a version with these files and tables. `url` is where people find the version.
pub(crate) fn croissant(
    metadata: &DatasetMetadata,
    url: &str,
    files: &[FileEntry],
    tables: &[CroissantTable<'_>],
) -> Value {
    let DatasetMetadata { campaign, version, digest, engine, .. } = metadata;
    let rows = metadata.figures.rows();
    let objects = files.iter().filter(|file| file.rows.is_some()).map(file_object);
    let distribution: Vec<Value> = objects.chain(tables.iter().map(file_set)).collect();
    json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": format!("{campaign}-v{version}"),
        "description": format!("{rows} rows of {campaign}, version {version}, written by {engine}; digest {digest}."),
        "url": url,
        "version": format!("{version}.0.0"),
        "license": metadata.licence,
        "datePublished": metadata.created_at,
        "creator": { "@type": "sc:Organization", "name": engine },
        "keywords": ["synthd", "synthetic"],
        "isLiveDataset": false,
        "distribution": distribution,
        "recordSet": tables.iter().map(record_set).collect::<Vec<_>>(),
    })
}

/// The words of the document and what they stand for, as Croissant 1.0 states them.
fn context() -> Value {
    let mut context = Map::new();
    for (word, meaning) in [
        ("@language", "en"),
        ("@vocab", "https://schema.org/"),
        ("conformsTo", "dct:conformsTo"),
        ("cr", "http://mlcommons.org/croissant/"),
        ("dct", "http://purl.org/dc/terms/"),
        ("rai", "http://mlcommons.org/croissant/RAI/"),
        ("sc", "https://schema.org/"),
    ] {
        context.insert(word.to_owned(), json!(meaning));
    }
    for word in [
        "citeAs",
        "column",
        "extract",
        "field",
        "fileObject",
        "fileProperty",
        "fileSet",
        "format",
        "includes",
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
        "parentField",
        "path",
        "recordSet",
        "references",
        "regex",
        "repeated",
        "replace",
        "separator",
        "source",
        "subField",
        "transform",
    ] {
        context.insert(word.to_owned(), json!(format!("cr:{word}")));
    }
    context.insert("data".to_owned(), json!({ "@id": "cr:data", "@type": "@json" }));
    context.insert("examples".to_owned(), json!({ "@id": "cr:examples", "@type": "@json" }));
    context.insert("dataType".to_owned(), json!({ "@id": "cr:dataType", "@type": "@vocab" }));
    Value::Object(context)
}

fn file_object(file: &FileEntry) -> Value {
    json!({
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": format!("{} B", file.bytes),
        "encodingFormat": PARQUET,
        "sha256": file.sha256,
    })
}

/// The name of the file set of a table.
fn set_id(table: &CroissantTable<'_>) -> String {
    format!("{}-files", table.name)
}

fn file_set(table: &CroissantTable<'_>) -> Value {
    json!({
        "@type": "cr:FileSet",
        "@id": set_id(table),
        "name": set_id(table),
        "encodingFormat": PARQUET,
        "includes": table.includes,
    })
}

fn record_set(table: &CroissantTable<'_>) -> Value {
    let split = json!({
        "@type": "cr:Field",
        "@id": format!("{}/split", table.name),
        "name": "split",
        "description": "The split of the row: the first word of the name of its file.",
        "dataType": "sc:Text",
        "source": {
            "fileSet": { "@id": set_id(table) },
            "extract": { "fileProperty": "filename" },
            "transform": { "regex": "^(train|validation|test)" },
        },
    });
    let columns = table.columns.iter().map(|column| field(table, column, column.name, &[]));
    json!({
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.about,
        "field": std::iter::once(split).chain(columns).collect::<Vec<_>>(),
    })
}

/// A column, or a field of structs inside of one. `path` has the names from the column to it, without
/// that of the column.
fn field(table: &CroissantTable<'_>, column: &RowColumn, top: &str, path: &[&str]) -> Value {
    let mut source = Map::new();
    source.insert("fileSet".to_owned(), json!({ "@id": set_id(table) }));
    source.insert("extract".to_owned(), json!({ "column": top }));
    match path {
        [] => {}
        [one] => drop(source.insert("transform".to_owned(), json!({ "jsonPath": one }))),
        many => {
            let steps: Vec<_> = many.iter().map(|name| json!({ "jsonPath": name })).collect();
            source.insert("transform".to_owned(), json!(steps));
        }
    }
    let names: Vec<&str> = [table.name, top].iter().chain(path).copied().collect();
    let mut field = Map::new();
    field.insert("@type".to_owned(), json!("cr:Field"));
    field.insert("@id".to_owned(), json!(names.join("/")));
    field.insert("name".to_owned(), json!(column.name));
    field.insert("description".to_owned(), json!(column.doc));
    field.insert("source".to_owned(), Value::Object(source));
    let mut kind = &column.kind;
    while let ColumnType::List(item) = kind {
        field.insert("repeated".to_owned(), json!(true));
        kind = item;
    }
    match kind {
        ColumnType::Struct(columns) => {
            let inner = |column: &RowColumn| {
                let path: Vec<&str> = path.iter().copied().chain([column.name]).collect();
                self::field(table, column, top, &path)
            };
            let inner: Vec<Value> = columns.iter().map(inner).collect();
            field.insert("subField".to_owned(), json!(inner));
        }
        kind => drop(field.insert("dataType".to_owned(), json!(data_type(kind)))),
    }
    Value::Object(field)
}

/// The type of single values.
fn data_type(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Int32 | ColumnType::Int64 => "sc:Integer",
        // Croissant has no exact decimals.
        ColumnType::Float | ColumnType::Money => "sc:Float",
        ColumnType::Bool => "sc:Boolean",
        ColumnType::Text | ColumnType::TextMap | ColumnType::List(_) | ColumnType::Struct(_) => {
            "sc:Text"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{FixtureJournal, write};
    use super::super::manifest::{DatasetManifest, MANIFEST, read_json};
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Each name that a value defines, and each that it points to from inside a source.
    fn names(value: &Value, defined: &mut Vec<String>, meant: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(id) = fields.get("@id").and_then(Value::as_str) {
                    if fields.contains_key("@type") {
                        defined.push(id.to_owned());
                    } else {
                        meant.insert(id.to_owned());
                    }
                }
                fields.values().for_each(|value| names(value, defined, meant));
            }
            Value::Array(items) => items.iter().for_each(|value| names(value, defined, meant)),
            _ => {}
        }
    }

    #[tokio::test]
    async fn a_version_has_a_document_of_its_files_and_columns() {
        let dir = tempfile::tempdir().unwrap();
        let record = write(dir.path(), &FixtureJournal::numbered(20)).await;
        let version = Path::new(&record.path);
        let document: Value = read_json(&version.join(CROISSANT)).unwrap();
        for key in ["name", "description", "url", "license", "datePublished", "creator"] {
            assert!(!document[key].is_null(), "Croissant requires {key}");
        }
        assert_eq!(document["conformsTo"], CONFORMS_TO);
        assert_eq!(document["version"], "1.0.0");
        let manifest: DatasetManifest = read_json(&version.join(MANIFEST)).unwrap();
        assert!(manifest.files.iter().any(|file| file.path == CROISSANT), "it is listed");
        for file in manifest.files.iter().filter(|file| file.rows.is_some()) {
            let objects = document["distribution"].as_array().unwrap();
            let object = objects.iter().find(|object| object["@id"] == file.path.as_str()).unwrap();
            assert_eq!(object["sha256"], file.sha256.as_str());
            assert_eq!(object["contentSize"], format!("{} B", file.bytes));
        }
        let fields = document["recordSet"][0]["field"].as_array().unwrap();
        assert_eq!(fields.len(), RowFormat::Trajectory.columns().len() + 1);
    }

    #[tokio::test]
    async fn no_name_is_there_twice_and_each_reference_leads_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        let record = write(dir.path(), &FixtureJournal::numbered(5)).await;
        let document: Value = read_json(&Path::new(&record.path).join(CROISSANT)).unwrap();
        let (mut defined, mut meant) = (Vec::new(), BTreeSet::new());
        for part in ["distribution", "recordSet"] {
            names(&document[part], &mut defined, &mut meant);
        }
        let distinct: BTreeSet<String> = defined.iter().cloned().collect();
        assert_eq!(distinct.len(), defined.len());
        assert!(meant.is_subset(&distinct), "{meant:?}");
    }

    #[test]
    fn structs_in_lists_have_fields_with_their_paths() {
        let table = CroissantTable {
            name: "trajectories",
            about: "x",
            includes: "*.parquet".to_owned(),
            columns: RowFormat::Trajectory.columns(),
        };
        let set = record_set(&table);
        let fields = set["field"].as_array().unwrap();
        let messages = fields.iter().find(|field| field["name"] == "messages").unwrap();
        assert_eq!(messages["repeated"], true);
        let inner = messages["subField"].as_array().unwrap();
        let role = inner.iter().find(|field| field["name"] == "role").unwrap();
        assert_eq!(role["@id"], "trajectories/messages/role");
        assert_eq!(role["source"]["extract"]["column"], "messages");
        assert_eq!(role["source"]["transform"]["jsonPath"], "role");
    }
}
