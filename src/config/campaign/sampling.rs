//! Which sampling keys each format accepts. A key that the provider would ignore or refuse, or that
//! would change the cost of a call, is reported here, before any model is asked.
//!
//! `raw_sampling` has read the keys; `validate` calls `check` for each model of a campaign, and the
//! gateway's configuration calls `refuse`.

use crate::config::campaign::raw_models::RawModel;
use crate::config::campaign::raw_sampling::{RawExtra, RawSampling, RawValue};
use crate::config::reading::reader::ConfigReader;
use crate::config::reading::source::Span;
use crate::config::reading::values::ValueFault;
use serde_json::Value;
use synthd_actors::model::{ReasoningEffort, USUAL_OUTPUT_TOKENS};

/// What a format accepts.
#[derive(Clone, Copy)]
struct SamplingSupport {
    /// The highest temperature. None if the format has no such field.
    temperature: Option<f64>,
    top_p: bool,
    seed: bool,
    /// The most stop sequences; 0 if the format has no such field.
    stops: usize,
    /// The reasoning efforts; empty if the format has no such field.
    efforts: &'static [ReasoningEffort],
    /// The smallest thinking budget. None if the format has no such field.
    least_thinking: Option<u32>,
}

use ReasoningEffort::{High, Low, Max, Medium, Minimal, None as NoEffort, Xhigh};

/// What most formats accept. Each entry of `takes` names only its differences.
const USUAL: SamplingSupport = SamplingSupport {
    temperature: Some(2.0),
    top_p: true,
    seed: true,
    stops: 4,
    efforts: &[],
    least_thinking: None,
};

/// What a dialect accepts. The models of one provider differ further; then the provider itself
/// refuses the call. Unknown dialects and scripted models accept almost nothing.
fn takes(dialect: &str) -> SamplingSupport {
    match dialect {
        "openai" | "azure" => {
            SamplingSupport { efforts: &[NoEffort, Minimal, Low, Medium, High, Xhigh], ..USUAL }
        }
        "responses" => SamplingSupport {
            seed: false,
            stops: 0,
            efforts: &[NoEffort, Minimal, Low, Medium, High, Xhigh],
            ..USUAL
        },
        "deepseek" => SamplingSupport {
            seed: false,
            stops: 16,
            efforts: &[Minimal, Low, Medium, High, Xhigh, Max],
            ..USUAL
        },
        "dashscope" => SamplingSupport { stops: 16, least_thinking: Some(1), ..USUAL },
        "groq" => SamplingSupport { efforts: &[NoEffort, Low, Medium, High], ..USUAL },
        "together" | "xai" => SamplingSupport { efforts: &[Low, Medium, High], ..USUAL },
        "mistral" => SamplingSupport {
            temperature: Some(1.5),
            stops: 16,
            efforts: &[NoEffort, High],
            ..USUAL
        },
        "openrouter" => SamplingSupport {
            efforts: &[NoEffort, Minimal, Low, Medium, High, Xhigh],
            least_thinking: Some(1_024),
            ..USUAL
        },
        "vllm" => {
            SamplingSupport { stops: 16, efforts: &[NoEffort, Minimal, Low, Medium, High], ..USUAL }
        }
        "ollama" | "ollama-native" => {
            SamplingSupport { stops: 16, efforts: &[NoEffort, Low, Medium, High], ..USUAL }
        }
        "anthropic" => SamplingSupport {
            temperature: Some(1.0),
            seed: false,
            stops: 16,
            efforts: &[Low, Medium, High, Xhigh, Max],
            least_thinking: Some(1_024),
            ..USUAL
        },
        "gemini" => SamplingSupport {
            stops: 5,
            efforts: &[Minimal, Low, Medium, High],
            least_thinking: Some(0),
            ..USUAL
        },
        _ => SamplingSupport { temperature: None, top_p: false, seed: false, stops: 0, ..USUAL },
    }
}

/// Whether the format has a field for a seed. Scripted models have none.
pub(in crate::config) fn takes_seed(dialect: Option<&str>) -> bool {
    dialect.is_some_and(|dialect| takes(dialect).seed)
}

/// The model for which the keys are checked.
pub(in crate::config) struct SamplingTarget<'a> {
    /// None for scripted models, and for replayed ones.
    pub(in crate::config) dialect: Option<&'a str>,
    /// Whether its calls cost something. Then `extra` may not change the cost.
    pub(in crate::config) priced: bool,
    /// It answers from a record, and the recorded format is not known here, so its limits are not
    /// checked.
    pub(in crate::config) replays: bool,
}

/// Checks the sampling keys of one model.
pub(in crate::config) fn check(model: &RawModel, asks: &SamplingTarget<'_>, reader: &ConfigReader) {
    let raw = &model.sampling;
    // A scripted model has no dialect and gets the support of an unknown one.
    let checks =
        SamplingChecks { raw, asks, reader, takes: takes(asks.dialect.unwrap_or_default()) };
    // The recorded format may accept more or less than any default.
    if !asks.replays {
        checks.keys();
        checks.efforts();
        checks.stops();
    }
    checks.temperature();
    checks.thinking();
    checks.cap(model);
    if let Some(extra) = raw.extra.given() {
        checks.extra(extra);
    }
}

/// Reports every sampling key of a model that only external programs or clients ask, because they
/// set all of this in their own requests. `hint` says what to do instead.
pub(in crate::config) fn refuse(model: &RawModel, hint: &str, reader: &ConfigReader) {
    for (key, span) in model.sampling.given() {
        let fault = ValueFault::new(format!("this `{key}` is used for no model here"));
        reader.value(span, fault.hint(hint));
    }
}

/// The checks of one model.
struct SamplingChecks<'a> {
    raw: &'a RawSampling,
    asks: &'a SamplingTarget<'a>,
    reader: &'a ConfigReader,
    takes: SamplingSupport,
}

impl SamplingChecks<'_> {
    /// What an error calls the format.
    fn whose(&self) -> String {
        match self.asks.dialect {
            Some(dialect) => format!("the format {dialect:?}"),
            None => "a scripted model".to_owned(),
        }
    }

    fn tell(&self, span: &Span, fault: ValueFault) {
        self.reader.value(span, fault);
    }

    /// Reports keys that the format has no field for.
    fn keys(&self) {
        let SamplingSupport { temperature, top_p, seed, stops, efforts, least_thinking } =
            self.takes;
        let has = |key: &str| match key {
            "temperature" => temperature.is_some(),
            "top_p" => top_p,
            "seed" => seed,
            "stop" => stops > 0,
            "reasoning_effort" => !efforts.is_empty(),
            "thinking_budget" => least_thinking.is_some(),
            "extra" => self.asks.dialect.is_some(),
            _ => true,
        };
        for (key, span) in self.raw.given().into_iter().filter(|(key, _)| !has(key)) {
            // The two keys for reasoning are easily confused, so the hint names the one that works.
            let other = match key {
                "reasoning_effort" if least_thinking.is_some() => "; it has `thinking_budget`",
                "thinking_budget" if !efforts.is_empty() => "; it has `reasoning_effort`",
                _ => "",
            };
            let fault = ValueFault::new(format!("{} has no `{key}`", self.whose()));
            self.tell(span, fault.hint(format!("leave it out{other}")));
        }
    }

    /// Reports a reasoning effort that the format does not have.
    fn efforts(&self) {
        let (Some(effort), Some(span)) =
            (self.raw.reasoning_effort.given(), self.raw.reasoning_effort.span())
        else {
            return;
        };
        let known = self.takes.efforts;
        if !known.is_empty() && !known.contains(effort) {
            let known: Vec<&str> = known.iter().map(|effort| effort.as_str()).collect();
            let what = format!("{} has no effort {:?}", self.whose(), effort.as_str());
            self.tell(span, ValueFault::new(what).hint(format!("one of {}", known.join(", "))));
        }
    }

    /// Reports more stop sequences than the format accepts.
    fn stops(&self) {
        let (Some(stop), Some(span)) = (self.raw.stop.given(), self.raw.stop.span()) else {
            return;
        };
        let most = self.takes.stops;
        if most > 0 && stop.len() > most {
            let what = format!("{} accepts at most {most} sequences", self.whose());
            self.tell(span, ValueFault::new(what).hint("remove some of them"));
        }
    }

    /// Reports a temperature that is too high. With a thinking budget, Anthropic only accepts the
    /// temperature 1.
    fn temperature(&self) {
        let (Some(warm), Some(span)) = (self.raw.temperature.given(), self.raw.temperature.span())
        else {
            return;
        };
        let most = self.takes.temperature.filter(|_| !self.asks.replays);
        if let Some(most) = most.filter(|most| warm > most) {
            let what = format!("{} accepts no temperature above {most}", self.whose());
            self.tell(span, ValueFault::new(what).hint(format!("anything from 0 to {most}")));
        }
        let thinks = self.raw.thinking_budget.given().is_some();
        if self.asks.dialect == Some("anthropic") && thinks && *warm != 1.0 {
            let what = "a model that thinks accepts only the temperature 1";
            self.tell(
                span,
                ValueFault::new(what).hint("leave it out, or leave out `thinking_budget`"),
            );
        }
    }

    /// Checks the thinking budget. It must leave tokens for the answer, because thinking is a part
    /// of the output, and it cannot be combined with a reasoning effort.
    fn thinking(&self) {
        let (Some(budget), Some(span)) =
            (self.raw.thinking_budget.given(), self.raw.thinking_budget.span())
        else {
            return;
        };
        let cap = self.raw.max_output_tokens.given().copied().unwrap_or(USUAL_OUTPUT_TOKENS);
        if let Some(least) = self.takes.least_thinking.filter(|least| budget < least) {
            let what = format!("{} needs at least {least} tokens of thinking", self.whose());
            self.tell(span, ValueFault::new(what).hint(format!("anything from {least} on")));
        } else if *budget >= cap {
            let what = format!(
                "no token is left for the answer, because the output limit is \
                                {cap}"
            );
            let hint = format!("add `max_output_tokens = {}` or more", budget.saturating_add(1));
            self.tell(span, ValueFault::new(what).hint(hint));
        }
        if self.raw.reasoning_effort.given().is_some() {
            let fault =
                ValueFault::new("`thinking_budget` and `reasoning_effort` set the same thing");
            self.tell(span, fault.hint("keep one of them"));
        }
        let narrow = self.raw.top_p.given().filter(|p| **p < 0.95);
        if let (Some("anthropic"), Some(_), Some(span)) =
            (self.asks.dialect, narrow, self.raw.top_p.span())
        {
            let fault = ValueFault::new("a model that thinks accepts no `top_p` below 0.95");
            self.tell(span, fault.hint("leave it out, or leave out `thinking_budget`"));
        }
    }

    /// Reports an output cap that fills the whole context of the model.
    fn cap(&self, model: &RawModel) {
        let (Some(cap), Some(span)) =
            (self.raw.max_output_tokens.given(), self.raw.max_output_tokens.span())
        else {
            return;
        };
        let context = model.context.given().copied();
        if let Some(context) = context.filter(|context| u64::from(*cap) >= *context) {
            let what = format!("the answer alone would fill the `context` of {context}");
            self.tell(span, ValueFault::new(what).hint("lower it, or raise `context`"));
        }
    }

    /// Checks the fields of `extra`. Refused are fields that have a key of their own, fields that
    /// the engine sets itself, and, for a model with a price, all fields that are not known to
    /// leave the cost of a call unchanged. The last rule is an allow-list: an unknown field could
    /// raise the cost above the hold.
    fn extra(&self, extra: &[RawExtra]) {
        for RawExtra { key, place, value } in extra {
            if let Some(own) = own_key(key) {
                let fault = ValueFault::new(format!("`extra` sets the same thing as `{own}`"));
                self.tell(place, fault.hint(format!("set `{own}` of the model instead")));
            } else if SET_HERE.contains(&key.as_str()) {
                let fault = ValueFault::new(format!("`{key}` is set by the engine"));
                self.tell(place, fault.hint("leave it out"));
            } else if self.asks.priced && self.may_cost(key, value) {
                let what =
                    format!("`{key}` may change the cost of a call, and this model has a price");
                let hint = "leave it out; only a provider with `free = true` may get any key";
                self.tell(place, ValueFault::new(what).hint(hint));
            } else if let (RawValue::Table(inner), true) = (value, self.is_container(key)) {
                self.extra(inner);
            }
        }
    }

    /// Whether the field may raise the cost of a call. Some hosts count reasoning beside the output
    /// limit, so a field that switches it on may, except where the dialect limits the reasoning.
    fn may_cost(&self, key: &str, value: &RawValue) -> bool {
        let switches_on = !matches!(value, RawValue::Plain(Value::Bool(false) | Value::Null));
        let thinks = switches_on && ["enable_thinking", "thinking"].contains(&key);
        let is_limited = self.asks.dialect == Some("dashscope");
        !UNPRICED.contains(&key) || (thinks && !is_limited)
    }

    /// Whether the field is an object whose fields are checked one by one. What a chat template
    /// gets is only checked where a field may cost something.
    fn is_container(&self, key: &str) -> bool {
        CONTAINERS.contains(&key) || (self.asks.priced && key == "chat_template_kwargs")
    }
}

/// The key in a campaign for a field of a provider. None if there is no such key.
fn own_key(key: &str) -> Option<&'static str> {
    Some(match key {
        "temperature" => "temperature",
        "top_p" | "topP" => "top_p",
        "seed" | "random_seed" => "seed",
        "stop" | "stop_sequences" | "stopSequences" => "stop",
        "reasoning_effort" | "effort" | "thinkingLevel" | "think" => "reasoning_effort",
        "thinking_budget" | "thinkingBudget" | "budget_tokens" => "thinking_budget",
        "max_tokens"
        | "max_completion_tokens"
        | "max_output_tokens"
        | "maxOutputTokens"
        | "num_predict" => "max_output_tokens",
        "num_ctx" => "context",
        _ => return None,
    })
}

/// Fields of a request's body that the engine sets itself.
const SET_HERE: [&str; 20] = [
    "model",
    "messages",
    "input",
    "instructions",
    "contents",
    "system",
    "systemInstruction",
    "tools",
    "tool_choice",
    "toolConfig",
    "functions",
    "function_call",
    "stream",
    "stream_options",
    "store",
    "background",
    "previous_response_id",
    "conversation",
    "truncate",
    "shift",
];

/// Fields that are objects, in every format.
const CONTAINERS: [&str; 6] =
    ["generationConfig", "thinkingConfig", "options", "reasoning", "thinking", "output_config"];

/// Fields that change neither the price of a token nor the most tokens of a call.
const UNPRICED: [&str; 47] = [
    "top_k",
    "topK",
    "top_a",
    "min_p",
    "typical_p",
    "frequency_penalty",
    "frequencyPenalty",
    "presence_penalty",
    "presencePenalty",
    "repetition_penalty",
    "repeat_penalty",
    "repeat_last_n",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "return_token_ids",
    "return_tokens_as_token_ids",
    "min_tokens",
    "ignore_eos",
    "user",
    "metadata",
    "safety_identifier",
    "verbosity",
    "text",
    "parallel_tool_calls",
    "response_format",
    "safe_prompt",
    "safetySettings",
    "prompt_cache_key",
    "chat_template_kwargs",
    "enable_thinking",
    "reasoning_format",
    "include_reasoning",
    "generationConfig",
    "thinkingConfig",
    "includeThoughts",
    "options",
    "reasoning",
    "summary",
    "exclude",
    "enabled",
    "thinking",
    "type",
    "display",
    "output_config",
    "mirostat",
    "mirostat_tau",
];
