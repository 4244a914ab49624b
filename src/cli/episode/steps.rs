//! Writes the steps of an episode to the page of `episode show`: reasoning, action, observation,
//! changed files and reward of each. The marks at the beginning of lines: `$` a command, `>` a tool
//! call, `!` a reply without a usable action, `|` an observation, `=` changed files.

use super::page::EpisodePage;
use super::pruned_turns;
use super::record::FullEpisode;
use crate::cli::terminal::terminal_text::{TextStyle, escape_line};
use std::collections::BTreeMap;
use synthd_actors::agent::ShellTool;
use synthd_actors::model::{
    ActionType, ExecEnd, FileChangeKind, Outcome, RowStep, Step, StepAction, Turn, TurnAction,
    WorkspaceChange, milestone_changes, returns_to_go, rewards,
};

/// The reward of one step.
#[derive(Clone, Copy)]
struct StepRewards {
    /// The reward of the step alone.
    reward: f64,
    /// The return to go: the sum of this reward and all later ones.
    to_go: f64,
}

/// Adds all steps of the attempt that is shown.
pub(super) fn write_steps(page: &mut EpisodePage, whole: &FullEpisode) {
    let rewards = step_rewards(whole);
    for (at, turn) in whole.turns.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| whole.turns.get(before));
        page.gap();
        begun_stage(page, before, turn);
        heading(page, turn);
        thought(page, &turn.step);
        actions(page, &turn.step);
        changes(page, &turn.changes);
        reward(page, &turn.step, rewards.get(at).copied());
        milestones(page, before.map(|before| &before.step), &turn.step);
    }
    if whole.turns.is_empty() {
        page.gap();
        page.line(match pruned_turns(&whole.pruned) {
            Some(why) => why,
            None => "no step was recorded".to_owned(),
        });
    }
}

/// Adds the name of the task stage that begins with a step, and what the agent was told then. `before`
/// is the turn before the step.
fn begun_stage(page: &mut EpisodePage, before: Option<&Turn>, turn: &Turn) {
    let index = before.and_then(|before| before.step.stage_index());
    let stage = turn.step.stage.as_ref().filter(|stage| Some(stage.index) != index);
    let Some(stage) = stage else { return };
    let name = format!("stage {}", escape_line(&stage.name));
    page.line(page.styler.styled(TextStyle::Strong, &name));
    if let Some(told) = before.and_then(|before| before.messages.last()) {
        page.block("  ", "  ", None, told.content.trim_end());
    }
    page.gap();
}

/// The rewards of the steps. If there is a row, they are taken from it, so that both say the same.
/// An empty list means that there is no score: no verdict yet, a fault, or an older attempt.
fn step_rewards(whole: &FullEpisode) -> Vec<StepRewards> {
    let same_attempt = whole.attempt == whole.episode.attempt;
    let row = whole.judged.as_ref().filter(|_| same_attempt);
    if let Some(judged) = row {
        let of_step =
            |step: &RowStep| StepRewards { reward: step.reward, to_go: step.return_to_go };
        let steps = judged.row.as_trajectory().map(|row| row.trajectory.iter());
        return steps.into_iter().flatten().map(of_step).collect();
    }
    let Some(Outcome::Judged { verdict, .. }) = &whole.episode.outcome else { return Vec::new() };
    if !same_attempt {
        return Vec::new();
    }
    let steps: Vec<Step> = whole.turns.iter().map(|turn| turn.step.clone()).collect();
    let rewards = rewards(&steps, if verdict.flaky { 0.0 } else { verdict.score });
    let returns = returns_to_go(&rewards);
    rewards
        .iter()
        .zip(returns)
        .map(|(reward, to_go)| StepRewards { reward: *reward, to_go })
        .collect()
}

/// Adds the first line of a step: number, working directory, how the command ended, the time, and
/// the number of model calls if it was more than one.
fn heading(page: &mut EpisodePage, turn: &Turn) {
    let step = &turn.step;
    let name = page.styler.styled(TextStyle::Strong, &format!("step {}", step.index));
    let cwd = page.styler.styled(TextStyle::Faint, &escape_line(&step.state.cwd));
    let end = step.end().map(|end| format!("  {}", ending(page, end))).unwrap_or_default();
    let calls =
        if turn.calls > 1 { format!("  {} model calls", turn.calls) } else { String::new() };
    page.line(format!("{name}  {cwd}{end}  {} ms{calls}", step.took_ms()));
}

/// How a command ended, in a few words. Success is green, everything else is red.
fn ending(page: &EpisodePage, end: &ExecEnd) -> String {
    let text = match end {
        ExecEnd::Exited(code) => format!("exit {code}"),
        ExecEnd::Signaled(signal) => format!("killed by signal {signal}"),
        ExecEnd::TimedOut => "out of time".to_owned(),
        ExecEnd::CpuLimit => "out of processor time".to_owned(),
        ExecEnd::OutOfMemory => "out of memory".to_owned(),
        ExecEnd::OutputLimit => "too much output".to_owned(),
        ExecEnd::NotStarted(why) => format!("not started: {}", escape_line(why)),
    };
    page.styler.styled(if end.success() { TextStyle::Good } else { TextStyle::Bad }, &text)
}

/// Adds the model's reasoning.
fn thought(page: &mut EpisodePage, step: &Step) {
    if !step.reasoning.trim().is_empty() {
        page.block("  ", "  ", None, step.reasoning.trim());
    }
}

/// Adds each action with what the agent was shown after it. With several actions, each is followed
/// by its own observation, and by how it ended if it is not the last one.
fn actions(page: &mut EpisodePage, step: &Step) {
    for (at, action) in step.actions.iter().enumerate() {
        action_line(page, action);
        if let Some(end) = action.end.as_ref().filter(|_| at + 1 < step.actions.len()) {
            let end = ending(page, end);
            page.line(format!("    {end}"));
        }
        observation(page, action);
    }
}

/// Adds what the model wanted to do: a command, a tool call, a refusal, or a reply that could not
/// be read. A text without a call adds no line.
fn action_line(page: &mut EpisodePage, action: &TurnAction) {
    let (first, style, text) = match (action.request.kind, command(action)) {
        (ActionType::ToolCall | ActionType::Submit, Some(command)) => {
            ("  $ ", TextStyle::Mark, command)
        }
        (ActionType::Submit, None) if action.request.tool.is_empty() => return,
        (ActionType::ToolCall | ActionType::Submit, None) => {
            ("  > ", TextStyle::Mark, asked(action))
        }
        (ActionType::Message, _) => return,
        (ActionType::Refusal, _) => ("  ! ", TextStyle::Warn, "the model declined".to_owned()),
        (ActionType::Malformed, _) => ("  ! ", TextStyle::Warn, unread(action)),
    };
    page.block(first, "    ", Some(style), &text);
}

/// The command of an action that ran in the shell of a native agent.
pub(super) fn command(action: &TurnAction) -> Option<String> {
    let is_shell = action.ran && action.request.tool == ShellTool::NAME;
    is_shell.then(|| ShellTool::command(&action.request.arguments).ok()).flatten()
}

/// A tool call as text. If its only argument is a text, that text is shown instead of the JSON.
fn asked(action: &TurnAction) -> String {
    let StepAction { tool, arguments, .. } = &action.request;
    let only = serde_json::from_str::<BTreeMap<String, String>>(arguments)
        .ok()
        .filter(|fields| fields.len() == 1)
        .and_then(|fields| fields.into_values().next());
    format!("{tool}: {}", only.as_ref().unwrap_or(arguments))
}

/// A reply that could not be turned into an action: the reason, then the reply as the model wrote
/// it.
fn unread(action: &TurnAction) -> String {
    let why = action.error.as_deref().unwrap_or("the reply could not be read");
    let StepAction { tool, arguments, .. } = &action.request;
    if tool.is_empty() {
        return why.to_owned();
    }
    format!("{why}\n{tool} {arguments}")
}

/// Adds what the agent was shown after an action.
fn observation(page: &mut EpisodePage, action: &TurnAction) {
    if !action.observation.trim().is_empty() {
        page.block("  | ", "  | ", Some(TextStyle::Faint), &action.observation);
    }
    if action.truncated {
        page.line("  the output was cut when it was recorded");
    }
}

/// Adds the files that the step added (`+`), changed (`~`) or removed (`-`); the first six by name.
fn changes(page: &mut EpisodePage, changes: &[WorkspaceChange]) {
    const NAMED: usize = 6;
    if changes.is_empty() {
        return;
    }
    let named = changes.iter().take(NAMED).map(|change| {
        let sign = match change.kind {
            FileChangeKind::Added => '+',
            FileChangeKind::Modified => '~',
            FileChangeKind::Removed => '-',
        };
        format!("{sign}{}", escape_line(&change.path))
    });
    let mut text = named.collect::<Vec<_>>().join("  ");
    if changes.len() > NAMED {
        text.push_str(&format!("  and {} more", changes.len() - NAMED));
    }
    page.block("  = ", "    ", Some(TextStyle::Faint), &text);
}

/// Adds the reward of a step. Milestones are shown even if there is no reward yet.
fn reward(page: &mut EpisodePage, step: &Step, rewards: Option<StepRewards>) {
    let text = match rewards {
        Some(StepRewards { reward, to_go }) => {
            format!("reward {reward:+.3}, to go {to_go:+.3}, milestones {:.3}", step.potential)
        }
        None => format!("no reward yet, milestones {:.3}", step.potential),
    };
    page.line(format!("  {}", page.styler.styled(TextStyle::Faint, &text)));
}

/// Adds the milestones that hold since the step (`+`) and those that no longer do (`-`).
fn milestones(page: &mut EpisodePage, before: Option<&Step>, step: &Step) {
    let changed = milestone_changes(before, step).unwrap_or_default();
    for name in &changed {
        page.block("  milestone ", "    ", Some(TextStyle::Faint), name);
    }
}
