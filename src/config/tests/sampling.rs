//! How a model is asked: what each family takes, and what it does not.

use super::*;
use insta::assert_snapshot;
use synthd_actors::model::{ReasoningEffort, SamplingParams};

fn model(name: &str, keys: &str) -> String {
    format!(
        "[campaign]\nname = \"c\"\n[tasks]\ntemplates = [\"**\"]\n[[models]]\nname = \"{name}\"\n\
         price = {{ input = \"1\", output = \"1\" }}\n{keys}\n"
    )
}

#[test]
fn everything_that_can_be_said_is_kept() {
    let keys = "temperature = 0.7\ntop_p = 1\nseed = 5\nstop = [\"a\", \"b\\n\"]\n\
                reasoning_effort = \"low\"\nmax_output_tokens = 9000\n\
                extra = { top_k = 40, response_format = { type = \"json_object\" } }";
    let sampling = campaign(&model("openai/gpt", keys)).models.remove(0).sampling;
    let extra = serde_json::json!({ "top_k": 40, "response_format": { "type": "json_object" } });
    let expected = SamplingParams {
        temperature: Some(0.7),
        top_p: Some(1.0),
        seed: Some(5),
        stop: vec!["a".to_owned(), "b\n".to_owned()],
        reasoning_effort: Some(ReasoningEffort::Low),
        thinking_budget: None,
        max_output_tokens: Some(9_000),
        extra: extra.as_object().unwrap().clone(),
    };
    assert_eq!(sampling, expected);
    let keys = "thinking_budget = 1024\ntemperature = 1\nmax_output_tokens = 1025\nstop = \"x\"";
    let sampling = campaign(&model("anthropic/claude", keys)).models.remove(0).sampling;
    assert_eq!((sampling.thinking_budget, sampling.stop), (Some(1_024), vec!["x".to_owned()]));
    assert!(campaign(&model("openai/gpt", "")).models[0].sampling.is_usual());
}

/// Rows made with other settings would not be comparable; a file that says nothing of them is
/// what it always was.
#[test]
fn what_is_asked_otherwise_has_another_digest() {
    let of = |keys: &str| campaign(&model("openai/gpt", keys)).settings_digest();
    assert_ne!(of("temperature = 0.5"), of(""));
    assert_ne!(of("temperature = 0.5"), of("temperature = 0.6"));
    assert_eq!(of("concurrency = 3"), of(""));
}

#[test]
fn what_a_family_does_not_take_is_told() {
    let found: Vec<String> = [
        ("openai/gpt", "temperature = 2.5"),
        ("openai/gpt", "temperature = \"0.5\""),
        ("openai/gpt", "thinking_budget = 2000"),
        ("openai/gpt", "reasoning_effort = \"max\""),
        ("openai/gpt", "stop = [\"1\", \"2\", \"3\", \"4\", \"5\"]"),
        ("openai/gpt", "stop = [\"\"]"),
        ("openai/gpt", "context = 8192\nmax_output_tokens = 8192"),
        ("anthropic/claude", "temperature = 1.5"),
        ("anthropic/claude", "seed = 1"),
        ("anthropic/claude", "thinking_budget = 1000"),
        ("anthropic/claude", "thinking_budget = 4096"),
        ("anthropic/claude", "thinking_budget = 2000\ntemperature = 0.5"),
        ("anthropic/claude", "thinking_budget = 2000\ntop_p = 0.5"),
        ("anthropic/claude", "thinking_budget = 2000\nreasoning_effort = \"low\""),
        ("deepseek/chat", "seed = 1"),
        ("dashscope/qwen", "reasoning_effort = \"low\""),
        ("scripted/oracle", "temperature = 0.5"),
        ("scripted/oracle", "seed = 5"),
        ("scripted/oracle", "extra = { top_k = 1 }"),
    ]
    .into_iter()
    .map(|(name, keys)| brief(&errors(&model(name, keys))).join("\n"))
    .collect();
    assert_snapshot!(found.join("\n"));
}

#[test]
fn extra_keys_that_cost_or_are_ours_are_told_at_their_place() {
    let found: Vec<String> = [
        "extra = { n = 4 }",
        "extra = { max_tokens = 9 }",
        "extra = { top_k = 1, service_tier = \"priority\" }",
        "extra = { messages = [] }",
        "extra = { reasoning = { max_tokens = 9 } }",
        "extra = { enable_thinking = true }",
        "extra = { chat_template_kwargs = { thinking = true } }",
        "extra = { chat_template_kwargs = { tier = \"fast\" } }",
        "extra = { when = 2026-01-01 }",
        "extra = \"top_k\"",
    ]
    .into_iter()
    .map(|keys| brief(&errors(&model("openai/gpt", keys))).join("\n"))
    .collect();
    assert_snapshot!(found.join("\n"));
    // What switches reasoning off costs nothing, nor does reasoning that its dialect limits.
    let off = "extra = { enable_thinking = false, chat_template_kwargs = { thinking = false } }";
    campaign(&model("openai/gpt", off));
    campaign(&model("dashscope/qwen", "extra = { enable_thinking = true }"));
    // What costs nothing may be sent anything that the engine does not set itself.
    let free = "[[models]]\nname = \"vllm/m\"\nextra = { n = 4 }\n";
    let config = campaign(&format!("{MINIMAL}{free}"));
    assert_eq!(config.models[1].sampling.extra["n"], 4);
    let ours = only_mistake("[[models]]\nname = \"vllm/m\"\nextra = { stream = false }\n");
    assert!(ours.contains("set by the engine"), "{ours}");
}

#[test]
fn programs_say_themselves_how_they_ask() {
    let agent = "[agents.mine]\ncommand = \"mine\"\n[scaffolds]\nnames = [\"external/mine\"]";
    let keys = format!("temperature = 0.5\n{agent}");
    let found = brief(&errors(&model("openai/gpt", &keys)));
    assert!(
        found[0].contains("`temperature` is used for no model here (leave it out: the programs"),
        "{found:?}"
    );
    let both = keys.replace("[\"external", "[\"minimal\", \"external");
    campaign(&model("openai/gpt", &both));
    let gateway = "[[models]]\nname = \"vllm/m\"\nseed = 1\n";
    let errors = parse_gateway("gateway.toml", gateway).unwrap_err().render();
    assert!(errors.contains("each client sets it"), "{errors}");
}

#[test]
fn tasks_may_be_tried_several_times() {
    let tasks = |keys: &str| MINIMAL.replace("[\"**\"]\n", &format!("[\"**\"]\n{keys}\n"));
    let model = "[[models]]\nname = \"vllm/m\"\n[[models]]\nname = \"anthropic/m\"\n\
                 price = { input = \"1\", output = \"1\" }\n";
    let keys = "samples = 8\nstop_after_solved = true\npass_rate_width = 0.4";
    let config = campaign(&format!("{}{model}", tasks(keys)));
    let samples = &config.tasks.samples;
    assert_eq!((samples.most, samples.stop_after_solved), (8, Some(1)));
    assert_eq!(samples.pass_rate_width, Some(400));
    // Only a format with a seed is sent one, and only where there are several samples.
    let seeds: Vec<_> = config.models.iter().map(|model| model.sample_seed).collect();
    assert_eq!(seeds, [None, Some(config.seed), None]);
    let one = campaign(&format!("{MINIMAL}{model}"));
    assert!(one.models.iter().all(|model| model.sample_seed.is_none()));
    assert_eq!(one.identity(), config.identity(), "a campaign of one may grow");
    let found: Vec<String> = [
        "samples = 0",
        "samples = 1001",
        "stop_after_solved = 1",
        "pass_rate_width = 0.3",
        "samples = 4\nstop_after_solved = 5",
        "samples = 4\nstop_after_solved = false",
        "samples = 4\npass_rate_width = 0.001",
    ]
    .into_iter()
    .map(|keys| brief(&errors(&tasks(keys))).join("\n"))
    .collect();
    assert_snapshot!(found.join("\n"));
}
