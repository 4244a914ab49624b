//! Templates in folders: their files, what they include, and every way they can be wrong.

use super::{KEYS, in_folder, mistakes, parse, second, told, with};
use crate::model::{FileComparison, FileSpec, FinalNewline, JudgePlace};
use crate::task::{Template, TemplateError};
use proptest::prelude::*;

const CHECK: &str = "run: 'true'";

/// The files of the workspace of a template with this entry.
fn laid(entry: &str, files: &[(&str, &[u8])]) -> Vec<FileSpec> {
    let text = second(KEYS, &format!("[{entry}]"), CHECK);
    let template = in_folder(&text, files).unwrap();
    template.task(1, 0).unwrap().files
}

fn spec(path: &str, content: &str, mode: u32) -> FileSpec {
    FileSpec { path: path.to_owned(), content: content.to_owned(), mode }
}

#[test]
fn a_file_comes_from_the_folder_rendered_or_raw() {
    let files: &[(&str, &[u8])] = &[("files/a.txt", b"{{ n }}\r\nend\n")];
    let rendered = laid("{path: x, from: files/a.txt, mode: '0755'}", files);
    assert_eq!(rendered, [spec("x", "7\r\nend\n", 0o755)], "carriage returns stay");
    let raw = laid("{path: x, from: files/a.txt, raw: true}", files);
    assert_eq!(raw, [spec("x", "{{ n }}\r\nend\n", 0o644)]);
    let named = laid("{path: x, from: 'files/{{ [\"a\"][0] }}.txt', raw: true}", files);
    assert_eq!(named, raw, "the path may depend on parameters");
}

#[test]
fn a_tree_is_laid_as_it_is_and_templates_in_it_are_rendered() {
    let files: &[(&str, &[u8])] = &[
        ("files/b/tool.sh", b"echo {{ n }}\n"),
        ("files/a.md.j2", b"{{ n }}\n"),
        ("filesystem", b"not below it"),
    ];
    let expected = |to: &str| {
        [
            spec(&format!("{to}a.md"), "7\n", 0o644),
            spec(&format!("{to}b/tool.sh"), "echo {{ n }}\n", 0o755),
        ]
    };
    assert_eq!(laid("{tree: files}", files), expected(""));
    assert_eq!(laid("{tree: files, to: 'at/{{ n }}'}", files), expected("at/7/"));
}

#[test]
fn texts_include_and_import_files_of_the_folder() {
    let files: &[(&str, &[u8])] = &[
        ("lib/x.j2", b"<{{ n }}>{% include 'lib/y.j2' %}\n"),
        ("lib/y.j2", b"[{{ n }}]"),
        ("lib/m.j2", b"{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"),
        ("from.txt", b"{% import 'lib/m.j2' as m %}{{ m.twice(n) }}"),
    ];
    let content = |text: &str| {
        let entry = format!("{{path: x, content: {}}}", serde_json::Value::from(text));
        laid(&entry, files)[0].content.clone()
    };
    assert_eq!(content("{% include 'lib/x.j2' %}"), "<7>[7]", "a block leaves no blank line");
    assert_eq!(content("{% from 'lib/m.j2' import twice %}{{ twice('a') }}"), "aa");
    assert_eq!(laid("{path: x, from: from.txt}", files)[0].content, "77");
}

/// In whatever file a name is undefined, it is told once, with that file.
#[test]
fn an_undefined_name_is_told_once_where_it_stands() {
    let files: &[(&str, &[u8])] =
        &[("lib/x.j2", b"one\n{{ nobody }}\n"), ("f.txt", b"{% include 'lib/x.j2' %}")];
    let text = second(
        KEYS,
        "[{path: a, from: f.txt}, {path: b, content: \"{% include 'lib/x.j2' %}\"}]",
        CHECK,
    );
    let errors = mistakes(&text, files);
    assert_eq!(told(&errors), ["unit/test/lib/x.j2:2:4: `nobody` is undefined"]);
    assert_eq!((errors[0].length, &*errors[0].file), (6, "lib/x.j2"));
    let text = second(KEYS, "[{path: a, from: f.txt}]", CHECK);
    let errors = mistakes(&text, &[("f.txt", "é\n é {{ nobody }}".as_bytes())]);
    assert_eq!(told(&errors), ["unit/test/f.txt:2:7: `nobody` is undefined"]);
}

#[test]
fn what_cannot_be_included_is_told_at_the_statement() {
    let content = |text: &str, files: &[(&str, &[u8])]| {
        let entry = format!("[{{path: x, content: {}}}]", serde_json::Value::from(text));
        let errors = mistakes(&second(KEYS, &entry, CHECK), files);
        assert_eq!(errors.len(), 1, "{errors:?}");
        (told(&errors).remove(0), errors[0].clone())
    };
    let lib: &[(&str, &[u8])] = &[("lib/x.j2", b"{% include 'lib/z.j2' %}"), ("lib/y.j2", b"")];
    let (said, error) = content("{% include 'lib/x.j2' %}", lib);
    assert!(said.starts_with("unit/test/lib/x.j2:1:"), "{said}");
    assert!(said.ends_with("there is no file \"lib/z.j2\" in the template's folder"), "{said}");
    assert_eq!(error.unknown.unwrap().known, ["lib/x.j2", "lib/y.j2"]);
    for path in ["../x", "/etc/passwd", "lib/../lib/y.j2"] {
        let (said, _) = content(&format!("{{% include '{path}' %}}"), lib);
        assert!(said.contains("leaves the template's folder"), "{said}");
    }
    let circle: &[(&str, &[u8])] = &[
        ("a", b"{% include 'b' %}"),
        ("b", b"\n{% include 'c' %}"),
        ("c", b"{% import 'a' as a %}"),
    ];
    let (said, _) = content("{% include 'a' %}", circle);
    assert!(said.contains("unit/test/c:1:"), "{said}");
    assert!(said.contains("files include each other: a, b, c, a"), "{said}");
    let (said, _) = content("{% include 'x' %}", &[("x", b"\xff")]);
    assert!(said.contains("\"x\" is not text in UTF-8: byte 0 is wrong"), "{said}");
    let large = vec![b'a'; (1 << 20) + 1];
    let (said, _) = content("{% include 'x' %}", &[("x", &large)]);
    assert!(said.contains("larger than 1 MiB"), "{said}");
}

/// A text that would fill the memory ends at a limit.
#[test]
fn a_rendered_text_is_bounded() {
    let part = vec![b'a'; 1 << 20];
    let loops = "[{path: x, content: \"{% for a in range(99) %}{% include 'x' %}{% endfor %}\"}]";
    let errors = mistakes(&second(KEYS, loops, CHECK), &[("x", &part)]);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("larger than 16 MiB"), "{}", errors[0].message);
}

#[test]
fn files_that_are_not_there_are_told_when_the_template_is_read() {
    let files: &[(&str, &[u8])] = &[("files/a.txt", b""), ("bad", b"\xff")];
    for (entry, said) in [
        (
            "{path: x, from: file/a.txt}",
            "environment.files.0.from`: there is no file \"file/a.txt\"",
        ),
        ("{path: x, from: ../a.txt}", "leaves the template's folder"),
        ("{path: x, from: bad, raw: true}", "`environment.files.0.from`: \"bad\" is not text"),
        ("{tree: nowhere}", "`environment.files.0.tree`: there is no file below \"nowhere\""),
        ("{tree: files, path: x}", "beside `tree` only `to` may stand"),
        ("{path: x}", "it needs `content` or `from`"),
        ("{path: x, content: a, from: bad}", "it has both"),
        ("{path: x, content: a, raw: true}", "only beside `from`"),
        ("{path: x, content: a, to: b}", "only beside `tree`"),
        ("{content: a}", "the key `path` is missing"),
        ("{path: x, content: a}, {path: x, content: b}", "the file \"x\" is there twice"),
        ("{tree: files, to: ../up}", "must stay below its tree"),
    ] {
        let errors = mistakes(&second(KEYS, &format!("[{entry}]"), CHECK), files);
        assert!(errors.iter().any(|e| e.message.contains(said)), "{entry}: {errors:?}");
        assert!(errors.iter().all(|e| e.location.is_some()), "{entry}: {errors:?}");
    }
}

#[test]
fn the_first_format_has_none_of_the_new_keys() {
    let first = with("{}", "x");
    for (from, to, field) in [
        ("content: 'a'", "from: a", "environment.files.0.from"),
        ("path: 'dir/a.txt', content: 'a'", "tree: a", "environment.files.0.tree"),
        ("[{run: 'true'}]", "[{edit: {fault: f}}]", "solution.0.edit.fault"),
        ("[{run: 'true'}]", "[{write: {path: a, from: b}}]", "solution.0.write.from"),
        ("instruction: \"x\"", "instruction: {complete: x, terse: y}", "instruction"),
        ("solution:", "faults: [{name: f, file: a, right: b, wrong: {c: d}}]\nsolution:", "faults"),
        ("solution:", "alternatives: [{name: a, steps: []}]\nsolution:", "alternatives"),
        (
            "run: sh /sealed/check.sh",
            "checks: [{name: a, absent: [x]}]",
            "verification.checks.0.absent",
        ),
    ] {
        assert!(first.contains(from), "{from}");
        let said = parse(&first.replacen(from, to, 1)).unwrap_err().message;
        assert_eq!(said, format!("`{field}`: it needs synthd/template@2"));
    }
    let errors = in_folder(&first, &[]).unwrap_err();
    assert_eq!(
        told(&errors),
        ["unit/test/template.yaml:1:9: `schema`: a template in a folder needs synthd/template@2"]
    );
}

#[test]
fn every_mistake_is_listed_with_its_place() {
    let text = second(
        "instruction: '{{ a }}'\nsolution: [{run: '{{ b }}'}, {think: '{{ c }}', run: x}]",
        "[{path: x, content: '{{ d }}'}, {path: y, content: '{{ e }}', mode: '9'}, {path: ../z, from: f.txt}]",
        "checks: [{name: '{{ g }}', run: '{{ h }}'}]\n  cheats: [{name: z, steps: [{run: '{{ i }}'}]}]",
    );
    let errors = mistakes(&text, &[("f.txt", b"{{ f }}")]);
    assert_eq!(errors.len(), 11, "{:#?}", told(&errors));
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        let end = format!("`{name}` is undefined");
        let named = errors.iter().filter(|e| e.message.ends_with(&end));
        assert_eq!(named.filter(|e| e.location.is_some()).count(), 1, "{name}");
    }
    // The rules of the form are told together as well, and so are unknown keys.
    let text = second(
        "instruction: {terse: x}\nsolution: []",
        "[{path: x}]",
        "judge: shared\n  checks: []",
    );
    assert_eq!(mistakes(&text, &[]).len(), 6, "{:#?}", told(&mistakes(&text, &[])));
    let text = second(KEYS, "[{path: x, content: a, mod: b}]", "run: x\n  runs: y\n  check: z");
    let keys = told(&mistakes(&text, &[]));
    assert_eq!(keys.len(), 3, "{keys:#?}");
    assert!(keys.iter().all(|key| key.contains("unknown key")), "{keys:#?}");
}

#[test]
fn the_wording_is_drawn_beside_the_parameters() {
    let keys = "instruction: {complete: 'all {{ n }}', brief: 'some {{ n }}', terse: 'few {{ n }}'}\nsolution: [{run: 'true'}]";
    let template = in_folder(&second(keys, "[]", CHECK), &[]).unwrap();
    let tasks: Vec<_> = (0..40).map(|index| template.task(1, index).unwrap()).collect();
    for (name, text) in [("complete", "all 7"), ("brief", "some 7"), ("terse", "few 7")] {
        let drawn = tasks.iter().filter(|task| task.wording.as_deref() == Some(name));
        assert!(drawn.clone().count() > 4, "{name}");
        assert!(drawn.clone().all(|task| task.instruction.starts_with(text)), "{name}");
    }
    // The same work in other words is in the same cluster.
    assert!(tasks.iter().all(|task| task.cluster == tasks[0].cluster));
    for keys in [
        "instruction: {complete: x}\nsolution: [{run: x}]",
        "instruction: {brief: x, terse: y}\nsolution: [{run: x}]",
        "instruction: {complete: x, a b: y}\nsolution: [{run: x}]",
        "instruction: [x]\nsolution: [{run: x}]",
    ] {
        assert!(in_folder(&second(keys, "[]", CHECK), &[]).is_err(), "{keys}");
    }
}

#[test]
fn a_wording_that_was_not_drawn_is_checked_too() {
    let keys = "instruction: {complete: x, terse: '{{ nobody }}'}\nsolution: [{run: 'true'}]";
    let template = in_folder(&second(keys, "[]", CHECK), &[]).unwrap();
    for index in 0..9 {
        let errors = template.mistakes(1, index);
        assert_eq!(told(&errors).len(), 1);
        assert_eq!(errors[0].message, "`instruction.terse`: `nobody` is undefined");
    }
}

#[test]
fn declared_checks_become_comparisons() {
    let verification = "files: [{path: e.txt, content: '{{ n }}'}]\n  \
        checks: [{name: a, same: {path: 'o/{{ n }}', as: e.txt, trailing_newline: any}}, \
        {name: b, unchanged: ['d/{{ n }}/**']}, {name: c, run: x}]\n  \
        milestones: [{name: d, weight: 3, present: [o]}, {name: e, weight: 9, absent: [p]}]";
    let template = in_folder(&second(KEYS, "[]", verification), &[]).unwrap();
    let task = template.task(1, 0).unwrap();
    let compared: Vec<_> = task.verification.checks.iter().map(|c| c.compare.clone()).collect();
    let same = FileComparison::Same {
        path: "o/7".to_owned(),
        sealed: "e.txt".to_owned(),
        trailing_newline: FinalNewline::Any,
    };
    let unchanged = FileComparison::Unchanged(vec!["d/7/**".to_owned()]);
    assert_eq!(compared, [Some(same), Some(unchanged), None]);
    assert!(task.verification.milestones.iter().all(|m| m.compare.is_some() && m.run.is_empty()));
    // Their weights are relative, and add up to one.
    let weights: Vec<f64> = task.verification.milestones.iter().map(|m| m.weight).collect();
    assert_eq!(weights, [0.25, 0.75]);
    assert_eq!(task.verification.judge, JudgePlace::Apart);
    for library in ["lib/judged.py", "lib/checks.sh"] {
        assert!(task.verification.files.iter().any(|file| file.path == library), "{library}");
    }
}

#[test]
fn declared_checks_have_rules() {
    for (verification, said) in [
        ("checks: [{name: a, run: x, absent: [y]}]", "exactly one of"),
        ("checks: [{name: a, absent: [y], part: b}]", "only a command has parts"),
        ("checks: [{name: a, run: x, part: 'b c'}]", "is no name of letters"),
        ("checks: [{name: a}]", "exactly one of"),
        ("checks: [{name: a, absent: []}]", "there is no glob"),
        ("checks: [{name: a, same: {path: x, as: y}}]", "there is no sealed file \"y\""),
        ("judge: shared\n  run: x", "always apart"),
        (
            "run: x\n  files: [{path: lib/judged.py, content: x}]",
            "the engine itself lays \"lib/judged.py\"",
        ),
    ] {
        let errors = mistakes(&second(KEYS, "[]", verification), &[]);
        assert!(errors.iter().any(|e| e.message.contains(said)), "{verification}: {errors:?}");
    }
}

#[test]
fn the_digest_is_over_all_files() {
    let text = second(KEYS, "[]", CHECK);
    let digest = |files: &[(&str, &[u8])]| in_folder(&text, files).unwrap().digest();
    let one = digest(&[("lib/a", b"1")]);
    assert_eq!(one, digest(&[("lib/a", b"1")]));
    let others: [&[(&str, &[u8])]; 4] =
        [&[("lib/a", b"2")], &[("lib/b", b"1")], &[], &[("lib/a", b"1"), ("tool", b"")]];
    for other in others {
        assert_ne!(one, digest(other));
    }
    let template: Result<Template, Vec<TemplateError>> = in_folder(&text, &[("lib/a", b"1")]);
    let files: Vec<String> = template.unwrap().files().into_keys().collect();
    assert_eq!(files, ["unit/test/lib/a", "unit/test/template.yaml"]);
}

/// Pieces of texts, sound and broken, that include each other.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{ n }}",
        "{{ é }}",
        "{% include 'x' %}",
        "{% include 'y' %}\n",
        "{% import 'y' as y %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% block b %}{% include 'x' %}{% endblock %}",
        "{%",
        "}}",
        "{{",
        "{##",
        "é\r\n",
        "a",
    ]);
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_mistake_in_a_file_has_a_place_in_that_file(x in text(), y in text()) {
        let yaml = second(KEYS, "[{path: a, from: x}, {path: b, from: y}]", CHECK);
        for error in mistakes(&yaml, &[("x", x.as_bytes()), ("y", y.as_bytes())]) {
            let file = match &*error.file { "x" => &x, "y" => &y, _ => &yaml };
            let (line, column) = error.location.unwrap();
            let lines: Vec<&str> = file.split('\n').collect();
            let shown = lines.get(line as usize - 1);
            prop_assert!(shown.is_some_and(|l| l.chars().count() + 1 >= column as usize), "{error:?}");
        }
    }
}
