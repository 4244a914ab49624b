//! Why a row is not in an export, and what of a row an export does not have. Both are counted and
//! printed, so nothing is lost in silence.

use std::collections::BTreeSet;

/// Why a row is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LeftReason {
    /// No record has the conversation of the row.
    NoMessages,
    /// The conversation has no reply of the row's model.
    NoReply,
    /// Nobody judged the row.
    NoVerdict,
    /// Two verifications disagreed.
    FlakyVerdict,
    /// The arguments of a call are no JSON object, or one that not every reader takes: a key stands
    /// there twice, or half a surrogate pair.
    OddArguments,
    /// The tools are no JSON list, or one that not every reader takes.
    OddTools,
    /// A result does not say which call it answers.
    NamelessResult,
    /// The format has no place for tool calls.
    ToolCalls,
    /// A message has text beside its calls, and the format has no place for both.
    TextBesideCalls,
    /// The format has the system message before all others.
    LateSystem,
    /// The format wants a reply after each message, and the other way round.
    NoTurns,
    /// A message has a role that the format does not know.
    OddRole,
    /// The reasoning contains the mark with which the format ends it.
    MarkedReasoning,
    /// A message with calls contains a mark with which the format finds them.
    MarkedCalls,
    /// No other row of the same task makes a pair with it, or is better or worse than it.
    NoPair,
    /// Another row of the same task has the same messages.
    SameText,
    /// Another row has the same prompt of the same task, and the format has each task once.
    SameTask,
    /// Nothing says how an answer to the prompt is judged.
    NoTruth,
    /// No record has the milestones of the row.
    NoMilestones,
    /// The replies of the conversation are not those of the steps, one to one.
    OddSteps,
    /// The id of the row cannot be the name of a file, or another row has it.
    OddId,
    /// The time at which the row's work ended cannot be read.
    OddTime,
    /// The row cannot be written as JSON.
    NoJson,
}

impl LeftReason {
    /// The word in documents.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NoMessages => "no-messages",
            Self::NoReply => "no-reply",
            Self::NoVerdict => "no-verdict",
            Self::FlakyVerdict => "flaky-verdict",
            Self::OddArguments => "odd-arguments",
            Self::OddTools => "odd-tools",
            Self::NamelessResult => "nameless-result",
            Self::ToolCalls => "tool-calls",
            Self::TextBesideCalls => "text-beside-calls",
            Self::LateSystem => "late-system",
            Self::NoTurns => "no-turns",
            Self::OddRole => "odd-role",
            Self::MarkedReasoning => "marked-reasoning",
            Self::MarkedCalls => "marked-calls",
            Self::NoPair => "no-pair",
            Self::SameText => "same-text",
            Self::SameTask => "same-task",
            Self::NoTruth => "no-truth",
            Self::NoMilestones => "no-milestones",
            Self::OddSteps => "odd-steps",
            Self::OddId => "odd-id",
            Self::OddTime => "odd-time",
            Self::NoJson => "no-json",
        }
    }
}

/// What of a row an export does not have, though the row is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LostPart {
    /// What the model thought.
    Reasoning,
    /// The ids of calls, and which call a result answers.
    CallIds,
    /// The names of the tools of results.
    ResultNames,
    /// Which replies are those of the row's model, where there are others.
    OtherReplies,
    /// The messages after the last reply: the format ends with a reply.
    LastMessages,
    /// Which of several messages a part of a text is, and whose.
    Roles,
    /// The tools that the model was given.
    Tools,
    /// What each reply cost and earned: the replies are not those of the steps, one to one.
    Metrics,
}

impl LostPart {
    /// The word in documents.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reasoning => "reasoning",
            Self::CallIds => "call-ids",
            Self::ResultNames => "result-names",
            Self::OtherReplies => "other-replies",
            Self::LastMessages => "last-messages",
            Self::Roles => "roles",
            Self::Tools => "tools",
            Self::Metrics => "metrics",
        }
    }
}

/// The parts of a row that an export does not have.
pub(super) type LostParts = BTreeSet<LostPart>;

/// A row in the form of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportedRow {
    /// One line of JSON, without its end; several if the row has a file of its own.
    pub(super) line: String,
    pub(super) lost: LostParts,
    /// Of the rows of a split with the same key only the first one is written. The others are left
    /// out for this reason.
    pub(super) once: Option<(String, LeftReason)>,
    /// The name of the row's own file, in a directory of its split.
    pub(super) own_file: Option<String>,
}

impl ExportedRow {
    /// A row with this line.
    pub(super) fn new(line: String, lost: LostParts) -> Self {
        Self { line, lost, once: None, own_file: None }
    }

    /// The row that a value is written as.
    pub(super) fn of(value: &impl serde::Serialize, lost: LostParts) -> Result<Self, LeftReason> {
        let line = serde_json::to_string(value).map_err(|_| LeftReason::NoJson)?;
        Ok(Self::new(line, lost))
    }
}
