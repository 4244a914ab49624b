//! Forgeries that have made checks pass, each with a small template of its own, against the real judge.
//! The forged work must not be solved, and honest work of the same template must be.

use super::lab::{Lab, contained, spec};
use crate::support::skip;
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use synthd::running_engine::run_in_actor_system;
use synthd_actors::agent::MinimalScaffold;
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::SandboxBackend;
use synthd_actors::proof::{SeedProof, TemplateProver};
use synthd_actors::task::Catalog;

/// How many templates are tried at once.
const AT_ONCE: usize = 3;

/// Each template with its forgeries as cheats, and the honest work as its solution.
const FORGERIES: [(&str, &str); 10] = [
    ("forgeries/parent-memory-python", include_str!("forgeries/parent-memory-python.yaml")),
    ("forgeries/parent-memory-shell", include_str!("forgeries/parent-memory-shell.yaml")),
    ("forgeries/parent-command-line", include_str!("forgeries/parent-command-line.yaml")),
    ("forgeries/reference", include_str!("forgeries/reference.yaml")),
    ("forgeries/hollow-tests", include_str!("forgeries/hollow-tests.yaml")),
    ("forgeries/spelled-eval", include_str!("forgeries/spelled-eval.yaml")),
    ("forgeries/linked-outputs", include_str!("forgeries/linked-outputs.yaml")),
    ("forgeries/left-in-tmp", include_str!("forgeries/left-in-tmp.yaml")),
    ("forgeries/appended-line", include_str!("forgeries/appended-line.yaml")),
    ("forgeries/sealed-during-episode", include_str!("forgeries/sealed-during-episode.yaml")),
];

/// Those that are of use wherever a check starts judged code in its own sandbox.
const NEED_A_SHARED_SANDBOX: [&str; 5] = [
    "forgeries/parent-memory-shell",
    "forgeries/parent-command-line",
    "forgeries/reference",
    "forgeries/left-in-tmp",
    "forgeries/appended-line",
];

/// A proof of each template: the solution solves the task, and no cheat does.
fn proofs(catalog: &Catalog) -> Vec<(String, SeedProof)> {
    let proofs = run_in_actor_system(async {
        let backend = Arc::new(Lab::new().await.backend);
        let limits = PoolConfig { warm: 0, ..PoolConfig::default() };
        let (pool, exit) = PoolHandle::start(backend.clone(), limits);
        let prover = TemplateProver {
            pool: pool.clone(),
            spec: Arc::new(spec()),
            scaffold: Arc::new(MinimalScaffold),
            tries_battery: false,
        };
        let each = catalog.iter().map(|template| {
            let prover = prover.clone();
            async move { (template.id.clone(), prover.prove(template, 1).await.unwrap()) }
        });
        let proofs = stream::iter(each).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        pool.shut_down().await;
        backend.settle().await.unwrap();
        drop(exit);
        proofs
    });
    proofs.unwrap()
}

/// Whether the sandbox lacks a program that a template needs, which is said aloud.
fn lacks_programs(proofs: &[(String, SeedProof)], what: &str) -> bool {
    let problems = proofs.iter().flat_map(|(_, proof)| &proof.problems);
    let lacks = problems.into_iter().any(|problem| problem.contains("lacks this program"));
    if lacks {
        skip(what, "a program is missing inside");
    }
    lacks
}

#[test]
fn known_forgeries_are_not_solved_and_honest_work_is() {
    let catalog = Catalog::read(FORGERIES).unwrap();
    let proofs = proofs(&catalog);
    if lacks_programs(&proofs, "known forgeries") {
        return;
    }
    assert_eq!(proofs.len(), FORGERIES.len());
    for (template, proof) in proofs {
        assert!(proof.problems.is_empty(), "{template}: {:#?}", proof.problems);
    }
}

/// The same template in the first format, whose checks start judged code beside themselves.
fn beside_the_judge(text: &str) -> String {
    text.replace("synthd/template@2", "synthd/template@1")
        .replace("/sealed/lib/judged run --stdin -- ", "")
        .replace("/sealed/lib/judged run -- ", "")
        .replace("/sealed/lib/judged read out.txt", "cat out.txt")
}

/// The forgeries are none of straw: where judge and judged share a sandbox, each of them works.
#[test]
fn the_forgeries_work_where_judge_and_judged_share_a_sandbox() {
    if contained() {
        return;
    }
    let shared = FORGERIES.iter().filter(|(id, _)| NEED_A_SHARED_SANDBOX.contains(id));
    let texts: Vec<(&str, String)> =
        shared.map(|(id, text)| (*id, beside_the_judge(text))).collect();
    let catalog = Catalog::read(texts.iter().map(|(id, text)| (*id, text.as_str()))).unwrap();
    let proofs = proofs(&catalog);
    if lacks_programs(&proofs, "forgeries beside the judge") {
        return;
    }
    assert_eq!(proofs.len(), NEED_A_SHARED_SANDBOX.len());
    for (template, proof) in proofs {
        let works = proof.problems.iter().any(|problem| problem.ends_with("solves the task"));
        assert!(works, "{template}: {:#?}", proof.problems);
    }
}

/// Settings of a repository may name programs. Whatever git of a check runs, the next check is as it
/// was laid.
#[test]
fn git_of_a_check_obeys_no_settings_of_the_agent() {
    let text = include_str!("forgeries/settings-of-git.yaml");
    let proofs = proofs(&Catalog::read([("forgeries/settings-of-git", text)]).unwrap());
    if lacks_programs(&proofs, "settings of git") {
        return;
    }
    for (template, proof) in proofs {
        assert!(proof.problems.is_empty(), "{template}: {:#?}", proof.problems);
    }
}
