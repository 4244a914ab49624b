//! The dataset card: `README.md` of a version.
//!
//! The YAML header is for programs: the Python library `datasets` and the Hugging Face Hub find the
//! splits by it. The rest is for people: where the rows come from, what each stage let through, which
//! models acted, and what the columns mean. `sink` writes the card from the metadata of the version.
//! What differs by the row format is in `trajectory_card` and `completion_card`.

use super::column_tables::columns;
use super::completion_card::completion_parts;
use super::curation_card::curation_section;
use super::manifest::FileEntry;
use super::markdown::{cell, line, table};
use super::metadata::DatasetMetadata;
use super::sample_figures::samples_section;
use super::tally::DatasetFigures;
use super::trajectory_card::trajectory_parts;
use std::collections::BTreeMap;
use synthd_actors::model::{DatasetSplit, RowFormat};

/// The parts of a card that differ by the row format. An empty part is left out.
pub(super) struct CardParts {
    /// What is counted in the stages, such as `episodes`.
    pub(super) unit: &'static str,
    /// The first sentences, without the number of rows.
    pub(super) intro: &'static str,
    /// The table of the totals.
    pub(super) figures: String,
    /// How the labels came to be.
    pub(super) label: &'static str,
    /// The table of the splits.
    pub(super) splits: String,
    /// How the splits were decided.
    pub(super) divided: &'static str,
    /// The tables of rows by model and others.
    pub(super) distributions: String,
    /// The packs that tasks were made from, with their licences.
    pub(super) packs: String,
    pub(super) limits: &'static str,
    pub(super) canary: &'static str,
}

/// The first words of the title of a card.
fn title(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Trajectory => "Agent trajectories",
        RowFormat::Completion => "Completions",
    }
}

/// The tag by which the Hub finds such datasets.
fn tag(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Trajectory => "agent-trajectories",
        RowFormat::Completion => "completions",
    }
}

/// The text of the card.
pub(super) fn card(metadata: &DatasetMetadata, files: &[FileEntry]) -> String {
    card_of(metadata, header(metadata, files), load(metadata, files))
}

/// The text of a card with this header and this section on loading. Empty sections are left out.
pub(super) fn card_of(metadata: &DatasetMetadata, header: String, load: String) -> String {
    let parts = match &metadata.figures {
        DatasetFigures::Trajectory(figures) => trajectory_parts(figures),
        DatasetFigures::Completion(figures) => completion_parts(figures),
    };
    let sections = [
        header,
        intro(metadata, parts.intro),
        scripted_note(metadata),
        format!("## Figures\n\n{}", parts.figures),
        parts.label.to_owned(),
        yields(metadata, parts.unit),
        samples_section(metadata.samples.as_ref()),
        curation_section(metadata.curation.as_ref()),
        splits(metadata, &parts),
        parts.distributions,
        parts.packs,
        columns(metadata.format()),
        load,
        parts.limits.to_owned(),
        parts.canary.to_owned(),
    ];
    let filled: Vec<&str> = sections.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).collect();
    filled.join("\n\n") + "\n"
}

/// The first lines of a YAML header: what does not depend on the files.
pub(super) fn header_start(metadata: &DatasetMetadata) -> String {
    let (title, tag) = (title(metadata.format()), tag(metadata.format()));
    let mut yaml = format!(
        "---\nlicense: {}\npretty_name: {}\ntask_categories:\n- text-generation\n\
         size_categories:\n- {}\ntags:\n- {tag}\n- synthd\n- synthetic\n",
        quoted(&metadata.licence),
        quoted(&format!("{title}: {} v{}", metadata.campaign, metadata.version)),
        size_category(metadata.figures.rows()),
    );
    if !metadata.figures.scripted_models().is_empty() {
        yaml.push_str("- scripted-models\n");
    }
    yaml
}

/// The YAML header of a version's card.
fn header(metadata: &DatasetMetadata, files: &[FileEntry]) -> String {
    let mut yaml = header_start(metadata);
    let (campaign, version) = (&metadata.campaign, metadata.version);
    let described = description(metadata.format(), campaign, version, &metadata.digest);
    yaml.push_str(&format!(
        "dataset_info:\n  config_name: default\n  description: {described}\n\
         configs:\n- config_name: default\n  default: true\n  data_files:\n"
    ));
    // One entry for each split. The pattern is relative to the directory of the card.
    for split in listed(metadata) {
        let name = split.as_str();
        yaml.push_str(&format!("  - split: {name}\n    path: {}\n", pattern(split, files)));
    }
    yaml + "---"
}

/// The text by which one version differs from every other. `datasets` names its cache by the name
/// of the directory and by the header. Without the digest, it would take every directory `v1` for
/// the same dataset.
pub(super) fn description(format: RowFormat, campaign: &str, version: u32, digest: &str) -> String {
    quoted(&format!("{}: {campaign} v{version}, digest {digest}", title(format)))
}

/// The splits that the header names. `datasets` refuses a whole dataset if one named split has no
/// rows ("corresponds to no data"), so a split without rows is left out. If no split has rows, all
/// are named.
fn listed(metadata: &DatasetMetadata) -> Vec<DatasetSplit> {
    let filled = DatasetSplit::ALL.into_iter().filter(|s| rows_in(metadata, *s) > 0);
    let filled: Vec<DatasetSplit> = filled.collect();
    if filled.is_empty() { DatasetSplit::ALL.to_vec() } else { filled }
}

/// The number of rows in a split.
fn rows_in(metadata: &DatasetMetadata, split: DatasetSplit) -> u64 {
    metadata.figures.rows_by_split().get(&split).copied().unwrap_or(0)
}

/// A text as a YAML string. Every JSON string is a YAML string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The pattern for the files of a split: `train.parquet`, or `train-*.parquet` if there are
/// several.
pub(super) fn pattern(split: DatasetSplit, files: &[FileEntry]) -> String {
    let sharded = files.iter().filter(|file| file.split == Some(split)).count() > 1;
    format!("{}{}.parquet", split.as_str(), if sharded { "-*" } else { "" })
}

/// The size category of the Hub for a number of rows.
pub(super) fn size_category(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        10_000_000..100_000_000 => "10M<n<100M",
        100_000_000..1_000_000_000 => "100M<n<1B",
        1_000_000_000..10_000_000_000 => "1B<n<10B",
        10_000_000_000..100_000_000_000 => "10B<n<100B",
        100_000_000_000..1_000_000_000_000 => "100B<n<1T",
        _ => "n>1T",
    }
}

/// The title and the first paragraph.
fn intro(metadata: &DatasetMetadata, about: &str) -> String {
    format!(
        "# {}: {} v{}\n\n\
         {} {about} Written by {} on\n\
         {} from seed {}. The row format is `{}`. This version never changes.",
        title(metadata.format()),
        line(&metadata.campaign),
        metadata.version,
        metadata.figures.rows(),
        metadata.engine,
        metadata.created_at,
        metadata.seed,
        metadata.row_schema,
    )
}

/// A warning if some rows come from scripted models. Empty otherwise.
fn scripted_note(metadata: &DatasetMetadata) -> String {
    let models = metadata.figures.scripted_models();
    if models.is_empty() {
        return String::new();
    }
    let models: Vec<String> = models.iter().map(|m| format!("`{}`", line(m))).collect();
    format!(
        "> **Made by scripts, for testing.** The rows of {} come from scripted models. A\n\
         > scripted model is a program that replays prepared moves, without a language model. Use\n\
         > these rows to test pipelines, not for training. `llm_provider` is `scripted` in these rows.",
        models.join(", ")
    )
}

/// A sum of tokens; `-` if a part of it is unknown.
pub(super) fn sum(sum: Option<i64>) -> String {
    sum.map_or_else(|| "-".to_owned(), |sum| sum.to_string())
}

/// The table of how many rows passed each stage.
fn yields(metadata: &DatasetMetadata, unit: &str) -> String {
    let stages = &metadata.stages;
    let mut rows = vec![
        vec![format!("planned {unit}"), stages.planned.to_string()],
        vec!["finished".to_owned(), stages.finished.to_string()],
        vec!["ended in a fault: no label, no row".to_owned(), stages.faulted.to_string()],
        vec!["judged".to_owned(), stages.judged.to_string()],
    ];
    // One line for each stage that rejected rows, for each label, and for each split.
    rows.extend(each("rejected", &stages.rejected));
    rows.extend(each("labelled", &stages.labelled));
    let accepted = stages.accepted.iter();
    rows.extend(
        accepted.map(|(split, n)| vec![format!("accepted: {}", split.as_str()), n.to_string()]),
    );
    format!(
        "## Rows by stage\n\n{}\n\n\
         A label removes no row. An accepted row may have several labels.",
        table(&["stage", unit], rows)
    )
}

/// One table row for each entry of `counts`.
fn each(what: &str, counts: &BTreeMap<String, u64>) -> Vec<Vec<String>> {
    counts.iter().map(|(name, n)| vec![format!("{what}: {}", cell(name)), n.to_string()]).collect()
}

/// The table of the splits.
fn splits(metadata: &DatasetMetadata, parts: &CardParts) -> String {
    format!("## Splits\n\n{}\n\n{}{}", parts.splits, parts.divided, empty_note(metadata))
}

/// A note that names the splits without rows and says how to read their files. Empty if all have
/// rows.
fn empty_note(metadata: &DatasetMetadata) -> String {
    let empty = DatasetSplit::ALL.into_iter().filter(|split| rows_in(metadata, *split) == 0);
    let empty: Vec<DatasetSplit> = empty.collect();
    let Some(first) = empty.first().map(|split| format!("{}.parquet", split.as_str())) else {
        return String::new();
    };
    let empty: Vec<String> = empty.iter().map(|s| format!("`{}`", s.as_str())).collect();
    format!(
        "\n\nWithout rows in this version: {}. `datasets.load_dataset` refuses a split without rows, so\n\
         the header does not name such a split. The file exists and has the whole schema. pandas, polars\n\
         and duckdb read it, and so does `datasets.Dataset(pyarrow.parquet.read_table(\"{first}\"))`.",
        empty.join(", ")
    )
}

/// The section that shows how to load the dataset, with the names of this version.
fn load(metadata: &DatasetMetadata, files: &[FileEntry]) -> String {
    let train = pattern(DatasetSplit::Train, files);
    let dir = format!("v{}", metadata.version);
    format!(
        "## Loading\n\n\
         Name this directory, not a directory above it. A pattern, or a reader that walks through\n\
         directories, would mix versions. The card in the directory above is only for `datasets`. With\n\
         this card, a version is a configuration: `load_dataset(\"{campaign}\", \"{dir}\")`.\n\n\
         ```python\n\
         import datasets, duckdb, pandas, polars\n\n\
         splits = datasets.load_dataset(\"{dir}\")  # this directory\n\
         frame = polars.read_parquet(\"{dir}/{train}\")\n\
         table = duckdb.sql(\"select * from '{dir}/{train}'\")\n\
         {pandas}\n\
         ```\n\n\
         `cost_usd` is an exact decimal (`decimal.Decimal` in Python). `synthd dataset verify` checks\n\
         every checksum, the schema, the splits and the rules of rows.",
        pandas = pandas_line(&dir, &train),
        campaign = line(&metadata.campaign),
    )
}

// The line that loads the training rows with pandas. `pandas` takes one file or a whole directory,
// and no pattern, so several files are read one by one.
fn pandas_line(dir: &str, train: &str) -> String {
    if train.contains('*') {
        let glob = format!("sorted(glob.glob(\"{dir}/{train}\"))");
        return format!("import glob\npandas.concat(map(pandas.read_parquet, {glob}))");
    }
    format!("rows = pandas.read_parquet(\"{dir}/{train}\")")
}
