//! The requests to the models of a draft. They depend only on what was answered before, so a recorded
//! draft asks the same again.

use super::draft_idea::DraftIdea;
use super::draft_machine::{DraftRepair, WrittenDraft};
use super::draft_role::DraftRole;
use crate::model::{ChatMessage, ChatRequest, ChatRole};
use std::collections::BTreeSet;

/// The most tokens of a builder's answer, and of all others.
const BUILDER_TOKENS: u32 = 16_384;
const OTHER_TOKENS: u32 = 4_096;
/// The most findings that are sent back, and the most characters of one.
const MOST_FINDINGS: usize = 20;
const MOST_FINDING: usize = 2_000;

/// What is wanted, and what a builder must know to write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftBrief {
    /// The user's words.
    pub text: String,
    /// The description of the format of templates.
    pub format: String,
    /// The files of a small template, in the form of an answer.
    pub example: String,
}

const IDEATOR: &str = "\
You propose ideas for task templates. A template generates tasks for an agent with a shell in a sandbox
without a network: files of a small project or of data, an instruction, and sealed checks. Propose one idea
that fits the brief, that none of the templates on the list has, whose result a program can check, and that
differs in structure from task to task, not only in names and numbers.
Answer with exactly these three keys, each at the beginning of a line:
id: <category>/<name>      lower-case letters, digits and hyphens
title: <a short title>
idea: <what the agent finds, what it must do, what is checked, which cheats must fail; several lines>";

const BUILDER: &str = "\
You write a task template for the idea. The engine proves it in real sandboxes: the solution and every
alternative score 1, doing nothing and every cheat fail, each check fails for doing nothing or for a cheat,
two renderings give the same bytes, and 40 seeds give at least 20 tasks of different structure. Use `faults`
and `choice` for that. Everything that the checks ask for must stand in the instruction.
Answer with all files of the template. Before each file stands a line with its path; the content stands
between two lines of four tildes:
file: template.yaml
~~~~
schema: synthd/template@2
~~~~
Write `file: PATH (program)` for a file that may be executed. Paths are relative and have only letters,
digits, `-`, `_`, `.` and `/`. If you are given findings, repair all of them and answer with all files again.";

const CRITIC: &str = "\
You review a task template that passed its proof. Look for what a proof does not find: requirements that are
checked and not stated, an instruction that says the answer, a task that needs no look at the files, checks
that refuse honest solutions, facts that are wrong. Do not ask for taste.
Answer with one line `defect: <what is wrong and where>` for each defect, or with the one line `no defects`.";

const SOLVER: &str = "\
You solve a task in a shell. You see only its instruction. Propose the commands that solve it, each in a
block between two lines of four tildes. Each block is run by a POSIX shell in the same workspace, in order;
you see no output. Answer with the blocks alone.";

/// The request for an idea. The ids in `taken` are those of other templates.
pub(super) fn ideate(
    brief: &DraftBrief,
    taken: &BTreeSet<String>,
    mistakes: &[String],
) -> ChatRequest {
    let ids: Vec<String> = taken.iter().map(|id| format!("- {id}")).collect();
    let mut asked = vec![("Brief", brief.text.clone()), ("Templates that exist", ids.join("\n"))];
    asked.extend(mistaken(mistakes));
    request(DraftRole::Ideator, IDEATOR, &asked, OTHER_TOKENS)
}

/// The request for the files of an idea, or for their repair.
pub(super) fn build(brief: &DraftBrief, idea: &DraftIdea, repair: &DraftRepair) -> ChatRequest {
    let mut asked = vec![
        ("Format", brief.format.clone()),
        ("Example", brief.example.clone()),
        ("Brief", brief.text.clone()),
        ("Idea", idea.written()),
    ];
    asked.extend(repair.files.as_ref().map(|files| ("Files", files.written())));
    if !repair.findings.is_empty() {
        asked.push(("Findings", listed(&repair.findings)));
    }
    asked.extend(mistaken(&repair.mistakes));
    request(DraftRole::Builder, BUILDER, &asked, BUILDER_TOKENS)
}

/// The request for the defects of a draft. `instruction` is that of one of its tasks.
pub(super) fn critique(
    draft: &WrittenDraft,
    instruction: &str,
    mistakes: &[String],
) -> ChatRequest {
    let mut asked = vec![
        ("Idea", draft.idea.written()),
        ("Files", draft.files.written()),
        ("Instruction of one task", instruction.to_owned()),
    ];
    asked.extend(mistaken(mistakes));
    request(DraftRole::Critic, CRITIC, &asked, OTHER_TOKENS)
}

/// The request for commands that solve a task.
pub(super) fn solve(instruction: &str) -> ChatRequest {
    let asked = [("Instruction", instruction.to_owned())];
    request(DraftRole::Solver, SOLVER, &asked, OTHER_TOKENS)
}

/// The section with the mistakes of the last answer. None if there are none.
fn mistaken(mistakes: &[String]) -> Option<(&'static str, String)> {
    (!mistakes.is_empty()).then(|| ("Mistakes of your last answer", listed(mistakes)))
}

/// A bounded list.
fn listed(lines: &[String]) -> String {
    let shown = lines.iter().take(MOST_FINDINGS).map(|line| {
        let line: String = line.trim_end().chars().take(MOST_FINDING).collect();
        format!("- {}", line.replace('\n', "\n  "))
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// A request with a system message for the role, and one user message with these sections.
fn request(
    role: DraftRole,
    duty: &str,
    sections: &[(&str, String)],
    max_output_tokens: u32,
) -> ChatRequest {
    let text = |(title, body): &(&str, String)| format!("# {title}\n\n{}\n", body.trim_end());
    let asked: Vec<String> = sections.iter().map(text).collect();
    let system = format!("{}\n\n{duty}", role.headline());
    ChatRequest {
        messages: vec![
            ChatMessage::text(ChatRole::System, system),
            ChatMessage::text(ChatRole::User, asked.join("\n")),
        ],
        tools: Vec::new(),
        max_output_tokens,
        settings: Default::default(),
    }
}
