//! What each scripted model replies at each turn. It is a pure function of the behaviour, the task,
//! the episode and the turn.

use super::SLOWNESS;
use std::time::Duration;
use synthd_actors::model::{EpisodeId, MoveAction, ScriptedMove, Task, digest_of};

/// What a scripted model does. Its name in a campaign is `scripted/` and
/// [`ScriptedBehaviour::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptedBehaviour {
    /// Plays the template's reference solution.
    Oracle,
    /// Plays the same solution, with commands that look around and commands that fail between its
    /// moves.
    Detour,
    /// Repeats one command until a limit of the episode ends it.
    Loop,
    /// Writes replies that no scaffold can parse: in every second turn, or always.
    Malformed,
    /// Refuses the task, in some episodes after one command.
    Refuse,
    /// Plays one of the template's cheats, or submits at once if the template has none.
    Cheat,
    /// Plays the solution with a short wait before each reply.
    Slow,
    /// Plays the solution behind a service that fails some tries.
    Flaky,
    /// Plays the first third of the solution and then submits.
    GiveUp,
    /// Looks around and then plays the solution.
    LookFirst,
    /// Makes one of the typical mistakes, another one in each episode: it forgets the repair of one
    /// fault, or plays one of the template's cheats.
    Mistakes,
    /// Plays the solution, but writes no more than four lines in one move. The rest is left out.
    FourLines,
    /// The same with sixteen lines.
    SixteenLines,
    /// Repeats the last message. It needs no task.
    Echo,
}

/// One reply of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScriptedReply {
    /// A thought and an action, in the format of the scaffold.
    Move(String, MoveAction),
    /// Text without an action.
    Prose(String),
    /// A tool call with any name and arguments, also invalid ones.
    Call { name: String, arguments: String },
    /// Text that ends as if the output cap had cut it.
    Cut(String),
    /// Text that ends as a refusal of the model.
    Refusal(String),
}

impl ScriptedBehaviour {
    /// Every behaviour; `config` has the same names for campaigns.
    pub const ALL: [Self; 14] = [
        Self::Oracle,
        Self::Detour,
        Self::Loop,
        Self::Malformed,
        Self::Refuse,
        Self::Cheat,
        Self::Slow,
        Self::Flaky,
        Self::GiveUp,
        Self::LookFirst,
        Self::Mistakes,
        Self::FourLines,
        Self::SixteenLines,
        Self::Echo,
    ];

    /// The behaviour's name in a campaign, after `scripted/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oracle => "oracle",
            Self::Detour => "detour",
            Self::Loop => "loop",
            Self::Malformed => "malformed",
            Self::Refuse => "refuse",
            Self::Cheat => "cheat",
            Self::Slow => "slow",
            Self::Flaky => "flaky",
            Self::GiveUp => "give-up",
            Self::LookFirst => "look-first",
            Self::Mistakes => "mistakes",
            Self::FourLines => "lines-4",
            Self::SixteenLines => "lines-16",
            Self::Echo => "echo",
        }
    }

    /// The behaviour of that name, without `scripted/`. None for other names.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name)
    }
}

/// A behaviour in one episode.
pub(super) struct EpisodeScript<'a> {
    behaviour: ScriptedBehaviour,
    task: &'a Task,
    /// A number drawn from the episode's id, so that one behaviour does not do the same in all
    /// episodes.
    salt: u64,
}

/// Thoughts and commands of a detour. The third command fails on purpose.
const LOOKS: [(&str, &str); 4] = [
    ("Let me see where I am first.", "pwd && ls -la"),
    ("How much is there?", "find . -type f | sort | head -n 50"),
    ("Is this what I think it is?", "cat ./no-such-file-here"),
    ("Which tools do I have?", "command -v sh awk sed grep sort; uname -s"),
];

/// How many of the [`LOOKS`] come before a solution.
const FIRST_LOOKS: usize = 2;

impl<'a> EpisodeScript<'a> {
    /// `episode` decides what the behaviour does in this episode where it has a choice.
    pub(super) fn new(behaviour: ScriptedBehaviour, task: &'a Task, episode: &EpisodeId) -> Self {
        let digest = digest_of(&["script", behaviour.name(), episode.as_str()]);
        let salt = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
        Self { behaviour, task, salt }
    }

    /// A pseudo-random number for a turn and a purpose, the same in every run.
    fn drawn(&self, turn: u32, purpose: &str) -> u64 {
        let parts = [purpose, &self.salt.to_string(), &turn.to_string()];
        u64::from_str_radix(&digest_of(&parts)[..15], 16).unwrap_or(0)
    }

    /// How long to wait before the reply.
    pub(super) fn wait(&self, _turn: u32) -> Option<Duration> {
        (self.behaviour == ScriptedBehaviour::Slow).then_some(SLOWNESS)
    }

    /// Whether this try fails. With the flaky service, about a quarter of the calls fail at the
    /// first try, and half of those again at the second. A third try never fails, so every call
    /// succeeds in the end.
    pub(super) fn fails(&self, turn: u32, retry: u32) -> bool {
        self.behaviour == ScriptedBehaviour::Flaky
            && retry < 2
            && self.drawn(turn, "fails") % 8 < 2 - u64::from(retry)
    }

    /// The reply at a turn, counted from zero.
    pub(super) fn line(&self, turn: u32) -> ScriptedReply {
        let turn = turn as usize;
        match self.behaviour {
            ScriptedBehaviour::Oracle | ScriptedBehaviour::Slow | ScriptedBehaviour::Flaky => {
                played(&self.task.solution, turn)
            }
            ScriptedBehaviour::Detour => {
                self.detour().into_iter().nth(turn).unwrap_or_else(submission)
            }
            ScriptedBehaviour::Loop => {
                spoken("I should look again.", MoveAction::Run("ls -la".to_owned()))
            }
            ScriptedBehaviour::Malformed => self.malformed(turn),
            ScriptedBehaviour::Refuse => self.refuse(turn),
            ScriptedBehaviour::Cheat => self.cheat(turn),
            // Never reached by the model, which answers an echo without a script.
            ScriptedBehaviour::Echo => ScriptedReply::Prose(String::new()),
            ScriptedBehaviour::GiveUp => {
                let done = self.task.solution.len() / 3;
                played(&self.task.solution[..done], turn)
            }
            ScriptedBehaviour::LookFirst => match LOOKS[..FIRST_LOOKS].get(turn) {
                Some((think, command)) => spoken(think, MoveAction::Run((*command).to_owned())),
                None => played(&self.task.solution, turn - FIRST_LOOKS),
            },
            ScriptedBehaviour::Mistakes => self.mistake(turn),
            ScriptedBehaviour::FourLines => self.shortened(turn, 4),
            ScriptedBehaviour::SixteenLines => self.shortened(turn, 16),
        }
    }

    /// The solution with a look around before its first move and before about a third of the
    /// others.
    fn detour(&self) -> Vec<ScriptedReply> {
        let mut lines = Vec::new();
        for (at, step) in self.task.solution.iter().enumerate() {
            let drawn = self.drawn(at as u32, "detour");
            if at == 0 || drawn.is_multiple_of(3) {
                // The quotient is used, because the remainder has already decided that there is a
                // detour.
                let (think, command) = LOOKS[(drawn / 3) as usize % LOOKS.len()];
                lines.push(spoken(think, MoveAction::Run(command.to_owned())));
            }
            lines.push(spoken(&step.think, step.action.clone()));
        }
        lines
    }

    /// Half of the episodes play a move of the solution in every second turn. The others never
    /// write anything that can be parsed.
    fn malformed(&self, turn: usize) -> ScriptedReply {
        let recovers = self.salt.is_multiple_of(2);
        if recovers && turn % 2 == 1 {
            return played(&self.task.solution, turn / 2);
        }
        match self.drawn(turn as u32, "malformed") % 4 {
            0 => ScriptedReply::Prose("I will fix this by changing the file.".to_owned()),
            1 => ScriptedReply::Call {
                name: "bash".to_owned(),
                arguments: "{\"command\": \"ls".to_owned(),
            },
            2 => ScriptedReply::Call {
                name: "python".to_owned(),
                arguments: "{\"code\": \"1\"}".to_owned(),
            },
            _ => ScriptedReply::Cut(
                "First I want to think about the whole of this at great".to_owned(),
            ),
        }
    }

    /// Half of the episodes run one command first.
    fn refuse(&self, turn: usize) -> ScriptedReply {
        let after_a_look = self.salt.is_multiple_of(2);
        if after_a_look && turn == 0 {
            let (think, command) = LOOKS[0];
            return spoken(think, MoveAction::Run(command.to_owned()));
        }
        ScriptedReply::Refusal("I can not help with this request.".to_owned())
    }

    /// Plays the mistake that the episode's salt chooses. Without any known mistake it does nothing.
    fn mistake(&self, turn: usize) -> ScriptedReply {
        let mistakes = mistakes(self.task);
        let chosen = (self.salt % mistakes.len().max(1) as u64) as usize;
        mistakes.get(chosen).map_or_else(submission, |moves| played(moves, turn))
    }

    /// The move of the solution at a turn, of which no more than `most` lines are written.
    fn shortened(&self, turn: usize, most: usize) -> ScriptedReply {
        let step = self.task.solution.get(turn);
        step.map_or_else(submission, |step| spoken(&step.think, shortened(&step.action, most)))
    }

    /// Plays the cheat that the episode's salt chooses.
    fn cheat(&self, turn: usize) -> ScriptedReply {
        let cheats = &self.task.verification.cheats;
        match cheats.get((self.salt % cheats.len().max(1) as u64) as usize) {
            Some(cheat) => played(&cheat.moves, turn),
            None => submission(),
        }
    }
}

/// The typical mistakes in a task: the solution without the repair of one fault, and each cheat.
fn mistakes(task: &Task) -> Vec<Vec<ScriptedMove>> {
    let without = |repair: MoveAction| -> Vec<ScriptedMove> {
        task.solution.iter().filter(|step| step.action != repair).cloned().collect()
    };
    let forgotten = task.faults.iter().map(|fault| without(fault.repair()));
    let forgotten = forgotten.filter(|moves| moves.len() < task.solution.len());
    let cheats = task.verification.cheats.iter().map(|cheat| cheat.moves.clone());
    forgotten.chain(cheats).collect()
}

/// An action of which at most `most` lines are written.
fn shortened(action: &MoveAction, most: usize) -> MoveAction {
    let first = |text: &str| text.split_inclusive('\n').take(most).collect::<String>();
    match action {
        MoveAction::Run(command) => MoveAction::Run(first(command)),
        MoveAction::Write { path, content } => {
            MoveAction::Write { path: path.clone(), content: first(content) }
        }
        MoveAction::Edit { .. } | MoveAction::Submit => action.clone(),
    }
}

/// The move of a list at a turn; after the last move, the submission.
fn played(moves: &[ScriptedMove], turn: usize) -> ScriptedReply {
    moves.get(turn).map_or_else(submission, |step| spoken(&step.think, step.action.clone()))
}

/// A thought and an action.
fn spoken(think: &str, action: MoveAction) -> ScriptedReply {
    ScriptedReply::Move(think.to_owned(), action)
}

/// The reply that hands the work in.
fn submission() -> ScriptedReply {
    spoken("The work is done; I hand it in.", MoveAction::Submit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::TaskFault;
    use synthd_actors::task::Catalog;

    const TEMPLATE: &str = "\
schema: synthd/template@1
id: unit/lines
title: Lines
category: unit
difficulty: easy
expected_steps: {min: 1, max: 9}
environment: {}
instruction: Write lines.
solution:
  - run: |
      one
      two
      three
      four
      five
  - {write: {path: out, content: 'short'}}
verification:
  checks: [{name: all, run: 'true'}]
  cheats: [{name: idle, steps: [{run: 'true'}]}]
";

    /// A task whose solution repairs a fault, runs five lines and writes one.
    fn task() -> Task {
        let catalog = Catalog::read([("unit/lines", TEMPLATE)]).unwrap();
        let mut task = catalog.get("unit/lines").unwrap().task(1, 0).unwrap();
        let text = |text: &str| text.to_owned();
        task.faults = vec![TaskFault {
            name: text("sign"),
            variant: text("minus"),
            path: text("sum.sh"),
            right: text("+"),
            wrong: text("-"),
        }];
        let repair = ScriptedMove { think: text("repair"), action: task.faults[0].repair() };
        task.solution.insert(0, repair);
        task
    }

    /// All moves of a behaviour until it submits.
    fn moves(behaviour: ScriptedBehaviour, task: &Task, episode: &str) -> Vec<MoveAction> {
        let script = EpisodeScript::new(behaviour, task, &EpisodeId(episode.to_owned()));
        let action = |turn| match script.line(turn) {
            ScriptedReply::Move(_, action) => action,
            other => panic!("{other:?}"),
        };
        (0..).map(action).take_while(|action| *action != MoveAction::Submit).collect()
    }

    #[test]
    fn every_typical_mistake_is_made_in_some_episode() {
        let task = task();
        let solution: Vec<MoveAction> =
            task.solution.iter().map(|step| step.action.clone()).collect();
        let forgotten = solution[1..].to_vec();
        let cheat = vec![MoveAction::Run("true".to_owned())];
        let made: Vec<Vec<MoveAction>> = (0..20)
            .map(|at| moves(ScriptedBehaviour::Mistakes, &task, &format!("ep-{at}")))
            .collect();
        assert!(made.contains(&forgotten) && made.contains(&cheat), "{made:?}");
        assert!(made.iter().all(|one| *one == forgotten || *one == cheat), "{made:?}");
        let looked = moves(ScriptedBehaviour::LookFirst, &task, "ep-1");
        assert_eq!((looked.len(), &looked[FIRST_LOOKS..]), (5, &solution[..]));
    }

    #[test]
    fn no_more_lines_are_written_than_the_limit() {
        let task = task();
        let short = moves(ScriptedBehaviour::FourLines, &task, "ep-1");
        assert_eq!(short[0], task.solution[0].action, "an edit is one line of thought");
        assert_eq!(short[1], MoveAction::Run("one\ntwo\nthree\nfour\n".to_owned()));
        assert_eq!(short[2], task.solution[2].action);
        let long = moves(ScriptedBehaviour::SixteenLines, &task, "ep-1");
        assert_eq!(long[1], task.solution[1].action);
    }
}
