//! What people read when they are wrong. The snapshots are the product here.

use super::*;
use insta::assert_snapshot;

const TEN: &str = r#"# Ten mistakes, one a line.
[campaign]
name = "My Campaign"
sed = 20260101
concurrency = 0

[tasks]
templates = []
per_template = "2"

[[models]]
name = "scripted/oracel"

[[models]]
name = "scripted/detour"
price = { input = 0.15, output = "0.60" }

[routing]
assign = "corss"

[sandbox]
memory = "512MB"

[dataset]
splits = { train = 80, validation = 15, test = 10 }
"#;

#[test]
fn ten_mistakes_are_ten_errors() {
    let errors = errors(TEN);
    assert_eq!(errors.total(), 10, "{errors}");
    assert_eq!(errors.code(), Code::ConfigInvalid);
    assert_snapshot!(errors.render());
}

#[test]
fn the_same_as_json() {
    let json = errors(TEN).to_json();
    assert_eq!((&json["code"], &json["path"]), (&"SYN-0102".into(), &"campaign.toml".into()));
    assert_eq!(
        (json["total"].as_u64(), json["errors"].as_array().map(Vec::len)),
        (Some(10), Some(10))
    );
    let second = serde_json::json!({
        "path": "campaign.toml",
        "line": 4,
        "column": 1,
        "length": 3,
        "message": "unknown key `sed` in `[campaign]`",
        "hint": "did you mean `seed`?",
        "source": "sed = 20260101",
    });
    assert_eq!(json["errors"][1], second);
}

#[test]
fn the_same_as_an_error_of_the_application() {
    let many = crate::error::Error::from(errors(TEN));
    assert_eq!(many.to_string(), "campaign.toml: 10 errors");
    assert!(many.report().contains("unknown key `sed`"), "{}", many.report());
    let one =
        crate::error::Error::from(errors(&MINIMAL.replace("[[models]]", "[[models]]\nwait = 1")));
    assert_snapshot!(one.report());
}

#[test]
fn wrong_types_say_what_was_found() {
    let text = r#"
[campaign]
name = 7
seed = 1.5
concurrency = true

[tasks]
templates = "shell/*"
exclude = [1, "a", false]
per_template = 1979-05-27

[[models]]
name = ["scripted/oracle"]
weight = "3"
price = "0.15"

[routing]
assign = 3

[sandbox]
cpu = "2"
memory = 5.5
command_timeout = 30
shell = []

[budget]
usd = 5.00

[quality]
leak = true

[dataset]
splits = [80, 10, 10]
"#;
    assert_snapshot!(errors(text).render());
}

#[test]
fn near_misses_are_guessed() {
    let text = r#"
seed = 1

[campain]
name = "x"

[tasks]
tempaltes = ["**"]
budget = 1

[[models]]
Name = "scripted/oracle"
requests-per-minute = 4

[[models]]
name = "oracle"

[[models]]
name = "scriptd/oracle"

[scaffolds]
names = ["minimum"]

[sandbox]
backend = "docker"
shell = "zsh"
timeout = "3s"

[quality]
loops = "Reject"
something_else_entirely = 1
"#;
    assert_snapshot!(errors(text).render());
}

/// A misspelt key that is required is not missing as well.
#[test]
fn a_misspelt_key_is_one_mistake() {
    for text in [
        MINIMAL.replace("[campaign]", "[campain]"),
        MINIMAL.replace("[[models]]", "[[model]]"),
        MINIMAL.replace("templates", "template"),
        MINIMAL.replace("name = \"scripted", "Name = \"scripted"),
    ] {
        let errors = errors(&text);
        assert_eq!(errors.total(), 1, "{errors}");
        assert!(brief(&errors)[0].contains("(did you mean"), "{errors}");
    }
    let both = "[[models]]\nname = \"scripted/loop\"\n[[models]]\nnam = 1\n[[models]]\n";
    assert_eq!(errors(&format!("{MINIMAL}{both}")).total(), 2);
}

#[test]
fn long_lines_wide_letters_and_tabs_keep_the_caret_in_place() {
    let text = format!(
        "[campaign]\n\tname = \"Ж名前 {}\" # 😀\n[tasks]\ntemplates = [{}\"BAD\"]\n\tsed = 1 # 名前\n",
        "x".repeat(100),
        (0..60).map(|n| format!("\"shell/template-{n}\", ")).collect::<String>(),
    );
    let rendered = errors(&text).render();
    assert!(rendered.lines().all(|line| line.chars().count() <= 80), "{rendered}");
    assert_snapshot!(rendered);
}

#[test]
fn no_terminal_is_harmed() {
    let text = "[campaign]\nname = \"\u{202e}txt\" # \u{202e} \u{7}\n\"\u{1b}[2J\" = 1\n\"\\u001b[2J\" = 2\n";
    let rendered = errors(text).render();
    let harmful = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
    assert!(!rendered.contains(harmful), "{rendered:?}");
}

#[test]
fn a_hundred_mistakes_are_enough() {
    let many: String = (0..500).map(|n| format!("key{n} = 1\n")).collect();
    let errors = errors(&format!("{many}{MINIMAL}"));
    assert_eq!((errors.errors().len(), errors.total()), (100, 500));
    assert!(errors.render().ends_with("and 400 more errors\n"));
}

#[test]
fn a_network_that_is_wrong_is_told_by_what_is_wrong_with_it() {
    let text = r#"
[campaign]
name = "networks"
[tasks]
templates = ["**"]
[[models]]
name = "scripted/oracle"
[networks]
packages = ["pypi.org", "10.0.0.1", "https://crates.io", "pypi.org", 7]
empty = []
hosts = "pypi.org"
[sandbox]
network = "package"
"#;
    assert_snapshot!(errors(text).render());
}

#[test]
fn an_agent_that_is_wrong_is_told_by_what_is_wrong_with_it() {
    let text = r#"
[campaign]
name = "agents"
[tasks]
templates = ["**"]
[[models]]
name = "scripted/oracle"
[scaffolds]
names = ["minimal", "external/mimi", "mini"]
[agents.mini]
environment = { "A B" = "x", OK = 1 }
port = 0
comand = "agent"
[agents.empty]
command = " "
"#;
    assert_snapshot!(errors(text).render());
}
