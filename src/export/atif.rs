//! ATIF 1.8, the trajectories of Harbor: a line is a whole document. A step is a message that is no
//! result; results of calls stand in the step of their calls. ATIF has no reward, so what a step earned
//! stands in its `extra`.

use super::chat_row::{ChatRow, is_reply};
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use super::plain_json::plain_object;
use super::reply_facts::{ReplyFacts, exact_dollars, reply_facts};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use synthd_actors::model::{DatasetRow, RowMessage, RowToolCall};

/// The version of the format.
const VERSION: &str = "ATIF-v1.8";
/// Stands where the row does not tell which edition of an agent has acted.
const UNKNOWN: &str = "unknown";

/// A document.
#[derive(Serialize)]
struct AtifDocument<'a> {
    schema_version: &'static str,
    session_id: &'a str,
    trajectory_id: &'a str,
    agent: AtifAgent<'a>,
    steps: Vec<AtifStep<'a>>,
    final_metrics: AtifTotals,
    extra: AtifResult<'a>,
}

/// Who acted.
#[derive(Serialize)]
struct AtifAgent<'a> {
    name: &'a str,
    version: &'a str,
    model_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_definitions: Option<&'a RawValue>,
    extra: AtifModel<'a>,
}

/// How the model was asked.
#[derive(Serialize)]
struct AtifModel<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model_version: Option<&'a str>,
    /// A JSON object as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling: Option<&'a str>,
}

/// One step.
#[derive(Serialize)]
struct AtifStep<'a> {
    step_id: usize,
    source: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<AtifCall<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observation: Option<AtifObservation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<AtifMetrics<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    llm_call_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<StepExtra<'a>>,
}

/// One call of a step.
#[derive(Serialize)]
struct AtifCall<'a> {
    tool_call_id: &'a str,
    function_name: &'a str,
    arguments: Box<RawValue>,
}

/// What came of the calls of a step.
#[derive(Default, Serialize)]
struct AtifObservation<'a> {
    results: Vec<AtifCallResult<'a>>,
}

/// What came of one call.
#[derive(Serialize)]
struct AtifCallResult<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source_call_id: Option<&'a str>,
    content: &'a str,
}

/// What a reply cost.
#[derive(Serialize)]
struct AtifMetrics<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_token_ids: Option<&'a [i32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [f64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<Box<RawValue>>,
}

/// What ATIF has no key for.
#[derive(Serialize)]
struct StepExtra<'a> {
    /// Whether the row's model gave the reply.
    own: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_to_go: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The sums of a document.
#[derive(Serialize)]
struct AtifTotals {
    #[serde(skip_serializing_if = "Option::is_none")]
    total_prompt_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_completion_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_cost_usd: Option<Box<RawValue>>,
    total_steps: usize,
}

/// What the row says of the whole.
#[derive(Serialize)]
struct AtifResult<'a> {
    campaign: &'a str,
    task_id: &'a str,
    labels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    final_result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

/// What is known of the replies, by their positions.
type FactMap<'a> = BTreeMap<usize, ReplyFacts<'a>>;

/// The document of a row.
pub(super) fn atif(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let mut lost = LostParts::new();
    let facts = reply_facts(row, &chat);
    if facts.is_none() {
        lost.insert(LostPart::Metrics);
    }
    if chat.messages.iter().any(|message| message.name.is_some()) {
        lost.insert(LostPart::ResultNames);
    }
    let facts: FactMap<'_> = facts.into_iter().flatten().collect();
    let steps = steps(chat.messages, &facts)?;
    let document = AtifDocument {
        schema_version: VERSION,
        session_id: row.id(),
        trajectory_id: row.id(),
        agent: agent(row, chat.tools.as_deref()),
        final_metrics: totals(row, &facts, steps.len()),
        steps,
        extra: result(row),
    };
    ExportedRow::of(&document, lost)
}

fn agent<'a>(row: &'a DatasetRow, tools: Option<&'a RawValue>) -> AtifAgent<'a> {
    let (name, version) = match row {
        DatasetRow::Trajectory(row) => (row.scaffold.as_str(), row.prompt_digest.as_deref()),
        DatasetRow::Completion(_) => ("completion", None),
    };
    let (provider, model, model_version, sampling) = match row {
        DatasetRow::Trajectory(row) => {
            (&row.llm_provider, &row.llm_model, &row.model_version, &row.sampling)
        }
        DatasetRow::Completion(row) => {
            (&row.llm_provider, &row.llm_model, &row.model_version, &row.sampling)
        }
    };
    let (model_version, sampling) = (model_version.as_deref(), sampling.as_deref());
    AtifAgent {
        name,
        version: version.unwrap_or(UNKNOWN),
        model_name: format!("{provider}/{model}"),
        tool_definitions: tools,
        extra: AtifModel { model_version, sampling },
    }
}

fn result(row: &DatasetRow) -> AtifResult<'_> {
    let trajectory = row.as_trajectory();
    AtifResult {
        campaign: row.campaign(),
        task_id: row.work_id(),
        labels: row.labels(),
        final_result: trajectory.map(|row| row.final_result.as_str()),
        score: trajectory.map(|row| row.verification.score),
    }
}

/// The sums of the replies of which something is known. A sum with an unknown count is unknown.
fn totals(row: &DatasetRow, facts: &FactMap<'_>, total_steps: usize) -> AtifTotals {
    let sum = |count: fn(&ReplyFacts<'_>) -> Option<i64>| {
        let mut counts = facts.values().map(count);
        counts.try_fold(0, |sum: i64, count| Some(sum.saturating_add(count?)))
    };
    let known = |count: Option<i64>| count.filter(|_| !facts.is_empty());
    let cost = match row {
        DatasetRow::Trajectory(row) => row.cost_usd,
        DatasetRow::Completion(row) => row.cost_usd,
    };
    AtifTotals {
        total_prompt_tokens: known(sum(|facts| facts.input_tokens)),
        total_completion_tokens: known(sum(|facts| facts.output_tokens)),
        total_cost_usd: exact_dollars(cost),
        total_steps,
    }
}

/// The messages as steps.
fn steps<'a>(
    messages: &'a [RowMessage],
    facts: &FactMap<'a>,
) -> Result<Vec<AtifStep<'a>>, LeftReason> {
    let mut steps: Vec<AtifStep<'a>> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        if message.role == "tool" {
            add_result(steps.last_mut(), message)?;
            continue;
        }
        let step_id = steps.len() + 1;
        steps.push(step(step_id, message, facts.get(&at).copied())?);
    }
    Ok(steps)
}

/// Adds a result to the step before it, whose call it must answer.
fn add_result<'a>(
    step: Option<&mut AtifStep<'a>>,
    message: &'a RowMessage,
) -> Result<(), LeftReason> {
    let step = step.ok_or(LeftReason::NamelessResult)?;
    let source_call_id = message.tool_call_id.as_deref();
    let mut calls = step.tool_calls.iter().flatten();
    if source_call_id.is_some_and(|id| !calls.any(|call| call.tool_call_id == id)) {
        return Err(LeftReason::NamelessResult);
    }
    let result = AtifCallResult { source_call_id, content: &message.content };
    step.observation.get_or_insert_default().results.push(result);
    Ok(())
}

fn step<'a>(
    step_id: usize,
    message: &'a RowMessage,
    facts: Option<ReplyFacts<'a>>,
) -> Result<AtifStep<'a>, LeftReason> {
    let source = match message.role.as_str() {
        "system" => "system",
        "user" => "user",
        "assistant" => "agent",
        _ => return Err(LeftReason::OddRole),
    };
    let calls =
        message.tool_calls.as_deref().filter(|calls| is_reply(message) && !calls.is_empty());
    let calls: Option<Result<Vec<_>, LeftReason>> = calls.map(|all| all.iter().map(call).collect());
    Ok(AtifStep {
        step_id,
        source,
        message: &message.content,
        reasoning_content: message.reasoning.as_deref().filter(|_| is_reply(message)),
        tool_calls: calls.transpose()?,
        observation: None,
        metrics: facts.map(metrics),
        llm_call_count: facts.and_then(|facts| facts.calls).filter(|count| *count > 0),
        extra: is_reply(message).then(|| extra(message, facts)),
    })
}

fn call(call: &RowToolCall) -> Result<AtifCall<'_>, LeftReason> {
    let arguments = plain_object(&call.arguments).ok_or(LeftReason::OddArguments)?;
    Ok(AtifCall { tool_call_id: &call.id, function_name: &call.name, arguments })
}

fn metrics(facts: ReplyFacts<'_>) -> AtifMetrics<'_> {
    AtifMetrics {
        prompt_tokens: facts.input_tokens,
        completion_tokens: facts.output_tokens,
        cached_tokens: facts.cached_tokens,
        completion_token_ids: facts.token_ids,
        logprobs: facts.logprobs,
        cost_usd: exact_dollars(facts.cost),
    }
}

fn extra<'a>(message: &RowMessage, facts: Option<ReplyFacts<'a>>) -> StepExtra<'a> {
    let step = facts.and_then(|facts| facts.step);
    StepExtra {
        own: message.weight == Some(1),
        finish_reason: facts.and_then(|facts| facts.finish_reason),
        reward: step.map(|step| step.reward),
        return_to_go: step.map(|step| step.return_to_go),
        error: step.and_then(|step| step.error.as_deref()),
    }
}
