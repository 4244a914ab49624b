//! Answers that are read and answers that are not, and the way of a draft to each of its ends.

use super::draft_prompts::{self, DraftBrief};
use super::draft_review::{read_commands, read_defects};
use super::fenced_block::fenced_blocks;
use super::*;
use crate::model::{ChatMessage, ChatReply, ChatRole, FinishReason, MoveAction, Usage};
use crate::task::Template;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const IDEA: &str =
    "Here it is.\nid: shell/sum\ntitle: A sum\nidea: Add the numbers.\nAll of them.\n";
const FILES: &str = "Two files:\n\nfile: template.yaml\n~~~~\nid: shell/sum\n~~~~\n\nfile: bin/run.sh (program)\n\n\
                     ```sh\necho '~~~~'\n```\n";

fn reply(text: &str) -> ChatReply {
    let message = ChatMessage::text(ChatRole::Assistant, text);
    ChatReply::new(message, FinishReason::Stop, Usage::default())
}

fn cut(text: &str) -> ChatReply {
    ChatReply { finish: FinishReason::Length, ..reply(text) }
}

fn refusal() -> ChatReply {
    ChatReply { finish: FinishReason::Refusal, ..reply("no") }
}

fn machine(rounds: u32) -> DraftMachine {
    let text = |text: &str| text.to_owned();
    let brief = DraftBrief { text: text("sums"), format: text("yaml"), example: text("none") };
    DraftMachine::new(Arc::new(brief), BTreeSet::from([text("git/undo")]), rounds)
}

/// A machine that was told these answers.
fn told(rounds: u32, answers: &[&str]) -> DraftMachine {
    let mut machine = machine(rounds);
    answers.iter().for_each(|answer| machine.answered(&reply(answer)));
    machine
}

/// The role and the words of the request that comes next.
fn asked(machine: &DraftMachine) -> (DraftRole, String) {
    match machine.step() {
        DraftStep::Ask(role, request) => {
            assert_eq!(DraftRole::of(&request), Some(role));
            (role, request.messages[1].content.clone())
        }
        other => panic!("{other:?}"),
    }
}

fn reason(machine: &DraftMachine) -> GiveUpReason {
    match machine.step() {
        DraftStep::End(DraftEnd::GivenUp(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn solver(machine: &DraftMachine) -> SolverResult {
    match machine.step() {
        DraftStep::End(DraftEnd::Offered(offered)) => offered.solver,
        other => panic!("{other:?}"),
    }
}

fn passed(machine: &mut DraftMachine) {
    assert!(matches!(machine.step(), DraftStep::Gate(_)), "{:?}", machine.step());
    machine.gated(Vec::new(), "Add all numbers.".to_owned());
}

fn mistakes(answer: &str) -> String {
    let found = DraftFiles::parse(answer).unwrap_err();
    found.iter().map(|mistake| format!("{mistake}\n")).collect()
}

#[test]
fn a_draft_goes_its_way_to_an_offer() {
    let mut machine = told(0, &[IDEA]);
    assert_eq!(machine.idea().unwrap().idea, "Add the numbers.\nAll of them.");
    let (role, words) = asked(&machine);
    assert!(role == DraftRole::Builder && words.contains("# Format\n\nyaml\n"), "{words}");
    machine.answered(&reply(FILES));
    passed(&mut machine);
    let (role, words) = asked(&machine);
    assert!(role == DraftRole::Critic && words.contains("Add all numbers."), "{words}");
    machine.answered(&reply("No defects.\n"));
    let (role, words) = asked(&machine);
    assert_eq!((role, words.as_str()), (DraftRole::Solver, "# Instruction\n\nAdd all numbers.\n"));
    machine.answered(&reply("```\nsh bin/run.sh\n```\n"));
    let DraftStep::Try(draft, moves) = machine.step() else { panic!("{:?}", machine.step()) };
    assert_eq!((draft.idea.id.as_str(), draft.files.iter().count()), ("shell/sum", 2));
    assert_eq!(moves[0].action, MoveAction::Run("sh bin/run.sh".to_owned()));
    machine.tried(Some(true));
    assert_eq!(solver(&machine), SolverResult::Solved { commands: 1 });
    assert!(solver(&machine).is_easy() && machine.rounds() == 0);
    machine.out_of_budget();
    assert_eq!(solver(&machine), SolverResult::Solved { commands: 1 }, "an end stays");
}

#[test]
fn findings_go_back_to_the_builder_until_no_round_is_left() {
    let mut machine = told(2, &[IDEA, FILES]);
    machine.gated(vec!["seed 1: the oracle\nfails".to_owned()], String::new());
    let (role, words) = asked(&machine);
    assert_eq!(role, DraftRole::Builder);
    assert!(words.contains("# Findings\n\n- seed 1: the oracle\n  fails\n"), "{words}");
    assert!(words.contains("file: bin/run.sh (program)\n~~~~~\necho '~~~~'\n~~~~~\n"), "{words}");
    // A bad answer to a repair keeps the findings.
    machine.answered(&reply("file: /x\n```\n```\n"));
    let (_, words) = asked(&machine);
    assert!(words.contains("- seed 1") && words.contains("- line 2: the path \"/x\""), "{words}");
    machine.answered(&reply(FILES));
    machine.gated(vec!["worse".to_owned()], String::new());
    assert_eq!(reason(&machine), GiveUpReason::Unproven { problems: vec!["worse".to_owned()] });
    assert_eq!(machine.rounds(), 2);
}

#[test]
fn a_critic_is_heard_and_answered_with_a_new_proof() {
    let mut machine = told(1, &[IDEA, FILES]);
    passed(&mut machine);
    machine.answered(&reply("defect: the format of the output is not stated\n"));
    let (role, words) = asked(&machine);
    assert!(role == DraftRole::Builder && words.contains("is not stated"), "{words}");
    machine.answered(&reply(FILES));
    passed(&mut machine);
    machine.answered(&reply("defect: still"));
    assert_eq!(reason(&machine), GiveUpReason::Objected { defects: vec!["still".to_owned()] });
}

#[test]
fn every_role_has_its_end() {
    let role = DraftRole::Ideator;
    let taken = told(0, &[&IDEA.replace("shell/sum", "git/undo")]);
    let GiveUpReason::Unusable { role: found, mistakes } = reason(&taken) else { panic!() };
    assert_eq!(
        (found, mistakes[0].as_str()),
        (role, "line 2: another template has the id git/undo")
    );
    let mut declined = machine(9);
    declined.answered(&refusal());
    assert_eq!(reason(&declined), GiveUpReason::Refused { role });
    let mut cut_off = told(0, &[IDEA]);
    cut_off.answered(&cut(FILES));
    assert!(reason(&cut_off).lines()[0].contains("cut at the output limit"));
    let mut poor = told(3, &[IDEA, FILES]);
    poor.out_of_budget();
    assert_eq!(poor.step(), DraftStep::End(DraftEnd::OutOfBudget));
    for (answer, expected) in [
        (reply("I would look around."), SolverResult::Untried),
        (refusal(), SolverResult::Untried),
        (cut("```\nls\n```"), SolverResult::Untried),
    ] {
        let mut machine = told(0, &[IDEA, FILES]);
        passed(&mut machine);
        machine.answered(&reply("no defects"));
        machine.answered(&answer);
        assert_eq!(solver(&machine), expected);
    }
}

#[test]
fn files_are_read_with_their_rights() {
    let files = DraftFiles::parse(FILES).unwrap();
    let all: Vec<_> = files.iter().map(|(path, file)| (path, file.executable)).collect();
    assert_eq!(all, [("bin/run.sh", true), ("template.yaml", false)]);
    assert_eq!(DraftFiles::parse(&files.written()).unwrap(), files);
    let template = Template::read("shell/sum", Arc::new(files.folder()));
    assert!(template.is_err(), "it has only an id");
}

#[test]
fn mistakes_have_their_lines() {
    let file = |path: &str| format!("file: template.yaml\n```\n```\nfile: {path}\n```\nx\n```\n");
    for (path, what) in [
        ("../x", "leaves the template's folder"),
        ("a/../../x", "leaves the template's folder"),
        ("a//b", "has an empty part"),
        ("", "has an empty part"),
        (".", "leaves the template's folder"),
        ("/etc/passwd", "is absolute"),
        ("a -> b", "may have only letters"),
        ("a\\b", "may have only letters"),
        ("a\0b", "may have only letters"),
        ("ä", "may have only letters"),
        ("a/b/c/d/e/f/g/h/i", "more than 8 parts"),
        ("template.yaml", "is in the way of \"template.yaml\""),
        ("template.yaml/x", "is in the way of \"template.yaml\""),
    ] {
        let found = mistakes(&file(path));
        assert!(found.starts_with("line 5: ") && found.contains(what), "{path:?}: {found}");
    }
    let long = "a".repeat(121);
    assert!(mistakes(&file(&long)).contains("more than 120 bytes"));
    for (body, what) in [("\u{1b}[2J", "control"), ("\u{fffd}", "UTF-8"), ("a\rb", "control")] {
        let found = mistakes(&format!("file: template.yaml\n```\n{body}\n```\n"));
        assert!(found.starts_with("line 2: template.yaml") && found.contains(what), "{found}");
    }
    let open = mistakes("file: template.yaml\n```\n");
    assert_eq!(open, "line 2: this block is never closed\n");
    let unnamed = mistakes("Look:\n```\nx\n```\n");
    assert_eq!(unnamed, "line 2: no line `file: PATH` stands before this block\n");
    assert!(mistakes("file: x\n```\n```\n").contains("there is no `file: template.yaml`"));
    assert!(mistakes("").contains("there is no `file: template.yaml`"));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let huge = "x".repeat((1 << 20) + 1);
    assert_eq!(mistakes(&huge), "line 1: the answer has 1048577 bytes, more than 1 MiB\n");
    let file = format!("file: template.yaml\n```\n{}\n```\n", "x".repeat(256 << 10));
    assert!(mistakes(&file).contains("more than 256 KiB"));
    let many: String = (0..65).map(|n| format!("file: f{n}\n```\n```\n")).collect();
    assert!(mistakes(&many).contains("a template has at most 64 files"));
    let wrong: String = (0..65).map(|_| "```\n```\n").collect();
    assert_eq!(DraftFiles::parse(&wrong).unwrap_err().len(), 20, "not all are told");
    assert!(read_defects(&huge).is_err() && read_commands(&huge).is_err());
}

#[test]
fn ideas_are_read_strictly() {
    let none = BTreeSet::new();
    let parse =
        |answer: &str| DraftIdea::parse(answer, &none).map_err(|mistake| mistake.to_string());
    let idea = parse(IDEA).unwrap();
    assert_eq!(
        (idea.id.as_str(), idea.category(), idea.title.as_str()),
        ("shell/sum", "shell", "A sum")
    );
    assert_eq!(parse(&idea.written()).unwrap(), idea);
    for (from, to, what) in [
        ("id: shell/sum\n", "", "line 5: no line begins with `id:`"),
        ("shell/sum", "Shell/sum", "line 2: \"Shell/sum\" is no id"),
        ("shell/sum", "../sum", "line 2: \"../sum\" is no id"),
        ("A sum", "", "line 3: the title is empty"),
        ("Add the numbers.\nAll of them.", "", "line 4: the idea is empty"),
    ] {
        let told = parse(&IDEA.replace(from, to)).unwrap_err();
        assert!(told.starts_with(what), "{told}");
    }
    let long = format!("id: a/b\ntitle: t\nidea: {}", "x".repeat(9 << 10));
    assert!(parse(&long).unwrap_err().contains("the idea has 9216 bytes"));
}

#[test]
fn critics_and_solvers_say_what_they_mean() {
    assert_eq!(read_defects("All right:\n no defects.\n"), Ok(Vec::new()));
    let two = read_defects("defect: one\nmore\ndefect: two\ndefect:\n");
    assert_eq!(two, Ok(vec!["one".to_owned(), "two".to_owned()]));
    assert!(read_defects("looks good").is_err() && read_defects("no defects\ndefect: x").is_err());
    let commands = read_commands("~~~~\ncd /tmp\nls\n~~~~\nthen\n```sh\npwd\n```\n").unwrap();
    let run = |text: &str| MoveAction::Run(text.to_owned());
    let actions: Vec<_> = commands.into_iter().map(|step| step.action).collect();
    assert_eq!(actions, [run("cd /tmp\nls"), run("pwd")]);
    let many = "```\nls\n```\n".repeat(41);
    assert!(read_commands(&many).unwrap_err().what.contains("more than 40"));
    assert!(read_commands("ls").is_err() && read_commands("```\na\0b\n```\n").is_err());
}

#[test]
fn a_request_that_is_no_draft_has_no_role() {
    let mut request = draft_prompts::solve("Do it.");
    assert_eq!(DraftRole::of(&request), Some(DraftRole::Solver));
    request.messages.remove(0);
    assert_eq!(DraftRole::of(&request), None);
}

proptest! {
    /// Nothing that a model says has a path that leaves the folder, and nothing makes the parser panic.
    #[test]
    fn no_answer_leads_out(path in "[a./\\\\~-]{0,12}", body in "\\PC{0,20}", fence in "`{2,5}|~{2,5}") {
        let answer = format!("file: template.yaml\n```\n```\nfile: {path}\n{fence}\n{body}\n{fence}\n");
        if let Ok(files) = DraftFiles::parse(&answer) {
            for (path, _) in files.iter() {
                let parts: Vec<&str> = path.split('/').collect();
                prop_assert!(parts.iter().all(|part| !["", ".", ".."].contains(part)), "{}", path);
            }
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "(\\PC|\n|`|~|file: ){0,60}") {
        let blocks = fenced_blocks(&text);
        if let Ok(blocks) = &blocks {
            prop_assert!(blocks.iter().all(|block| text.contains(block.body)));
        }
        let none = BTreeSet::new();
        let _read = (DraftFiles::parse(&text), DraftIdea::parse(&text, &none));
        let _review = (read_defects(&text), read_commands(&text));
    }

    /// What a draft is told decides everything, it ends after a bounded number of answers, and it asks
    /// the same again if it is told the same.
    #[test]
    fn every_draft_ends_and_can_be_played_again(
        rounds in 0_u32..6,
        script in proptest::collection::vec(0_u8..8, 0..60),
    ) {
        let (mut one, mut two) = (machine(rounds), machine(rounds));
        let mut steps = 0_u32;
        for choice in script.iter().cycle().take(100) {
            prop_assert_eq!(one.step(), two.step());
            if matches!(one.step(), DraftStep::End(_)) {
                break;
            }
            steps += 1;
            advance(&mut one, *choice);
            advance(&mut two, *choice);
        }
        prop_assert!(script.is_empty() || matches!(one.step(), DraftStep::End(_)));
        // Six steps lead to an offer, and a round takes at most three more.
        prop_assert!(steps <= 6 + 3 * rounds, "{} steps", steps);
        prop_assert!(one.rounds() <= rounds);
    }
}

/// Tells a machine something that fits its step: bad news for even choices.
fn advance(machine: &mut DraftMachine, choice: u8) {
    let is_bad = choice.is_multiple_of(2);
    match machine.step() {
        DraftStep::Ask(role, _) => {
            let good = match role {
                DraftRole::Ideator => IDEA,
                DraftRole::Builder => FILES,
                DraftRole::Critic => "no defects",
                DraftRole::Solver => "```\nls\n```",
            };
            let bad = if choice == 0 { "defect: x" } else { "nonsense" };
            machine.answered(&reply(if is_bad { bad } else { good }));
        }
        DraftStep::Gate(_) => {
            let problems = if is_bad { vec!["wrong".to_owned()] } else { Vec::new() };
            machine.gated(problems, "Do it.".to_owned());
        }
        DraftStep::Try(..) => machine.tried((!is_bad).then_some(choice == 1)),
        DraftStep::End(_) => {}
    }
}
