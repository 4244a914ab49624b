//! What has changed of a stored campaign, for people: settings and templates. Some settings (`CampaignConfig::fixed`
//! has them, such as seed, sandbox, limits of an episode, quality rules, splits and prompts) belong
//! to the identity of a campaign and must not change under the same name. Nor may the sampling
//! parameters of a model. The error `CampaignChanged` lists them with their old and new values. The
//! error `TemplatesChanged` lists the templates with their files.

use crate::config;
use crate::error::{Code, Error};
use serde_json::{Value, json};
use synthd_actors::model::{CampaignConfig, CampaignRecord};
use synthd_actors::policy::ChangedTemplate;

/// The error for a campaign whose settings have changed. `known` is what the store has of it.
pub fn changed_settings(known: Option<&CampaignRecord>, now: &CampaignConfig) -> Error {
    let keys = known.map(|known| changed_keys(known, now)).unwrap_or_default();
    let keys: String = keys.iter().map(|line| format!("\n  {line}")).collect();
    let what = format!("campaign {} was made with other settings{keys}", now.name);
    Error::new(Code::CampaignChanged, what)
        .hint("give the campaign another name, or another --data-dir")
}

/// The most changed templates that an error names; the others are counted.
const MOST_NAMED: usize = 20;

/// The error for a campaign whose templates have changed, or that wants fewer tasks of each
/// template than before.
pub fn changed_templates(campaign: &str, changes: &[ChangedTemplate]) -> Error {
    let fewer = changes.iter().find_map(|change| change.fewer);
    let fewer = fewer.map(|(was, is)| format!("\n  tasks.per_template: was {was}, is {is}"));
    let edited: Vec<&ChangedTemplate> =
        changes.iter().filter(|change| !change.files.is_empty()).collect();
    let named: String = edited.iter().take(MOST_NAMED).map(|change| named(change)).collect();
    let left = edited.len().saturating_sub(MOST_NAMED);
    let left = if left > 0 { format!("\n  and {left} more templates") } else { String::new() };
    let what = match edited.is_empty() {
        true => format!("campaign {campaign} was begun with more tasks of each template"),
        false => format!("campaign {campaign} was begun with other editions of its templates"),
    };
    Error::new(Code::TemplatesChanged, what + &fewer.unwrap_or_default() + &named + &left).hint(
        "`--accept-changed` with `synthd run` or `synthd submit` goes on: finished episodes stay \
         as they are, the others use what stands now; or give the campaign another name",
    )
}

/// One line for a changed template, with the files of it that changed.
fn named(change: &ChangedTemplate) -> String {
    let files: Vec<String> = change.files.iter().map(ToString::to_string).collect();
    format!("\n  {}: {}", change.template, files.join(", "))
}

/// One line for each changed key, such as `episode.timeout: was 30 s, is 60 s`. The list is empty
/// if the stored text gives the same settings now; then a default of the program has changed.
fn changed_keys(known: &CampaignRecord, now: &CampaignConfig) -> Vec<String> {
    let Ok(before) = config::parse_stored_campaign("the stored campaign", &known.config) else {
        return vec!["the stored file cannot be read by this version".to_owned()];
    };
    let mut lines = Vec::new();
    compare("", &before.config.fixed(), &now.fixed(), &mut lines);
    for model in &now.models {
        // A model that is new has nothing to compare.
        if let Some(was) = sampling_before(known, &before.config, &model.name) {
            let path = format!("sampling.{}", model.name);
            compare(&path, &was, &json!(model.sampling), &mut lines);
        }
    }
    lines
}

/// The sampling parameters that a model had in the stored campaign. None if it never had the model.
/// `before` is the configuration of the stored text.
fn sampling_before(known: &CampaignRecord, before: &CampaignConfig, model: &str) -> Option<Value> {
    match &known.sampling {
        Some(all) => all.get(model).and_then(|text| serde_json::from_str(text).ok()),
        None => before.model(model).map(|model| json!(model.sampling)),
    }
}

/// Compares two JSON values key by key and adds a line for each difference. `path` is the path of
/// keys so far, such as `episode.timeout`. A key that one side lacks counts as null.
fn compare(path: &str, before: &Value, now: &Value, lines: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(old), Value::Object(new)) if !is_duration(before) => {
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (old, new) = (of(old).unwrap_or_default(), of(new).unwrap_or_default());
                compare(&path, &old, &new, lines);
            }
        }
        _ if before == now => {}
        _ => lines.push(format!("{path}: was {}, is {}", shown(before), shown(now))),
    }
}

/// Whether a JSON object is a `Duration` as serde writes it: `{"secs":30,"nanos":0}`.
fn is_duration(value: &Value) -> bool {
    value.get("secs").is_some() && value.get("nanos").is_some()
}

/// A value as the user reads it: `not set`, a time with its unit, or JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        value if is_duration(value) => {
            let millis = value["nanos"].as_u64().unwrap_or_default() / 1_000_000;
            match millis {
                0 => format!("{} s", value["secs"]),
                millis => format!("{} s {millis} ms", value["secs"]),
            }
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_named_with_both_values() {
        let before = serde_json::json!({ "seed": 7, "same": [1], "episode": { "max_turns": 40,
            "timeout": { "secs": 30, "nanos": 0 } } });
        let now = serde_json::json!({ "seed": 8, "same": [1], "images": { "a": "b" },
            "episode": { "max_turns": 40, "timeout": { "secs": 60, "nanos": 500_000_000 } } });
        let mut lines = Vec::new();
        compare("", &before, &now, &mut lines);
        assert_eq!(
            lines,
            [
                "episode.timeout: was 30 s, is 60 s 500 ms",
                "images: was not set, is {\"a\":\"b\"}",
                "seed: was 7, is 8"
            ]
        );
    }
}
