//! Rules of single values at their edges, and of values held against each other.

use super::*;
use insta::assert_snapshot;
use synthd_actors::model::SandboxLimits;

#[test]
fn what_may_cost_something_needs_its_price() {
    let model = |name: &str| format!("{MINIMAL}[[models]]\nname = \"{name}\"\n");
    let price = "price = { input = \"0\", output = \"0\" }\n";
    let budget = "[budget]\nusd = \"1\"\n";
    assert_eq!(campaign(&format!("{}{price}{budget}", model("openai/gpt"))).models.len(), 2);
    for free in ["vllm/qwen", "ollama/qwen"] {
        assert!(campaign(&model(free)).models[1].price.is_free());
    }
    let own = "[providers.mine]\ndialect = \"vllm\"\nbase_url = \"http://h/v1\"\n";
    campaign(&format!("{}{own}free = true\n", model("mine/qwen")));
    let unpriced = [model("openai/gpt"), format!("{}{own}", model("mine/qwen"))];
    let found = unpriced.map(|text| brief(&errors(&text)).join("\n"));
    assert_snapshot!(found.join("\n"));
}

#[test]
fn a_model_is_asked_where_its_provider_says() {
    let endpoint = |name: &str, more: &str| {
        let price = "price = { input = \"0\", output = \"0\" }";
        let text = format!("{MINIMAL}[[models]]\nname = \"{name}\"\n{price}\n{more}");
        let endpoint = campaign(&text).models[1].endpoint.clone().expect("an endpoint");
        (endpoint.dialect, endpoint.base_url, endpoint.key_env)
    };
    let text = |text: &str| text.to_owned();
    let openai = (text("openai"), text("https://api.openai.com/v1"), Some(text("OPENAI_API_KEY")));
    assert_eq!(endpoint("openai/gpt", ""), openai);
    let moved = "[providers.openai]\nbase_url = \"http://proxy:1/v1\"\nkey_env = \"OTHER\"\n";
    let expected = (text("openai"), text("http://proxy:1/v1"), Some(text("OTHER")));
    assert_eq!(endpoint("openai/gpt", moved), expected);
    let own = "[providers.mine]\ndialect = \"vllm\"\nbase_url = \"http://h/v1\"\n";
    assert_eq!(endpoint("mine/a/b", own), (text("vllm"), text("http://h/v1"), None));
    assert_eq!(campaign(MINIMAL).models[0].endpoint, None);
}

#[test]
fn providers_that_cannot_be_asked_are_told() {
    let found: Vec<String> = [
        "[[models]]\nname = \"azure/gpt\"\nprice = { input = \"1\", output = \"1\" }",
        "[providers.mine]\nbase_url = \"http://h/v1\"",
        "[providers.mine]\ndialect = \"vllm\"\nbase_url = \"h/v1\"",
        "[providers.mine]\ndialect = \"vllm\"\nbase_url = \"http://key@h/v1\"",
        "[providers.mine]\ndialect = \"vlm\"",
        "[providers.mine]\ndialect = \"vllm\"\nkey_env = \"sk-secret\"",
        "[providers.mine]\ndialect = \"vllm\"\nfree = \"yes\"",
        "[providers.\"My Own\"]\ndialect = \"vllm\"",
        "[providers.scripted]\nfree = true",
        "[[models]]\nname = \"opnai/gpt\"",
        "[providers.mine]\ndialect = \"vllm\"\nbase_url = \"http://h:hunter2/v1\"",
        "[providers.mine]\ndialect = \"vllm\"\nbase_url = \"https://h/v1#sk-secret\"",
        "[providers.mine]\ndialect = \"vllm\"\nproxy = \"http://u:hunter2@h:1\"",
        "[providers.mine]\ndialect = \"vllm\"\nproxy = \"http://h:1/x\"",
        "[providers.vllm]\nkey_env = \"A\"\nproxy = \"http://h:1\"",
    ]
    .map(only_mistake)
    .into();
    assert!(!found.join("").contains("sk-secret") && !found.join("").contains("hunter2"));
    let shown = errors(&format!("{MINIMAL}[providers.mine]\napi_key = \"sk-secret\"")).render();
    assert!(!shown.contains("sk-secret"), "{shown}");
    assert_snapshot!(found.join("\n"));
}

#[test]
fn values_are_held_against_each_other() {
    let found: Vec<String> = [
        "[budget]\nusd = \"0.00\"",
        "[dataset]\nsplits = { train = 80, test = 10 }",
        "[dataset]\nlicence = \"mit\"\nlicense = \"mit\"",
        "[sandbox]\noutput_kept = \"64KiB\"\noutput_killed = \"32KiB\"",
        "[routing]\nassign = \"weighted\"",
        "[[models]]\nname = \"scripted/loop\"\nweight = 1\n[routing]\nassign = \"weighted\"",
        "[[models]]\nname = \"scripted/oracle\"",
        "[[models]]",
        "[[models]]\nname = \"scripted/loop\"\nprice = { input = \"1\" }",
    ]
    .map(only_mistake)
    .into();
    assert_snapshot!(found.join("\n"), @r#"
    8:7: a budget of zero stops the campaign before its first call (leave `[budget]` out to have no limit)
    8:10: `dataset.splits` sum to 90, not 100 (shares are in percent; a missing split counts as 0)
    9:11: `license` and `licence` are the same setting (keep one of them)
    9:17: `output_killed` (32KiB) is less than `output_kept` (64KiB) (lower `output_kept`, or raise `output_killed`)
    8:10: "weighted" needs weights, but no model has one (add for example `weight = 3` to every model)
    6:8: "weighted" needs a `weight` on every model (add for example `weight = 3`)
    8:8: model "scripted/oracle" is listed twice (use `weight` to make a model more frequent)
    7:1: missing key `name` in `[[models]]` (add for example `name = "scripted/oracle"`)
    9:9: missing key `output` in `[models.price]` (add for example `output = "0.60"`)
    "#);
}

#[test]
fn tasks_that_exclude_themselves_are_refused() {
    let text = |exclude: &str| {
        MINIMAL.replace("[[models]]", &format!("exclude = [{exclude}]\n[[models]]"))
    };
    let found =
        [text("\"**\""), text("\"a\", \"b\", \"a\"")].map(|text| brief(&errors(&text)).join("\n"));
    assert_snapshot!(found.join("\n"), @r#"
    5:12: "**" is in `templates` and in `exclude` (remove it from one of the two lists)
    5:22: `tasks.exclude`: given twice (keep one of them)
    "#);
}

/// A bad value is told once, not again by every rule that needs it.
#[test]
fn nothing_is_told_twice() {
    for extra in [
        "[dataset]\nsplits = { train = 101, validation = 10, test = 10 }",
        "[sandbox]\noutput_kept = \"1GB\"\noutput_killed = \"1KiB\"",
        "[[models]]\nname = 3\n[budget]\nusd = \"1\"",
        "[[models]]\nname = \"scripted/loop\"\nprice = { input = 1, output = \"1\" }\n[budget]\nusd = \"1\"",
        "models.x = 1",
    ] {
        only_mistake(extra);
    }
}

#[test]
fn ranges_have_edges() {
    for (key, good, bad) in [
        ("memory", "\"16MiB\"", "\"15MiB\""),
        ("memory", "\"16TiB\"", "\"16385GiB\""),
        ("memory", "16777216", "-1"),
        ("cpu", "0.05", "0.049"),
        ("cpu", "256", "256.1"),
        ("cpu", "1e0", "nan"),
        ("cpu", "0.0500", "inf"),
        ("processes", "8", "7"),
        ("processes", "65_536", "65_537"),
        ("command_cpu", "\"1s\"", "\"999ms\""),
        ("command_timeout", "\"1day\"", "\"25h\""),
        ("command_timeout", "\"100ms\"", "\"-1s\""),
        ("output_kept", "\"16MiB\"", "\"17MiB\""),
        ("inodes", "64", "99999999999999999999999999999999999999999999"),
        ("disk", "\"1MiB\"", "\"99999999999999999999999999999999999999999999TiB\""),
        ("copy", "\"128MiB\"", "\"1.5GiB\""),
    ] {
        let text = |value: &str| format!("{MINIMAL}[sandbox]\n{key} = {value}\n");
        assert!(parse_campaign("c.toml", &text(good)).is_ok(), "{key} = {good}");
        assert_eq!(errors(&text(bad)).total(), 1, "{key} = {bad}");
    }
}

#[test]
fn a_sandbox_fits_its_backend() {
    let with = |lines: &str| format!("{MINIMAL}[sandbox]\n{lines}\n");
    for good in [
        "image = \"base\"",
        "image = \"/srv/root\"",
        "backend = \"docker\"\nimage = \"python:3.13\"\nruntime = \"runsc\"",
        "disk = \"2MiB\"",
    ] {
        campaign(&with(good));
    }
    assert_eq!(campaign(&with("disk = \"2MiB\"")).sandbox.limits.copy_bytes, 2 << 20);
    for bad in [
        "image = \"python:3.13\"",
        "image = \"\"",
        "backend = \"docker\"",
        "runtime = \"runsc\"",
        "backend = \"podman\"",
        "disk = \"2MiB\"\ncopy = \"3MiB\"",
    ] {
        assert_eq!(errors(&with(bad)).total(), 1, "{bad}");
    }
}

#[test]
fn seeds_are_positive_and_fit_the_store() {
    let seed = |seed: &str| MINIMAL.replace("[tasks]", &format!("seed = {seed}\n[tasks]"));
    assert_eq!(campaign(&seed("0")).seed, 0);
    assert_eq!(campaign(&seed("9223372036854775807")).seed, i64::MAX.unsigned_abs());
    for bad in ["9223372036854775808", "-1"] {
        assert_eq!(errors(&seed(bad)).total(), 1, "{bad}");
    }
}

#[test]
fn cores_are_exact_in_thousandths() {
    for (cpu, millis) in [("0.1", 100), ("0.29", 290), ("1.0", 1_000), ("1.4996", 1_500)] {
        let limits: SandboxLimits =
            campaign(&format!("{MINIMAL}[sandbox]\ncpu = {cpu}")).sandbox.limits;
        assert_eq!(limits.cpu_millis, millis);
    }
}

#[test]
fn names_have_a_grammar() {
    let named = |name: &str| MINIMAL.replace("least", name);
    for good in ["a", "0", "a-b-", &"x".repeat(63)] {
        assert_eq!(campaign(&named(good)).name.as_str(), good);
    }
    for bad in ["", "-a", "A", "a_b", "a/b", "..", "é", "a b", &"x".repeat(64)] {
        assert_eq!(errors(&named(bad)).total(), 1, "{bad}");
    }
}

#[test]
fn globs_must_be_able_to_match() {
    let globbed = |glob: &str| MINIMAL.replace("**", glob);
    for good in ["*", "**", "shell/*", "*/off-by-*", "debugging/off-by-one", "a/**/b"] {
        assert_eq!(campaign(&globbed(good)).tasks.templates, [good]);
    }
    for bad in ["", "/a", "a/", "a//b", "A", "shell/?", "[ab]", "***", "a b", "{a,b}"] {
        assert_eq!(errors(&globbed(bad)).total(), 1, "{bad}");
    }
}

#[test]
fn a_daemon_is_checked_too() {
    let text = r#"
[daemon]
data_dir = "~/data"
socket = ""
max_episodes = 4
[pool]
warm = 5
parallel = 4
[log]
level = "inof"
format = "jsno"
[templates]
dirs = ["a", "a"]
"#;
    let errors = parse_daemon("daemon.toml", text).expect_err("refused");
    assert_snapshot!(brief(&errors).join("\n"), @r#"
    3:12: `daemon.data_dir`: `~` is not expanded in files (write the whole path, or a path relative to the working directory)
    4:10: `daemon.socket`: an empty string
    7:8: `pool.warm` (5) is more than `daemon.max_episodes` (4) (lower `pool.warm` to at most one sandbox per episode)
    8:1: unknown key `parallel` in `[pool]` (known here: max_age, max_idle, parallel_creation, warm)
    10:9: `log.level`: unknown level "inof" (did you mean `info`?)
    11:10: `log.format`: unknown value "jsno" (did you mean `json`? (known: auto, human, json))
    13:14: `templates.dirs`: given twice (keep one of them)
    "#);
    let level = |level: &str| parse_daemon("d", &format!("[log]\nlevel = \"{level}\"")).is_ok();
    assert!(["off", "WARN", "synthd", "warn,h2=off", "synthd::pool=trace"].into_iter().all(level));
    assert!(!["", "debgu", "a=b=c", "=", "info,synthd=verbose"].into_iter().any(level));
    let long = format!("[daemon]\nsocket = \"/{}\"", "x".repeat(107));
    assert!(parse_daemon("d", &long).is_err());
}
