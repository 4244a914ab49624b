//! The keys that say how tasks are chosen.

use super::*;
use std::collections::BTreeMap;
use synthd_actors::model::{DrawAspect, DrawRule, TaskDraw};

/// The least campaign with more keys of `[tasks]`, and more sections behind them.
fn tasks(keys: &str) -> String {
    MINIMAL.replace("[\"**\"]\n", &format!("[\"**\"]\n{keys}\n"))
}

#[test]
fn a_draw_has_its_defaults() {
    assert_eq!(campaign(MINIMAL).tasks.draw, TaskDraw::default());
    let drawn = campaign(&tasks("draw = \"shares\"\ncount = 500")).tasks;
    let expected = TaskDraw { rule: DrawRule::Shares, count: 500, ..TaskDraw::default() };
    assert_eq!(drawn.draw, expected);
    assert_eq!((drawn.tasks_of(21), drawn.most_of_template()), (500, 500));
    assert_eq!(expected.cap(DrawAspect::Category, "git"), Some(80));
}

#[test]
fn a_draw_is_read() {
    let shares = "draw = \"shares\"\ncount = 9\nby = [\"skill\"]\n\
                  [tasks.shares]\nkind = { repair = 0.3, test = 0 }\nskill = { \"sql.ddl\" = 1 }\n\
                  [tasks.caps]\nkind = 0.35\nskill = 1";
    let draw = campaign(&tasks(shares)).tasks.draw;
    assert_eq!(draw.by, [DrawAspect::Skill]);
    assert_eq!(draw.share(DrawAspect::Kind, "repair"), Some(300));
    assert_eq!(draw.share(DrawAspect::Skill, "sql.ddl"), Some(1_000));
    let caps = [(DrawAspect::Kind, 350), (DrawAspect::Skill, 1_000)];
    assert_eq!(draw.caps, BTreeMap::from(caps));
    assert_eq!(draw.cap(DrawAspect::Kind, "test"), Some(350));
    // A stated share may be above a usual cap.
    let usual = "draw = \"shares\"\ncount = 9\n[tasks.shares]\nkind = { repair = 0.3 }";
    let draw = campaign(&tasks(usual)).tasks.draw;
    assert_eq!(draw.cap(DrawAspect::Kind, "repair"), None);
    assert_eq!(draw.cap(DrawAspect::Kind, "test"), Some(200));
    let informative = "draw = \"informative\"\ncount = 9\nbetween = [0.1, 0.5]\nleast = 3";
    let draw = campaign(&tasks(informative)).tasks.draw;
    assert_eq!((draw.between, draw.least), ([100, 500], 3));
}

/// Each with its place and a hint.
#[test]
fn draws_that_do_not_fit_are_told() {
    let shares = "draw = \"shares\"\ncount = 5\n";
    let informative = "draw = \"informative\"\ncount = 5\n";
    for (keys, told) in [
        (
            "count = 5".to_owned(),
            "5:9: `tasks.count` has no meaning here (it needs draw = \"shares\" or",
        ),
        (
            "draw = \"shares\"".to_owned(),
            "5:8: a draw needs the number of tasks (add for example `count = 500`)",
        ),
        (
            "draw = \"sharse\"".to_owned(),
            "5:8: `tasks.draw`: unknown value \"sharse\" (did you mean `shares`?",
        ),
        (
            format!("{shares}per_template = 2"),
            "7:16: `tasks.per_template` has no meaning here (a draw has `count` instead)",
        ),
        (
            format!("{shares}[tasks.shares]\nkind = {{ repair = 0.0625 }}"),
            "8:19: `tasks.shares.kind.repair`: a share has at most three decimals (such",
        ),
        (
            format!("{shares}least = 2"),
            "7:9: `tasks.least` has no meaning here (it needs draw = \"informative\")",
        ),
        (
            format!("{informative}by = [\"kind\"]"),
            "7:6: `tasks.by` has no meaning here (it needs draw = \"shares\")",
        ),
        (
            format!("{shares}by = [\"kid\"]"),
            "7:7: `tasks.by`: unknown value \"kid\" (did you mean `kind`?",
        ),
        (
            format!("{informative}between = [0.8, 0.2]"),
            "7:11: the first pass rate is above the second one",
        ),
        (
            format!("{informative}between = [0.8]"),
            "7:11: `tasks.between`: 1 pass rates (two, such as [0.2, 0.8])",
        ),
        (
            format!("{shares}[tasks.shares]\nkind = {{ repare = 0.1 }}"),
            "8:10: unknown kind \"repare\" (did you mean `repair`?",
        ),
        (
            format!("{shares}[tasks.shares]\ndifficulty = {{ heavy = 0.1 }}"),
            "8:16: unknown difficulty \"heavy\" (known: easy, medium, hard)",
        ),
        (
            format!("{shares}[tasks.shares]\nskill = {{ sql.ddl = 0.1 }}"),
            "expected a number, found a table (put a name with a dot in quotes",
        ),
        (
            format!("{shares}[tasks.shares]\nkind = {{ test = 0.6, repair = 0.6 }}"),
            "`tasks.shares.kind` sums to 1.2",
        ),
        (
            format!("{shares}[tasks.shares]\nkind = {{ test = 0.6 }}\n[tasks.caps]\nkind = 0.5"),
            "8:10: the share of \"test\" is 0.6, and the cap is 0.5 (raise `tasks.caps.kind`, or lower the share)",
        ),
        (format!("{shares}[tasks.caps]\nkind = 0"), "`tasks.caps.kind`: 0 is out of range"),
        (format!("{shares}[tasks.caps]\nkinds = 0.1"), "unknown key `kinds`"),
    ] {
        let found = brief(&errors(&tasks(&keys)));
        assert_eq!(found.len(), 1, "{keys}: {found:?}");
        assert!(found[0].contains(told), "{keys}\n{}\n{told}", found[0]);
    }
    let assign = format!("{}[routing]\nassign = \"weighted\"\n", tasks(informative));
    let assign =
        assign.replace("name = \"scripted/oracle\"", "name = \"scripted/oracle\"\nweight = 1");
    let found = brief(&errors(&assign)).join("\n");
    assert!(found.contains("an informative draw chooses the models itself"), "{found}");
}
