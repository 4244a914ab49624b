//! The dataset card: `README.md` of a version.
//!
//! The YAML header is for programs: the Python library `datasets` and the Hugging Face Hub find the
//! splits by it. The rest is for people: how success was determined, what each stage let through,
//! which models acted, and what the columns mean. `sink` writes the card from the metadata of the
//! version.

use super::manifest::FileEntry;
use super::markdown::{cell, decimal, line, percent, table, whole};
use super::metadata::DatasetMetadata;
use super::schema::{COLUMNS, STEP_FIELDS, row_schema, step_fields};
use super::tally::GroupStats;
use arrow::datatypes::{DataType, Field};
use std::collections::BTreeMap;
use synthd_actors::model::DatasetSplit;

/// The first words of every card's title.
const TITLE: &str = "Agent trajectories";

/// The text of the card. Empty sections are left out.
pub(super) fn card(metadata: &DatasetMetadata, files: &[FileEntry]) -> String {
    let sections = [
        header(metadata, files),
        intro(metadata),
        scripted_note(metadata),
        figures(metadata),
        LABEL.to_owned(),
        yields(metadata),
        splits(metadata),
        distributions(metadata),
        columns(),
        load(metadata, files),
        LIMITS.to_owned(),
        CANARY.to_owned(),
    ];
    let filled: Vec<&str> = sections.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).collect();
    filled.join("\n\n") + "\n"
}

/// The section on how success was determined. It is the same for every version.
const LABEL: &str = "\
## How success was determined

Each task has sealed checks that the agent never saw. The files of the checks exist only in the
sandbox for verification. After the agent stopped, its workspace was copied into a fresh sandbox
and the checks ran there, twice. `final_result` has one of three values:

- `resolved`: every check passed in both runs.
- `unresolved`: both runs agree, and at least one check failed.
- `flaky`: the runs disagree. A disagreement never counts as success.

An episode that ended in an infrastructure fault has no label and no row here. `verification` has
the result of each check. `reward` is the change of a milestone potential between steps. The last
step adds the final score, so that the rewards sum to the score.";

/// The section on what the data cannot show.
const LIMITS: &str = "\
## Limits

- Templates generate the tasks, so many rows have a similar form. Group by `template` before
  you judge how diverse the data is.
- Unsuccessful trajectories are kept and labelled on purpose. If you want only successes, filter
  by `final_result` or `labels`.
- If a command wrote more than the campaign keeps, its observation is cut (`truncated`).
- `difficulty` is the judgement of the template's author, not a measured pass rate.
- `reasoning` is the text that the model sent with its action. It need not be the cause of the
  action.";

/// The section on the canary strings.
const CANARY: &str = "\
## Canary

Every task has a unique string, and the column `canary` repeats it. Keep this column with the
data. If a model's output contains such a string, the model was trained on this task. Please do
not train on the splits `validation` and `test`.";

/// The YAML header of a version's card.
fn header(metadata: &DatasetMetadata, files: &[FileEntry]) -> String {
    let mut yaml = format!(
        "---\nlicense: {}\npretty_name: {}\ntask_categories:\n- text-generation\n\
         size_categories:\n- {}\ntags:\n- agent-trajectories\n- synthd\n- synthetic\n",
        quoted(&metadata.licence),
        quoted(&format!("{TITLE}: {} v{}", metadata.campaign, metadata.version)),
        size_category(metadata.figures.totals.rows),
    );
    if metadata.figures.scripted {
        yaml.push_str("- scripted-models\n");
    }
    let (campaign, version) = (&metadata.campaign, metadata.version);
    let described = description(campaign, version, &metadata.digest);
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
pub(super) fn description(campaign: &str, version: u32, digest: &str) -> String {
    quoted(&format!("{TITLE}: {campaign} v{version}, digest {digest}"))
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
    metadata.figures.splits.get(&split).map_or(0, |group| group.rows)
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
fn intro(metadata: &DatasetMetadata) -> String {
    format!(
        "# {TITLE}: {} v{}\n\n\
         {} trajectories of language models that act. In each row, one model tries one task in an\n\
         isolated sandbox. The row has every action, observation and reward. Written by {} on\n\
         {} from seed {}. The row format is `{}`. This version never changes.",
        line(&metadata.campaign),
        metadata.version,
        metadata.figures.totals.rows,
        metadata.engine,
        metadata.created_at,
        metadata.seed,
        metadata.row_schema,
    )
}

/// A warning if some rows come from scripted models. Empty otherwise.
fn scripted_note(metadata: &DatasetMetadata) -> String {
    let figures = &metadata.figures;
    if !figures.scripted {
        return String::new();
    }
    let models: Vec<String> =
        figures.scripted_models.iter().map(|m| format!("`{}`", line(m))).collect();
    format!(
        "> **Made by scripts, for testing.** The rows of {} come from scripted models. A\n\
         > scripted model is a program that replays prepared moves, without a language model. Use\n\
         > these rows to test pipelines, not for training. `llm_provider` is `scripted` in these rows.",
        models.join(", ")
    )
}

/// The table of the totals.
fn figures(metadata: &DatasetMetadata) -> String {
    let totals = &metadata.figures.totals;
    let lengths = totals.length_in_steps;
    let rows = [
        ("trajectories", totals.rows.to_string()),
        ("steps", totals.steps.to_string()),
        ("resolved", totals.outcomes.resolved.to_string()),
        ("unresolved", totals.outcomes.unresolved.to_string()),
        ("flaky", totals.outcomes.flaky.to_string()),
        ("success rate", percent(totals.success_rate)),
        ("steps, average", decimal(lengths.average)),
        ("steps, median", whole(lengths.p50)),
        ("steps, range", format!("{} to {}", whole(lengths.min), whole(lengths.max))),
        ("tokens in", sum(totals.tokens.input)),
        ("tokens out", sum(totals.tokens.output)),
        ("cost in USD", totals.cost_usd.to_string()),
        ("seconds, average", decimal(totals.average_execution_seconds)),
    ];
    let rows = rows.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
    format!("## Figures\n\n{}", table(&["what", "value"], rows))
}

/// A sum of tokens; `-` if a part of it is unknown.
fn sum(sum: Option<i64>) -> String {
    sum.map_or_else(|| "-".to_owned(), |sum| sum.to_string())
}

/// The table of how many episodes passed each stage.
fn yields(metadata: &DatasetMetadata) -> String {
    let stages = &metadata.stages;
    let mut rows = vec![
        vec!["planned episodes".to_owned(), stages.planned.to_string()],
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
        table(&["stage", "episodes"], rows)
    )
}

/// One table row for each entry of `counts`.
fn each(what: &str, counts: &BTreeMap<String, u64>) -> Vec<Vec<String>> {
    counts.iter().map(|(name, n)| vec![format!("{what}: {}", cell(name)), n.to_string()]).collect()
}

/// The table of the splits.
fn splits(metadata: &DatasetMetadata) -> String {
    let groups = DatasetSplit::ALL.iter().filter_map(|split| {
        metadata.figures.splits.get(split).map(|group| (split.as_str(), group))
    });
    format!(
        "## Splits\n\n{}\n\n\
         A hash of a task's template and content decides the split of the task. All rows of a task\n\
         are in one split, for every model. They stay in this split when the dataset grows.{}",
        group_table("split", groups),
        empty_note(metadata)
    )
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

/// The tables of rows by model, scaffold, category, difficulty and template.
fn distributions(metadata: &DatasetMetadata) -> String {
    let all = &metadata.figures.distributions;
    let parts = [
        ("model", &all.model),
        ("scaffold", &all.scaffold),
        ("category", &all.category),
        ("difficulty", &all.difficulty),
        ("template", &all.template),
    ];
    let tables = parts.map(|(name, groups)| {
        group_table(name, groups.iter().map(|(key, group)| (key.as_str(), group)))
    });
    format!("## Models, scaffolds and tasks\n\n{}", tables.join("\n\n"))
}

/// A table of groups of rows with their success rates.
fn group_table<'a>(name: &str, groups: impl Iterator<Item = (&'a str, &'a GroupStats)>) -> String {
    let rows = groups.map(|(key, group)| {
        let (rate, steps) = (percent(group.success_rate), decimal(group.average_steps));
        vec![cell(key), group.rows.to_string(), group.resolved.to_string(), rate, steps]
    });
    table(&[name, "rows", "resolved", "success rate", "average steps"], rows)
}

/// The tables of the columns and of the fields of a step.
pub(super) fn columns() -> String {
    let schema = row_schema();
    let steps = step_fields();
    let describe = |field: &Field, about: &str| {
        let null = if field.is_nullable() { ", nullable" } else { "" };
        vec![format!("`{}`", field.name()), format!("{}{null}", kind(field)), about.to_owned()]
    };
    // The tests of `schema` make sure that both lists have the same order.
    let rows = schema.fields().iter().zip(COLUMNS).map(|(f, (_, about))| describe(f, about));
    let step = steps.iter().zip(STEP_FIELDS).map(|(f, (_, about))| describe(f, about));
    let titles = ["column", "type", "meaning"];
    format!(
        "## Columns\n\n{}\n\nEach item of `trajectory`:\n\n{}",
        table(&titles, rows),
        table(&["field", "type", "meaning"], step)
    )
}

/// The type of a column in the words of the card.
fn kind(field: &Field) -> String {
    let fields = |fields: &arrow::datatypes::Fields| {
        let names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
        format!("struct<{}>", names.join(", "))
    };
    match field.data_type() {
        DataType::Utf8 => "string".to_owned(),
        DataType::Int32 => "int32".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::List(item) if matches!(item.data_type(), DataType::Struct(_)) => {
            "list of structs".to_owned()
        }
        DataType::List(item) => format!("list of {}", kind(item)),
        DataType::Struct(inner) => fields(inner),
        other => other.to_string(),
    }
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
