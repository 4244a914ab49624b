//! The files in `config/` are what newcomers copy, so all of them hold what they say.

use super::*;
use crate::config::reading::reader::KnownKeys;
use std::collections::BTreeSet;
use std::fs;
use synthd_actors::model::{CampaignName, DrawAspect};

fn config_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn read(name: &str) -> String {
    fs::read_to_string(config_dir().join(name)).expect(name)
}

/// The keys a reader asks for, straight from the reader.
fn asked(text: &str, read: impl FnOnce(ConfigSection<'_, '_>, &ConfigReader)) -> KnownKeys {
    let table = DeTable::parse(text).expect("valid");
    let reader = ConfigReader::default();
    read(ConfigSection::root(&reader, table.get_ref()), &reader);
    reader.finish().1
}

fn campaign_keys() -> KnownKeys {
    asked("[[models]]", |root, _| drop(RawCampaign::read(root, &OFFER)))
}

/// The text with its optional keys switched on: `#key` and `#[section]`.
fn switched_on(text: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    text.lines().map(|line| on(line) + "\n").collect()
}

/// Every `section.key` written in a file.
fn written(text: &str) -> BTreeSet<String> {
    let table: toml::Table = text.parse().expect("valid");
    let mut keys = BTreeSet::new();
    walk("", &table, &mut keys);
    keys
}

fn walk(path: &str, table: &toml::Table, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys.insert(path.clone());
        match value {
            toml::Value::Table(inner) => walk(&path, inner, keys),
            toml::Value::Array(items) => {
                items.iter().filter_map(toml::Value::as_table).for_each(|t| walk(&path, t, keys));
            }
            _ => {}
        }
    }
}

fn flat(known: KnownKeys) -> BTreeSet<String> {
    let join = |section: &str, key: &str| {
        if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
    };
    known.iter().flat_map(|(s, keys)| keys.iter().map(move |key| join(s, key))).collect()
}

#[test]
fn the_reference_shows_the_defaults() {
    let config = campaign(&read("reference.toml"));
    let expected =
        CampaignConfig { name: CampaignName("reference".to_owned()), ..campaign(MINIMAL) };
    assert_eq!(config, expected);
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let text = switched_on(&read("reference.toml"));
    let mut written = written(&text);
    // Below these the keys are the user's own.
    let own = [
        "sandbox.images.",
        "networks.",
        "providers.",
        "agents.",
        "models.extra.",
        "prompts.",
        "tasks.shares.kind.",
        "tasks.shares.category.",
        "tasks.shares.skill.",
        "tasks.shares.difficulty.",
    ];
    written.retain(|key| !own.iter().any(|above| key.starts_with(above)));
    assert_eq!(written, flat(campaign_keys()));
    // The last section is for another kind of work.
    let (text, completions) = text.split_once("\n[completions]\n").expect("the last section");
    let (text, completions) = (text.to_owned(), completions.to_owned());
    // A runtime is for containers only, a difficulty for tasks that are assigned by it, a
    // fallback for two models, and no scripted model is asked in one way or another. Tasks of
    // containers are not drawn.
    let changes = [
        ("\"namespace\"", "\"docker\""),
        ("assign = \"cross\"", "assign = \"difficulty\""),
        ("reserve = true", "reserve = false"),
        ("\"prompts/system.md\"", "{ file = \"s\", text = \"s\" }"),
        ("\"prompts/instruction.md\"", "{ file = \"i\", text = \"{{ builtin }}\" }"),
        ("\nsamples = 1\n", "\nsamples = 8\n"),
        ("\nper_template = 1\n", "\n"),
        ("\ndraw = \"each\"\n", "\ndraw = \"shares\"\n"),
        ("\nleast = 1\n", "\n"),
        ("\nbetween = [0.2, 0.8]\n", "\n"),
        ("name = \"scripted/oracle\"", "name = \"openrouter/some\""),
        ("thinking_budget = 2048\n", ""),
        ("\"./my-templates\"", "\"/srv/my-templates\""),
        ("\nharbor = [\"./harbor-tasks\"]\n", "\n"),
        ("\nswe = [\"./instances.jsonl\"]\n", "\n"),
        ("\nrefusal = \"label\"\n", "\n"),
    ];
    let text = changes.into_iter().fold(text, |text, (from, to)| text.replace(from, to));
    let config = campaign(&format!("{text}\n[[models]]\nname = \"scripted/echo\"\n"));
    assert_eq!(config.concurrency, 8);
    assert_eq!(config.tasks.draw.share(DrawAspect::Skill, "git.bisect"), Some(100));
    assert!(config.budget.is_some() && !config.models[0].price.is_free());
    let least =
        "[campaign]\nname = \"c\"\nkind = \"completions\"\n[[models]]\nname = \"scripted/echo\"\n";
    let completions = completions.replace("\"prompts.jsonl\"", "\"/srv/prompts.jsonl\"");
    let config = campaign(&format!("{least}[completions]\n{completions}"));
    assert_eq!((config.completions.limit, config.episode.attempts), (Some(1_000), 3));
}

#[test]
fn the_daemon_file_shows_every_default() {
    let text = read("daemon.toml");
    let parsed = parse_daemon("daemon.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(parsed.config, DaemonConfig::default());
    let text = switched_on(&text);
    assert!(parse_daemon("daemon.toml", &text).is_ok());
    assert_eq!(written(&text), flat(asked("", |root, reader| drop(daemon::read(root, reader)))));
}

#[test]
fn the_gateways_file_is_valid_and_shows_every_default() {
    let text = read("gateway.toml");
    let config = parse_gateway("gateway.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let least = "[[models]]\nname = \"scripted/echo\"\n[budget]\nusd = \"5.00\"\n";
    let least = parse_gateway("least.toml", least).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(GatewayConfig { source: least.source.clone(), ..config }, least);
    for (bad, told) in [
        ("listen = \"0.0.0.0:80\"", "every program that reaches this address"),
        ("listen = \"somewhere\"", "not an address"),
        ("listen = \"unix:\"", "listen"),
        ("listen = \"127.0.0.1:1\"\nport = 3", "unknown key `port`"),
    ] {
        let text = format!("[gateway]\n{bad}\n[[models]]\nname = \"scripted/echo\"\n");
        let errors = parse_gateway("bad.toml", &text).expect_err(bad).render();
        assert!(errors.contains(told), "{errors}");
    }
    assert!(parse_gateway("empty.toml", "").is_err());
}

#[test]
fn the_quickstart_is_what_is_promised() {
    let config = campaign(&read("quickstart.toml"));
    let models: Vec<&str> = config.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(models, ["scripted/oracle", "scripted/detour", "scripted/give-up"]);
    assert_eq!((config.name.as_str(), config.tasks.per_template), ("quickstart", 2));
    // Templates that keep a processor busy are not for a first campaign.
    assert_eq!((config.tasks.templates.len(), config.concurrency), (13, 8));
}

#[test]
fn every_file_is_valid_and_named_for_its_campaign() {
    let files = [config_dir(), config_dir().join("examples")];
    let files = files.iter().flat_map(|dir| fs::read_dir(dir).expect("a directory"));
    let paths: Vec<PathBuf> = files.map(|entry| entry.expect("an entry").path()).collect();
    let toml = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let others = ["daemon.toml", "gateway.toml", "prices.toml"];
    let campaigns: Vec<&PathBuf> =
        toml.filter(|path| !others.iter().any(|other| path.ends_with(other))).collect();
    assert!(campaigns.len() >= 5);
    for path in campaigns {
        let loaded = load_campaign(path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(
            path.file_stem().and_then(|stem| stem.to_str()),
            Some(loaded.config.name.as_str())
        );
        assert!(loaded.source.starts_with("# "), "{} explains itself", path.display());
    }
    assert!(load_daemon(&config_dir().join("daemon.toml")).is_ok());
}

/// The recipe that comes with synthd is one.
#[test]
fn the_shipped_recipe_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/recipes/agents.toml");
    let loaded = crate::config::load_recipe(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.recipe.name.as_str(), "agents");
    assert_eq!(loaded.recipe.stages.len(), 6);
}
