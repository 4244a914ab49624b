//! What a row says of the conversation: the messages as they were sent and received, and nothing
//! where no record says.

use super::{good, turn};
use crate::model::{
    ChatMessage, ChatRequest, ChatRole, FinishReason, ReplyTokens, RequestSettings,
    RowConversation, RowMessage, TaskCheck, ToolCall, ToolSchema, Turn, Usage,
};
use crate::quality::row::{FinishedEpisode, build_row};
use std::sync::Arc;

fn text(role: ChatRole, content: &str) -> ChatMessage {
    ChatMessage::text(role, content)
}

fn request(messages: Vec<ChatMessage>) -> Option<Box<ChatRequest>> {
    let tool = ToolSchema::new("bash", "runs", serde_json::json!({ "type": "object" }));
    let settings = RequestSettings::default();
    Some(Box::new(ChatRequest { messages, tools: vec![tool], max_output_tokens: 9, settings }))
}

/// A turn whose reply calls a tool, and the result.
fn calling(index: u32, id: &str) -> Turn {
    let mut turn = turn(index, "ls", "out");
    let call = ToolCall { id: id.to_owned(), name: "bash".to_owned(), arguments: "{}".to_owned() };
    turn.reply.message = ChatMessage { tool_calls: vec![call], ..text(ChatRole::Assistant, id) };
    turn.messages = vec![turn.reply.message.clone(), ChatMessage::tool_result(id, "out")];
    turn
}

fn with_turns(turns: Vec<Turn>) -> FinishedEpisode {
    FinishedEpisode { turns: Arc::new(turns), ..good() }
}

/// Role, content, name and weight of each message.
fn told(judged: &FinishedEpisode) -> Vec<String> {
    let tell = |m: RowMessage| format!("{} {} {:?} {:?}", m.role, m.content, m.name, m.weight);
    build_row(judged, String::new()).messages.unwrap().into_iter().map(tell).collect()
}

#[test]
fn the_messages_are_those_of_the_first_request_and_of_each_turn() {
    let mut turns = vec![calling(0, "a"), calling(1, "b")];
    turns[0].opening = request(vec![text(ChatRole::System, "s"), text(ChatRole::User, "u")]);
    turns[1].reply.answered_by = Some("one-2026".to_owned());
    turns[1].calls = 3;
    let judged = with_turns(turns);
    let bash = r#"Some("bash")"#;
    let expected = [
        "system s None None".to_owned(),
        "user u None None".to_owned(),
        "assistant a None Some(1)".to_owned(),
        format!("tool out {bash} None"),
        "assistant b None Some(1)".to_owned(),
        format!("tool out {bash} None"),
    ];
    assert_eq!(told(&judged), expected);
    let row = build_row(&judged, String::new());
    assert_eq!((row.model_version.as_deref(), row.calls), (Some("one-2026"), Some(4)));
    let step = &row.trajectory[1];
    assert_eq!((step.finish_reason.as_deref(), step.calls), (Some("tool_calls"), Some(3)));
    let tools: serde_json::Value = serde_json::from_str(&row.tools.unwrap()).unwrap();
    assert_eq!(tools[0]["type"], "function");
    assert_eq!(tools[0]["function"]["name"], "bash");
}

/// An agent's program may send another conversation. Its own replies are known again in it.
#[test]
fn the_last_of_several_conversations_is_shown() {
    let mut turns = vec![calling(0, "a"), calling(1, "b")];
    turns[0].opening = request(vec![text(ChatRole::User, "first")]);
    let kept = turns[0].reply.message.clone();
    let foreign = text(ChatRole::Assistant, "never said");
    turns[1].opening = request(vec![text(ChatRole::User, "second"), kept, foreign]);
    let expected = [
        "user second None None",
        "assistant a None Some(1)",
        "assistant never said None None",
        "assistant b None Some(1)",
        "tool out Some(\"bash\") None",
    ];
    assert_eq!(told(&with_turns(turns)), expected);
}

/// Step and hint of each message.
fn hints(turns: Vec<Turn>) -> Vec<String> {
    let row = build_row(&with_turns(turns), String::new());
    let tell = |m: RowMessage| match (m.step, m.loss_hint) {
        (Some(step), Some(hint)) => format!("{step} {hint}"),
        (Some(step), None) => step.to_string(),
        (None, hint) => hint.unwrap_or_default(),
    };
    row.messages.unwrap().into_iter().map(tell).collect()
}

#[test]
fn a_message_says_its_step_and_what_a_loss_may_do() {
    let mut turns = vec![calling(0, "a"), calling(1, "b")];
    let foreign = text(ChatRole::Assistant, "an example");
    turns[0].opening = request(vec![text(ChatRole::User, "u"), foreign.clone()]);
    turns[1].step.actions[0].error = Some("killed by signal 9".to_owned());
    assert_eq!(hints(turns.clone()), ["", "injected", "0 reply", "0", "1 error", "1"]);
    // In a later conversation a reply is known again, with its step.
    let mut later = calling(2, "c");
    let again = turns[1].reply.message.clone();
    later.opening = request(vec![text(ChatRole::User, "u"), foreign, again]);
    turns.push(later);
    assert_eq!(hints(turns), ["", "injected", "1 error", "2 reply", "2"]);
}

#[test]
fn what_a_later_conversation_no_longer_has_is_told() {
    let row = |turns: &[Turn]| build_row(&with_turns(turns.to_vec()), String::new());
    let mut turns = vec![calling(0, "a"), calling(1, "b")];
    assert_eq!(row(&turns).conversations, None, "no request was recorded");
    let asked = || text(ChatRole::User, "u");
    turns[0].opening = request(vec![text(ChatRole::System, "s"), asked()]);
    assert_eq!(row(&turns).conversations, Some(Vec::new()));
    // The new conversation has a summary in place of the system message and the first step.
    let mut third = calling(2, "c");
    let mut kept = turns[1].messages.clone();
    kept[0].tool_calls[0].arguments = "{ }".to_owned();
    third.opening = request([vec![asked(), text(ChatRole::User, "So far.")], kept].concat());
    turns.push(third);
    turns.push(calling(3, "d"));
    let begun = RowConversation { step: 2, messages: 4, dropped: 3, dropped_steps: vec![0] };
    assert_eq!(row(&turns).conversations, Some(vec![begun]));
}

#[test]
fn the_tokens_of_a_prompt_stand_in_a_row_once() {
    let tokens = |prompt: Option<&[i32]>, ids: &[i32]| {
        let logprobs = ids.iter().map(|id| serde_json::Number::from(-*id)).collect();
        let prompt_ids = prompt.map(<[i32]>::to_vec);
        Some(Box::new(ReplyTokens {
            prompt_ids,
            ids: Some(ids.to_vec()),
            logprobs: Some(logprobs),
        }))
    };
    let mut turns = vec![calling(0, "a"), calling(1, "b"), calling(2, "c"), calling(3, "d")];
    turns[0].reply.tokens = tokens(Some(&[1, 2]), &[3]);
    turns[0].reply.usage = Usage { cached_tokens: Some(1), ..Usage::of(2, 1) };
    turns[0].step.usage = turns[0].reply.usage;
    turns[1].reply.tokens = tokens(Some(&[1, 2, 3, 4, 5]), &[6, 7]);
    // Its reply was written in another way when it was sent back.
    turns[2].reply.tokens = tokens(Some(&[1, 2, 3, 4, 5, 6, 9, 9]), &[8]);
    turns[3].reply.tokens = tokens(None, &[1]);
    turns[1].model = Some("fake/org/two".to_owned());
    let row = build_row(&with_turns(turns), String::new());
    let told: Vec<_> = row
        .trajectory
        .iter()
        .map(|step| (step.prompt_kept, step.prompt_token_ids.clone(), step.token_ids.clone()))
        .collect();
    let expected = [
        (Some(0), Some(vec![1, 2]), Some(vec![3])),
        (Some(3), Some(vec![4, 5]), Some(vec![6, 7])),
        (Some(6), Some(vec![9, 9]), Some(vec![8])),
        (None, None, Some(vec![1])),
    ];
    assert_eq!(told, expected);
    assert_eq!(row.trajectory[1].logprobs, Some(vec![-6.0, -7.0]));
    let cached: Vec<_> = row.trajectory.iter().map(|step| step.cached_tokens).collect();
    assert_eq!(cached, [Some(1), None, None, None]);
    assert_eq!(row.trajectory[1].fallback_model.as_deref(), Some("fake/org/two"));
}

/// What a provider's filter refused has no word of the model, so there is nothing to learn from.
#[test]
fn a_refusal_without_a_word_is_no_message() {
    let mut turns = vec![calling(0, "a"), turn(1, "", "")];
    turns[0].opening = request(vec![text(ChatRole::User, "u")]);
    turns[1].reply.finish = FinishReason::Refusal;
    turns[1].messages = vec![turns[1].reply.message.clone()];
    let spoken = with_turns(turns.clone());
    let expected = ["user u None None", "assistant a None Some(1)", "tool out Some(\"bash\") None"];
    assert_eq!(told(&spoken), expected);
    // Nor is it a word of the model if an agent's program sends it back.
    let silent = turns[1].reply.message.clone();
    let mut later = calling(2, "b");
    later.opening = request(vec![silent]);
    turns.push(later);
    assert_eq!(told(&with_turns(turns))[0], "assistant  None None");
}

#[test]
fn what_was_not_recorded_is_null() {
    let row = build_row(&good(), String::new());
    assert_eq!((row.messages, row.tools, row.model_version), (None, None, None));
    assert_eq!(row.milestones, Some(Vec::new()));
}

#[test]
fn milestones_are_told_by_the_potential() {
    let mut judged = good();
    let mut task = (*judged.task).clone();
    let milestone = |name: &str, weight| TaskCheck {
        name: name.to_owned(),
        weight,
        run: String::new(),
        part: None,
        compare: None,
    };
    task.verification.milestones = vec![milestone("one", 0.2), milestone("two", 0.3)];
    judged.task = Arc::new(task);
    let mut turns = judged.turns.to_vec();
    turns[1].step.potential = 0.3;
    turns[2].step.potential = 0.3;
    judged.turns = Arc::new(turns);
    let found = build_row(&judged, String::new()).milestones.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].step, found[0].potential), (1, 0.3));
    assert_eq!(found[0].reached, Some(vec!["two".to_owned()]));
}

/// A milestone that fell while another one rose leaves the potential as it is.
#[test]
fn a_step_says_which_milestones_it_changed() {
    let mut judged = good();
    let mut turns = judged.turns.to_vec();
    let held = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    turns[0].step.milestones = held(&["one"]);
    turns[1].step.milestones = held(&["two"]);
    turns[2].step.milestones = held(&["two"]);
    let changes = |judged: &FinishedEpisode| -> Vec<Option<Vec<String>>> {
        let row = build_row(judged, String::new());
        row.trajectory.into_iter().map(|step| step.milestones_changed).collect()
    };
    judged.turns = Arc::new(turns.clone());
    assert_eq!(changes(&judged), [held(&["+one"]), held(&["-one", "+two"]), held(&[])]);
    // What an older version recorded does not tell, nor does the step after it.
    turns[0].step.milestones = None;
    judged.turns = Arc::new(turns);
    assert_eq!(changes(&judged), [None, None, held(&[])]);
}

/// The names that were recorded are not guessed from the potential.
#[test]
fn milestones_of_equal_weight_are_told_apart() {
    let mut judged = good();
    let mut turns = judged.turns.to_vec();
    turns[2].step.potential = 0.5;
    turns[2].step.milestones = Some(vec!["two".to_owned()]);
    judged.turns = Arc::new(turns);
    let found = build_row(&judged, String::new()).milestones.unwrap();
    assert_eq!(found[0].reached, Some(vec!["two".to_owned()]));
}

/// A canary that only the conversation shows is a leak too.
#[test]
fn a_leak_in_the_conversation_is_found() {
    let mut judged = good();
    let canary = judged.task.verification.canary.clone();
    let mut turns = judged.turns.to_vec();
    turns[0].opening = request(vec![text(ChatRole::User, &format!("x{canary}"))]);
    judged.turns = Arc::new(turns);
    let rejected = super::found(&judged).rejected.unwrap();
    assert_eq!(rejected.stage, "leak");
    assert!(rejected.detail.starts_with("message 0 shows"), "{rejected:?}");
}

/// What a model writes itself was not shown to it: three lines like those of a sealed program may be
/// its own. In what it was shown they are a leak.
#[test]
fn a_sealed_program_in_the_models_own_words_is_no_leak() {
    let lines = "import the_first_module\nassert the_second == 2\nreturn the_third_value";
    for (role, leaks) in [(ChatRole::Assistant, false), (ChatRole::User, true)] {
        let mut judged = good();
        super::stages::seal(&mut judged, &[("check.py", lines)]);
        let mut turns = judged.turns.to_vec();
        turns[0].opening = request(vec![text(ChatRole::User, "go"), text(role, lines)]);
        judged.turns = Arc::new(turns);
        let rejected = super::found(&judged).rejected;
        assert_eq!(rejected.is_some_and(|why| why.stage == "leak"), leaks, "{role:?}");
    }
}
