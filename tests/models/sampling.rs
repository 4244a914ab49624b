//! How a model is asked, in the words of each family, and by the real binary.

use super::host::{Host, status};
use super::money::{Provider, cannot, command, summary};
use super::{config, context, made, request};
use serde_json::{Value, json};
use synthd::store::Store;
use synthd_actors::model::{
    CampaignName, ChatMessage, ChatRequest, ChatRole, ProviderEndpoint, ReasoningEffort,
    SamplingParams,
};
use synthd_actors::ports::Journal;

/// What a family is sent for such settings, without the rest of its body.
async fn sent(dialect: &str, sampling: SamplingParams, keys: &[&str]) -> Value {
    let host = Host::doing(status("500 Internal Server Error", "", "{}"));
    let model = made(&config(ProviderEndpoint::new(dialect, host.url(), None)));
    let plain: ChatRequest = request(vec![ChatMessage::text(ChatRole::User, "hello")]);
    model.complete(&sampling.over(&plain, 2), &context()).await.unwrap_err();
    let body = host.heard()[0].body.clone();
    keys.iter()
        .map(|key| ((*key).to_owned(), body[*key].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn warm() -> SamplingParams {
    let extra = json!({ "top_k": 40 });
    SamplingParams {
        temperature: Some(0.5),
        top_p: Some(0.9),
        seed: Some(7),
        stop: vec!["END".to_owned()],
        max_output_tokens: Some(5_000),
        extra: extra.as_object().unwrap().clone(),
        ..SamplingParams::default()
    }
}

fn thinks(budget: u32) -> SamplingParams {
    SamplingParams {
        thinking_budget: Some(budget),
        max_output_tokens: Some(5_000),
        ..SamplingParams::default()
    }
}

fn tries(effort: ReasoningEffort) -> SamplingParams {
    SamplingParams { reasoning_effort: Some(effort), ..SamplingParams::default() }
}

#[tokio::test]
async fn each_family_is_asked_in_its_own_words() {
    let plain = ["temperature", "top_p", "seed", "stop", "top_k"];
    let expected =
        json!({ "temperature": 0.5, "top_p": 0.9, "seed": 9, "stop": ["END"], "top_k": 40 });
    for dialect in ["openai", "azure", "dashscope", "groq", "together", "xai", "openrouter", "vllm"]
    {
        assert_eq!(sent(dialect, warm(), &plain).await, expected, "{dialect}");
    }
    let cap = ["max_completion_tokens", "max_tokens"];
    assert_eq!(sent("openai", warm(), &cap[..1]).await, json!({ "max_completion_tokens": 5_000 }));
    assert_eq!(sent("vllm", warm(), &cap[1..]).await, json!({ "max_tokens": 5_000 }));
    assert_eq!(
        sent("mistral", warm(), &["random_seed", "seed"]).await,
        json!({ "random_seed": 9, "seed": null })
    );
    let anthropic = SamplingParams { seed: None, ..warm() };
    assert_eq!(
        sent("anthropic", anthropic, &["temperature", "stop_sequences", "max_tokens", "top_k"])
            .await,
        json!({ "temperature": 0.5, "stop_sequences": ["END"], "max_tokens": 5_000, "top_k": 40 })
    );
    let responses = SamplingParams { seed: None, stop: Vec::new(), ..warm() };
    assert_eq!(
        sent("responses", responses, &["temperature", "max_output_tokens", "top_k"]).await,
        json!({ "temperature": 0.5, "max_output_tokens": 5_000, "top_k": 40 })
    );
    let extra = json!({ "generationConfig": { "topK": 40 } });
    let gemini = SamplingParams { extra: extra.as_object().unwrap().clone(), ..warm() };
    assert_eq!(
        sent("gemini", gemini, &["generationConfig"]).await,
        json!({ "generationConfig": { "maxOutputTokens": 5_000, "temperature": 0.5, "topP": 0.9,
            "stopSequences": ["END"], "seed": 9, "topK": 40 } })
    );
    let extra = json!({ "options": { "top_k": 40 } });
    let ollama = SamplingParams { extra: extra.as_object().unwrap().clone(), ..warm() };
    assert_eq!(
        sent("ollama-native", ollama, &["options"]).await,
        json!({ "options": { "num_predict": 5_000, "num_ctx": 32_768, "temperature": 0.5,
            "top_p": 0.9, "stop": ["END"], "seed": 9, "top_k": 40 } })
    );
}

#[tokio::test]
async fn each_family_is_told_how_much_to_think() {
    for dialect in ["openai", "azure", "deepseek", "groq", "mistral", "vllm", "ollama"] {
        let told = sent(dialect, tries(ReasoningEffort::High), &["reasoning_effort"]).await;
        assert_eq!(told, json!({ "reasoning_effort": "high" }), "{dialect}");
    }
    let told = sent("openrouter", tries(ReasoningEffort::Low), &["reasoning"]).await;
    assert_eq!(told, json!({ "reasoning": { "effort": "low" } }));
    let told = sent("openrouter", thinks(2_000), &["reasoning", "max_tokens"]).await;
    assert_eq!(told, json!({ "reasoning": { "max_tokens": 2_000 }, "max_tokens": 5_000 }));
    let told = sent("responses", tries(ReasoningEffort::Minimal), &["reasoning"]).await;
    assert_eq!(told, json!({ "reasoning": { "effort": "minimal" } }));
    let told = sent("anthropic", tries(ReasoningEffort::Max), &["output_config", "thinking"]).await;
    assert_eq!(told, json!({ "output_config": { "effort": "max" }, "thinking": null }));
    let told = sent("anthropic", thinks(1_024), &["thinking", "max_tokens"]).await;
    let enabled = json!({ "type": "enabled", "budget_tokens": 1_024 });
    assert_eq!(told, json!({ "thinking": enabled, "max_tokens": 5_000 }));
    // Thinking and answer are apart there: both together are what is held for.
    let told = sent("dashscope", thinks(2_000), &["thinking_budget", "max_tokens"]).await;
    assert_eq!(told, json!({ "thinking_budget": 2_000, "max_tokens": 3_000 }));
    let told = sent("gemini", thinks(0), &["generationConfig"]).await;
    assert_eq!(told["generationConfig"]["thinkingConfig"], json!({ "thinkingBudget": 0 }));
    let told = sent("gemini", tries(ReasoningEffort::Low), &["generationConfig"]).await;
    assert_eq!(told["generationConfig"]["thinkingConfig"], json!({ "thinkingLevel": "low" }));
    let told = sent("ollama-native", tries(ReasoningEffort::None), &["think"]).await;
    assert_eq!(told, json!({ "think": false }));
    let told = sent("ollama-native", tries(ReasoningEffort::High), &["think"]).await;
    assert_eq!(told, json!({ "think": "high" }));
}

/// From the file to the wire and to the row.
#[tokio::test]
async fn a_campaign_asks_as_its_file_says_and_its_rows_say_so() {
    if cannot("a campaign with sampling") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    let campaign = format!(
        "[campaign]\nname = \"paid\"\n[tasks]\ntemplates = [\"crash/*\"]\n\
         [providers.local]\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         key_env = \"SYNTHD_TEST_KEY\"\n[[models]]\nname = \"local/m-1\"\n\
         price = {{ input = \"1.00\", output = \"2.00\" }}\ntemperature = 0.25\n\
         max_output_tokens = 9000\nextra = {{ top_k = 3 }}\n[budget]\nusd = \"5.00\"\n",
        provider.host.url()
    );
    std::fs::write(directory.path().join("paid.toml"), campaign).unwrap();
    let output = command(directory.path()).output().unwrap();
    assert_eq!(summary(&output)["episodes"]["resolved"], 1, "{output:?}");
    for heard in provider.host.heard() {
        let body = &heard.body;
        assert_eq!(body["max_completion_tokens"], 9_000);
        assert_eq!((&body["temperature"], &body["top_k"]), (&json!(0.25), &json!(3)));
    }
    let store = Store::open_read_only(&directory.path().join("data")).unwrap();
    let rows = store.rows(&CampaignName("paid".to_owned()), None, 9).await.unwrap();
    let row = rows[0].row.as_trajectory().unwrap();
    let sampling: Value = serde_json::from_str(row.sampling.as_ref().unwrap()).unwrap();
    let expected =
        json!({ "temperature": 0.25, "max_output_tokens": 9_000, "extra": { "top_k": 3 } });
    assert_eq!(sampling, expected);
}
