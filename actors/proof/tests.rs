//! What a proof finds, over fake sandboxes.

use super::{ReplayProof, SeedProof, TemplateProver};
use crate::agent::MinimalScaffold;
use crate::model::FaultKind;
use crate::task::Template;
use crate::testkit::{Kit, Options, STAGED, TEMPLATES, Trap, in_test_system};
use std::sync::Arc;

fn letter(from: &str, to: &str) -> Template {
    let (id, text) = TEMPLATES[0];
    assert!(text.contains(from));
    Template::parse(id, &text.replace(from, to)).unwrap()
}

fn prover(kit: &Kit) -> TemplateProver {
    let pool = kit.services.pool.clone();
    let scaffold = Arc::new(MinimalScaffold);
    TemplateProver { pool, spec: Arc::default(), scaffold, tries_battery: false }
}

async fn proof(kit: &Kit, template: &Template) -> SeedProof {
    prover(kit).prove(template, 3).await.unwrap()
}

#[test]
fn a_sound_template_is_proven() {
    in_test_system(Options::default(), |kit| async move {
        let proof = proof(&kit, &letter("A letter", "A letter")).await;
        assert_eq!((proof.problems, proof.turns), (Vec::<String>::new(), 4));
    });
}

#[test]
fn every_broken_promise_is_named() {
    for (from, to, problem) in [
        ("run: 'put name me'", "run: 'put name you'", "the oracle does not solve the task: name"),
        (
            "'put letter nothing'}",
            "'put letter {{ word }}'}, {run: 'put name me'}",
            "the cheat \"empty\" solves the task",
        ),
        ("{min: 2, max: 9}", "{min: 5, max: 9}", "outside expected_steps 5 to 9"),
        ("'has letter'", "'has start'", "milestones worth 0.25 hold at the start"),
        ("'has letter'", "'has nothing'", "milestones worth 0 of 0.25"),
        ("'is name me'", "flip", "two verifications give different results"),
        ("'is name me'", "':'", "the check \"name\" proves nothing"),
        (
            "difficulty: easy",
            "difficulty: easy\nrequires: [sh, absent]",
            "the template requires absent,",
        ),
    ] {
        in_test_system(Options::default(), move |kit| async move {
            let problems = proof(&kit, &letter(from, to)).await.problems;
            let named = problems.iter().any(|found| found.contains(problem));
            assert!(named, "{problem}: {problems:?}");
        });
    }
}

#[test]
fn doing_nothing_must_not_be_enough() {
    in_test_system(Options::default(), |kit| async move {
        let text = TEMPLATES[0].1;
        let text = text.replace("is letter {{ word }}", "has start").replace("is name me", ":");
        let template = Template::parse("unit/letter", &text).unwrap();
        let problems = proof(&kit, &template).await.problems;
        assert!(problems.contains(&"doing nothing solves the task".to_owned()), "{problems:?}");
    });
}

fn staged(from: &str, to: &str) -> Template {
    let (id, text) = STAGED;
    assert!(text.contains(from));
    Template::parse(id, &text.replacen(from, to, 1)).unwrap()
}

#[test]
fn a_template_with_stages_is_proven() {
    in_test_system(Options::default(), |kit| async move {
        let proof = proof(&kit, &staged("in three stages", "in stages")).await;
        assert_eq!((proof.problems, proof.turns), (Vec::<String>::new(), 7));
    });
}

#[test]
fn every_broken_promise_of_a_stage_is_named() {
    for (from, to, problem) in [
        (
            "run: 'put name me'",
            "run: 'put name you'",
            "the oracle does not solve the task: sign/verified",
        ),
        (
            "'put letter nothing'}",
            "'put letter {{ word }}'}",
            "the cheat \"copy/empty\" solves the stage \"copy\"",
        ),
        (
            "run: 'put name you'",
            "run: 'put name me'",
            "the cheat \"sign/other\" solves the stage \"sign\"",
        ),
        (
            "'is sent yes'",
            "'is name me'",
            "doing nothing solves the stage \"send\" after the oracle's work in the stages before",
        ),
        ("'is sent yes'", "'has start'", "doing nothing solves the stage \"send\""),
        (
            "'has name'",
            "'has letter'",
            "milestones worth 1 hold at the start of the stage \"sign\" after",
        ),
        ("'has letter'", "'has nothing'", "milestones worth 0 of 1 in \"copy\""),
        ("'is name me'", "flip", "two verifications of \"sign\" give different results"),
        ("{run: 'put start nothing'}", "{run: 'put other nothing'}", "\"copy/moved\" solves"),
        (
            "      cheats:\n        - {name: half, steps: [{run: 'put sent no'}]}\n",
            "",
            "the stage \"send\" has no cheat",
        ),
        (
            "- {name: moved, steps: [{run: 'put letter {{ word }}'}, {run: 'put start nothing'}]}",
            "",
            "the check \"copy/kept\" proves nothing",
        ),
        (
            "{think: sign, run: 'put name me'}",
            "{think: sign, edit: {path: none, search: a, replace: b}}",
            "sign: step 1 does not apply",
        ),
    ] {
        in_test_system(Options::default(), move |kit| async move {
            let problems = proof(&kit, &staged(from, to)).await.problems;
            let named = problems.iter().any(|found| found.contains(problem));
            assert!(named, "{problem}: {problems:?}");
        });
    }
}

/// Told once by who tries several seeds, with its place.
#[test]
fn a_template_that_makes_no_task_is_no_proof() {
    in_test_system(Options::default(), |kit| async move {
        let proof = proof(&kit, &letter("'is name me'", "'is name {{ nobody }}'")).await;
        let error = proof.unusable.unwrap();
        assert_eq!((error.location, error.length), (Some((19, 37)), 6), "{}", error.message);
        assert!(error.message.contains("`verification.checks.1.run`: `nobody`"), "{error}");
        assert_eq!(error.unknown.unwrap().known, ["word"]);
    });
}

#[test]
fn a_fault_of_the_host_is_no_finding() {
    in_test_system(Options::default(), |kit| async move {
        kit.backend.traps().once("exec get start", Trap::Fault(FaultKind::SandboxLost));
        let fault = prover(&kit).prove(&letter("A letter", "B"), 3).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxLost);
    });
}

/// The word of each task is its own.
#[test]
fn the_oracle_of_one_seed_does_not_solve_another() {
    in_test_system(Options::default(), |kit| async move {
        let replay = prover(&kit).replay(&letter("A letter", "B"), 1, 2..=6).await.unwrap();
        assert_eq!(replay, ReplayProof { tries: 5, solved: 0 });
        assert!(replay.holds());
    });
}

/// Also after a move that does not apply.
#[test]
fn an_oracle_that_solves_every_task_is_found_out() {
    in_test_system(Options::default(), |kit| async move {
        let (id, text) = TEMPLATES[0];
        let text = text.replace("put letter {{ word }}", "put letter yes").replace(
            "- {think: look, run: 'get start'}",
            "- {edit: {path: start, search: '{{ word }}', replace: 'seen'}}",
        );
        let text = text.replace("is letter {{ word }}", "is letter yes");
        let template = Template::parse(id, &text).unwrap();
        let replay = prover(&kit).replay(&template, 1, 2..=4).await.unwrap();
        assert_eq!(replay, ReplayProof { tries: 3, solved: 3 });
        assert!(!replay.holds());
    });
}

#[test]
fn less_than_one_of_twenty_may_be_solved() {
    for (solved, tries, holds) in
        [(0, 0, true), (0, 3, true), (1, 3, false), (1, 20, false), (1, 21, true), (2, 40, false)]
    {
        assert_eq!(ReplayProof { tries, solved }.holds(), holds, "{solved} of {tries}");
    }
}
