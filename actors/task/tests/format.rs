//! Templates that must not be used, and what is said of them.

use super::{instruction, parse, with};
use crate::task::Catalog;

fn refused(parameters: &str, said: &str) -> String {
    instruction(&with(parameters, said), 1, 0).unwrap_err().message
}

#[test]
fn undefined_names_are_errors() {
    assert!(refused("{}", "{{ nobody }}").contains("undefined"));
    assert!(refused("{d: {derive: 'later'}, later: {bool: {}}}", "x").contains("undefined"));
    assert!(refused("{n: {bool: {}}}", "{% if n.x.y %}{% endif %}").contains("undefined"));
    let text = with("{n: {bool: {}}}", "one\ntwo {{ nobody.x | upper }}");
    let error = parse(&text).unwrap().task(1, 0).unwrap_err();
    assert_eq!(error.message, "`instruction`: `nobody` is undefined");
    assert_eq!((error.location, error.length), (Some((10, 27)), 6));
    let unknown = error.unknown.unwrap();
    assert_eq!(
        (unknown.word.as_str(), unknown.known.as_slice()),
        ("nobody", &["n".to_owned()][..])
    );
}

#[test]
fn every_field_is_found_in_the_text() {
    for (from, to, field, marked) in [
        ("path: 'dir/a.txt'", "path: '{{ no }}'", "environment.files.0.path", "no }}"),
        ("content: 'a'}", "content: 'a {{ 1 + }}'}", "environment.files.0.content", "}}'"),
        ("run: 'true'", "run: '{{ x | nofilter }}'", "solution.0.run", "nofilter"),
        ("run: sh /sealed", "run: sh {{ no }}/sealed", "verification.run", "no }}"),
        ("content: \"exit", "content: \"{{ no }} exit", "verification.files.0.content", "no }}"),
        ("parameters: {}", "parameters: {d: {derive: 'no + 1'}}", "parameters.d.derive", "no + 1"),
        (
            "parameters: {}",
            "parameters: {d: {int: {min: 2, max: 1}}}",
            "parameters.d.int",
            "{min: 2",
        ),
    ] {
        let text = with("{}", "x").replacen(from, to, 1);
        let error = parse(&text).and_then(|template| template.task(1, 0)).unwrap_err();
        assert!(error.message.starts_with(&format!("`{field}`: ")), "{}", error.message);
        let (line, column) = error.location.unwrap();
        let shown = &text.lines().nth(line as usize - 1).unwrap()[column as usize - 1..];
        assert!(shown.starts_with(marked), "{field}: {shown}");
    }
}

#[test]
fn unknown_keys_are_errors_with_their_place() {
    let text = with("{}", "x").replace("title: t\n", "title: t\ncolour: red\n");
    let error = parse(&text).unwrap_err();
    assert_eq!(error.location, Some((4, 1)), "{}", error.message);
    assert!(error.message.contains("colour"), "{}", error.message);
    let text = with("{n: {int: {min: 1, max: 2, step: 3}}}", "x");
    let error = parse(&text).unwrap_err();
    assert!(error.location.is_some() && error.message.contains("step"), "{}", error.message);
}

/// A template without kind and skills is valid, and one of the first format may have both.
#[test]
fn skills_have_a_form() {
    let of =
        |keys: &str| parse(&with("{}", "x").replace("title: t\n", &format!("title: t\n{keys}")));
    let template = of("kind: speed-up\nskills: [sql.ddl, my-area.my-skill]\n").unwrap();
    assert_eq!(template.kind, Some(crate::model::TaskKind::SpeedUp));
    assert_eq!(template.unknown_skills(), ["my-area.my-skill"]);
    assert_eq!(of("").unwrap().kind, None);
    for (keys, said) in [
        ("skills: [sql.ddl]\n", "`skills`: 1 skills; 2 to 4 are allowed"),
        ("skills: [sql.ddl, sql]\n", "`skills.1`: \"sql\" is no skill"),
        ("skills: [sql.ddl, Sql.Ddl]\n", "`skills.1`: \"Sql.Ddl\" is no skill"),
        ("skills: [sql.ddl, sql.ddl]\n", "`skills.1`: \"sql.ddl\" is there twice"),
        ("kind: mend\n", "mend"),
    ] {
        let error = of(keys).unwrap_err();
        assert!(error.message.contains(said), "{}", error.message);
    }
}

#[test]
fn a_parameter_is_defined_once() {
    let text = with("{n: {bool: {}}, n: {bool: {}}}", "x");
    assert!(parse(&text).is_err());
}

#[test]
fn endless_work_hits_the_limit() {
    let loops = "{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}";
    assert!(refused("{}", loops).contains("fuel"));
    let recursion = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    assert!(!refused("{}", recursion).is_empty());
    assert!(refused("{l: {list: {count: 10001, of: {bool: {}}}}}", "x").contains("at most"));
}

#[test]
fn paths_stay_below_their_tree() {
    for path in ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "", "a/.", ".."] {
        let text = with("{}", "x").replace("dir/a.txt", path);
        let error = parse(&text).and_then(|template| template.task(1, 0)).unwrap_err();
        assert!(error.message.contains("must stay below"), "{path}: {}", error.message);
    }
    // Also where the parameters make it so.
    let text = with("{up: {choice: ['..']}}", "x").replace("dir/a.txt", "{{ up }}/a");
    assert!(parse(&text).unwrap().task(1, 0).is_err());
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    for (parameters, said) in [
        ("{n: {int: {min: 3, max: 2}}}", "above max"),
        ("{c: {choice: []}}", "no entries"),
        ("{s: {sample: {from: [a], count: 2}}}", "of only 1"),
        ("{l: {list: {count: {min: 2, max: 1}, of: {bool: {}}}}}", "min is above max"),
        ("{l: {list: {count: -1, of: {bool: {}}}}}", "at most"),
    ] {
        let message = refused(parameters, "x");
        assert!(message.contains(said), "{parameters}: {message}");
    }
}

#[test]
fn the_rules_of_the_format() {
    for (from, to, said) in [
        ("template@1", "template@3", "this version reads"),
        ("id: unit/test", "id: unit/other", "but the file is"),
        ("solution: [{run: 'true'}]", "solution: []", "no step"),
        ("{min: 1, max: 2}", "{min: 3, max: 2}", "above max"),
        ("  run: sh", "  checks: []\n  ignored: sh", "unknown"),
        ("solution: [{run: 'true'}]", "solution: [{think: hm}]", "exactly one of"),
        ("content: 'a'}", "content: 'a', mode: '0999'}", "not octal"),
        ("content: 'a'}", "content: 'a', mode: '1777'}", "not octal"),
    ] {
        let text = with("{}", "x").replacen(from, to, 1);
        let error = parse(&text).and_then(|template| template.task(1, 0)).unwrap_err();
        assert!(error.message.contains(said), "{to}: {}", error.message);
    }
}

#[test]
fn a_catalog_lists_every_error() {
    let good = with("{}", "x");
    let bad = good.replace("title", "titel");
    let read = Catalog::read([("unit/test", good.as_str()), ("unit/a", &bad), ("unit/b", &bad)]);
    let errors = read.unwrap_err();
    let named: Vec<&str> = errors.iter().map(|error| error.template.as_str()).collect();
    assert_eq!(named, ["unit/a", "unit/b"]);
}

#[test]
fn the_shells_own_braces_are_left_alone() {
    let said = "echo ${#name} ${x%.*} {# no comment #}";
    assert_eq!(instruction(&with("{}", said), 1, 0).unwrap(), said);
}
