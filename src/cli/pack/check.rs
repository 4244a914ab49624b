//! `synthd pack check`: tries a sample of a pack's changes and groups again, each in a fresh process,
//! proves tasks of every kind that the pack has entries for, and looks for what gives their answers away.

use super::{number, tell, with_sandboxes};
use crate::cli::TemplateDirs;
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use crate::packs::{
    MinerSandbox, MiningSettings, PackLibrary, sandbox_leaks, shown_answers, workspace_leaks,
};
use crate::running_engine::fault_error;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::agent::MinimalScaffold;
use synthd_actors::model::{BASE_IMAGE, SandboxSpec};
use synthd_actors::pack::{
    AnswerLeak, ChangeGroup, ChangeKind, INDEX_FILE, MAP_FILE, PackRunner, PackShelf, ProjectPack,
};
use synthd_actors::pool::PoolHandle;
use synthd_actors::proof::TemplateProver;
use synthd_actors::task::{Catalog, Template, TemplateFolder};

#[derive(Args)]
#[command(after_help = "Examples:
  synthd pack check tabq
  synthd pack check ledger --packs ./packs --sample 200 --seeds 5")]
pub(in crate::cli) struct PackCheckArgs {
    /// The pack's name, as `pack list` prints it
    name: String,
    #[command(flatten)]
    templates: TemplateDirs,
    /// How many entries to try again
    #[arg(long, default_value_t = 40)]
    sample: u64,
    /// For how many seeds a task of each kind is proven
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The kinds of tasks that a pack may have entries for.
const KINDS: [&str; 11] = [
    "repair",
    "repair-many",
    "implement",
    "write-tests",
    "document",
    "environment",
    "de-duplicate",
    "bisect",
    "merge",
    "speed-up",
    "backlog",
];

/// Checks a pack. The error `PackUnproven` counts what is wrong.
pub(super) async fn check(args: PackCheckArgs) -> Result<ExitCode> {
    let library = library(&args)?;
    let pack = find(&library, &args.name)?;
    let (entries, problems, leaks) = with_sandboxes(async |pool| {
        let entries = entries(pool, &pack, args.sample).await?;
        let problems = proofs(pool, &library, &pack, args.seeds).await?;
        let leaks = leaks(pool, &library, &pack).await?;
        Ok((entries, problems, leaks))
    })
    .await?;
    let differing = entries.get("differing").and_then(Value::as_array).map_or(0, Vec::len);
    if args.json {
        print_json(&json!({
            "pack": args.name, "entries": entries, "problems": problems, "leaks": leaks,
        }))?;
    } else {
        let (checked, of) = (number(&entries, "checked"), number(&entries, "of"));
        print_line(&format!("{}: {checked} of {of} entries were tried again", args.name));
    }
    for entry in entries.get("differing").and_then(Value::as_array).into_iter().flatten() {
        tell(&format!("  differs: {}", entry.as_str().unwrap_or_default()));
    }
    problems.iter().for_each(|problem| tell(&format!("  {problem}")));
    leaks.iter().for_each(|leak| tell(&format!("  {leak}")));
    if !leaks.is_empty() {
        return Err(shown_answers(leaks.len(), &format!("the pack {}", args.name)));
    }
    if differing == 0 && problems.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let wrong = differing + problems.len();
    Err(Error::new(Code::PackUnproven, format!("the pack {} has {wrong} problems", args.name))
        .hint("mine it again: `synthd pack mine`"))
}

/// All packs that the command knows.
fn library(args: &PackCheckArgs) -> Result<PackLibrary> {
    let mut library = PackLibrary::shipped();
    for directory in &args.templates.directories {
        library.add(directory)?;
    }
    Ok(library)
}

/// The pack with this name.
fn find(library: &PackLibrary, name: &str) -> Result<Arc<ProjectPack>> {
    let Some(found) = library.pack(name) else {
        let what = format!("there is no pack {name:?}");
        return Err(Error::new(Code::PackInvalid, what).hint("`synthd pack list` shows all packs"));
    };
    found
        .and_then(|pack| pack.get())
        .map_err(|why| Error::new(Code::PackInvalid, format!("the pack {name}: {why}")))
}

/// Tries a sample of the entries. The answer of the miner.
async fn entries(pool: &PoolHandle, pack: &ProjectPack, sample: u64) -> Result<Value> {
    if pack.head.runner == PackRunner::Cases {
        return Box::pin(super::check_cases::entries(pool, pack, sample)).await;
    }
    let settings = MiningSettings {
        source: pack.head.source.clone(),
        tests: pack.head.tests.clone(),
        deselected: pack.head.deselected.keys().cloned().collect(),
    };
    let state = vec![(MAP_FILE, map(pack)?), (INDEX_FILE, index(pack)?)];
    let mut miner = MinerSandbox::start(pool, &pack.files, &settings, state).await?;
    tell(&format!("trying {sample} entries again"));
    miner.step(&format!("check 0 {sample}")).await
}

/// The map of a pack as the miner reads it.
fn map(pack: &ProjectPack) -> Result<String> {
    let lines = pack.tests.iter().map(|test| serde_json::to_string(test).map_err(no_json));
    Ok(lines.collect::<Result<Vec<_>>>()?.join("\n"))
}

/// The changes of a pack, its inlines and its groups as the miner reads them.
fn index(pack: &ProjectPack) -> Result<String> {
    let changes = pack.faults.iter().chain(&pack.stubs);
    let changes = changes.map(|change| entry("change", serde_json::to_value(change)));
    let inlines = pack.inlines.iter();
    let inlines = inlines.map(|inline| entry("inline", serde_json::to_value(inline)));
    let groups = pack.groups.iter().chain(&pack.long_groups);
    let groups = groups.filter(|group| !group.tests.is_empty());
    let groups = groups.map(|group| Ok(group_line(pack, group)));
    Ok(changes.chain(inlines).chain(groups).collect::<Result<Vec<_>>>()?.join("\n"))
}

/// A group as the miner reads it: the ids of its changes, and the tests that fail with all of them.
fn group_line(pack: &ProjectPack, group: &ChangeGroup) -> String {
    let changes = pack.changes(group.kind);
    let parts = group.parts.iter().filter_map(|part| changes.get(*part));
    let parts: Vec<&str> = parts.map(|change| change.id.as_str()).collect();
    let ChangeGroup { id, tests, .. } = group;
    json!({ "kind": "group", "id": id, "parts": parts, "tests": tests }).to_string()
}

/// A line of the index.
fn entry(kind: &str, value: serde_json::Result<Value>) -> Result<String> {
    let mut line = value.map_err(no_json)?;
    line["kind"] = kind.into();
    Ok(line.to_string())
}

fn no_json(error: serde_json::Error) -> Error {
    Error::new(Code::Unexpected, "an entry of the pack is no JSON").with_source(error)
}

/// Proves tasks of every kind. What is wrong, in words.
async fn proofs(
    pool: &PoolHandle,
    library: &PackLibrary,
    pack: &ProjectPack,
    seeds: u64,
) -> Result<Vec<String>> {
    let spec = SandboxSpec { image: BASE_IMAGE.to_owned(), ..SandboxSpec::default() };
    let prover = TemplateProver {
        pool: pool.clone(),
        spec: Arc::new(spec),
        scaffold: Arc::new(MinimalScaffold),
        tries_battery: false,
    };
    let mut problems = Vec::new();
    for kind in KINDS {
        let template = template(library, &pack.head.name, kind)?;
        if !has_entries(pack, kind, &template) {
            continue;
        }
        for seed in 1..=seeds {
            tell(&format!("proving a task of the kind {kind}, seed {seed}"));
            let proof = Box::pin(prover.prove(&template, seed)).await;
            let proof = proof.map_err(|fault| fault_error(&fault))?;
            let unusable = proof.unusable.iter().map(|error| error.message.clone());
            let found = unusable.chain(proof.problems);
            problems.extend(found.map(|problem| format!("{kind}, seed {seed}: {problem}")));
        }
    }
    Ok(problems)
}

/// What gives the answers of tasks away: the workspace of one task of each kind, and the sandbox of the
/// first one. Each place is told once.
async fn leaks(
    pool: &PoolHandle,
    library: &PackLibrary,
    pack: &ProjectPack,
) -> Result<Vec<AnswerLeak>> {
    let mut tasks = Vec::new();
    for kind in KINDS {
        // What makes no task was told by its proof.
        tasks.extend(template(library, &pack.head.name, kind)?.task(1, 0).ok());
    }
    let spec = SandboxSpec { image: BASE_IMAGE.to_owned(), ..SandboxSpec::default() };
    let mut found: Vec<AnswerLeak> = match tasks.first() {
        Some(task) => Box::pin(sandbox_leaks(pool, &Arc::new(spec), task)).await?,
        None => Vec::new(),
    };
    for leak in tasks.iter().flat_map(workspace_leaks) {
        if !found.contains(&leak) {
            found.push(leak);
        }
    }
    Ok(found)
}

/// Whether a pack has entries from which tasks of a kind can be drawn.
fn has_entries(pack: &ProjectPack, kind: &str, template: &Template) -> bool {
    match kind {
        "repair" => pack.good_changes(ChangeKind::Fault).next().is_some(),
        "repair-many" => {
            // So many faults has a task if its template says nothing.
            pack.good_groups(ChangeKind::Fault).iter().any(|group| matches!(group.len(), 2 | 3))
        }
        "implement" => pack.good_changes(ChangeKind::Stub).next().is_some(),
        "de-duplicate" => !pack.inlines.is_empty(),
        "speed-up" => !pack.slow.is_empty(),
        // What these need, they find out when they draw: a task shows whether there is one.
        _ => template.task(1, 0).is_ok(),
    }
}

/// A template of a kind over the pack, as an author would write it.
fn template(library: &PackLibrary, pack: &str, kind: &str) -> Result<Arc<Template>> {
    let id = format!("pack/{pack}-{kind}");
    let requires = if matches!(kind, "bisect" | "merge") { "python3, git" } else { "python3" };
    let text = format!(
        "schema: synthd/template@2\nid: {id}\ntitle: {kind}\ncategory: pack\ndifficulty: medium\n\
         expected_steps: {{min: 1, max: 60}}\nrequires: [{requires}]\nenvironment: {{image: base}}\n\
         from_pack: {{pack: {pack}, kind: {kind}}}\n"
    );
    let folder = Arc::new(TemplateFolder::single(text.into_bytes()));
    let catalog = Catalog::read_with_packs([(id.as_str(), folder)], library);
    let wrong = || Error::new(Code::PackInvalid, format!("the pack {pack} makes no template"));
    let catalog = catalog.map_err(|_| wrong())?;
    catalog.get(&id).cloned().ok_or_else(wrong)
}
