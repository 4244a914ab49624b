//! The configuration of the daemon (`synthd serve`): where it keeps its data and how much it does
//! at the same time. Every key has a default, so the daemon also runs with an empty file or without
//! a file. `config/daemon.toml` explains each key.

use crate::config::LoadedDaemon;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::units::{DAY, duration, seconds};
use crate::config::reading::values::{ValueFault, ValueResult, choice, some_text, text, whole};
use crate::config::retention;
use crate::log_filter;
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::model::RetentionRules;

/// What `synthd serve` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonConfig {
    /// The directory of the store and of everything else that the daemon keeps.
    pub data_dir: PathBuf,
    /// The control socket. None means `synthd.sock` in the data directory.
    pub socket: Option<PathBuf>,
    /// Episodes at the same time, over all campaigns.
    pub max_episodes: usize,
    /// How long a shutdown waits for running episodes before it aborts them.
    pub drain_timeout: Duration,
    pub pool: DaemonPoolConfig,
    pub log: LogConfig,
    /// Directories with the user's own templates, in addition to the built-in ones.
    pub template_dirs: Vec<PathBuf>,
    /// How long the record of campaigns is kept that say nothing themselves.
    pub retention: RetentionRules,
}

/// How many sandboxes are kept ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonPoolConfig {
    /// The most ready sandboxes for each specification.
    pub warm: usize,
    /// Sandboxes that are created at the same time.
    pub parallel_creation: usize,
    /// A ready sandbox of this age is replaced.
    pub max_age: Duration,
    /// How long sandboxes of a specification that nobody asks for are kept ready.
    pub max_idle: Duration,
}

/// What is logged, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter in the syntax of `tracing`, such as `info` or `synthd=debug,warn`.
    pub level: String,
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable on a terminal, JSON otherwise.
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
            retention: RetentionRules::default(),
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
    /// The path of the control socket.
    pub fn socket_path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data_dir.join("synthd.sock"))
    }
}

/// Reads and checks a daemon's file.
pub fn load_daemon(path: &Path) -> Result<LoadedDaemon, crate::config::ConfigErrors> {
    let text = crate::config::reading::source::read(path)?;
    parse_daemon(&path.display().to_string(), &text)
}

/// Checks the text of a daemon's file. `name` is what errors call it.
pub fn parse_daemon(name: &str, source: &str) -> Result<LoadedDaemon, crate::config::ConfigErrors> {
    let config = crate::config::parse(name, source, read)?;
    Ok(LoadedDaemon { config, path: PathBuf::from(name) })
}

/// Reads the whole file. The result may only be used if no problem was reported.
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
        retention: retention::read(root.section("retention")),
    };
    root.finish();
    config
}

/// Reads `[pool]`. `most` is the limit of episodes: the default number of ready sandboxes is not
/// larger than that.
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

/// Reports more ready sandboxes than episodes. The others could never be used and would only take
/// memory.
fn check_warm(warm: &RawField<usize>, most: &RawField<usize>, reader: &ConfigReader) {
    let (Some(ready), Some(span)) = (warm.given(), warm.span()) else { return };
    let most = match most {
        // The limit is wrong and was already reported, so nothing can be compared with it.
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

/// Reads `[log]`.
fn read_log(mut section: ConfigSection<'_, '_>) -> LogConfig {
    let formats =
        [("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
    let level = section.optional("level", text(filter));
    let format = section.optional("format", choice(&formats));
    section.finish();
    LogConfig { level: level.or(LogConfig::default().level), format: format.or(LogFormat::Auto) }
}

/// Reads the template directories of `[templates]`.
fn read_dirs(mut section: ConfigSection<'_, '_>) -> Vec<PathBuf> {
    let dirs = section.list("dirs", 0, text(path));
    section.finish();
    let dirs = dirs.into_option().unwrap_or_default();
    dirs.into_iter().map(|(dir, _)| PathBuf::from(dir)).collect()
}

/// Checks a path. A shell expands `~`, a file does not.
fn path(value: &str) -> ValueResult<()> {
    some_text(value)?;
    if value.starts_with('~') {
        let fault = ValueFault::new("`~` is not expanded in files");
        return Err(fault.hint("write the whole path, or a path relative to the working directory"));
    }
    Ok(())
}

/// The kernel's limit for the path of a Unix socket, in bytes, without the zero at its end.
const MAX_SOCKET: usize = 107;

/// Checks the path of a Unix socket.
pub(super) fn socket(value: &str) -> ValueResult<()> {
    path(value)?;
    if value.len() > MAX_SOCKET {
        let fault = ValueFault::new(format!("a socket's path has at most {MAX_SOCKET} bytes"));
        return Err(fault.hint("use a directory with a shorter path, such as /run/user/1000"));
    }
    Ok(())
}

/// Checks a filter for logs, so that a mistake is found before the daemon starts.
fn filter(value: &str) -> ValueResult<()> {
    some_text(value)?;
    let told = |bad: log_filter::LogFilterError| ValueFault::new(bad.what).hint(bad.hint);
    log_filter::parse(value).map(|_| ()).map_err(told)
}
