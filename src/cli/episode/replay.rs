//! `synthd episode replay`: runs the recorded commands of an episode again in a fresh sandbox with
//! the same task. It compares each observation with the recorded one, in the form that the scaffold
//! showed it.
//!
//! No model is asked and nothing is recorded. The command stops at the first difference.

use super::diff::diff;
use super::origin::{EpisodeOrigin, campaign_config, recorded_spec};
use super::record::chosen;
use super::steps::command;
use super::{ensure_turns, find};
use crate::cli::RecordDirs;
use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::terminal::output::{eprint_line, print_json, print_line};
use crate::cli::terminal::terminal_text::{TextStyle, TextStyler, elide_middle, escape_line};
use crate::error::{Code, Error, Result};
use crate::running_engine::{ensure_sandbox, fault_error, store_error};
use crate::sandbox::SandboxBackends;
use crate::store::Store;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent::{Agent, ExternalAgent, Scaffold, Toolbox};
use synthd_actors::model::{
    AttemptNumber, CampaignConfig, EpisodeId, EpisodeRecord, ExecEnd, ExecRequest, Fault,
    PlannedEpisode, SandboxFingerprint, Turn, TurnAction, joined_observation,
};
use synthd_actors::pool::{PoolConfig, PoolHandle, SandboxLease};
use synthd_actors::ports::{Journal, SandboxBackend};
use synthd_actors::work::trajectory::{ActionLimits, matches_recorded, provision_task, run_action};

#[derive(Args)]
#[command(
    after_help = "No model is asked, and nothing is recorded. Output that holds the time, a process id or a \
random name differs every time. Output may also differ on another host.

Examples:
  synthd episode replay ep-4f1c
  synthd episode replay ep-4f1c --attempt 1 --json"
)]
pub(in crate::cli) struct EpisodeReplayArgs {
    /// The episode's id, or a beginning of it that no other episode has
    id: String,
    /// Replay this attempt instead of the newest
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) dirs: RecordDirs,
}

/// The result of a replay; also the document of `--json`.
#[derive(Serialize)]
struct ReplayReport {
    episode: EpisodeId,
    /// The attempt whose commands ran again.
    attempt: AttemptNumber,
    /// Actions that ran again.
    ran: u64,
    /// Actions that ran and are recorded.
    commands: u64,
    /// Whether every observation was the same.
    repeats: bool,
    /// The first observation that differs from the recorded one.
    difference: Option<ReplayDifference>,
    /// What is different from the host on which the episode ran. Such a host may give other output.
    host_changes: Vec<String>,
}

/// One step whose observation differs.
#[derive(Serialize)]
struct ReplayDifference {
    /// The number of the step.
    step: u32,
    /// The actions of the step, one on each line: the command, or the tool with its arguments.
    command: String,
    /// The observation in the record.
    recorded: String,
    /// The observation of the replay.
    found: String,
    /// None if the recorded step has no end of a command.
    recorded_exit_code: Option<i32>,
    /// The exit code of the last command of the step in the replay. None if no command ran.
    found_exit_code: Option<i32>,
}

/// Replays the newest attempt, or the one that was asked for. If there is nothing that could be
/// repeated, it says so; that is no error. The task is rendered again and must be the same, because
/// the commands depend on it.
pub(super) async fn run(store: &Store, args: &EpisodeReplayArgs) -> Result<ExitCode> {
    let episode = find(store, &args.id).await?;
    let id = &episode.plan.id;
    if let Some(why) = no_commands(&episode.plan) {
        print_line(&why);
        return Ok(ExitCode::SUCCESS);
    }
    ensure_turns(store, id).await?;
    let attempts = store.attempts(id).await.map_err(store_error)?;
    let attempt = chosen(&episode, &attempts, args.attempt)?;
    let turns = store.turns(id, attempt).await.map_err(store_error)?;
    let config = campaign_config(store, &episode.plan).await?;
    let origin = EpisodeOrigin::of(&episode.plan, &config, &args.dirs.templates.directories)?;
    let finding = in_sandbox(&episode, attempt, &turns, &config, &origin).await?;
    if args.json {
        print_json(&finding)?;
    }
    report(&finding, args.json)
}

/// Why an episode has no commands that could be repeated. None if it may have some: an external
/// agent issued its own commands in the sandbox, and a completion has none.
fn no_commands(plan: &PlannedEpisode) -> Option<String> {
    let id = &plan.id;
    if id.is_completion() {
        return Some(format!(
            "{id} is a completion: no command ran, so there is nothing to repeat"
        ));
    }
    let is_external = ExternalAgent::is(&plan.scaffold);
    is_external
        .then(|| format!("its agent ran by itself, so there is no command of {id} to repeat"))
}

/// Starts a pool only for the replay, runs it, and removes everything again.
async fn in_sandbox(
    episode: &EpisodeRecord,
    attempt: AttemptNumber,
    turns: &[Turn],
    config: &CampaignConfig,
    origin: &EpisodeOrigin,
) -> Result<ReplayReport> {
    let backend = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let spec = recorded_spec(episode, config, &origin.task);
    ensure_sandbox(&backend, &spec, None).await?;
    let limits = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
    let (pool, exit) = PoolHandle::start(backend.clone(), limits);
    let found = match provision_task(&pool, &origin.task, &Arc::new(spec)).await {
        Ok(lease) => replay(episode, attempt, turns, config, origin, lease).await,
        Err(fault) => Err(fault),
    };
    pool.shut_down().await;
    let settled = backend.settle().await;
    drop(exit);
    let finding = found.map_err(|fault| fault_error(&fault))?;
    settled.map_err(|fault| fault_error(&fault))?;
    Ok(finding)
}

/// Runs the turns one after the other until an observation differs. Later actions depend on
/// earlier ones, so a comparison after the first difference would mean nothing. A fault is a
/// failure of the sandbox.
async fn replay(
    episode: &EpisodeRecord,
    attempt: AttemptNumber,
    turns: &[Turn],
    config: &CampaignConfig,
    origin: &EpisodeOrigin,
    mut lease: SandboxLease,
) -> Result<ReplayReport, Fault> {
    let sandbox = lease.sandbox();
    // An attempt begins with such a command too. It scans the workspace and starts the shell
    // session.
    let look = ExecRequest {
        command: ":".to_owned(),
        session: true,
        timeout: Duration::from_secs(30),
        scan: true,
        output_kept: None,
        joined: false,
    };
    sandbox.exec(&look).await?;
    let host_changes = host_changes(episode.fingerprint.as_ref(), sandbox.fingerprint());
    let commands = turns.iter().flat_map(Turn::ran).count() as u64;
    let time = config.sandbox.limits.command_timeout;
    let limits = ActionLimits { operation: time, left: time };
    let mut again = TurnReplay::new(origin, lease, limits);
    let (mut ran, mut difference) = (0, None);
    for turn in turns {
        difference = again.compare(turn).await?;
        ran += turn.ran().count() as u64;
        if difference.is_some() {
            break;
        }
    }
    let repeats = difference.is_none();
    let episode = episode.plan.id.clone();
    Ok(ReplayReport { episode, attempt, ran, commands, repeats, difference, host_changes })
}

/// Runs the actions of recorded turns again, with tools that remember what the first ones did.
struct TurnReplay {
    scaffold: Arc<dyn Scaffold>,
    tools: Toolbox,
    lease: SandboxLease,
    limits: ActionLimits,
    /// How many stages the task has.
    stages: usize,
}

impl TurnReplay {
    fn new(origin: &EpisodeOrigin, lease: SandboxLease, limits: ActionLimits) -> Self {
        // External agents never come here.
        let scaffold = match &origin.agent {
            Agent::Native(scaffold) => scaffold.clone(),
            external @ Agent::External(_) => external.script_format(),
        };
        let stages = origin.task.stages.len();
        Self { tools: scaffold.tools(), scaffold, lease, limits, stages }
    }

    /// What the agent saw in place of the observation of an action that did not run.
    fn not_run(&self, turn: &Turn) -> &'static str {
        match turn.step.stage_index() {
            Some(at) if at as usize + 1 < self.stages => self.scaffold.not_run_in_stage(),
            _ => self.scaffold.not_run(),
        }
    }

    /// Runs a turn's actions again and compares what the agent would see with what it saw. None if
    /// they are the same, or if nothing ran in the turn.
    async fn compare(&mut self, turn: &Turn) -> Result<Option<ReplayDifference>, Fault> {
        if turn.ran().next().is_none() {
            return Ok(None);
        }
        let (found, end) = match self.scaffold.parse(&turn.reply) {
            Err(error) => (format!("the reply can no longer be read: {error}"), None),
            Ok(calls) => {
                let (mut observed, mut end) = (Vec::new(), None);
                for call in calls.iter().take(turn.ran().count()) {
                    let sandbox = self.lease.sandbox();
                    let done = run_action(sandbox, &mut self.tools, call, self.limits).await?;
                    observed.push(done.action.observation);
                    end = done.action.end.or(end);
                }
                observed.resize(calls.len(), self.not_run(turn).to_owned());
                (joined_observation(observed.iter().map(String::as_str)), end)
            }
        };
        let recorded = turn.step.observation();
        Ok((!matches_recorded(&recorded, &found)).then(|| ReplayDifference {
            step: turn.step.index,
            command: turn.ran().map(shown_action).collect::<Vec<_>>().join("\n"),
            recorded,
            found,
            recorded_exit_code: turn.step.end().map(ExecEnd::exit_code),
            found_exit_code: end.as_ref().map(ExecEnd::exit_code),
        }))
    }
}

/// An action as one text: a command as it is, another tool with its arguments.
fn shown_action(action: &TurnAction) -> String {
    command(action)
        .unwrap_or_else(|| format!("{} {}", action.request.tool, action.request.arguments))
}

/// What differs between the recorded sandbox and this one, as sentences.
fn host_changes(recorded: Option<&SandboxFingerprint>, here: &SandboxFingerprint) -> Vec<String> {
    let Some(then) = recorded else { return Vec::new() };
    let facts = [
        ("backend", &then.backend, &here.backend),
        ("root", &then.root, &here.root),
        ("kernel", &then.kernel, &here.kernel),
        ("shell", &then.shell, &here.shell),
    ];
    let mut changes: Vec<String> = facts
        .iter()
        .filter(|(_, then, here)| then != here)
        .map(|(what, then, here)| format!("{what} was {then} and is {here} now"))
        .collect();
    if then.enforced != here.enforced {
        changes.push("other mechanisms enforce the limits".to_owned());
    }
    changes
}

/// Prints the result. A difference is an error, so that scripts notice it.
fn report(finding: &ReplayReport, json: bool) -> Result<ExitCode> {
    for change in &finding.host_changes {
        eprint_line(&format!("note: {}", escape_line(change)));
    }
    let Some(difference) = &finding.difference else {
        if !json {
            print_line(&all_repeat(finding));
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !json {
        print_line(&text_of(difference));
    }
    let at = format!("step {} of {} gives another output", difference.step, finding.episode);
    Err(Error::new(Code::ReplayDiffers, at)
        .hint("times, process ids and random names differ in every run; other differences matter"))
}

/// The text for a replay without a difference.
fn all_repeat(finding: &ReplayReport) -> String {
    let (id, attempt) = (&finding.episode, finding.attempt);
    match finding.commands {
        _ if attempt == AttemptNumber::default() => format!("{id} has not been tried yet"),
        0 => format!("{id}, attempt {attempt}: no command ran, so there is nothing to repeat"),
        1 => format!("{id}, attempt {attempt}: its one command repeats"),
        count => format!("{id}, attempt {attempt}: all {count} commands repeat"),
    }
}

/// The text for a difference: the step, the command, the exit codes, a diff.
fn text_of(difference: &ReplayDifference) -> String {
    let styler = TextStyler::for_stdout();
    let command = elide_middle(&difference.command, 12).replace('\n', "\n    ");
    let command = styler.styled(TextStyle::Mark, &format!("  $ {command}"));
    let found = difference.found_exit_code;
    let ends = match difference.recorded_exit_code {
        Some(then) if found.is_some_and(|found| found != then) => {
            format!("  exit code {then} was recorded, {} was found\n", found.unwrap_or_default())
        }
        _ => String::new(),
    };
    let diff = diff(styler, &difference.recorded, &difference.found);
    let step = difference.step;
    format!("step {step}\n{command}\n{ends}  - recorded, + found now\n{diff}")
}
