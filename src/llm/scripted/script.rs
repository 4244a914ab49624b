//! What each scripted model says at each turn: a pure function of task, episode and turn.

use super::SLOWNESS;
use std::time::Duration;
use synthd_actors::model::{EpisodeId, MoveAction, ScriptedMove, Task, digest_of};

/// What a scripted model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptedBehaviour {
    /// Plays the template's reference solution.
    Oracle,
    /// The same, with looks around and failing commands in between.
    Detour,
    /// Repeats one command for ever.
    Loop,
    /// Writes replies no scaffold can read, now and then or always.
    Malformed,
    /// Declines.
    Refuse,
    /// Plays one of the template's cheats.
    Cheat,
    /// The oracle, slowly.
    Slow,
    /// The oracle behind a service that fails now and then.
    Flaky,
    /// Hands its work in before it is done.
    GiveUp,
    /// Says what it was told last; needs no task.
    Echo,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScriptedReply {
    Move(String, MoveAction),
    Prose(String),
    Call { name: String, arguments: String },
    Cut(String),
    Refusal(String),
}

impl ScriptedBehaviour {
    pub const ALL: [Self; 10] = [
        Self::Oracle,
        Self::Detour,
        Self::Loop,
        Self::Malformed,
        Self::Refuse,
        Self::Cheat,
        Self::Slow,
        Self::Flaky,
        Self::GiveUp,
        Self::Echo,
    ];

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
            Self::Echo => "echo",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name)
    }
}

/// A behaviour on one episode.
pub(super) struct EpisodeScript<'a> {
    behaviour: ScriptedBehaviour,
    task: &'a Task,
    /// Tells episodes apart, so that one model does not do the same everywhere.
    salt: u64,
}

const LOOKS: [(&str, &str); 4] = [
    ("Let me see where I am first.", "pwd && ls -la"),
    ("How much is there?", "find . -type f | sort | head -n 50"),
    ("Is this what I think it is?", "cat ./no-such-file-here"),
    ("Which tools do I have?", "command -v sh awk sed grep sort; uname -s"),
];

impl<'a> EpisodeScript<'a> {
    pub(super) fn new(behaviour: ScriptedBehaviour, task: &'a Task, episode: &EpisodeId) -> Self {
        let digest = digest_of(&["script", behaviour.name(), episode.as_str()]);
        let salt = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
        Self { behaviour, task, salt }
    }

    fn drawn(&self, turn: u32, purpose: &str) -> u64 {
        let parts = [purpose, &self.salt.to_string(), &turn.to_string()];
        u64::from_str_radix(&digest_of(&parts)[..15], 16).unwrap_or(0)
    }

    pub(super) fn wait(&self, _turn: u32) -> Option<Duration> {
        (self.behaviour == ScriptedBehaviour::Slow).then_some(SLOWNESS)
    }

    /// A flaky service fails some first tries and some second ones, never a third.
    pub(super) fn fails(&self, turn: u32, retry: u32) -> bool {
        self.behaviour == ScriptedBehaviour::Flaky
            && retry < 2
            && self.drawn(turn, "fails") % 8 < 2 - u64::from(retry)
    }

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
            ScriptedBehaviour::Echo => ScriptedReply::Prose(String::new()),
            ScriptedBehaviour::GiveUp => {
                let done = self.task.solution.len() / 3;
                played(&self.task.solution[..done], turn)
            }
        }
    }

    /// The solution with a look around before about a third of its moves.
    fn detour(&self) -> Vec<ScriptedReply> {
        let mut lines = Vec::new();
        for (at, step) in self.task.solution.iter().enumerate() {
            let drawn = self.drawn(at as u32, "detour");
            if at == 0 || drawn.is_multiple_of(3) {
                let (think, command) = LOOKS[(drawn / 3) as usize % LOOKS.len()];
                lines.push(spoken(think, MoveAction::Run(command.to_owned())));
            }
            lines.push(spoken(&step.think, step.deed.clone()));
        }
        lines
    }

    /// Half the episodes recover after each slip, the others never say anything readable.
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

    fn refuse(&self, turn: usize) -> ScriptedReply {
        let after_a_look = self.salt.is_multiple_of(2);
        if after_a_look && turn == 0 {
            let (think, command) = LOOKS[0];
            return spoken(think, MoveAction::Run(command.to_owned()));
        }
        ScriptedReply::Refusal("I can not help with this request.".to_owned())
    }

    fn cheat(&self, turn: usize) -> ScriptedReply {
        let cheats = &self.task.verification.cheats;
        match cheats.get((self.salt % cheats.len().max(1) as u64) as usize) {
            Some(cheat) => played(&cheat.moves, turn),
            None => submission(),
        }
    }
}

fn played(moves: &[ScriptedMove], turn: usize) -> ScriptedReply {
    moves.get(turn).map_or_else(submission, |step| spoken(&step.think, step.deed.clone()))
}

fn spoken(think: &str, deed: MoveAction) -> ScriptedReply {
    ScriptedReply::Move(think.to_owned(), deed)
}

fn submission() -> ScriptedReply {
    spoken("The work is done; I hand it in.", MoveAction::Submit)
}
