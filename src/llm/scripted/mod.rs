//! Scripted models: models without a network. Each plays a fixed behaviour and is named for it, for
//! example `scripted/oracle`. Tests and the quickstart use them.
//!
//! They answer in the scaffold's own action format. So parsing, observations and all failure paths
//! run as they do with a real model. A scripted model is deterministic: the same task, episode and
//! turn give the same reply. `drafter` has those that write templates instead of solving tasks, and `judge`
//! those that judge rows.

mod drafter;
mod judge;
mod script;

pub(super) use drafter::{DrafterBehaviour, ScriptedDrafter};
pub(super) use judge::{JudgeBehaviour, ScriptedJudge};
pub use script::ScriptedBehaviour;

use async_trait::async_trait;
use script::{EpisodeScript, ScriptedReply};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent::Scaffold;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRequest, ChatRole, FaultKind, FinishReason, ToolCall,
    Usage,
};
use synthd_actors::ports::{CallContext, ChatModel};

/// A model that plays one behaviour. It has no state: the turn in the context says how far it is.
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
    /// Plays the script at the turn that the context names. Fails for good if there is no task, and
    /// for this try if the flaky service fails. The usage is an estimate.
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        // The only behaviour without a task, so it is handled before the context is looked at.
        if self.behaviour == ScriptedBehaviour::Echo {
            return Ok(echo(request));
        }
        let Some(script_context) = &context.script else {
            let why = "a scripted model needs a task of a campaign, and there is no task here; \
                       scripted/echo needs no task";
            return Err(CallFault::free(FaultKind::ModelPermanent, why));
        };
        let script = EpisodeScript::new(self.behaviour, &script_context.task, &context.episode);
        if let Some(wait) = script.wait(context.turn) {
            tokio::time::sleep(wait).await;
        }
        if script.fails(context.turn, context.retry) {
            let why = "the scripted model is overloaded";
            return Err(CallFault::unknown(FaultKind::ModelTransient, why));
        }
        let (message, finish) =
            say(&script.line(context.turn), &script_context.scaffold, context.turn);
        let usage = Usage::of(request.messages.iter().map(tokens).sum(), tokens(&message));
        Ok(ChatReply::new(message, finish, usage))
    }
}

/// Repeats the last message. Needs no task, so a standalone gateway can use it.
fn echo(request: &ChatRequest) -> ChatReply {
    let said = request.messages.last().map_or("", |message| message.content.as_str());
    let message = ChatMessage::text(ChatRole::Assistant, said);
    let usage = Usage::of(request.messages.iter().map(tokens).sum(), tokens(&message));
    ChatReply::new(message, FinishReason::Stop, usage)
}

/// Turns a scripted reply into a message and its finish reason. A move is written in the format of
/// the scaffold, the other replies are written as they are.
fn say(
    line: &ScriptedReply,
    scaffold: &Arc<dyn Scaffold>,
    turn: u32,
) -> (ChatMessage, FinishReason) {
    match line {
        ScriptedReply::Move(think, action) => {
            (scaffold.express(think, action, turn), FinishReason::ToolCalls)
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

/// An estimate of a message's tokens: about four bytes for each token, as tokenizers give for
/// English text and code, and four tokens for the message itself.
fn tokens(message: &ChatMessage) -> u64 {
    let calls: usize = message.tool_calls.iter().map(|c| c.name.len() + c.arguments.len()).sum();
    ((message.content.len() + calls).div_ceil(4) + 4) as u64
}

/// How long the slow behaviour waits before each reply: long beside a command, short for a test.
const SLOWNESS: Duration = Duration::from_millis(20);
