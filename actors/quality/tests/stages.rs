//! Each stage finds what it is there for, does with it what the campaign says, and leaves
//! honest work alone.

use super::{found, good, turn, verdict};
use crate::model::{ActionType, FileSpec, QualityPolicy, StageAction, StopReason, TaskCheck};
use crate::quality::row::FinishedEpisode;
use crate::quality::{ERROR_STEPS, LABELS, MALFORMED_STEPS, SHARED_JUDGE};
use std::sync::Arc;

const PROGRAM: &str = "\
#!/bin/sh
expected=$(cat /sealed/expected.txt) || exit 1
actual=$(sh app/run.sh --quiet) || exit 1
test \"$expected\" = \"$actual\" || exit 1
";

type Pick = fn(&mut QualityPolicy) -> &mut StageAction;

/// The stage is told what to do; the trajectory is one it must find.
fn each_action(stage: &str, pick: Pick, spoil: impl Fn(&mut FinishedEpisode)) {
    for action in [StageAction::Reject, StageAction::Label, StageAction::Off] {
        let mut judged = good();
        judged.policy = off();
        spoil(&mut judged);
        *pick(&mut judged.policy) = action;
        let findings = found(&judged);
        let rejected = findings.rejected.as_ref().map(|rejection| rejection.stage.as_str());
        assert_eq!(rejected, (action == StageAction::Reject).then_some(stage), "{action:?}");
        if stage != "unresolved" {
            let labelled = findings.labels.iter().any(|label| label == stage);
            assert_eq!(labelled, action == StageAction::Label, "{stage} {action:?}");
        }
    }
}

fn off() -> QualityPolicy {
    let off = StageAction::Off;
    QualityPolicy {
        format: off,
        leak: off,
        tampering: off,
        loops: off,
        truncation: off,
        duplicates: off,
        unresolved: off,
        refusal: off,
        loop_length: 3,
    }
}

fn change(judged: &mut FinishedEpisode, change: impl FnOnce(&mut Vec<crate::model::Turn>)) {
    let mut turns = (*judged.turns).clone();
    change(&mut turns);
    judged.turns = Arc::new(turns);
}

/// Sealed files as a template's checks use them.
pub(super) fn seal(judged: &mut FinishedEpisode, files: &[(&str, &str)]) {
    let mut task = (*judged.task).clone();
    task.verification.checks = vec![TaskCheck {
        name: "c".to_owned(),
        weight: 1.0,
        run: "sh /sealed/check.sh".to_owned(),
        part: None,
        compare: None,
    }];
    task.verification.files = files
        .iter()
        .map(|(path, content)| FileSpec {
            path: (*path).to_owned(),
            content: (*content).to_owned(),
            mode: 0o644,
        })
        .collect();
    judged.task = Arc::new(task);
}

#[test]
fn format() {
    let spoils: [fn(&mut FinishedEpisode); 3] = [
        |judged| change(judged, Vec::clear),
        |judged| {
            change(judged, |turns| turns[1].step.actions[0].request.arguments = "[1]".to_owned())
        },
        |judged| change(judged, |turns| turns[1].step.index = 5),
    ];
    for spoil in spoils {
        each_action("format", |policy| &mut policy.format, spoil);
    }
}

#[test]
fn leak_of_the_canary() {
    for place in 0..3 {
        each_action(
            "leak",
            |policy| &mut policy.leak,
            |judged| {
                let canary = judged.task.verification.canary.clone();
                change(judged, |turns| {
                    let step = &mut turns[1].step;
                    match place {
                        0 => step.actions[0].observation = format!("x{canary}y"),
                        1 => step.reasoning = canary,
                        _ => {
                            step.actions[0].request.arguments =
                                format!("{{\"command\":\"echo {canary}\"}}")
                        }
                    }
                });
            },
        );
    }
}

#[test]
fn leak_of_a_sealed_program() {
    each_action(
        "leak",
        |policy| &mut policy.leak,
        |judged| {
            seal(judged, &[("check.sh", PROGRAM)]);
            let indented: Vec<String> = PROGRAM.lines().map(|line| format!("   {line}")).collect();
            change(judged, |turns| turns[1].step.actions[0].observation = indented.join("\n"));
        },
    );
}

#[test]
fn honest_output_is_no_leak() {
    let mut judged = good();
    // Expected results are no program; an honest agent prints them too.
    let result = "total of all orders: $14.00 == paid\n".repeat(4);
    seal(&mut judged, &[("check.sh", PROGRAM), ("expected.txt", &result)]);
    change(&mut judged, |turns| turns[1].step.actions[0].observation = result.clone());
    assert_eq!(found(&judged).rejected, None);
    // Single lines are coincidence.
    let line = PROGRAM.lines().nth(1).unwrap().to_owned();
    change(&mut judged, |turns| turns[1].step.actions[0].observation = line);
    assert_eq!(found(&judged).rejected, None);
    // What the task shows openly is no secret.
    let mut task = (*judged.task).clone();
    task.files.push(FileSpec { path: "x.sh".to_owned(), content: PROGRAM.to_owned(), mode: 0o644 });
    judged.task = Arc::new(task);
    change(&mut judged, |turns| turns[1].step.actions[0].observation = PROGRAM.to_owned());
    assert_eq!(found(&judged).rejected, None);
}

#[test]
fn tampering() {
    for command in ["cat /sealed/check.sh", "ls /sealed", "cp x /sealed/", "cd /sealed && ls"] {
        each_action(
            "tampering",
            |policy| &mut policy.tampering,
            |judged| {
                change(judged, |turns| turns[1] = turn(1, command, ""));
            },
        );
    }
    for command in ["cat /sealed-orders/1", "ls /sealed_bids", "ls /sealedness"] {
        let mut judged = good();
        change(&mut judged, |turns| turns[1] = turn(1, command, ""));
        assert_eq!(found(&judged).rejected, None, "{command}");
    }
}

#[test]
fn loops() {
    let repeat = |times: u32| {
        move |judged: &mut FinishedEpisode| {
            change(judged, |turns| *turns = (0..times).map(|n| turn(n, "get start", "")).collect());
        }
    };
    each_action("loops", |policy| &mut policy.loops, repeat(3));
    let mut judged = good();
    repeat(2)(&mut judged);
    assert!(!found(&judged).labels.contains(&"loops".to_owned()));
    judged.policy.loop_length = 2;
    assert!(found(&judged).labels.contains(&"loops".to_owned()));
}

#[test]
fn truncation() {
    for stop in [StopReason::StepLimit, StopReason::TimeLimit, StopReason::Truncated] {
        each_action("truncation", |policy| &mut policy.truncation, |judged| judged.stop = stop);
    }
}

#[test]
fn unresolved() {
    each_action(
        "unresolved",
        |policy| &mut policy.unresolved,
        |judged| {
            judged.verdict = verdict(false);
        },
    );
    let mut judged = good();
    judged.verdict = verdict(false);
    judged.stop = StopReason::Refused;
    let labels = ["unresolved", "stop:refused", SHARED_JUDGE];
    assert_eq!(found(&judged).labels, labels, "labelled once");
}

#[test]
fn the_first_stage_that_rejects_is_named() {
    let mut judged = good();
    change(&mut judged, |turns| {
        turns[1] = turn(1, "cat /sealed/x", "");
        turns[0].step.index = 5;
    });
    assert_eq!(found(&judged).rejected.unwrap().stage, "format");
}

#[test]
fn an_unreadable_reply_is_a_label_and_costs_no_row() {
    let mut judged = good();
    change(&mut judged, |turns| {
        turns[1].step.actions[0].request.kind = ActionType::Malformed;
        turns[1].step.actions[0].request.arguments = "{\"command\": ".to_owned();
        turns[1].step.actions[0].error = Some("the tool's arguments are not valid JSON".to_owned());
    });
    let findings = found(&judged);
    assert_eq!(findings.rejected, None);
    let labels = ["resolved", "stop:submitted", "error-steps", "malformed-steps", SHARED_JUDGE];
    assert_eq!(findings.labels, labels);
}

#[test]
fn every_label_has_a_meaning() {
    let known: Vec<&str> = LABELS.iter().map(|(label, _)| *label).collect();
    for stop in StopReason::ALL {
        assert!(known.contains(&format!("stop:{}", stop.as_str()).as_str()), "{stop:?}");
    }
    for stage in ["format", "leak", "tampering", "loops", "truncation", "unresolved", "duplicate"] {
        assert!(known.contains(&stage), "{stage}");
    }
    for label in ["resolved", "flaky", "partial", "mixed-models", SHARED_JUDGE] {
        assert!(known.contains(&label), "{label}");
    }
    assert!(known.contains(&ERROR_STEPS) && known.contains(&MALFORMED_STEPS));
}
