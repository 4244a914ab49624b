//! `synthd models` and `synthd estimate`: prices, and what a campaign will cost.

use super::harness::{command, snapshot, synthd_in};
use serde_json::Value;
use std::path::Path;

/// A table in the form of LiteLLM's, with prices that can be reckoned by hand.
const TABLE: &str = r#"{
  "m-1": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06,
           "cache_read_input_token_cost": 1e-07, "output_cost_per_token": "2e-06",
           "input_cost_per_token_batches": 5e-07, "max_input_tokens": 1000 },
  "m-2": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0,
           "output_cost_per_token": 0.0 },
  "m-3": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06,
           "output_cost_per_token": 1e-06, "input_cost_per_blessing": 1 }
}"#;

fn campaign(directory: &Path, models: &[&str], budget: &str) {
    let models: String =
        models.iter().map(|model| format!("[[models]]\nname = \"{model}\"\n")).collect();
    let text = format!(
        "[campaign]\nname = \"priced\"\n[tasks]\ntemplates = [\"debugging/*\"]\n{models}\
         [budget]\nusd = \"{budget}\"\n"
    );
    std::fs::write(directory.join("c.toml"), text).unwrap();
    std::fs::write(directory.join("table.json"), TABLE).unwrap();
}

#[test]
fn a_table_of_prices_is_listed_and_reckoned_with() {
    let dir = tempfile::tempdir().unwrap();
    campaign(dir.path(), &["openai/m-1"], "5.00");
    let shipped = synthd_in(dir.path(), &["models", "list", "--json"]).succeeds().document();
    assert!(shipped["models"].as_array().unwrap().len() >= 15);
    assert!(shipped["as_of"].is_string() && shipped["digest"].is_string());
    synthd_in(dir.path(), &["models", "list"]).succeeds();
    let table = ["--price-table", "table.json"];
    let with = |arguments: &[&str]| synthd_in(dir.path(), &[arguments, &table].concat());
    snapshot("models_list", &with(&["models", "list"]).succeeds().fits().told(), None);
    let tokens = ["--input", "1000000", "--cached", "600000", "--output", "1000000"];
    let sum = with(&[&["models", "price", "openai/m-1", "--json"], &tokens[..]].concat());
    let sum = sum.succeeds().document();
    assert_eq!((sum["cost_usd"].as_str(), sum["worst_usd"].as_str()), (Some("2.46"), Some("3.00")));
    let told = with(&["models", "price", "openai/m-3", "--input", "1"]).fails(2, "SYN-0105");
    assert!(told.stderr.contains("input_cost_per_blessing"), "{told:#?}");
    with(&["models", "price", "openai/m-9"]).fails(2, "SYN-0105");
    std::fs::write(dir.path().join("table.json"), "{").unwrap();
    with(&["models", "list"]).fails(2, "SYN-0102");
    std::fs::remove_file(dir.path().join("table.json")).unwrap();
    with(&["models", "list"]).fails(2, "SYN-0101");
}

#[test]
fn a_campaign_is_estimated_and_its_models_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    campaign(dir.path(), &["openai/m-1", "scripted/oracle"], "5.00");
    let with = |arguments: &[&str]| {
        synthd_in(dir.path(), &[arguments, &["c.toml", "--price-table", "table.json"]].concat())
    };
    // Neither is known to the shipped table.
    assert_eq!(synthd_in(dir.path(), &["check", "c.toml"]).code, Some(2));
    with(&["check", "--file-only"]).succeeds();
    with(&["estimate"]).succeeds().fits();
    let estimate = with(&["estimate", "--json"]).succeeds().document();
    let dollars = |key: &str| -> f64 { estimate[key].as_str().unwrap().parse().unwrap() };
    let sums = ["least_usd", "likely_usd", "most_usd"].map(dollars);
    assert!(0.0 < sums[0] && sums[0] < sums[1] && sums[1] < sums[2], "{estimate:#}");
    let models = estimate["models"].as_array().unwrap();
    assert_eq!(models[1]["most_usd"], "0.00");
    let looked = with(&["models", "check", "--json"]);
    assert_eq!(looked.code, Some(2));
    let looked = looked.document();
    let problem = |at: usize| looked["models"][at]["problem"].clone();
    assert!(problem(0).as_str().unwrap().contains("OPENAI_API_KEY"), "{looked:#}");
    assert_eq!((problem(1), looked["ok"].clone()), (Value::Null, Value::Bool(false)));
    assert_eq!(looked["models"][0]["priced_by"], "table.json");
    // A model whose price is not understood is not used by it.
    campaign(dir.path(), &["openai/m-3"], "5.00");
    let told = with(&["check"]);
    assert!(told.stderr.contains("input_cost_per_blessing"), "{told:#?}");
}

/// What was paid for is published whatever prices are known today.
#[test]
fn rows_of_a_campaign_are_published_without_its_table_of_prices() {
    let dir = tempfile::tempdir().unwrap();
    campaign(dir.path(), &[], "5.00");
    let text = "[campaign]\nname = \"priced\"\nkind = \"completions\"\n[completions]\n\
                prompts = [\"p.jsonl\"]\n[[models]]\nname = \"scripted/echo\"\n\
                fallback = { outage = [\"openai/m-1\"] }\n[[models]]\nname = \"openai/m-1\"\n\
                reserve = true\nextra = { top_k = 7 }\n[budget]\nusd = \"5.00\"\n";
    std::fs::write(dir.path().join("c.toml"), text).unwrap();
    std::fs::write(dir.path().join("p.jsonl"), "{\"prompt\": \"one\"}\n").unwrap();
    let mut run = command(dir.path(), &["run", "c.toml", "--price-table", "table.json"]);
    assert!(run.env("OPENAI_API_KEY", "k-1").output().unwrap().status.success());
    // The shipped table does not know the model.
    let versions = dir.path().join("synthd-data/datasets/priced");
    std::fs::remove_dir_all(versions).unwrap();
    synthd_in(dir.path(), &["dataset", "build", "priced"]).succeeds();
}

#[test]
fn a_budget_that_could_not_pay_is_told_before_anything_begins() {
    let dir = tempfile::tempdir().unwrap();
    campaign(dir.path(), &["openai/m-1"], "0.001");
    let arguments = ["c.toml", "--price-table", "table.json"];
    for command in ["check", "estimate", "run"] {
        let told = synthd_in(dir.path(), &[&[command], &arguments[..]].concat());
        told.fails(2, "SYN-0802");
    }
    let whole = std::fs::read_to_string(dir.path().join("c.toml")).unwrap();
    let whole = whole.replace("0.001", "50");
    for (section, with) in [
        ("[budget]", "day_usd = \"0.001\""),
        ("[budget]", "episode_usd = \"0.001\""),
        ("[[models]]", "budget_usd = \"0.001\""),
    ] {
        let text = whole.replacen(section, &format!("{section}\n{with}"), 1);
        std::fs::write(dir.path().join("d.toml"), text).unwrap();
        let told = synthd_in(dir.path(), &["check", "d.toml", "--price-table", "table.json"]);
        let told = told.fails(2, "SYN-0802");
        assert!(told.stderr.contains(with.split(' ').next().unwrap()), "{told:#?}");
    }
    // Enough for one call, and less than all of them cost at the least.
    let first =
        synthd_in(dir.path(), &["estimate", "c.toml", "--price-table", "table.json", "--json"]);
    let first: f64 = first.document()["first_call_usd"].as_str().unwrap().parse().unwrap();
    let text = std::fs::read_to_string(dir.path().join("c.toml")).unwrap();
    let text = text.replace("0.001", &format!("{:.4}", first + 0.0001));
    let text = text.replace("[[models]]", "per_template = 1000\n[[models]]");
    std::fs::write(dir.path().join("c.toml"), text).unwrap();
    let told = synthd_in(dir.path(), &[&["check"], &arguments[..]].concat()).fails(2, "SYN-0802");
    assert!(told.stderr.contains("but the campaign costs at least"), "{told:#?}");
}
