//! Starts the logs of a command. Logs go to stderr, as text for people or as JSON for programs, and
//! never mix with the answer on stdout.

use crate::cli::terminal::output::complain_bytes;
use crate::config::{LogConfig, LogFormat};
use crate::error::{Code, Error, Result};
use crate::log_filter;
use clap::{Args, ValueEnum};
use std::io;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

#[derive(Args, Clone, Debug)]
pub(crate) struct LogOptions {
    /// What to log: a level, or a filter such as `info,synthd=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log_level: Option<String>,
    /// How to log
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormatArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormatArg {
    /// Text for people; JSON if `serve` does not write to a terminal
    Auto,
    Human,
    Json,
}

/// Writes log events to stderr. If there is a progress bar, the events appear above it.
struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        complain_bytes(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Changes the log filter while the program runs. The daemon uses it after SIGHUP.
pub(crate) struct LogFilterHandle {
    handle: reload::Handle<EnvFilter, Registry>,
}

/// The filter of commands without `--log-level`.
const DEFAULT: &str = "warn";
/// The filter with `--quiet`.
const QUIET: &str = "error";

/// Reads the text of `--log-level`. The error is `BadUsage`.
fn filter(text: &str) -> Result<EnvFilter> {
    log_filter::parse(text).map_err(|bad| {
        Error::new(Code::BadUsage, format!("--log-level: {}", bad.what)).hint(bad.hint)
    })
}

/// Starts logging for the rest of a command. `quiet` shows errors only, unless `--log-level` was
/// given.
pub(crate) fn start(options: &LogOptions, quiet: bool) -> Result<LogFilterHandle> {
    let usual = if quiet { QUIET } else { DEFAULT };
    let level = options.log_level.as_deref().unwrap_or(usual);
    begin(level, options.log_format == Some(LogFormatArg::Json))
}

/// Starts logging for a daemon. Options of the command line replace the settings of its file. With
/// the format `auto`, the logs are JSON unless stderr is a terminal.
pub(crate) fn start_daemon(options: &LogOptions, config: &LogConfig) -> Result<LogFilterHandle> {
    let level = options.log_level.as_deref().unwrap_or(&config.level);
    let json = match (options.log_format, config.format) {
        (Some(LogFormatArg::Json), _) | (None, LogFormat::Json) => true,
        (Some(LogFormatArg::Human), _) | (None, LogFormat::Human) => false,
        (Some(LogFormatArg::Auto), _) | (None, LogFormat::Auto) => {
            !crate::cli::terminal::output::stderr_is_terminal()
        }
    };
    begin(level, json)
}

/// Installs the logger. It can be installed once in a process; a second time is an error.
fn begin(level: &str, json: bool) -> Result<LogFilterHandle> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let colours = crate::cli::terminal::output::stderr_is_terminal()
        && !crate::cli::terminal::terminal_text::is_no_color();
    let layer = fmt::layer().with_writer(|| LogWriter).with_ansi(colours);
    let registry = tracing_subscriber::registry().with(filter);
    let started =
        if json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    started.map_err(|e| Error::new(Code::Unexpected, "logging could not start").with_source(e))?;
    Ok(LogFilterHandle { handle })
}

impl LogFilterHandle {
    /// Replaces the filter from now on.
    pub(crate) fn set(&self, level: &str) -> Result<()> {
        let changed = self.handle.reload(filter(level)?);
        changed.map_err(|e| Error::new(Code::Unexpected, "the log filter is gone").with_source(e))
    }
}
