//! One small campaign that most tests look at, run once by the real binary.

use super::harness::{Ran, here, synthd_in};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub const MODELS: [&str; 6] = ["oracle", "give-up", "malformed", "refuse", "cheat", "flaky"];

/// A data directory with a complete campaign named `small`; only to be read.
pub struct Shared {
    pub dir: PathBuf,
    pub ran: Ran,
}

/// The campaign, run by whichever test comes first.
pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let dir = scratch().join("shared");
        std::fs::create_dir_all(&dir).unwrap();
        let ran = run(&dir, "small", &MODELS, &["--json"]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        Shared { dir, ran }
    })
}

impl Shared {
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn dataset(&self) -> PathBuf {
        self.data().join("datasets/small/v1")
    }

    /// Runs a command on the data directory.
    pub fn synthd(&self, args: &[&str]) -> Ran {
        synthd_in(&self.dir, &[args, &["--data-dir", "data"]].concat())
    }

    /// Every episode that `episode list` shows.
    pub fn episodes(&self) -> Vec<serde_json::Value> {
        let document = self.synthd(&["episode", "list", "--json"]).succeeds().document();
        document["episodes"].as_array().unwrap().clone()
    }

    /// The id of the episode of that model and template.
    pub fn id_of(&self, model: &str, template: &str) -> String {
        let model = format!("scripted/{model}");
        let episodes = self.episodes();
        let is = |e: &&serde_json::Value| e["model"] == *model && e["template"] == *template;
        episodes.iter().find(is).unwrap()["id"].as_str().unwrap().to_owned()
    }
}

/// The text of a campaign over the tests' own templates.
pub fn text(name: &str, models: &[&str], template: &str) -> String {
    let models: String =
        models.iter().map(|m| format!("[[models]]\nname = \"scripted/{m}\"\n")).collect();
    format!(
        "[campaign]\nname = \"{name}\"\nseed = 7\nconcurrency = 4\n\
         [tasks]\ntemplates = [\"{template}\"]\nper_template = 1\n{models}\
         [episode]\nmax_turns = 8\n[dataset]\nlicence = \"apache-2.0\"\n"
    )
}

/// Writes and runs a campaign in `dir`, with its data in `dir/data`.
pub fn run(dir: &Path, name: &str, models: &[&str], extra: &[&str]) -> Ran {
    std::fs::write(dir.join("campaign.toml"), text(name, models, "tests/*")).unwrap();
    run_again(dir, extra)
}

/// Runs the campaign in `dir` again.
pub fn run_again(dir: &Path, extra: &[&str]) -> Ran {
    let templates = templates();
    let args =
        ["run", "campaign.toml", "--data-dir", "data", "--templates", templates.to_str().unwrap()];
    synthd_in(dir, &[&args, extra].concat())
}

pub fn templates() -> PathBuf {
    here().join("templates")
}

/// A directory of this process, which is taken away by a later one: statics are not dropped.
fn scratch() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli");
    for entry in std::fs::read_dir(&all).into_iter().flatten().flatten() {
        let alive = Path::new("/proc").join(entry.file_name()).exists();
        if !alive {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
    all.join(std::process::id().to_string())
}

/// A copy of a directory tree, for tests that change it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            // Another test may be looking at the original: its reader's log goes with it.
            match std::fs::copy(entry.path(), target) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}
