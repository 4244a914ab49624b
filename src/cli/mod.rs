//! The command line: one file or folder for each subcommand, and helpers that they share.
//!
//! `main` parses the arguments with clap, runs the command, prints an error, and returns the exit
//! code. The helpers: `output` (stdout and stderr), `layout` and `terminal_text` (tables, untrusted
//! text), `daemon_address` (the control socket), `signals` and `shutdown` (commands that run for
//! long).
//!
//! The doc comments on the argument types are the text of `--help`.

mod call;
mod campaign;
mod campaign_file;
mod check;
mod daemon;
mod dataset;
mod doctor;
mod draw_page;
mod dry_run;
mod episode;
mod estimate;
mod explain;
mod gateway;
mod image;
mod models;
mod money;
mod pack;
mod prices;
mod retry;
mod review;
mod run;
mod schema;
mod store;
mod template;
mod template_calibrate;
mod template_check;
mod template_draft;
mod template_export;
mod template_filter;
mod template_harbor;
mod template_new;
mod template_rates;
mod template_variety;
mod template_watch;
mod terminal;

use crate::error::{Code, Error};
use crate::sandbox::namespace;
use clap::{CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Turns task templates and a budget into verified training data for models that act.
#[derive(Parser)]
#[command(name = "synthd", version, max_term_width = 80, arg_required_else_help = true)]
#[command(after_help = "Examples:
  synthd run config/quickstart.toml        a first dataset, in about a minute
  synthd episode list                      what happened in it
  synthd template list                     the tasks that come with it
  synthd doctor                            what this host can run and enforce

Exit codes: 0 done, 1 unexpected, 2 bad usage or configuration, 3 finished with \
faulted episodes, 4 stopped at the budget, 5 no daemon, 6 the host cannot \
enforce what was asked, 130 interrupted and resumable.")]
struct Cli {
    #[command(flatten)]
    logging: terminal::logging::LogOptions,
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
enum CliCommand {
    /// Run one campaign in the foreground, or resume it
    Run(run::RunArgs),
    /// Try the faulted episodes of a campaign again
    Retry(retry::RetryArgs),
    /// Run the daemon, which takes campaigns over its socket
    Serve(daemon::serve::ServeArgs),
    /// Give a campaign to the daemon
    Submit(daemon::submit::SubmitArgs),
    /// Show the state of the daemon
    Status(daemon::status::StatusArgs),
    /// Follow a campaign to its end
    Watch(daemon::watch::WatchArgs),
    /// Start no more episodes of a campaign; running episodes finish
    #[command(after_help = "Example:\n  synthd pause quickstart")]
    Pause(daemon::control_commands::CampaignControlArgs),
    /// Resume a paused or stopped campaign
    #[command(after_help = "Example:\n  synthd resume quickstart")]
    Resume(daemon::control_commands::CampaignControlArgs),
    /// End a campaign; finished work is kept
    #[command(after_help = "Example:\n  synthd cancel quickstart")]
    Cancel(daemon::control_commands::CampaignControlArgs),
    /// Refuse new work and wait until running episodes have finished
    Drain(daemon::control_commands::DrainArgs),
    /// End the daemon
    Shutdown(daemon::control_commands::ShutdownArgs),
    /// Serve models to other programs, with a budget, limits and a record
    Gateway(gateway::GatewayArgs),
    /// Check a campaign, its host and its models: every error at once
    Check(check::CheckArgs),
    /// Estimate the cost of a campaign: at least, likely, at most
    Estimate(estimate::EstimateArgs),
    /// Explain an error code
    Explain(explain::ExplainArgs),
    /// Show what this host can run and enforce
    Doctor(doctor::DoctorArgs),
    /// Images for sandboxes in containers: build, pull, list, check, prune
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// The templates: list, show, render, check, variety, calibrate, export, new, draft
    #[command(subcommand)]
    Template(template::TemplateCommand),
    /// Projects with tests, which give tasks: list, add, mine, group, check
    #[command(subcommand)]
    Pack(pack::PackCommand),
    /// Models and their prices: list, check, price
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Episodes: list, show, replay, verify
    #[command(subcommand)]
    Episode(episode::EpisodeCommand),
    /// Show the calls of models, byte for byte: list, show
    #[command(subcommand)]
    Call(call::CallCommand),
    /// Campaigns, with or without a daemon: list, show, reverify, archive, unarchive
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// Datasets: build, verify, stats
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// Let people judge rows of a dataset: create, next, show, label, export, stats
    #[command(subcommand)]
    Review(review::ReviewCommand),
    /// Show what a row of a dataset, or a template, consists of
    Schema(schema::SchemaArgs),
    /// The recorded cost of model calls: list, reconcile
    #[command(subcommand)]
    Money(money::MoneyCommand),
    /// The store: stats, verify, backup, restore, prune, vacuum
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Print a completion script for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
}

/// Options several commands share.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DataDir {
    /// The directory of campaigns, steps and datasets
    #[arg(
        long,
        value_name = "DIR",
        env = "SYNTHD_DATA_DIR",
        hide_env_values = true,
        default_value = "./synthd-data"
    )]
    pub(crate) data_dir: PathBuf,
}

/// The name of the user who gives a command, for the record of an adjustment: `USER`, else
/// `LOGNAME`, else the user id.
pub(crate) fn operator() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let named = named.filter(|name| !name.is_empty()).take(1).next();
    named.unwrap_or_else(|| format!("user {}", nix::unistd::geteuid()))
}

/// Directories with templates of one's own.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct TemplateDirs {
    /// A directory of templates beside the shipped ones (may be repeated)
    // Packs may lie in the same directories.
    #[arg(long = "templates", alias = "packs", value_name = "DIR")]
    pub(crate) directories: Vec<PathBuf>,
}

/// The directories of commands that hold what is recorded against today's templates.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RecordDirs {
    #[command(flatten)]
    pub(crate) templates: TemplateDirs,
    #[command(flatten)]
    pub(crate) data: DataDir,
}

/// Runs the whole program and returns its exit code. If the first argument is the launcher's
/// internal command, this process is a sandbox launcher and no command.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == namespace::LAUNCHER_COMMAND) {
        return finish(namespace::run_launcher().map(|()| ExitCode::SUCCESS), false);
    }
    // Looked for in the raw arguments: each command has an option `--json` of its own, and an error
    // of any of them is printed in the same form. Arguments after `--` are no options.
    let json = std::env::args_os().skip(1).take_while(|a| a != "--").any(|a| a == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&terminal::suggest::suggest_command(error, &Cli::command())),
    };
    finish(execute(cli), json)
}

/// Prints help, version, or a mistake in the arguments, and returns the exit code.
fn usage(error: &clap::Error) -> ExitCode {
    // clap reports help and the version as errors too, and knows which stream each belongs to.
    error.print().ok();
    if error.use_stderr() { ExitCode::from(Code::BadUsage.exit_code()) } else { ExitCode::SUCCESS }
}

/// Starts logging and runs the command.
fn execute(cli: Cli) -> Result<ExitCode, Error> {
    // The daemon starts its logs itself, because its file has settings for them.
    if !matches!(cli.command, CliCommand::Serve(_)) {
        let quiet = match &cli.command {
            CliCommand::Run(run) => run.progress.quiet,
            CliCommand::Retry(retry) => retry.progress.quiet,
            _ => false,
        };
        terminal::logging::start(&cli.logging, quiet)?;
    }
    match cli.command {
        CliCommand::Serve(args) => daemon::serve::run(args, &cli.logging),
        CliCommand::Run(args) => run::run(args),
        CliCommand::Retry(args) => retry::run(args),
        CliCommand::Submit(args) => daemon::submit::run(&args),
        CliCommand::Status(args) => daemon::status::run(args),
        CliCommand::Watch(args) => daemon::watch::run(args),
        CliCommand::Pause(args) => daemon::control_commands::pause(args),
        CliCommand::Resume(args) => daemon::control_commands::resume(args),
        CliCommand::Cancel(args) => daemon::control_commands::cancel(args),
        CliCommand::Drain(args) => daemon::control_commands::drain(&args),
        CliCommand::Shutdown(args) => daemon::control_commands::shutdown(&args),
        CliCommand::Gateway(args) => gateway::run(&args),
        CliCommand::Check(args) => check::run(&args),
        CliCommand::Estimate(args) => estimate::run(&args),
        CliCommand::Models(command) => models::run(&command),
        CliCommand::Explain(args) => explain::run(&args),
        CliCommand::Doctor(args) => doctor::run(&args),
        CliCommand::Image(command) => image::run(command),
        CliCommand::Template(command) => template::run(command),
        CliCommand::Pack(command) => pack::run(command),
        CliCommand::Episode(command) => episode::run(&command),
        CliCommand::Call(command) => call::run(&command),
        CliCommand::Campaign(command) => campaign::run(&command),
        CliCommand::Dataset(command) => dataset::run(&command),
        CliCommand::Review(command) => review::run(&command),
        CliCommand::Schema(args) => schema::run(&args),
        CliCommand::Money(command) => money::run(&command),
        CliCommand::Store(command) => store::run(&command),
        CliCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "synthd", &mut script);
            terminal::output::print_bytes(&script);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Turns the result of a command into an exit code. An answer that could not be written to stdout
/// makes a successful command fail.
fn finish(outcome: Result<ExitCode, Error>, json: bool) -> ExitCode {
    let outcome =
        outcome.and_then(|code| terminal::output::take_write_error().map_or(Ok(code), Err));
    outcome.unwrap_or_else(|error| {
        terminal::output::print_error(&error, json);
        ExitCode::from(error.code().exit_code())
    })
}

#[cfg(test)]
mod tests {
    use super::{Cli, CommandFactory};

    fn all(command: clap::Command, found: &mut Vec<clap::Command>) {
        command.get_subcommands().for_each(|below| all(below.clone(), found));
        found.push(command);
    }

    /// Help is wrapped to the terminal. A line that was broken in the source would be broken
    /// a second time in the middle.
    #[test]
    fn prose_in_help_texts_is_not_broken_into_lines() {
        let mut commands = Vec::new();
        all(Cli::command(), &mut commands);
        for command in commands {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                let apart = !prose(pair[0]) || !prose(pair[1]) || pair[0].ends_with(':');
                assert!(apart, "{}: {pair:#?}", command.get_name());
            }
        }
    }
}
