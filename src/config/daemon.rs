//! The daemon's own file: where it keeps things and how much it does at once. Every key has
//! a default, so an empty file, or none, is a working daemon.

use super::LoadedDaemon;
use super::reader::{ConfigReader, RawField};
use super::section::ConfigSection;
use super::units::{DAY, duration, seconds};
use super::values::{ValueFault, ValueResult, choice, some_text, text, whole};
use crate::log_filter;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `synthd serve` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonConfig {
    pub data_dir: PathBuf,
    /// `<data_dir>/synthd.sock` where absent.
    pub socket: Option<PathBuf>,
    /// Episodes at once over all campaigns.
    pub max_episodes: usize,
    /// How long a drain waits for running episodes before they are aborted.
    pub drain_timeout: Duration,
    pub pool: DaemonPoolConfig,
    pub log: LogConfig,
    /// Directories with templates of one's own, beside the embedded ones.
    pub template_dirs: Vec<PathBuf>,
}

/// Sandboxes kept ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonPoolConfig {
    /// Ready sandboxes per specification.
    pub warm: usize,
    /// Sandboxes made at the same time.
    pub parallel_creation: usize,
    /// Age at which a ready sandbox is replaced.
    pub max_age: Duration,
    /// How long sandboxes of a specification that nobody asks for are kept ready.
    pub max_idle: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter as `tracing` takes it.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    Human,
    Json,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./synthd-data"),
            socket: None,
            max_episodes: 64,
            drain_timeout: seconds(30),
            pool: DaemonPoolConfig::default(),
            log: LogConfig::default(),
            template_dirs: vec![],
        }
    }
}

impl Default for DaemonPoolConfig {
    fn default() -> Self {
        Self { warm: 8, parallel_creation: 4, max_age: seconds(600), max_idle: seconds(300) }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl DaemonConfig {
    /// Where the control socket is.
    pub fn socket_path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data_dir.join("synthd.sock"))
    }
}

/// Reads and checks a daemon's file.
pub fn load_daemon(path: &Path) -> Result<LoadedDaemon, super::ConfigErrors> {
    let text = super::source::read(path)?;
    parse_daemon(&path.display().to_string(), &text)
}

/// Checks the text of a daemon's file; `name` is what errors call it.
pub fn parse_daemon(name: &str, source: &str) -> Result<LoadedDaemon, super::ConfigErrors> {
    let config = super::parse(name, source, read)?;
    Ok(LoadedDaemon { config, path: PathBuf::from(name) })
}

pub(super) fn read(mut root: ConfigSection<'_, '_>, reader: &ConfigReader) -> DaemonConfig {
    let default = DaemonConfig::default();
    let mut daemon = root.section("daemon");
    let data_dir = daemon.optional("data_dir", text(path));
    let socket = daemon.optional("socket", text(socket));
    let max_episodes = daemon.optional("max_episodes", whole(1..=100_000));
    let drain_timeout = daemon.optional("drain_timeout", duration(Duration::ZERO..=DAY));
    daemon.finish();
    let config = DaemonConfig {
        data_dir: data_dir.into_option().map_or(default.data_dir, PathBuf::from),
        socket: socket.into_option().map(PathBuf::from),
        pool: read_pool(root.section("pool"), &max_episodes, reader),
        max_episodes: max_episodes.or(default.max_episodes),
        drain_timeout: drain_timeout.or(default.drain_timeout),
        log: read_log(root.section("log")),
        template_dirs: read_dirs(root.section("templates")),
    };
    root.finish();
    config
}

fn read_pool(
    mut section: ConfigSection<'_, '_>,
    most: &RawField<usize>,
    reader: &ConfigReader,
) -> DaemonPoolConfig {
    let default = DaemonPoolConfig::default();
    let warm = section.optional("warm", whole(0..=10_000));
    let parallel = section.optional("parallel_creation", whole(1..=256));
    let max_age = section.optional("max_age", duration(seconds(1)..=DAY));
    let max_idle = section.optional("max_idle", duration(seconds(1)..=DAY));
    section.finish();
    check_warm(&warm, most, reader);
    DaemonPoolConfig {
        warm: warm.or(default.warm.min(most.clone().or(default.warm))),
        parallel_creation: parallel.or(default.parallel_creation),
        max_age: max_age.or(default.max_age),
        max_idle: max_idle.or(default.max_idle),
    }
}

/// Sandboxes that no episode can ever take would only hold memory.
fn check_warm(warm: &RawField<usize>, most: &RawField<usize>, reader: &ConfigReader) {
    let (Some(ready), Some(span)) = (warm.given(), warm.span()) else { return };
    let most = match most {
        RawField::Bad => return,
        most => most.clone().or(DaemonConfig::default().max_episodes),
    };
    if *ready > most {
        let what = format!("`pool.warm` ({ready}) is more than `daemon.max_episodes` ({most})");
        reader.value(
            span,
            ValueFault::new(what).hint(
                "lower `pool.warm` to at most one sandbox per \
                                                  episode",
            ),
        );
    }
}

fn read_log(mut section: ConfigSection<'_, '_>) -> LogConfig {
    let formats =
        [("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
    let level = section.optional("level", text(filter));
    let format = section.optional("format", choice(&formats));
    section.finish();
    LogConfig { level: level.or(LogConfig::default().level), format: format.or(LogFormat::Auto) }
}

fn read_dirs(mut section: ConfigSection<'_, '_>) -> Vec<PathBuf> {
    let dirs = section.list("dirs", 0, text(path));
    section.finish();
    let dirs = dirs.into_option().unwrap_or_default();
    dirs.into_iter().map(|(dir, _)| PathBuf::from(dir)).collect()
}

fn path(value: &str) -> ValueResult<()> {
    some_text(value)?;
    if value.starts_with('~') {
        let fault = ValueFault::new("`~` is not expanded in files");
        return Err(fault.hint("write the whole path, or a path relative to the working directory"));
    }
    Ok(())
}

/// The kernel's limit for a socket's path, without its closing zero.
const MAX_SOCKET: usize = 107;

pub(super) fn socket(value: &str) -> ValueResult<()> {
    path(value)?;
    if value.len() > MAX_SOCKET {
        let fault = ValueFault::new(format!("a socket's path has at most {MAX_SOCKET} bytes"));
        return Err(fault.hint("use a directory with a shorter path, such as /run/user/1000"));
    }
    Ok(())
}

/// A filter for logs.
fn filter(value: &str) -> ValueResult<()> {
    some_text(value)?;
    let told = |bad: log_filter::LogFilterError| ValueFault::new(bad.what).hint(bad.hint);
    log_filter::parse(value).map(|_| ()).map_err(told)
}
