//! `synthd pack add`: makes a pack from a project. Its tests run some times in a sandbox, in another
//! order too; what does not pass every time is deselected and recorded. A project in a language other
//! than Python gets the script that runs its cases.

use super::{number, tell, with_sandboxes};
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use crate::packs::{
    CaseBaseline, CaseSandbox, MinerSandbox, MiningSettings, ProjectFiles, ProjectLayout,
};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synthd_actors::pack::{
    BUILD_FILE, CASE_RUNNER, CASE_RUNNER_FILE, INDEX_FILE, MAP_FILE, NOTICES_FILE, PACK_FILE,
    PACK_SCHEMA, PROGRAM_FILE, PROJECT_DIRECTORY, PackFile, PackHead, PackLanguage, PackParts,
    PackRunner, ProjectPack, SlowParts, command_file, project_digest,
};
use synthd_actors::pool::PoolHandle;

#[derive(Args)]
#[command(
    override_usage = "synthd pack add [OPTIONS] --name NAME --version V --licence ID PROJECT",
    after_help = "A project is a directory or a source distribution (.tar.gz). The tests of one in \
Python must run with `python3 -m unittest` and with what the sandbox has. A project in another \
language is a command-line program, and its tests are cases below tests/cases (docs/packs.md).

Examples:
  synthd pack add ./ledger --name ledger --version 1 --licence MIT
  synthd pack add toy-2.0.tar.gz --name toy --version 2.0 --licence MIT
  synthd pack add ./calc --name calc --version 1 --licence MIT --language c \\
      --build make --run ./build/calc --requires gcc --requires make"
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
    /// The language: python, c, javascript, shell, go, rust or typescript
    #[arg(long, default_value = "python")]
    language: PackLanguage,
    /// The command that builds the program, as words with spaces between
    #[arg(long, value_name = "WORDS")]
    build: Option<String>,
    /// The command that is the program, as words with spaces between
    #[arg(long, value_name = "WORDS")]
    run: Option<String>,
    /// A program that the sandbox must have (may be repeated)
    #[arg(long, value_name = "PROGRAM")]
    requires: Vec<String>,
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
    /// Another file or directory that the build needs (may be repeated)
    #[arg(long, value_name = "PATH")]
    also: Vec<String>,
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
    let files = ProjectFiles::read(&args.project, args.language)?;
    let layout = layout(&args, &files)?;
    let mut parts = parts(&args, &files, &layout);
    // The head is checked before anything runs: what follows depends on it.
    ProjectPack::read(parts.clone())
        .map_err(|problem| super::invalid(&args.project, &problem.to_string()))?;
    tell("running the tests some times in a sandbox");
    let found = with_sandboxes(async |pool| baseline(pool, &args, &parts).await).await?;
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

/// Runs the tests. How many pass every time, and which are left out.
async fn baseline(pool: &PoolHandle, args: &PackAddArgs, parts: &PackParts) -> Result<Value> {
    let head = &parts.head;
    if head.runner == PackRunner::Cases {
        let mut sandbox = CaseSandbox::start(pool, head, &parts.files).await?;
        let reason = |name: &String| (name.clone(), "left out by hand".to_owned());
        let deselected: BTreeMap<String, String> = args.deselect.iter().map(reason).collect();
        let found = CaseBaseline::find(&mut sandbox, &deselected).await?;
        return Ok(json!({ "passing": found.passing.len(), "left_out": found.left_out }));
    }
    let settings = MiningSettings {
        source: head.source.clone(),
        tests: head.tests.clone(),
        deselected: args.deselect.clone(),
    };
    let mut miner = MinerSandbox::start(pool, &parts.files, &settings, Vec::new()).await?;
    miner.step("baseline").await
}

/// Where sources and tests are: as the arguments say, else as it looks.
fn layout(args: &PackAddArgs, files: &ProjectFiles) -> Result<ProjectLayout> {
    let likely = files.layout_of(args.language);
    let chosen = |given: &[String], likely: Vec<String>| {
        let plain = |root: &String| root.trim_end_matches('/').to_owned();
        if given.is_empty() { likely } else { given.iter().map(plain).collect() }
    };
    let layout = files.apart(ProjectLayout {
        source: chosen(&args.source, likely.source),
        tests: chosen(&args.tests, likely.tests),
        docs: chosen(&args.docs, likely.docs),
        also: [likely.also, args.also.clone()].concat(),
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
    let (build, run) = (words(args.build.as_deref()), words(args.run.as_deref()));
    let mut kept = files.kept(layout);
    if args.language.runner() == PackRunner::Cases {
        add_runner(&mut kept, &build, &run);
    }
    let summary = args.summary.clone();
    let head = PackHead {
        schema: PACK_SCHEMA.to_owned(),
        name: args.name.clone(),
        version: args.version.clone(),
        language: args.language,
        licence: args.licence.clone(),
        summary: summary.unwrap_or_else(|| {
            format!("`{}` is a project in {}.", args.name, args.language.in_words())
        }),
        runner: args.language.runner(),
        build,
        run,
        requires: args.requires.clone(),
        source: layout.source.clone(),
        tests: layout.tests.clone(),
        docs: layout.docs.clone(),
        source_sha256: files.archive.clone(),
        project_sha256: project_digest(&kept),
        test_seconds: if args.language.runner() == PackRunner::Cases { 5 } else { 20 },
        deselected: BTreeMap::new(),
    };
    PackParts {
        head,
        head_text: String::new(),
        files: kept,
        map: String::new(),
        index: String::new(),
        long: String::new(),
        names: String::new(),
        slow: SlowParts::default(),
        notices: files.notices(),
    }
}

/// The words of an option.
fn words(option: Option<&str>) -> Vec<String> {
    option.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Lays the script that runs the cases, and the commands that it needs, whatever the project had there.
fn add_runner(files: &mut Vec<PackFile>, build: &[String], run: &[String]) {
    let file = |path: &str, content: String, executable: bool| PackFile {
        path: path.to_owned(),
        content,
        executable,
    };
    let mut added = vec![
        file(CASE_RUNNER_FILE, CASE_RUNNER.to_owned(), true),
        file(PROGRAM_FILE, command_file(run), false),
    ];
    if !build.is_empty() {
        added.push(file(BUILD_FILE, command_file(build), false));
    }
    files
        .retain(|file| ![CASE_RUNNER_FILE, PROGRAM_FILE, BUILD_FILE].contains(&file.path.as_str()));
    files.extend(added);
    files.sort_by(|one, other| one.path.cmp(&other.path));
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
