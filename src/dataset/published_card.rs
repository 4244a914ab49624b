//! The card of a version as `dataset push` publishes it: with a configuration for each table, whose
//! files lie in a directory of the table's name.

use super::card::{card_of, description, header_start, quoted};
use super::metadata::DatasetMetadata;
use synthd_actors::model::DatasetSplit;

/// A table of a published version.
pub(crate) struct CardConfig<'a> {
    /// The name of the configuration and of the directory.
    pub(crate) name: &'a str,
    /// What its rows are, in a sentence.
    pub(crate) about: &'a str,
    /// The splits that have rows, with their number. At least one.
    pub(crate) splits: Vec<(DatasetSplit, u64)>,
}

/// The text of the card. The first table is the default. `place` is what `datasets.load_dataset` is
/// given.
pub(crate) fn published_card(
    metadata: &DatasetMetadata,
    configs: &[CardConfig<'_>],
    place: &str,
) -> String {
    card_of(metadata, header(metadata, configs), load(configs, place))
}

fn header(metadata: &DatasetMetadata, configs: &[CardConfig<'_>]) -> String {
    let DatasetMetadata { campaign, version, digest, .. } = metadata;
    let described = description(metadata.format(), campaign, *version, digest);
    let mut yaml = header_start(metadata) + "dataset_info:\n";
    for config in configs {
        yaml += &format!("- config_name: {}\n  description: {described}\n", config.name);
    }
    yaml += "configs:\n";
    for (at, config) in configs.iter().enumerate() {
        let default = if at == 0 { "  default: true\n" } else { "" };
        yaml += &format!("- config_name: {}\n{default}  data_files:\n", config.name);
        for (split, _) in &config.splits {
            let (table, split) = (config.name, split.as_str());
            let path = quoted(&format!("{table}/{split}-*.parquet"));
            yaml += &format!("  - split: {split}\n    path: {path}\n");
        }
    }
    yaml + "---"
}

/// The section that says what the tables are and how to load them.
fn load(configs: &[CardConfig<'_>], place: &str) -> String {
    let lines = configs.iter().map(|config| {
        let count = |(split, rows): &(DatasetSplit, u64)| format!("{rows} in {}", split.as_str());
        let splits: Vec<String> = config.splits.iter().map(count).collect();
        format!("- `{}`: {} Rows: {}.\n", config.name, config.about, splits.join(", "))
    });
    let lines: String = lines.collect();
    let calls = configs
        .iter()
        .map(|config| format!("{0} = load_dataset({1}, \"{0}\")\n", config.name, quoted(place)));
    let calls: String = calls.collect();
    format!(
        "## Loading\n\n\
         Each table is a configuration of its own:\n\n{lines}\n\
         ```python\n\
         from datasets import load_dataset\n\n{calls}\
         ```\n\n\
         `SHA256SUMS` has the checksum of every other file; `sha256sum -c SHA256SUMS` checks them. It is the\n\
         file to sign, and its own checksum stands for the whole version. `cost_usd` is an exact decimal."
    )
}
