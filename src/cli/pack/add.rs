//! `synthd pack add`: makes a pack from a project. Its tests run three times in a sandbox, with other
//! hash seeds and in another order; what does not pass every time is deselected and recorded.

use super::{number, tell, with_sandboxes};
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use crate::packs::{MinerSandbox, MiningSettings, ProjectFiles, ProjectLayout};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synthd_actors::pack::{
    INDEX_FILE, MAP_FILE, NOTICES_FILE, PACK_FILE, PACK_SCHEMA, PROJECT_DIRECTORY, PackFile,
    PackHead, PackLanguage, PackParts, PackRunner, ProjectPack, project_digest,
};

#[derive(Args)]
#[command(
    override_usage = "synthd pack add [OPTIONS] --name NAME --version V --licence ID PROJECT",
    after_help = "A project is a directory or a source distribution (.tar.gz) in Python. Its \
tests must run with `python3 -m unittest` and with what the sandbox has.

Examples:
  synthd pack add ./ledger --name ledger --version 1 --licence MIT
  synthd pack add toy-2.0.tar.gz --name toy --version 2.0 --licence MIT"
)]
pub(in crate::cli) struct PackAddArgs {
    /// A directory, or a .tar.gz
    project: PathBuf,
    /// The pack's name: small letters, digits and hyphens
    #[arg(long)]
    name: String,
    /// The version of the project
    #[arg(long)]
    version: String,
    /// The licence of the project, as an SPDX expression
    #[arg(long)]
    licence: String,
    /// What the project is, in a sentence; agents read it
    #[arg(long)]
    summary: Option<String>,
    /// A file or directory with sources (may be repeated)
    #[arg(long, value_name = "PATH")]
    source: Vec<String>,
    /// A file or directory with tests (may be repeated)
    #[arg(long, value_name = "PATH")]
    tests: Vec<String>,
    /// A file that says what is right (may be repeated)
    #[arg(long, value_name = "PATH")]
    docs: Vec<String>,
    /// A test that decides nothing (may be repeated)
    #[arg(long, value_name = "TEST")]
    deselect: Vec<String>,
    /// The directory of your packs
    #[arg(long, value_name = "DIR", default_value = "packs")]
    dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Makes the pack. Nothing is written before its tests have run.
pub(super) async fn add(args: PackAddArgs) -> Result<ExitCode> {
    let folder = args.dir.join(&args.name);
    if folder.exists() {
        let what = format!("{} is already there", folder.display());
        return Err(Error::new(Code::BadUsage, what).hint("remove it, or choose another name"));
    }
    let files = ProjectFiles::read(&args.project)?;
    let layout = layout(&args, &files)?;
    let mut parts = parts(&args, &files, &layout);
    // The head is checked before anything runs: what follows depends on it.
    ProjectPack::read(parts.clone())
        .map_err(|problem| super::invalid(&args.project, &problem.to_string()))?;
    tell("running the tests three times in a sandbox");
    let settings = MiningSettings {
        source: layout.source.clone(),
        tests: layout.tests.clone(),
        deselected: args.deselect.clone(),
    };
    let found = with_sandboxes(async |pool| {
        let mut miner = MinerSandbox::start(pool, &parts.files, &settings, Vec::new()).await?;
        miner.step("baseline").await
    })
    .await?;
    if number(&found, "passing") == 0 {
        let what = "no test passes every time in the sandbox";
        return Err(Error::new(Code::PackUnmined, what)
            .hint("`synthd explain SYN-0222` lists the usual causes"));
    }
    parts.head.deselected = left_out(&found);
    drop_unread(&mut parts, &found);
    write(&folder, &parts)?;
    report(&args, &folder, &found, &parts)?;
    Ok(ExitCode::SUCCESS)
}

/// Where sources and tests are: as the arguments say, else as it looks.
fn layout(args: &PackAddArgs, files: &ProjectFiles) -> Result<ProjectLayout> {
    let likely = files.likely_layout();
    let chosen = |given: &[String], likely: Vec<String>| {
        let plain = |root: &String| root.trim_end_matches('/').to_owned();
        if given.is_empty() { likely } else { given.iter().map(plain).collect() }
    };
    let layout = files.apart(ProjectLayout {
        source: chosen(&args.source, likely.source),
        tests: chosen(&args.tests, likely.tests),
        docs: chosen(&args.docs, likely.docs),
    });
    for (what, option, roots) in
        [("sources", "--source", &layout.source), ("tests", "--tests", &layout.tests)]
    {
        if roots.is_empty() {
            let what = format!("no {what} were found in {}", args.project.display());
            let hint = format!("name them with {option}");
            return Err(Error::new(Code::PackInvalid, what).hint(hint));
        }
    }
    Ok(layout)
}

/// The parts of the new pack, without map and index.
fn parts(args: &PackAddArgs, files: &ProjectFiles, layout: &ProjectLayout) -> PackParts {
    let kept = files.kept(layout);
    let summary = args.summary.clone();
    let head = PackHead {
        schema: PACK_SCHEMA.to_owned(),
        name: args.name.clone(),
        version: args.version.clone(),
        language: PackLanguage::Python,
        licence: args.licence.clone(),
        summary: summary.unwrap_or_else(|| format!("`{}` is a project in Python.", args.name)),
        runner: PackRunner::Unittest,
        source: layout.source.clone(),
        tests: layout.tests.clone(),
        docs: layout.docs.clone(),
        source_sha256: files.archive.clone(),
        project_sha256: project_digest(&kept),
        test_seconds: 20,
        deselected: BTreeMap::new(),
    };
    PackParts {
        head,
        head_text: String::new(),
        files: kept,
        map: String::new(),
        index: String::new(),
        notices: files.notices(),
    }
}

/// The tests that were left out, and why.
fn left_out(found: &Value) -> BTreeMap<String, String> {
    let tests = found.get("left_out").and_then(Value::as_object);
    let reason = |(test, why): (&String, &Value)| {
        (test.clone(), why.as_str().unwrap_or_default().to_owned())
    };
    tests.map(|tests| tests.iter().map(reason).collect()).unwrap_or_default()
}

/// Takes the modules of tests that cannot be imported out of the project. No test in them counts, and
/// whoever runs all tests of a task would see an error that is none of the task's.
fn drop_unread(parts: &mut PackParts, found: &Value) {
    let unread = found.get("unread").and_then(Value::as_array).into_iter().flatten();
    let unread: Vec<&str> = unread.filter_map(Value::as_str).collect();
    parts.files.retain(|file| !unread.contains(&file.path.as_str()));
    parts.head.tests.retain(|root| !unread.contains(&root.as_str()));
    parts.head.project_sha256 = project_digest(&parts.files);
}

/// Writes the folder beside its place, and then moves it there.
fn write(folder: &Path, parts: &PackParts) -> Result<()> {
    let head = toml::to_string(&parts.head)
        .map_err(|error| Error::new(Code::Unexpected, "pack.toml").with_source(error))?;
    let new = folder.with_extension(format!("new-{}", std::process::id()));
    let written = || -> io::Result<()> {
        for file in &parts.files {
            write_file(&new.join(PROJECT_DIRECTORY).join(&file.path), file)?;
        }
        fs::write(new.join(MAP_FILE), "")?;
        fs::write(new.join(INDEX_FILE), "")?;
        fs::write(new.join(NOTICES_FILE), &parts.notices)?;
        fs::write(new.join(PACK_FILE), head)?;
        fs::rename(&new, folder)
    };
    written().map_err(|error| {
        fs::remove_dir_all(&new).ok();
        Error::new(Code::Io, format!("cannot write {}", folder.display())).with_source(error)
    })
}

/// Writes one file of the project.
fn write_file(path: &Path, file: &PackFile) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, &file.content)?;
    let mode = if file.executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Says what the pack has, and how to go on.
fn report(args: &PackAddArgs, folder: &Path, found: &Value, parts: &PackParts) -> Result<()> {
    let (passing, deselected) = (number(found, "passing"), &parts.head.deselected);
    if args.json {
        return print_json(&json!({
            "pack": args.name, "folder": folder.display().to_string(), "tests": passing,
            "deselected": deselected, "project_sha256": parts.head.project_sha256,
            "source_sha256": parts.head.source_sha256,
        }));
    }
    print_line(&format!("{} is a new pack: {passing} tests pass every time", folder.display()));
    for (test, why) in deselected {
        tell(&format!("  left out: {test} {why}"));
    }
    print_line(&format!("Mine it:\n  synthd pack mine {}", folder.display()));
    Ok(())
}
