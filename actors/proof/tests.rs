//! What a proof finds, over fake sandboxes.

use super::{SeedProof, TemplateProver};
use crate::agent::MinimalScaffold;
use crate::model::FaultKind;
use crate::task::Template;
use crate::testkit::{Kit, Options, TEMPLATES, Trap, in_test_system};
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
