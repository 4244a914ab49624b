//! A template with three stages in real sandboxes: its proof, a campaign over it, and its rows.

use super::campaign::text;
use super::harness::{Ran, synthd_in};
use std::path::Path;
use synthd::store::Store;
use synthd_actors::model::{CampaignName, TrajectoryRow};
use synthd_actors::ports::Journal;

const TEMPLATE: &str = r#"
schema: synthd/template@2
id: my/calculator
title: A calculator in three steps
category: my
difficulty: easy
expected_steps: {min: 5, max: 12}
parameters:
  a: {int: {min: 2, max: 900}}
  b: {int: {min: 2, max: 900}}
faults:
  - {name: sign, file: lib.sh, right: "+", wrong: {minus: "-"}}
environment:
  files: [{path: lib.sh, content: "calc() { echo $(($1 {{ fault.sign }} $2)); }\n"}]
stages:
  - name: mend
    instruction: The function `calc` in lib.sh must print the sum of its arguments. Mend it.
    solution: [{think: The sign is wrong., edit: {fault: sign}}]
    verification:
      files:
        - path: check.sh
          content: |
            found=$(/sealed/lib/judged run -c '. ./lib.sh; calc {{ a }} {{ b }}')
            [ "$found" = {{ a + b }} ] || { echo "expected {{ a + b }}, found $found"; exit 1; }
      run: sh /sealed/check.sh
      cheats: [{name: constant, steps: [{write: {path: lib.sh, content: "calc() { echo 0; }\n"}}]}]
  - name: use
    weight: 2
    turns: 4
    instruction: Write sum.sh, which uses lib.sh and prints the sum of its two arguments.
    solution:
      - {write: {path: sum.sh, content: ". ./lib.sh\ncalc \"$1\" \"$2\"\n"}}
    alternatives:
      - {name: direct, steps: [{write: {path: sum.sh, content: "expr \"$1\" + \"$2\"\n"}}]}
    verification:
      files:
        - path: check.sh
          content: |
            found=$(/sealed/lib/judged run -- sh sum.sh {{ a }} {{ b }})
            [ "$found" = {{ a + b }} ] || { echo "expected {{ a + b }}, found $found"; exit 1; }
      checks: [{name: sums, run: sh /sealed/check.sh}]
      milestones: [{name: begun, present: [sum.sh]}]
      cheats: [{name: zero, steps: [{write: {path: sum.sh, content: "echo 0\n"}}]}]
  - name: result
    instruction: {complete: "Write the sum of {{ a }} and {{ b }} into sum.txt.", terse: "{{ a }} + {{ b }}, in sum.txt."}
    solution: [{run: "sh sum.sh {{ a }} {{ b }} > sum.txt"}]
    verification:
      files:
        - {path: sum.txt, content: "{{ a + b }}\n"}
        - path: check.sh
          content: |
            found=$(/sealed/lib/judged run -c '. ./lib.sh; calc {{ a }} {{ b }}')
            [ "$found" = {{ a + b }} ] || { echo "expected {{ a + b }}, found $found"; exit 1; }
      checks:
        - {name: output, same: {path: sum.txt, as: sum.txt}}
        - {name: still-adds, run: sh /sealed/check.sh}
      cheats:
        - {name: zero, steps: [{run: echo 0 > sum.txt}]}
        - {name: spoiled, steps: [{run: "sh sum.sh {{ a }} {{ b }} > sum.txt; echo 'calc() { echo 0; }' > lib.sh"}]}
"#;

/// A directory with the template, changed by `change`, below `own`.
fn written(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("own/my")).unwrap();
    let file = dir.path().join("own/my/calculator.yaml");
    std::fs::write(file, change(TEMPLATE.trim_start())).unwrap();
    dir
}

/// `template check` of it, for one seed.
fn check(dir: &Path, battery: &str) -> Ran {
    let args = ["template", "check", "my/calculator", "--templates", "own", "--seeds", "1"];
    synthd_in(dir, &[&args[..], &["--battery", battery]].concat())
}

/// The rows of the campaign `staged`, those that a stage of quality rejects included.
fn rows(data: &Path) -> Vec<TrajectoryRow> {
    let store = Store::open_read_only(data).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(store.rows(&CampaignName("staged".to_owned()), None, 99));
    rows.unwrap().iter().map(|row| row.row.as_trajectory().unwrap().clone()).collect()
}

#[test]
fn a_template_with_stages_is_proven_in_real_sandboxes() {
    let dir = written(str::to_owned);
    let ran = check(dir.path(), "first").succeeds();
    assert!(ran.stdout.contains("proven    my/calculator"), "{ran:?}");
    let args = ["template", "show", "my/calculator", "--templates", "own", "--json"];
    let shown = synthd_in(dir.path(), &args).succeeds().document();
    assert_eq!(shown["stages"], serde_json::json!(["mend", "use", "result"]), "{shown:#}");
    assert_eq!(shown["turns"], 6, "{shown:#}");
    assert_eq!(shown["wordings"], serde_json::json!(["result/complete", "result/terse"]));
    let args = ["template", "render", "my/calculator", "--templates", "own", "--seed", "1"];
    let rendered = synthd_in(dir.path(), &args).succeeds().stdout;
    assert!(rendered.contains("## use\n\nWrite sum.sh"), "{rendered}");
}

/// A stage that forgets what came before, and one that is solved already.
#[test]
fn a_stage_that_proves_nothing_is_told() {
    let still = "        - {name: still-adds, run: sh /sealed/check.sh}\n";
    let dir = written(|text| text.replace(still, ""));
    let said = check(dir.path(), "none").fails(1, "SYN-0203").stderr;
    assert!(said.contains("\"result/spoiled\" solves the stage \"result\""), "{said}");
    let output = "        - {name: output, same: {path: sum.txt, as: sum.txt}}\n";
    let dir = written(|text| text.replace(output, ""));
    let said = check(dir.path(), "none").fails(1, "SYN-0203").stderr;
    let idle = "doing nothing solves the stage \"result\" after the oracle's work";
    assert!(said.contains(idle), "{said}");
}

#[test]
fn a_campaign_over_stages_has_rows_that_tell_them() {
    let dir = written(str::to_owned);
    let campaign = text("staged", &["oracle", "give-up"], "my/*");
    std::fs::write(dir.path().join("campaign.toml"), campaign).unwrap();
    let args = ["run", "campaign.toml", "--data-dir", "data", "--templates", "own", "--json"];
    let ran = synthd_in(dir.path(), &args).succeeds().document();
    assert_eq!(ran["episodes"]["resolved"], 1, "{ran:#}");
    synthd_in(dir.path(), &["dataset", "verify", "data/datasets/staged/v1"]).succeeds();
    let rows = rows(&dir.path().join("data"));
    let solved = rows.iter().find(|row| row.llm_model == "oracle").unwrap();
    let stages = |row: &TrajectoryRow| -> Vec<String> {
        row.trajectory.iter().map(|step| step.stage.clone().unwrap()).collect()
    };
    assert_eq!(stages(solved), ["mend", "mend", "use", "use", "result", "result"]);
    let rewards: Vec<f64> = solved.trajectory.iter().map(|step| step.reward).collect();
    assert_eq!(rewards, [0.0, 0.25, 0.5, 0.0, 0.0, 0.25]);
    let names: Vec<&str> =
        solved.verification.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["mend/verified", "use/sums", "result/output", "result/still-adds"]);
    let told = solved.messages.iter().flatten().filter(|message| message.role == "user");
    assert_eq!(told.count(), 3, "the task and two more instructions");
    // It mends the library and hands in nothing more.
    let given_up = rows.iter().find(|row| row.llm_model == "give-up").unwrap();
    assert_eq!(stages(given_up), ["mend", "mend", "use", "result"]);
    // A quarter for the stage `mend`, and half of the last stage: the library still adds.
    assert_eq!((given_up.verification.score, given_up.total_reward), (0.375, 0.375));
    let output = given_up.verification.checks[2].output.as_deref();
    assert_eq!(output, Some("expected the file sum.txt, found nothing"));
    let args = ["episode", "show", &solved.trajectory_id, "--data-dir", "data"];
    let shown = synthd_in(dir.path(), &args).succeeds().stdout;
    assert!(shown.contains("stage use\n") && shown.contains("use/sums"), "{shown}");
    let args = ["campaign", "reverify", "staged", "--data-dir", "data", "--templates", "own"];
    let refused = synthd_in(dir.path(), &args).fails(2, "SYN-0105");
    let why = "not judged, the task has stages, and only its last workspace is kept: 2";
    assert!(refused.stdout.contains(why), "{refused:?}");
}

/// The program is started once for each stage. It begins a conversation of its own each time.
#[test]
fn an_external_agent_plays_stages() {
    let dir = written(str::to_owned);
    let program = include_str!("../python/own_agent.py");
    let campaign = text("staged", &["oracle"], "my/*")
        + &format!(
            "[scaffolds]\nnames = [\"external/own\"]\n[agents.own]\ncommand = '''\n\
             cat > /tmp/agent.py <<'PROGRAM'\n{program}\nPROGRAM\n\
             exec python3 /tmp/agent.py\n'''\n"
        );
    std::fs::write(dir.path().join("campaign.toml"), campaign).unwrap();
    let args = ["run", "campaign.toml", "--data-dir", "data", "--templates", "own", "--json"];
    let ran = synthd_in(dir.path(), &args).succeeds().document();
    assert_eq!((&ran["episodes"]["resolved"], &ran["steps"]), (&1.into(), &6.into()), "{ran:#}");
    let row = rows(&dir.path().join("data")).remove(0);
    let stages: Vec<&str> =
        row.trajectory.iter().map(|step| step.stage.as_deref().unwrap()).collect();
    assert_eq!(stages, ["mend", "mend", "use", "use", "result", "result"]);
    let rewards: Vec<f64> = row.trajectory.iter().map(|step| step.reward).collect();
    assert_eq!(rewards, [0.0, 0.25, 0.5, 0.0, 0.0, 0.25]);
    // The conversation of the last program: it was told its own stage alone.
    let messages = row.messages.unwrap();
    let told: Vec<&str> = (messages.iter().filter(|message| message.role == "user"))
        .map(|message| message.content.as_str())
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("sum.txt") && !told[0].contains("lib.sh"), "{told:?}");
}
