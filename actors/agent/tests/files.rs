//! The scaffold with tools for files: what each tool asks for and shows, and whole campaigns.

use crate::agent::{
    Agent, AgentLimits, FilesScaffold, RequestedAction, Scaffold, ToolObservation, ToolStep,
    Toolbox,
};
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRole, DirectoryEntries, DirectoryEntry,
    DirectoryEntryKind, FinishReason, MoveAction, OperationReport, OperationResult, RefusalKind,
    SandboxOperation, ToolCall, Usage,
};
use crate::ports::Journal;
use crate::testkit::{Line, Options, Trap, campaign, in_test_system};
use serde_json::{Value, json};
use std::time::Duration;

fn reply(name: &str, arguments: &str) -> ChatReply {
    let call =
        ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
    let message = ChatMessage::text(ChatRole::Assistant, "");
    let message = ChatMessage { tool_calls: vec![call], ..message };
    ChatReply::new(message, FinishReason::ToolCalls, Usage::default())
}

fn parsed(name: &str, arguments: &Value) -> RequestedAction {
    FilesScaffold.parse(&reply(name, &arguments.to_string())).unwrap().remove(0)
}

/// What a call asks the sandbox for.
fn asked(tools: &mut Toolbox, call: &RequestedAction) -> SandboxOperation {
    match tools.begin(call) {
        ToolStep::Ask(operation) => operation,
        ToolStep::Done(told) => panic!("{told:?}"),
    }
}

fn report(result: OperationResult) -> OperationReport {
    OperationReport { result, scan: None, duration: Duration::ZERO }
}

/// What a call of one operation shows after its result.
fn told(call: &RequestedAction, result: OperationResult) -> ToolObservation {
    let mut tools = FilesScaffold.tools();
    asked(&mut tools, call);
    match tools.advance(call, report(result)) {
        ToolStep::Done(told) => told,
        ToolStep::Ask(operation) => panic!("{operation:?}"),
    }
}

fn file(text: &str) -> OperationResult {
    OperationResult::File(text.as_bytes().to_vec())
}

#[test]
fn a_relative_path_begins_in_the_workspace() {
    for (path, whole) in
        [("a/b.txt", "/work/a/b.txt"), ("/etc/hosts", "/etc/hosts"), (".", "/work")]
    {
        let call = parsed("read_file", &json!({ "path": path }));
        let SandboxOperation::ReadFile(read) = asked(&mut FilesScaffold.tools(), &call) else {
            panic!("{path}")
        };
        assert_eq!(read.path, whole);
    }
    let call = parsed("list_directory", &json!({}));
    let SandboxOperation::ListDirectory(list) = asked(&mut FilesScaffold.tools(), &call) else {
        panic!("no list")
    };
    assert_eq!((list.path.as_str(), list.depth), ("/work", 1));
}

#[test]
fn lines_are_shown_as_they_are_and_counted() {
    let call = |more: Value| {
        let mut arguments = json!({ "path": "a" });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parsed("read_file", &arguments)
    };
    let text = "one\ntwo\nthree";
    for (more, shown) in [
        (json!({}), "<content>\none\ntwo\nthree\n</content>"),
        (
            json!({ "first_line": 2 }),
            "<content>\ntwo\nthree\n</content>\n<note>lines 2 to 3 of 3</note>",
        ),
        (
            json!({ "first_line": 2, "lines": 1 }),
            "<content>\ntwo\n</content>\n<note>lines 2 to 2 of 3</note>",
        ),
    ] {
        let seen = told(&call(more), file(text));
        assert_eq!((seen.text.as_str(), seen.error, seen.truncated), (shown, None, false));
    }
    assert_eq!(told(&call(json!({})), file("")).text, "<note>the file is empty</note>");
    let far = told(&call(json!({ "first_line": 4 })), file(text));
    assert_eq!(far.error.as_deref(), Some("a: it has only 3 lines"));
    let bytes = told(&call(json!({})), OperationResult::File(vec![0xff, 0xfe]));
    assert_eq!(bytes.error.as_deref(), Some("a: 2 bytes that are no UTF-8 text"));
    let long = "line\n".repeat(10_000);
    let seen = told(&call(json!({})), file(&long));
    assert!(seen.truncated && seen.text.len() < 40_000);
    assert!(seen.text.ends_with("\n<note>lines 1 to 6553 of 10000</note>"), "{}", seen.text.len());
    let wide = told(&call(json!({})), file(&"é".repeat(20_000)));
    assert!(wide.truncated && wide.text.ends_with("é\n</content>\n<note>lines 1 to 1 of 1</note>"));
}

#[test]
fn a_text_that_occurs_once_is_replaced() {
    let call = parsed("str_replace", &json!({ "path": "a", "old": "b", "new": "$1\n" }));
    let mut tools = FilesScaffold.tools();
    assert!(matches!(asked(&mut tools, &call), SandboxOperation::ReadFile(_)));
    let ToolStep::Ask(SandboxOperation::WriteFile(write)) =
        tools.advance(&call, report(file("abc")))
    else {
        panic!("it is not written")
    };
    assert_eq!((write.path.as_str(), write.content.as_slice()), ("/work/a", &b"a$1\nc"[..]));
    let ToolStep::Done(told_last) = tools.advance(&call, report(OperationResult::Written)) else {
        panic!("it goes on")
    };
    assert_eq!((told_last.text.as_str(), told_last.error), ("replaced the text in a", None));
    for (text, why) in [
        ("xyz", "a: the text does not occur"),
        ("b b", "a: the text occurs 2 times; give more of what is around"),
    ] {
        assert_eq!(told(&call, file(text)).error.as_deref(), Some(why));
    }
}

#[test]
fn a_directory_is_listed_and_what_is_left_out_is_told() {
    let entry = |path: &str, kind, size| DirectoryEntry { path: path.to_owned(), kind, size };
    let entries = vec![
        entry("lib", DirectoryEntryKind::Directory, 0),
        entry("lib/a", DirectoryEntryKind::File, 7),
        entry("link", DirectoryEntryKind::Symlink, 0),
    ];
    let call = parsed("list_directory", &json!({ "path": "src", "depth": 2 }));
    let found = DirectoryEntries { entries, left_out: 5 };
    let seen = told(&call, OperationResult::Listed(found));
    let shown = "<entries>\nlib/\nlib/a (7 bytes)\nlink (link)\n</entries>\n\
                 <note>5 further entries are not shown</note>";
    assert_eq!((seen.text.as_str(), seen.truncated), (shown, true));
}

#[test]
fn a_refusal_is_an_observation_with_the_path() {
    for (name, arguments) in [
        ("read_file", json!({ "path": "a" })),
        ("write_file", json!({ "path": "a", "content": "" })),
        ("str_replace", json!({ "path": "a", "old": "b", "new": "c" })),
        ("list_directory", json!({ "path": "a" })),
    ] {
        let refused = OperationReport::refused(RefusalKind::NotFound, "No such file or directory");
        let seen = told(&parsed(name, &arguments), refused.result);
        let why = "a: No such file or directory";
        assert_eq!((seen.text.as_str(), seen.error.as_deref()), (why, Some(why)), "{name}");
    }
}

#[test]
fn a_call_that_cannot_be_read_says_why() {
    for (name, arguments, why) in [
        ("python", "{}", "there is no tool named \"python\"; use one of \"bash\", \"read_file\""),
        ("bash", "{}", "the arguments need a string named \"command\""),
        ("read_file", "[\"a\"]", "no JSON object"),
        ("read_file", "{}", "missing field `path`"),
        ("read_file", "{\"path\": \"\"}", "the path is empty"),
        ("read_file", "{\"path\": \"a\\u0000\"}", "zero byte"),
        ("read_file", "{\"path\": \"a\", \"first_line\": 0}", "at least 1"),
        ("read_file", "{\"path\": \"a\", \"frist_line\": 1}", "unknown field `frist_line`"),
        ("write_file", "{\"path\": \"a\"}", "missing field `content`"),
        ("str_replace", "{\"path\": \"a\", \"old\": \"\", \"new\": \"\"}", "`old` must be a text"),
        ("list_directory", "{\"depth\": 9}", "from 1 to 8"),
    ] {
        let error = FilesScaffold.parse(&reply(name, arguments)).unwrap_err();
        assert!(error.reason.contains(why), "{arguments}: {error}");
        let told = FilesScaffold.correct(&reply(name, arguments), &error);
        assert!(told.text.contains(why) && told.messages.len() == 1, "{told:?}");
    }
}

#[test]
fn the_opening_names_every_tool() {
    let task = crate::testkit::catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
    let opening = FilesScaffold.open(&task, &AgentLimits::default());
    let request = FilesScaffold.request(&opening);
    let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["bash", "read_file", "write_file", "str_replace", "list_directory"]);
    for name in names {
        assert!(opening[0].content.contains(&format!("\"{name}\"")), "{name}");
    }
    let named = Agent::by_name("files").map(|agent| agent.name().to_owned());
    assert_eq!(named.as_deref(), Some("files"));
}

#[test]
fn a_scripted_file_is_written_by_its_tool() {
    let write = MoveAction::Write { path: "a".to_owned(), content: "'\n".to_owned() };
    let message = FilesScaffold.express("so", &write, 3);
    let reply = ChatReply::new(message, FinishReason::ToolCalls, Usage::default());
    let action = FilesScaffold.parse(&reply).unwrap().remove(0);
    let SandboxOperation::WriteFile(write) = asked(&mut FilesScaffold.tools(), &action) else {
        panic!("no write")
    };
    assert_eq!((write.path.as_str(), write.content.as_slice()), ("/work/a", &b"'\n"[..]));
    let submits = FilesScaffold.express("", &MoveAction::Submit, 0);
    let submits = ChatReply::new(submits, FinishReason::ToolCalls, Usage::default());
    assert_eq!(FilesScaffold.parse(&submits).unwrap()[0].action.kind, ActionType::Submit);
}

/// The calls are actions of the row, and a lost sandbox does not make them be paid for again.
#[test]
fn file_tools_are_recorded_and_replayed() {
    in_test_system(Options::default(), |kit| async move {
        let mut config = campaign("c", 1);
        config.scaffolds = vec!["files".to_owned()];
        let call = |name: &str, arguments: Value| Line::Call {
            name: name.to_owned(),
            arguments: arguments.to_string(),
        };
        let model = kit.models.named("fake/one");
        model.says(move |context| match context.turn {
            0 => call("write_file", json!({ "path": "note", "content": "one two" })),
            1 => call("str_replace", json!({ "path": "note", "old": "two", "new": "three" })),
            2 => call("read_file", json!({ "path": "note" })),
            3 => call("list_directory", json!({})),
            _ => Line::Submit,
        });
        model.traps.once("turn 4", Trap::Panic);
        kit.run(&config).await;
        assert_eq!(model.replies().len(), 5, "four turns are replayed");
        let rows = kit.journal.rows(&config.name, None, 9).await.unwrap();
        let row = rows[0].row.as_trajectory().unwrap();
        let tools: Vec<&str> =
            row.trajectory.iter().map(|step| step.action.tool.as_str()).collect();
        assert_eq!(tools, ["write_file", "str_replace", "read_file", "list_directory", "bash"]);
        let seen = &row.trajectory[2].observation;
        assert_eq!(seen, "<content>\none three\n</content>");
        assert!(row.trajectory[3].observation.contains("note (9 bytes)"));
        assert_eq!((row.scaffold.as_str(), row.attempt), ("files", 2));
    });
}
