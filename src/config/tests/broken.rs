//! Broken TOML, told together with what else is wrong.

use super::*;
use insta::assert_snapshot;

#[test]
fn syntax_errors_are_told_together_with_others() {
    let text = r#"
[campaign]
name = quickstart
seed = "x"
concurrency =
maximum

[tasks
templates = ["shell/*",, "debugging/*"]
per_tmplate = 0

[[models]]
name = "scripted/oracl
weight = 007

[sandbox]
memry = "1GiB"
"#;
    assert_snapshot!(errors(text).render());
}

#[test]
fn an_unclosed_list_swallows_nothing() {
    let text = "[campaign]\nname = \"x\"\n[tasks]\ntemplates = [\n  \"**\",\n  \"shell/*\" # those\nper_template = 0\n\n[[models]]\nname = \"scripted/oracl\"\nprice = { input = \"1\",\n\n[budget]\nusd = 5";
    assert_snapshot!(brief(&errors(text)).join("\n"), @r#"
    4:13: the list is never closed (add `]` before line 7)
    7:16: `tasks.per_template`: 0 is out of range (anything from 1 to 1000000)
    10:8: `models.name`: unknown scripted model "oracl" (did you mean `oracle`? (known: oracle, detour, loop, malformed, refuse, cheat, slow, flaky, give-up, look-first, mistakes, lines-4, lines-16, echo, drafter, drafter-repairs, drafter-stuck, drafter-hostile, judge, judge-first, judge-torn, judge-never, judge-echo, judge-obeys))
    11:9: the table is never closed (add `}` before line 13)
    14:7: `budget.usd`: expected dollars in quotes, found a whole number (money is exact and never a float: write "5")
    "#);
}

#[test]
fn a_list_that_ends_with_the_file_is_unclosed() {
    let errors = errors("[campaign]\nname = \"x\"\n[tasks]\ntemplates = [\"**\",\n");
    assert_snapshot!(brief(&errors).join("\n"), @"4:13: the list is never closed (add `]` at its end)");
}

#[test]
fn duplicates_are_not_taken_for_broken_syntax() {
    let text = "[campaign]\nname = \"x\"\nname = \"y\"\n[tasks]\n[tasks]\n";
    assert_snapshot!(brief(&errors(text)).join("\n"), @r#"
    1:1: missing `[[models]]` (start each entry with `[[models]]`)
    3:1: `name` is given twice (see line 2)
    5:1: missing key `templates` in `[tasks]` (add for example `templates = ["**"]`)
    5:2: `tasks` is given twice (see line 4)
    "#);
}

#[test]
fn an_unclosed_text_is_one_mistake() {
    assert_snapshot!(brief(&errors("[campaign]\nname = \"\"\"x\n[tasks]\n")).join("\n"), @r#"4:1: invalid multi-line basic string (a text that starts with three quotes ends with three quotes)"#);
    assert_snapshot!(brief(&errors("[campaign]\nname = 'x\nsed = 1")).join("\n"), @r#"
    2:10: invalid literal string (close the text with a single quote)
    3:1: unknown key `sed` in `[campaign]` (did you mean `seed`?)
    "#);
}

#[test]
fn depth_is_bounded() {
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(errors(&deep).total() >= 1);
}
