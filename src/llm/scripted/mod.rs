//! Scripted models: no network, deterministic, named for what they do. They answer in the
//! scaffold's own action format, so that parsing, observation and every failure path are
//! travelled as by a real model.

mod script;

pub use script::ScriptedBehaviour;

use async_trait::async_trait;
use script::{EpisodeScript, ScriptedReply};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRequest, ChatRole, FaultKind, FinishReason, ToolCall,
    Usage,
};
use synthd_actors::ports::{CallContext, ChatModel};
use synthd_actors::scaffold::Scaffold;

/// One scripted model.
pub struct ScriptedModel {
    behaviour: ScriptedBehaviour,
}

impl ScriptedModel {
    pub fn new(behaviour: ScriptedBehaviour) -> Self {
        Self { behaviour }
    }
}

#[async_trait]
impl ChatModel for ScriptedModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        if self.behaviour == ScriptedBehaviour::Echo {
            return Ok(echo(request));
        }
        let Some(stage) = &context.stage else {
            let why = "a scripted model needs a task of a campaign, and there is no task here; \
                       scripted/echo needs no task";
            return Err(CallFault::free(FaultKind::ModelPermanent, why));
        };
        let script = EpisodeScript::new(self.behaviour, &stage.task, &context.episode);
        if let Some(wait) = script.wait(context.turn) {
            tokio::time::sleep(wait).await;
        }
        if script.fails(context.turn, context.retry) {
            let why = "the scripted model is overloaded";
            return Err(CallFault::unknown(FaultKind::ModelTransient, why));
        }
        let (message, finish) = say(&script.line(context.turn), &stage.scaffold, context.turn);
        let usage = Usage::of(request.messages.iter().map(tokens).sum(), tokens(&message));
        Ok(ChatReply::new(message, finish, usage))
    }
}

/// What was said last, by whom it may be.
fn echo(request: &ChatRequest) -> ChatReply {
    let said = request.messages.last().map_or("", |message| message.content.as_str());
    let message = ChatMessage::text(ChatRole::Assistant, said);
    let usage = Usage::of(request.messages.iter().map(tokens).sum(), tokens(&message));
    ChatReply::new(message, FinishReason::Stop, usage)
}

fn say(
    line: &ScriptedReply,
    scaffold: &Arc<dyn Scaffold>,
    turn: u32,
) -> (ChatMessage, FinishReason) {
    match line {
        ScriptedReply::Move(think, deed) => {
            (scaffold.express(think, deed, turn), FinishReason::ToolCalls)
        }
        ScriptedReply::Prose(text) => {
            (ChatMessage::text(ChatRole::Assistant, text.as_str()), FinishReason::Stop)
        }
        ScriptedReply::Call { name, arguments } => {
            let call = ToolCall {
                id: format!("call_{turn}"),
                name: name.clone(),
                arguments: arguments.clone(),
            };
            let message = ChatMessage {
                tool_calls: vec![call],
                ..ChatMessage::text(ChatRole::Assistant, "One moment.")
            };
            (message, FinishReason::ToolCalls)
        }
        ScriptedReply::Cut(text) => {
            (ChatMessage::text(ChatRole::Assistant, text.as_str()), FinishReason::Length)
        }
        ScriptedReply::Refusal(text) => {
            (ChatMessage::text(ChatRole::Assistant, text.as_str()), FinishReason::Refusal)
        }
    }
}

/// About four bytes a token, as tokenizers have it for English and code.
fn tokens(message: &ChatMessage) -> u64 {
    let calls: usize = message.tool_calls.iter().map(|c| c.name.len() + c.arguments.len()).sum();
    ((message.content.len() + calls).div_ceil(4) + 4) as u64
}

/// Long enough to be slow beside a command, short enough for a test.
const SLOWNESS: Duration = Duration::from_millis(20);
