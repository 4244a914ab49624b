//! `synthd pack list`: the packs that templates can use, and what each has.

use crate::cli::TemplateDirs;
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::error::Result;
use crate::packs::{ListedPack, PackLibrary};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use synthd_actors::pack::{ChangeKind, ProjectPack};

#[derive(Args)]
#[command(after_help = "Examples:
  synthd pack list
  synthd pack list --packs ./packs --json")]
pub(in crate::cli) struct PackListArgs {
    #[command(flatten)]
    templates: TemplateDirs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// One row for each pack. A pack that cannot be used has the reason in its row.
pub(super) fn list(args: &PackListArgs) -> Result<ExitCode> {
    let mut library = PackLibrary::shipped();
    for directory in &args.templates.directories {
        library.add(directory)?;
    }
    let all = library.all();
    if args.json {
        print_json(&all.iter().map(summary).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["pack", "language", "licence", "tests", "faults", "stubs", "groups"]);
    for listed in &all {
        match &listed.read {
            Ok(pack) => rows.add_row(row(pack)),
            Err(why) => rows.add_row([listed.name.clone(), why.clone()]),
        };
    }
    print_line(&rows.to_string());
    Ok(ExitCode::SUCCESS)
}

/// The row of a pack.
fn row(pack: &ProjectPack) -> [String; 7] {
    [
        format!("{}@{}", pack.head.name, pack.head.version),
        pack.head.language.as_str().to_owned(),
        pack.head.licence.clone(),
        pack.tests.len().to_string(),
        pack.faults.len().to_string(),
        pack.stubs.len().to_string(),
        pack.groups.len().to_string(),
    ]
}

/// A pack as JSON.
fn summary(listed: &ListedPack) -> Value {
    let place = listed.folder.as_ref().map(|folder| folder.display().to_string());
    match &listed.read {
        Ok(pack) => described(pack, place),
        Err(why) => json!({ "name": listed.name, "folder": place, "problem": why }),
    }
}

/// A pack that can be used, as JSON.
fn described(pack: &ProjectPack, folder: Option<String>) -> Value {
    let groups = |kind: ChangeKind| pack.groups.iter().filter(|group| group.kind == kind).count();
    json!({
        "name": pack.head.name, "version": pack.head.version, "folder": folder,
        "language": pack.head.language, "licence": pack.head.licence, "digest": pack.digest,
        "source_sha256": pack.head.source_sha256, "files": pack.files.len(),
        "tests": pack.tests.len(), "deselected": pack.head.deselected.len(),
        "faults": pack.faults.len(), "stubs": pack.stubs.len(), "twins": pack.twins.len(),
        "slow_forms": pack.slow.len(), "names": pack.names.len(),
        "fault_groups": groups(ChangeKind::Fault), "stub_groups": groups(ChangeKind::Stub),
        "long_groups": pack.long_groups.len(),
        "inlines": pack.inlines.len(),
    })
}
