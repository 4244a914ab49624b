//! Round trips, every format error, and the shapes of what the agent is shown.

use crate::agent::{
    Agent, AgentLimits, MinimalScaffold, RequestedAction, Scaffold, ToolObservation, ToolStep,
};
use crate::model::{
    ActionType, CapturedOutput, ChatMessage, ChatReply, ChatRole, ExecEnd, ExecReport,
    FinishReason, MoveAction, OperationReport, OperationResult, SandboxOperation, ToolCall,
    TurnAction, Usage,
};
use proptest::prelude::*;
use std::time::Duration;

fn text() -> impl Strategy<Value = String> {
    let hostile = prop_oneof![
        Just("EOF".to_owned()),
        Just("EOF_".to_owned()),
        Just("\nEOF\n".to_owned()),
        Just("'".to_owned()),
        Just("'\\''".to_owned()),
        Just("\"".to_owned()),
        Just("$(rm -rf /)".to_owned()),
        Just("`id`".to_owned()),
        Just("\n".to_owned()),
        Just("\\".to_owned()),
        Just("{{ x }}".to_owned()),
        "[ -~\n\t]{0,12}",
        "\\PC{0,6}",
    ];
    proptest::collection::vec(hostile, 0..6).prop_map(|parts| parts.concat())
}

fn move_action() -> impl Strategy<Value = MoveAction> {
    let path = "[a-z ']{1,8}(/[a-z.]{1,5}){0,2}";
    prop_oneof![
        text().prop_filter("a command", |t| !t.trim().is_empty()).prop_map(MoveAction::Run),
        (path, text()).prop_map(|(path, content)| MoveAction::Write { path, content }),
        (path, text(), text()).prop_map(|(path, search, replace)| MoveAction::Edit {
            path,
            search,
            replace
        }),
        Just(MoveAction::Submit),
    ]
}

fn reply(message: ChatMessage) -> ChatReply {
    ChatReply::new(message, FinishReason::ToolCalls, Usage::default())
}

fn call(name: &str, arguments: &str) -> ChatReply {
    let call =
        ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
    reply(ChatMessage { tool_calls: vec![call], ..ChatMessage::text(ChatRole::Assistant, "") })
}

fn parsed(command: &str) -> RequestedAction {
    let arguments = serde_json::json!({ "command": command }).to_string();
    MinimalScaffold.parse(&call("bash", &arguments)).unwrap().remove(0)
}

/// The command that the tool asks the sandbox to run.
fn command_of(action: &RequestedAction) -> String {
    match MinimalScaffold.tools().begin(action) {
        ToolStep::Ask(SandboxOperation::Run(request)) => {
            assert!(request.joined, "the agent sees its output in order");
            request.command
        }
        other => panic!("{other:?}"),
    }
}

/// What the tool shows for a report.
fn observed(action: &RequestedAction, report: ExecReport) -> ToolObservation {
    let mut tools = MinimalScaffold.tools();
    assert!(matches!(tools.begin(action), ToolStep::Ask(_)));
    let result = OperationResult::Ran(report);
    let report = OperationReport { result, scan: None, duration: Duration::ZERO };
    match tools.advance(action, report) {
        ToolStep::Done(told) => told,
        other => panic!("{other:?}"),
    }
}

/// The value of shell text that consists of plain and single-quoted parts.
fn unquote(shell: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = shell;
    loop {
        if let Some(after) = rest.strip_prefix('\'') {
            let (quoted, after) = after.split_once('\'')?;
            value.push_str(quoted);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\'") {
            value.push('\'');
            rest = after;
        } else {
            let plain = rest.find([' ', '\n', '\'', '\\']).unwrap_or(rest.len());
            if plain == 0 {
                return Some((value, rest));
            }
            value.push_str(&rest[..plain]);
            rest = &rest[plain..];
        }
    }
}

proptest! {
    #[test]
    fn what_is_expressed_is_parsed(think in text(), move_action in move_action(), turn in 0u32..99) {
        let message = MinimalScaffold.express(&think, &move_action, turn);
        prop_assert_eq!(&message.content, &think);
        let action = MinimalScaffold.parse(&reply(message)).unwrap().remove(0);
        prop_assert_eq!(&action.call_id, &format!("call_{turn}"));
        let submits = move_action == MoveAction::Submit
            || matches!(&move_action, MoveAction::Run(c) if c.split_whitespace().eq(["echo", "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"]));
        let kind = if submits { ActionType::Submit } else { ActionType::ToolCall };
        prop_assert_eq!(action.action.kind, kind);
        if let MoveAction::Run(command) = move_action {
            prop_assert_eq!(command_of(&action), command);
        }
    }

    /// A written file has exactly the bytes it should, whatever looks like an end in it.
    #[test]
    fn a_heredoc_ends_where_it_should(content in text()) {
        let move_action = MoveAction::Write { path: "f".to_owned(), content: content.clone() };
        let command = command_of(&MinimalScaffold.parse(&reply(MinimalScaffold.express("", &move_action, 0))).unwrap()[0]);
        if let Some(script) = command.strip_prefix("cat > f <<'") {
            let (word, rest) = script.split_once("'\n").unwrap();
            let mut written = String::new();
            let mut ended = false;
            for line in rest.split('\n') {
                prop_assert!(!ended, "nothing follows the end");
                if line == word {
                    ended = true;
                } else {
                    written.push_str(line);
                    written.push('\n');
                }
            }
            prop_assert!(ended);
            prop_assert_eq!(written, content);
        } else {
            let quoted = command.strip_prefix("printf '%s' ").unwrap();
            let (value, rest) = unquote(quoted).unwrap();
            prop_assert_eq!((value, rest), (content, " > f"));
        }
    }

    #[test]
    fn an_edit_quotes_all_it_is_given(path in "[a-z ']{1,9}", search in text(), replace in text()) {
        let move_action =
            MoveAction::Edit { path: path.clone(), search: search.clone(), replace: replace.clone() };
        let command = command_of(&MinimalScaffold.parse(&reply(MinimalScaffold.express("", &move_action, 0))).unwrap()[0]);
        let (found, rest) = unquote(command.strip_prefix("SEARCH=").unwrap()).unwrap();
        prop_assert_eq!(found, search);
        let (found, rest) = unquote(rest.strip_prefix(" REPLACE=").unwrap()).unwrap();
        prop_assert_eq!(found, replace);
        let (_, rest) = rest.split_once("}' ").unwrap();
        prop_assert_eq!(unquote(rest).unwrap().0, path);
    }

    #[test]
    fn every_correction_answers_every_call(names in proptest::collection::vec("[a-z]{1,5}", 0..4)) {
        let calls: Vec<ToolCall> = names
            .iter()
            .enumerate()
            .map(|(at, name)| ToolCall { id: at.to_string(), name: name.clone(), arguments: String::new() })
            .collect();
        let ids: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
        let reply = reply(ChatMessage { tool_calls: calls, ..ChatMessage::text(ChatRole::Assistant, "") });
        let error = MinimalScaffold.parse(&reply).unwrap_err();
        let told = MinimalScaffold.correct(&reply, &error);
        let answered: Vec<String> = told.messages.iter().filter_map(|m| m.tool_call_id.clone()).collect();
        prop_assert_eq!(answered, ids);
        prop_assert!(told.text.contains(&error.reason));
        prop_assert_eq!(told.messages[0].role, if names.is_empty() { ChatRole::User } else { ChatRole::Tool });
    }
}

#[test]
fn every_format_error_says_what_is_wrong() {
    let cut = ChatReply { finish: FinishReason::Length, ..call("bash", "{}") };
    let none = reply(ChatMessage::text(ChatRole::Assistant, "I think"));
    let mut two = call("bash", "{\"command\": \"ls\"}");
    two.message
        .tool_calls
        .push(ToolCall { name: "python".to_owned(), ..two.message.tool_calls[0].clone() });
    for (reply, reason) in [
        (cut, "the reply was cut by the output limit"),
        (none, "there is no tool call"),
        (two, "there is no tool named \"python\"; use \"bash\""),
        (call("python", "{}"), "there is no tool named \"python\"; use \"bash\""),
        (call("bash", "{\"command\": "), "the tool's arguments are not valid JSON"),
        (call("bash", "[]"), "the arguments need a string named \"command\""),
        (call("bash", "{\"command\": 3}"), "the arguments need a string named \"command\""),
        (call("bash", "{\"cmd\": \"ls\"}"), "the arguments need a string named \"command\""),
        (call("bash", "{\"command\": \" \\n\"}"), "the command is empty"),
    ] {
        let error = MinimalScaffold.parse(&reply).unwrap_err();
        assert_eq!(error.reason, reason);
        if reason.starts_with("the arguments") {
            assert_eq!(error.arguments, reply.message.tool_calls[0].arguments);
        }
    }
}

fn report(end: ExecEnd, output: &str) -> ExecReport {
    let stdout = CapturedOutput {
        head: output.as_bytes().to_vec(),
        tail: Vec::new(),
        total: output.len() as u64,
    };
    ExecReport {
        end,
        stdout,
        stderr: CapturedOutput::default(),
        cwd: "/work".to_owned(),
        scan: None,
        duration: Duration::ZERO,
    }
}

#[test]
fn observations_have_one_shape() {
    let action = parsed("ls");
    let seen = observed(&action, report(ExecEnd::Exited(0), "a\nb"));
    assert_eq!(seen.text, "<returncode>0</returncode>\n<output>\na\nb\n</output>");
    assert_eq!((seen.error, seen.end), (None, Some(ExecEnd::Exited(0))));
    let seen = observed(&action, report(ExecEnd::Exited(2), "no\n"));
    assert_eq!((seen.error.as_ref(), seen.diagnostics.as_str()), (None, "no\n"));
    assert_eq!(seen.text, "<returncode>2</returncode>\n<output>\nno\n</output>");
    let seen = observed(&action, report(ExecEnd::Exited(0), ""));
    assert_eq!(seen.text, "<returncode>0</returncode>\n<output>\n</output>");
    for (end, code, note) in [
        (ExecEnd::Signaled(9), 137, "killed by signal 9"),
        (ExecEnd::TimedOut, 124, "ran out of time"),
        (ExecEnd::CpuLimit, 152, "processor time"),
        (ExecEnd::OutOfMemory, 137, "out of memory"),
        (ExecEnd::OutputLimit, 141, "wrote too much"),
        (ExecEnd::NotStarted("no fork".to_owned()), 126, "no fork"),
    ] {
        let seen = observed(&action, report(end.clone(), ""));
        assert_eq!((seen.error, seen.end.as_ref()), (end.failure(), Some(&end)));
        let text = seen.text;
        assert!(text.starts_with(&format!("<returncode>{code}</returncode>\n<note>")), "{text}");
        assert!(text.contains(note), "{text}");
    }
}

#[test]
fn only_a_marker_that_comes_first_and_succeeds_submits() {
    let marker = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";
    let action = parsed(&format!("echo {marker}"));
    let submitted = |end, stdout: &str| observed(&action, report(end, stdout)).submits;
    assert!(submitted(ExecEnd::Exited(0), &format!("{marker}\nmore")));
    assert!(submitted(ExecEnd::Exited(0), &format!("{marker}  \n")));
    assert!(!submitted(ExecEnd::Exited(0), &format!("first\n{marker}\n")));
    assert!(!submitted(ExecEnd::Exited(1), marker));
    assert!(!submitted(ExecEnd::Exited(0), &format!("x{marker}")));
    assert!(!submitted(ExecEnd::Exited(0), ""));
}

#[test]
fn the_opening_and_the_tool_are_fixed() {
    let task = crate::testkit::catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
    let opening = MinimalScaffold.open(&task, &AgentLimits::default());
    assert_eq!([opening[0].role, opening[1].role], [ChatRole::System, ChatRole::User]);
    assert!(opening[1].content.contains(&task.instruction));
    let request = MinimalScaffold.request(&opening);
    assert_eq!((request.messages, request.tools.len()), (opening, 1));
    let named = |name| Agent::by_name(name).map(|agent| agent.name().to_owned());
    assert_eq!(named("minimal").as_deref(), Some("minimal"));
    assert_eq!(named("external/aider").as_deref(), Some("external/aider"));
    assert_eq!(named("maximal"), None);
}

/// The prompt tells the limits of the campaign, and nothing that the agent could not know.
#[test]
fn the_prompt_tells_which_limits_hold() {
    let mut config = crate::testkit::campaign("c", 1);
    config.sandbox.limits.memory_bytes = 300 << 20;
    config.episode.max_turns = 7;
    let task = crate::testkit::catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
    let told = crate::agent::opened(&config, &MinimalScaffold, &task).remove(0).content;
    for line in [
        "You solve a task in a Linux sandbox.",
        "You see output and errors together, in the order in which they were written.\n\n",
        "These limits hold:\n- A command is killed after ",
        " have 300 MiB of memory, and ",
        "- The work ends after 7 replies, or after ",
        "- There is no network.\n\nWhen the task is done,",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains("synthd") && !told.contains("sealed"), "{told}");
}

/// A reply with a call for each command.
fn calls(commands: &[&str]) -> ChatReply {
    let call = |(at, command): (usize, &&str)| ToolCall {
        id: format!("id-{at}"),
        name: "bash".to_owned(),
        arguments: serde_json::json!({ "command": command }).to_string(),
    };
    let tool_calls = commands.iter().enumerate().map(call).collect();
    reply(ChatMessage { tool_calls, ..ChatMessage::text(ChatRole::Assistant, "") })
}

#[test]
fn several_calls_are_read_in_order() {
    let actions = MinimalScaffold.parse(&calls(&["ls", "cat a", "pwd"])).unwrap();
    let commands: Vec<String> = actions.iter().map(command_of).collect();
    assert_eq!(commands, ["ls", "cat a", "pwd"]);
    let ids: Vec<&str> = actions.iter().map(|action| action.call_id.as_str()).collect();
    assert_eq!(ids, ["id-0", "id-1", "id-2"]);
}

#[test]
fn a_call_that_no_tool_can_serve_says_why() {
    let mut unknown = parsed("ls");
    unknown.action.tool = "python".to_owned();
    let mut broken = parsed("ls");
    broken.action.arguments = "{}".to_owned();
    for (call, why) in [
        (unknown, "there is no tool named \"python\""),
        (broken, "the arguments need a string named \"command\""),
    ] {
        let ToolStep::Done(told) = MinimalScaffold.tools().begin(&call) else { panic!("it ran") };
        assert_eq!((told.text.as_str(), told.error.as_deref()), (why, Some(why)));
    }
}

proptest! {
    /// However many calls of a reply ran, each is answered once, by its own id.
    #[test]
    fn every_call_is_answered(count in 1usize..6, ran in 1usize..6) {
        let requested = MinimalScaffold.parse(&calls(&vec!["ls"; count])).unwrap();
        let actions: Vec<TurnAction> = requested
            .iter()
            .enumerate()
            .map(|(at, call)| TurnAction {
                call_id: call.call_id.clone(),
                ran: at < ran,
                observation: format!("observation {at}"),
                ..TurnAction::unrun(call.action.clone())
            })
            .collect();
        let answers = MinimalScaffold.answer(&actions);
        for (at, answer) in answers.iter().enumerate() {
            prop_assert_eq!(answer.tool_call_id.clone(), Some(format!("id-{at}")));
            prop_assert_eq!(&answer.content, &format!("observation {at}"));
        }
        prop_assert_eq!(answers.len(), count);
    }
}
