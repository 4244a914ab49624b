//! Models that stand in for others at the gateway, while the client has heard nothing yet.

use super::gateway::{CHAT, Running, get, list, post, provider};
use super::host::Host;
use serde_json::{Value, json};
use std::path::Path;

/// A model that costs something, with who stands in for it.
fn config(host: &Host, more: &str) -> String {
    format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nmax_output_tokens = 100\n[budget]\nusd = \"1.00\"\n\
         [providers.local]\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         [[models]]\nname = \"local/chat-1\"\nprice = {{ input = \"1.00\", output = \"2.00\" }}\n{more}\n\
         [[models]]\nname = \"scripted/echo\"\nreserve = true\n",
        host.url()
    )
}

/// The status, and what was said.
fn ask(gateway: &Running, text: &str, more: Value) -> (String, Value) {
    let mut body = json!({ "model": "chat-1", "messages": [{ "role": "user", "content": text }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = post(&gateway.url, "/v1/chat/completions", &body.to_string());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// The names that clients may use.
fn listed(gateway: &Running) -> Vec<String> {
    let answer = get(&gateway.url, "/v1/models");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let models = body["data"].as_array().unwrap().iter();
    models.map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

fn why(directory: &Path, call: &Value) -> String {
    let mut command = std::process::Command::new(crate::support::synthd());
    command.args(["call", "show", call["id"].as_str().unwrap(), "--json", "--data-dir", "data"]);
    let output = command.current_dir(directory).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    shown["why"].as_str().unwrap().to_owned()
}

#[test]
fn who_stands_in_is_asked_while_the_client_has_heard_nothing() {
    let host = provider(&CHAT);
    let directory = tempfile::tempdir().unwrap();
    let more = "fallback = { outage = [\"scripted/echo\"], filter = [\"scripted/echo\"] }";
    let gateway = Running::start(directory.path(), &config(&host, more));
    assert_eq!(ask(&gateway, "hello", json!({})).1["model"], "chat-1-0613", "it answers itself");
    for (text, kind) in
        [("always 500", "outage"), ("always html", "outage"), ("always filtered", "filter")]
    {
        let (status, answer) = ask(&gateway, text, json!({}));
        assert_eq!(status, "200", "{text}: {answer}");
        let said = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(said.contains(text), "an echo: {said}");
        let calls = list(directory.path(), &[]);
        let last = calls["calls"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["model"], &last["retry"]), (&json!("scripted/echo"), &json!(1)));
        assert_eq!(why(directory.path(), last), format!("fallback from local/chat-1: {kind}"));
    }
    // Being asked too often is for the client to wait for, and a refusal is the client's to mend.
    assert_eq!(ask(&gateway, "always 429", json!({})).0, "429");
    assert_eq!(ask(&gateway, "always 400", json!({})).0, "400");
    // Who cannot be told what was asked does not hide how the first one failed.
    let (status, answer) = ask(&gateway, "always 500", json!({ "seed": 1 }));
    assert_eq!(status, "500", "{answer}");
    // Where only one is asked but in place of another, there is no choice.
    assert_eq!(listed(&gateway), ["local/chat-1", "scripted/echo"]);
    // Whichever answers soonest, without its being named.
    let (status, _) = ask(&gateway, "hello", json!({ "model": "any/least-latency" }));
    assert_eq!(status, "200");
    gateway.stop();
}

#[test]
fn a_model_that_has_spent_its_share_is_stood_in_for() {
    let host = provider(&CHAT);
    let directory = tempfile::tempdir().unwrap();
    let more = "budget_usd = \"0.0020\"\nfallback = { spent = [\"scripted/echo\"] }";
    let gateway = Running::start(directory.path(), &config(&host, more));
    let models: Vec<Value> =
        (0..20).map(|_| ask(&gateway, "hello", json!({})).1["model"].clone()).collect();
    let own = models.iter().filter(|model| *model == "chat-1-0613").count();
    // Of 140 millionths each, under a worst case of more than a thousand.
    assert!((1..14).contains(&own), "{models:?}");
    assert!(models[own..].iter().all(|model| *model == "chat-1"), "{models:?}");
    let spent = gateway.stop();
    assert!(
        spent.contains(&format!(
            "${} spent",
            list(directory.path(), &[])["cost_usd"].as_str().unwrap()
        )),
        "{spent}"
    );
}

#[test]
fn two_that_are_asked_for_themselves_are_a_choice() {
    let host = provider(&CHAT);
    let directory = tempfile::tempdir().unwrap();
    let other = "[[models]]\nname = \"local/other/chat-1\"\n\
                 price = { input = \"1.00\", output = \"2.00\" }";
    let config = config(&host, other).replace("reserve = true", "");
    let gateway = Running::start(directory.path(), &config);
    let names = ["local/chat-1", "local/other/chat-1", "scripted/echo", "any/least-latency"];
    assert_eq!(listed(&gateway), names);
    // A name without its provider is one, whoever else ends like it.
    assert_eq!(ask(&gateway, "hello", json!({ "model": "chat-1" })).0, "200");
    gateway.stop();
    assert_eq!(host.heard()[0].body["model"], "chat-1");
}

/// What one gateway recorded answers the clients of another, by every name it has.
#[test]
fn a_record_answers_clients_by_any_name_of_its_model() {
    let host = provider(&CHAT);
    let (then, now) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let more = "fallback = { outage = [\"scripted/echo\"] }";
    let gateway = Running::start(then.path(), &config(&host, more));
    let capped = || json!({ "max_tokens": 50 });
    let said = ask(&gateway, "hello", capped()).1;
    gateway.stop();
    let heard = host.heard().len();
    let replay = format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\n\
         [providers.replay]\nrecord = {:?}\ncampaign = \"gateway\"\n\
         [[models]]\nname = \"replay/local/chat-1\"\n",
        then.path().join("data")
    );
    let gateway = Running::start(now.path(), &replay);
    for name in ["chat-1", "local/chat-1", "replay/local/chat-1"] {
        let mut more = capped();
        more["model"] = json!(name);
        assert_eq!(ask(&gateway, "hello", more), ("200".to_owned(), said.clone()), "{name}");
    }
    let (status, refusal) = ask(&gateway, "hello you", capped());
    assert_eq!((status.as_str(), &refusal["error"]["code"]), ("404", &json!("not_recorded")));
    let (status, refusal) = ask(&gateway, "hello", json!({ "model": "at-1" }));
    assert_eq!((status.as_str(), &refusal["error"]["code"]), ("404", &json!("model_not_found")));
    gateway.stop();
    assert_eq!(host.heard().len(), heard, "nobody is asked");
}
