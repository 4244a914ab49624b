//! Spans of OpenTelemetry with the conventions for generative AI, as OTLP JSON: a line has the trace of
//! a row. A trace has a span of the agent, and below it one for each reply and one for each action.
//!
//! ```text
//! invoke_agent ├─ chat         (what was sent since the reply before, and the reply)
//!              ├─ execute_tool (each action of the step)
//!              └─ chat ...
//! ```
//! A row has the times of its replies and actions, and not those of what was between them. So the spans
//! stand end to end, and the last one ends when the row's work ended.

use super::chat_row::ChatRow;
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use super::otel_message::{messages_json, tools_json};
use super::reply_facts::{ReplyFacts, reply_facts};
use serde::Serialize;
use std::time::{Duration, SystemTime};
use synthd_actors::model::{DatasetRow, RowStep, digest_of};

/// Kinds of spans, as OTLP numbers them.
const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;
/// The status of a span in which something went wrong.
const FAILED: u8 = 2;

/// A trace.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtelTrace {
    resource_spans: [ResourceSpans; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: OtelResource,
    scope_spans: [ScopeSpans; 1],
}

#[derive(Serialize)]
struct OtelResource {
    attributes: Vec<OtelAttribute>,
}

#[derive(Serialize)]
struct ScopeSpans {
    scope: OtelScope,
    spans: Vec<OtelSpan>,
}

#[derive(Serialize)]
struct OtelScope {
    name: &'static str,
    version: &'static str,
}

/// A span. Times are texts, because they have more bits than a number of JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtelSpan {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<OtelAttribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<SpanStatus>,
}

#[derive(Serialize)]
struct SpanStatus {
    code: u8,
    message: String,
}

#[derive(Serialize)]
struct OtelAttribute {
    key: &'static str,
    value: OtelValue,
}

/// A value of an attribute. Integers are texts.
#[derive(Serialize)]
enum OtelValue {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "intValue")]
    Integer(String),
    #[serde(rename = "doubleValue")]
    Float(f64),
    #[serde(rename = "arrayValue")]
    List { values: Vec<OtelValue> },
}

/// The spans of a row while they are made.
struct SpanWriter {
    trace_id: String,
    root_id: String,
    spans: Vec<OtelSpan>,
    /// Where the next span begins, in nanoseconds since 1970.
    at: u64,
}

/// The trace of a row.
pub(super) fn spans(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    let facts = reply_facts(row, &chat).ok_or(LeftReason::OddSteps)?;
    let mut lost = LostParts::new();
    if chat.messages.iter().any(|message| message.name.is_some()) {
        lost.insert(LostPart::ResultNames);
    }
    if facts.last().is_some_and(|(last, _)| last + 1 < chat.messages.len()) {
        lost.insert(LostPart::LastMessages);
    }
    let mut writer = SpanWriter::of(row, &facts)?;
    let mut from = 0;
    for (at, fact) in &facts {
        let (input, output) = (&chat.messages[from..*at], &chat.messages[*at..=*at]);
        let mut attributes = reply_attributes(row, fact);
        attributes.push(text("gen_ai.input.messages", messages_json(input)?));
        attributes.push(text("gen_ai.output.messages", messages_json(output)?));
        writer.reply(attributes, fact);
        writer.actions(fact.step);
        from = at + 1;
    }
    let tools = chat.tools.as_deref().map(tools_json).transpose()?;
    ExportedRow::of(&writer.trace(row, tools), lost)
}

impl SpanWriter {
    /// A writer whose last span will end when the row's work ended.
    fn of(row: &DatasetRow, facts: &[(usize, ReplyFacts<'_>)]) -> Result<Self, LeftReason> {
        let all = facts.iter().map(|(_, fact)| {
            let actions = fact.step.map_or(0, |step| step.duration_ms);
            nanos(fact.model_ms).saturating_add(nanos(actions))
        });
        let took = all.fold(0, u64::saturating_add);
        let trace_id = digest_of(&["trace", row.campaign(), row.id()])[..32].to_owned();
        let root_id = span_id(&trace_id, 0);
        let at = ended_at(row).ok_or(LeftReason::OddTime)?.saturating_sub(took);
        Ok(Self { trace_id, root_id, spans: Vec::new(), at })
    }

    fn reply(&mut self, attributes: Vec<OtelAttribute>, fact: &ReplyFacts<'_>) {
        let name = "chat".to_owned();
        self.add(name, CLIENT, nanos(fact.model_ms), attributes, None);
    }

    /// A span for each action of a step that called a tool.
    fn actions(&mut self, step: Option<&RowStep>) {
        let Some(step) = step else { return };
        let Some(actions) = &step.actions else {
            let action = &step.action;
            let called = [&action.tool, &action.arguments, &step.observation];
            self.action(
                called.map(String::as_str),
                None,
                nanos(step.duration_ms),
                step.error.as_deref(),
            );
            return;
        };
        for one in actions {
            let called = [&one.tool, &one.arguments, &one.observation];
            let id = one.call_id.as_deref();
            self.action(
                called.map(String::as_str),
                id,
                nanos(one.duration_ms),
                one.error.as_deref(),
            );
        }
    }

    /// The span of an action: the tool, its arguments and what came of it.
    fn action(&mut self, called: [&str; 3], id: Option<&str>, took: u64, error: Option<&str>) {
        let [tool, arguments, result] = called;
        if tool.is_empty() {
            self.at = self.at.saturating_add(took);
            return;
        }
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", tool),
            text("gen_ai.tool.call.arguments", arguments),
            text("gen_ai.tool.call.result", result),
        ];
        attributes.extend(id.map(|id| text("gen_ai.tool.call.id", id)));
        attributes.extend(error.map(|_| text("error.type", "_OTHER")));
        let status = error.map(|error| SpanStatus { code: FAILED, message: error.to_owned() });
        self.add(format!("execute_tool {tool}"), INTERNAL, took, attributes, status);
    }

    fn add(
        &mut self,
        name: String,
        kind: u8,
        took: u64,
        attributes: Vec<OtelAttribute>,
        status: Option<SpanStatus>,
    ) {
        let end = self.at.saturating_add(took);
        self.spans.push(OtelSpan {
            trace_id: self.trace_id.clone(),
            span_id: span_id(&self.trace_id, self.spans.len() + 1),
            parent_span_id: Some(self.root_id.clone()),
            name,
            kind,
            start_time_unix_nano: self.at.to_string(),
            end_time_unix_nano: end.to_string(),
            attributes,
            status,
        });
        self.at = end;
    }

    /// The trace with the span of the agent around all others.
    fn trace(mut self, row: &DatasetRow, tools: Option<String>) -> OtelTrace {
        let end = self.at.to_string();
        let start =
            self.spans.first().map_or(end.clone(), |span| span.start_time_unix_nano.clone());
        let (name, attributes) = agent_attributes(row, tools);
        self.spans.insert(
            0,
            OtelSpan {
                trace_id: self.trace_id,
                span_id: self.root_id,
                parent_span_id: None,
                name,
                kind: INTERNAL,
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                attributes,
                status: None,
            },
        );
        let scope = OtelScope { name: "synthd", version: env!("CARGO_PKG_VERSION") };
        let resource = OtelResource { attributes: vec![text("service.name", "synthd")] };
        let scope_spans = [ScopeSpans { scope, spans: self.spans }];
        OtelTrace { resource_spans: [ResourceSpans { resource, scope_spans }] }
    }
}

/// The name and the attributes of the span of the agent.
fn agent_attributes(row: &DatasetRow, tools: Option<String>) -> (String, Vec<OtelAttribute>) {
    let agent = row.as_trajectory().map_or("completion", |row| row.scaffold.as_str());
    let mut attributes = vec![
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.agent.name", agent),
        text("gen_ai.conversation.id", row.id()),
        text("synthd.campaign", row.campaign()),
        text("synthd.task.id", row.work_id()),
    ];
    attributes.extend(asked(row));
    attributes.extend(tools.map(|tools| text("gen_ai.tool.definitions", tools)));
    if let Some(row) = row.as_trajectory() {
        attributes.push(text("synthd.final_result", row.final_result.as_str()));
        attributes.push(number("synthd.score", row.verification.score));
    }
    let version = match row {
        DatasetRow::Trajectory(row) => row.model_version.as_deref(),
        DatasetRow::Completion(row) => row.model_version.as_deref(),
    };
    attributes.extend(version.map(|version| text("gen_ai.response.model", version)));
    let labels = row.labels().iter().cloned().map(OtelValue::Text).collect();
    attributes.push(list("synthd.labels", labels));
    (format!("invoke_agent {agent}"), attributes)
}

/// Who was asked.
fn asked(row: &DatasetRow) -> Vec<OtelAttribute> {
    let (provider, model, sampling) = match row {
        DatasetRow::Trajectory(row) => (&row.llm_provider, &row.llm_model, &row.sampling),
        DatasetRow::Completion(row) => (&row.llm_provider, &row.llm_model, &row.sampling),
    };
    let mut asked = vec![
        text("gen_ai.provider.name", provider.as_str()),
        text("gen_ai.request.model", model.as_str()),
    ];
    asked.extend(sampling.as_deref().map(|sampling| text("synthd.sampling", sampling)));
    asked
}

/// What is known of a reply.
fn reply_attributes(row: &DatasetRow, fact: &ReplyFacts<'_>) -> Vec<OtelAttribute> {
    let mut attributes = vec![text("gen_ai.operation.name", "chat")];
    attributes.extend(asked(row));
    let counts = [
        ("gen_ai.usage.input_tokens", fact.input_tokens),
        ("gen_ai.usage.output_tokens", fact.output_tokens),
    ];
    let known = counts.into_iter().filter_map(|(key, count)| Some((key, count?)));
    attributes.extend(
        known.map(|(key, count)| OtelAttribute {
            key,
            value: OtelValue::Integer(count.to_string()),
        }),
    );
    let finish = fact.finish_reason.map(|reason| OtelValue::Text(reason.to_owned()));
    attributes.extend(finish.map(|reason| list("gen_ai.response.finish_reasons", vec![reason])));
    attributes.push(text("synthd.cost_usd", fact.cost.to_string()));
    attributes.extend(fact.step.map(|step| number("synthd.reward", step.reward)));
    attributes
}

fn text(key: &'static str, value: impl Into<String>) -> OtelAttribute {
    OtelAttribute { key, value: OtelValue::Text(value.into()) }
}

fn number(key: &'static str, value: f64) -> OtelAttribute {
    OtelAttribute { key, value: OtelValue::Float(value) }
}

fn list(key: &'static str, values: Vec<OtelValue>) -> OtelAttribute {
    OtelAttribute { key, value: OtelValue::List { values } }
}

/// The id of the span of this number in a trace. Zero is the span of the agent.
fn span_id(trace_id: &str, number: usize) -> String {
    digest_of(&["span", trace_id, &number.to_string()])[..16].to_owned()
}

/// Milliseconds as nanoseconds. A negative time is none.
fn nanos(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

/// When the row's work ended, in nanoseconds since 1970.
fn ended_at(row: &DatasetRow) -> Option<u64> {
    let stamp = match row {
        DatasetRow::Trajectory(row) => &row.created_at,
        DatasetRow::Completion(row) => &row.created_at,
    };
    let time = humantime::parse_rfc3339(stamp).ok()?;
    let since: Duration = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}
