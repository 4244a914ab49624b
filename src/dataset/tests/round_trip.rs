//! Any row survives Parquet unchanged.

use super::super::read::for_each_row;
use super::super::writer::{ShardLimits, SplitWriter};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use synthd_actors::model::*;
use tempfile::tempdir;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), any::<String>(), "[a-z\u{0}\n\"\\\\🦀]{0,40}"]
}

fn money() -> impl Strategy<Value = Money> {
    any::<u64>().prop_map(Money::from_nanos)
}

prop_compose! {
    fn step()(
        (step, cwd, files) in (any::<i32>(), text(), vec(text(), 0..4)),
        (kind, tool, arguments) in (text(), text(), text()),
        (observation, reasoning, error) in (text(), text(), option::of(text()).boxed()),
        (reward, return_to_go) in (any::<f64>(), any::<f64>()),
        (done, truncated, exit_code) in (any::<bool>(), any::<bool>(), option::of(any::<i32>())),
        (input_tokens, output_tokens) in any::<(Option<i64>, Option<i64>)>(),
        (duration_ms, model_ms) in (any::<i64>(), option::of(any::<i64>())),
        (finish_reason, calls) in (option::of(text()), option::of(any::<i32>())),
        (cost_usd, stage) in (money(), option::of(text())),
        (actions, milestones_changed) in
            (option::of(vec(step_action(), 0..3)).boxed(), option::of(vec(text(), 0..3)).boxed()),
        (model_version, fallback_model) in (option::of(text()), option::of(text())),
        (cached_tokens, reasoning_tokens, prompt_kept) in
            any::<(Option<i64>, Option<i64>, Option<i32>)>(),
        (prompt_token_ids, token_ids, logprobs) in (
            option::of(vec(any::<i32>(), 0..4)).boxed(),
            option::of(vec(any::<i32>(), 0..4)).boxed(),
            option::of(vec(any::<f64>(), 0..4)).boxed(),
        ),
    ) -> RowStep {
        RowStep {
            step,
            state: RowState { cwd, files },
            action: RowAction { kind, tool, arguments },
            observation, reward, reasoning, return_to_go, done, error, exit_code, truncated,
            input_tokens, output_tokens, cost_usd, duration_ms, model_ms, finish_reason, calls,
            actions, milestones_changed, stage, model_version, fallback_model, cached_tokens,
            reasoning_tokens, prompt_kept, prompt_token_ids, token_ids, logprobs,
        }
    }
}

prop_compose! {
    fn step_action()(
        (kind, tool, arguments) in (text(), text(), text()),
        (call_id, error) in (option::of(text()), option::of(text())),
        (observation, exit_code) in (text(), option::of(any::<i32>())),
        (ran, truncated, duration_ms) in any::<(Option<bool>, bool, i64)>(),
    ) -> RowStepAction {
        RowStepAction {
            kind, tool, arguments, call_id, ran, observation, error, exit_code, truncated,
            duration_ms,
        }
    }
}

prop_compose! {
    fn message()(
        (role, content, reasoning) in (text(), text(), option::of(text())),
        tool_calls in option::of(vec((text(), text(), text()), 0..3)),
        (tool_call_id, name, weight) in (option::of(text()), option::of(text()), option::of(any::<i32>())),
        (step, loss_hint) in (option::of(any::<i32>()), option::of(text())),
    ) -> RowMessage {
        let call = |(id, name, arguments)| RowToolCall { id, name, arguments };
        let tool_calls = tool_calls.map(|calls| calls.into_iter().map(call).collect());
        RowMessage { role, content, reasoning, tool_calls, tool_call_id, name, weight, step, loss_hint }
    }
}

prop_compose! {
    fn begun()(
        (step, messages, dropped) in any::<(i32, i32, i32)>(),
        dropped_steps in vec(any::<i32>(), 0..3),
    ) -> RowConversation {
        RowConversation { step, messages, dropped, dropped_steps }
    }
}

prop_compose! {
    fn milestone()(
        (step, potential) in any::<(i32, f64)>(),
        reached in option::of(vec(text(), 0..3)),
    ) -> RowMilestone {
        RowMilestone { step, potential, reached }
    }
}

prop_compose! {
    fn check()(
        (name, weight, passed) in (text(), any::<f64>(), any::<bool>()),
        (ended, output) in (option::of(text()), option::of(text())),
        second in option::of((any::<bool>(), option::of(text()), text())),
    ) -> RowCheck {
        let rerun = |(passed, ended, output)| RowCheckRerun { passed, ended, output };
        RowCheck { name, weight, passed, ended, output, second: second.map(rerun) }
    }
}

prop_compose! {
    fn judge()(
        (place, sandbox) in (text(), option::of(fingerprint())),
        library in option::of(any::<i32>()),
    ) -> RowJudge {
        RowJudge { place, sandbox, library }
    }
}

prop_compose! {
    fn verification()(
        (score, passed) in any::<(f64, bool)>(),
        checks in vec(check(), 0..4),
        judge in option::of(judge()),
    ) -> RowVerification {
        RowVerification { score, passed, checks, judge }
    }
}

prop_compose! {
    fn reverification()(
        (outcome, score, reason) in (text(), any::<f64>(), text()),
        (template_digest, at) in (text(), text()),
    ) -> RowReverification {
        RowReverification { outcome, score, reason, template_digest, at }
    }
}

prop_compose! {
    fn fingerprint()(
        (backend, root, kernel, shell) in (text(), text(), text(), text()),
        enforced in btree_map(text(), text(), 0..4),
    ) -> SandboxFingerprint {
        SandboxFingerprint { backend, root, kernel, shell, enforced }
    }
}

prop_compose! {
    fn pack()(
        (name, version, digest) in (text(), text(), text()),
        (licence, notices) in (text(), text()),
    ) -> RowPack {
        RowPack { name, version, digest, licence, notices }
    }
}

prop_compose! {
    fn row()(
        names in vec(text(), 14).boxed(),
        (task_seed, total_tokens, attempt) in any::<(i64, Option<i64>, i32)>(),
        (total_reward, execution_time_seconds) in any::<(f64, f64)>(),
        (sandbox, verification, cost_usd) in
            (fingerprint().boxed(), verification().boxed(), money()),
        (trajectory, labels) in (vec(step(), 0..5).boxed(), vec(text(), 0..4)),
        (sampling, prompt_digest, sample) in (option::of(text()), option::of(text()), any::<i32>()),
        (template_digest, task_wording) in (option::of(text()), option::of(text())),
        (kind, skills, pack) in
            (option::of(text()), option::of(vec(text(), 0..4)), option::of(pack()).boxed()),
        pass_rate in option::of(any::<(i32, i32, f64, f64)>()),
        (model_version, tools, calls) in (option::of(text()), option::of(text()), option::of(any::<i64>())),
        (messages, conversations) in
            (option::of(vec(message(), 0..4)).boxed(), option::of(vec(begun(), 0..3)).boxed()),
        (milestones, reverified) in
            (option::of(vec(milestone(), 0..3)).boxed(), option::of(reverification()).boxed()),
    ) -> TrajectoryRow {
        let mut names = names.into_iter();
        let mut name = || names.next().unwrap();
        TrajectoryRow {
            schema_version: name(), trajectory_id: name(), campaign: name(), task_id: name(),
            template: name(), task_seed, task_instruction: name(), task_wording, category: name(),
            kind, skills, pack,
            difficulty: name(), llm_model: name(), llm_provider: name(), scaffold: name(),
            sampling, prompt_digest, sample, template_digest, model_version, tools, calls,
            messages, conversations, milestones,
            sandbox, trajectory, final_result: name(), total_reward, verification, labels, reverified,
            pass_rate: pass_rate.map(|(tries, solved, low, high)| PassRate { tries, solved, low, high }),
            execution_time_seconds, total_tokens, cost_usd, attempt, canary: name(),
            created_at: "x".to_owned(),
        }
    }
}

fn through_parquet(format: RowFormat, rows: &[DatasetRow]) -> Vec<DatasetRow> {
    let dir = tempdir().unwrap();
    let limits = ShardLimits::default();
    let mut writer = SplitWriter::new(dir.path(), DatasetSplit::Test, format, limits);
    writer.push(&rows.iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    let mut read = Vec::new();
    for_each_row(&dir.path().join("test.parquet"), format, |_, row| read.push(row)).unwrap();
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_come_back_as_they_went(rows in vec(row(), 0..6)) {
        let rows: Vec<DatasetRow> = rows.into_iter().map(DatasetRow::from).collect();
        let read = through_parquet(RowFormat::Trajectory, &rows);
        // As text, because NaN is not equal to itself.
        prop_assert_eq!(format!("{read:?}"), format!("{rows:?}"));
    }
}

#[test]
fn more_rows_than_a_batch_come_back_in_order() {
    let rows: Vec<DatasetRow> = (0..500).map(|n| super::super::fixture::row(n).into()).collect();
    assert_eq!(through_parquet(RowFormat::Trajectory, &rows), rows);
    let completions = (0..500).map(|n| super::super::fixture::completion(n).into());
    let rows: Vec<DatasetRow> = completions.collect();
    assert_eq!(through_parquet(RowFormat::Completion, &rows), rows);
}
