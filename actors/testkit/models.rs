//! Models that say what a test wants, turn by turn.

use super::traps::Traps;
use crate::model::{
    CallFault, ChatMessage, ChatReply, ChatRequest, ChatRole, EpisodeId, Fault, FaultKind,
    FinishReason, ModelConfig, MoveAction, ToolCall, Usage,
};
use crate::ports::{CallContext, ChatModel, ModelFactory, ScriptContext};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a model says in a turn.
#[derive(Clone, Debug)]
pub enum Line {
    /// The task's solution, move by move, then the submission.
    Oracle,
    Run(String),
    /// Several calls in one reply.
    RunAll(Vec<String>),
    Submit,
    /// No tool call at all.
    Prose(String),
    Call {
        name: String,
        arguments: String,
    },
    /// Cut by the output cap.
    Cut,
    Refuse,
}

type Script = Box<dyn Fn(&CallContext) -> Line + Send + Sync>;

/// One model.
pub struct FakeModel {
    script: Mutex<Script>,
    latency: Mutex<Duration>,
    usage: Mutex<Usage>,
    calls: Mutex<Vec<(EpisodeId, u32, u32)>>,
    replies: Mutex<Vec<(EpisodeId, u32)>>,
    /// How the conversations of the calls began.
    openings: Mutex<Vec<String>>,
    /// Calls that are still to be told to come back, and when.
    limited: Mutex<(u32, Option<Duration>)>,
    /// On their way now, and most at once.
    crowd: Mutex<(usize, usize)>,
    /// Events are `<template> <task index> turn <turn>`, or `<id> turn <turn>` without a task.
    pub traps: Traps,
}

impl Default for FakeModel {
    fn default() -> Self {
        Self {
            script: Mutex::new(Box::new(|_| Line::Oracle)),
            latency: Mutex::new(Duration::from_millis(10)),
            usage: Mutex::new(Usage::of(100, 10)),
            calls: Mutex::default(),
            replies: Mutex::default(),
            openings: Mutex::default(),
            limited: Mutex::default(),
            crowd: Mutex::default(),
            traps: Traps::default(),
        }
    }
}

fn set<T>(cell: &Mutex<T>, value: T) {
    *cell.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

fn get<T: Clone>(cell: &Mutex<T>) -> T {
    cell.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl FakeModel {
    pub fn says(&self, script: impl Fn(&CallContext) -> Line + Send + Sync + 'static) {
        set(&self.script, Box::new(script));
    }

    pub fn takes(&self, latency: Duration) {
        set(&self.latency, latency);
    }

    pub fn uses(&self, usage: Usage) {
        set(&self.usage, usage);
    }

    /// Tells the next so many calls that they come too often, for nothing.
    pub fn limits(&self, calls: u32, retry_after: Option<Duration>) {
        set(&self.limited, (calls, retry_after));
    }

    /// The most calls that were ever on their way at once.
    pub fn crowd(&self) -> usize {
        get(&self.crowd).1
    }

    fn enter(&self) -> OnItsWay<'_> {
        let mut crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        crowd.0 += 1;
        crowd.1 = crowd.1.max(crowd.0);
        OnItsWay(self)
    }

    fn limit(&self) -> Result<(), CallFault> {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = limited.0.checked_sub(1) else { return Ok(()) };
        limited.0 = left;
        let told = CallFault::free(FaultKind::ModelTransient, "too often");
        Err(CallFault { retry_after: limited.1, rate_limited: true, ..told })
    }

    /// Every call that arrived: episode, turn, retry.
    pub fn calls(&self) -> Vec<(EpisodeId, u32, u32)> {
        get(&self.calls)
    }

    /// The first message of every call that arrived.
    pub fn openings(&self) -> Vec<String> {
        get(&self.openings)
    }

    /// Every reply that was given.
    pub fn replies(&self) -> Vec<(EpisodeId, u32)> {
        get(&self.replies)
    }

    /// The answer to a prompt that belongs to no task: the script's text, or else an echo.
    fn answer(&self, request: &ChatRequest, context: &CallContext) -> (ChatMessage, FinishReason) {
        let asked = request.messages.last().map_or("", |message| message.content.as_str());
        let line = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(context);
        let (text, finish) = match line {
            Line::Prose(text) => (text, FinishReason::Stop),
            Line::Cut => ("and so".to_owned(), FinishReason::Length),
            Line::Refuse => ("no".to_owned(), FinishReason::Refusal),
            _ => (format!("about {asked}"), FinishReason::Stop),
        };
        (ChatMessage::text(ChatRole::Assistant, text), finish)
    }

    fn speak(
        &self,
        context: &CallContext,
        script_context: &ScriptContext,
    ) -> (ChatMessage, FinishReason) {
        let line = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(context);
        let express = |think: &str, action: &MoveAction| {
            (script_context.scaffold.express(think, action, context.turn), FinishReason::ToolCalls)
        };
        match line {
            Line::Oracle => match script_context.task.solution.get(context.turn as usize) {
                Some(step) => express(&step.think, &step.action),
                None => express("done", &MoveAction::Submit),
            },
            Line::Run(command) => express("", &MoveAction::Run(command)),
            Line::RunAll(commands) => {
                let each = commands.into_iter().zip(100..).map(|(command, turn)| {
                    script_context.scaffold.express("", &MoveAction::Run(command), turn).tool_calls
                });
                let message = ChatMessage::text(ChatRole::Assistant, "");
                let tool_calls = each.flatten().collect();
                (ChatMessage { tool_calls, ..message }, FinishReason::ToolCalls)
            }
            Line::Submit => express("done", &MoveAction::Submit),
            Line::Prose(text) => (ChatMessage::text(ChatRole::Assistant, text), FinishReason::Stop),
            Line::Cut => (ChatMessage::text(ChatRole::Assistant, "and so"), FinishReason::Length),
            Line::Refuse => (ChatMessage::text(ChatRole::Assistant, "no"), FinishReason::Refusal),
            Line::Call { name, arguments } => {
                let call = ToolCall { id: "call".to_owned(), name, arguments };
                let message = ChatMessage::text(ChatRole::Assistant, "");
                (ChatMessage { tool_calls: vec![call], ..message }, FinishReason::ToolCalls)
            }
        }
    }
}

struct OnItsWay<'a>(&'a FakeModel);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.crowd.lock().unwrap_or_else(PoisonError::into_inner).0 -= 1;
    }
}

fn push<T>(list: &Mutex<Vec<T>>, value: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(value);
}

#[async_trait]
impl ChatModel for FakeModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let first = request.messages.first();
        push(&self.openings, first.map(|message| message.content.clone()).unwrap_or_default());
        push(&self.calls, (context.episode.clone(), context.turn, context.retry));
        let _on_its_way = self.enter();
        let latency = get(&self.latency);
        tokio::time::sleep(latency).await;
        self.limit()?;
        let turn = context.turn;
        let (message, finish) = match &context.script {
            Some(script_context) => {
                let task = &script_context.task;
                self.traps.pass(&format!("{} {} turn {turn}", task.template, task.index)).await?;
                self.speak(context, script_context)
            }
            None => {
                self.traps.pass(&format!("{} turn {turn}", context.episode)).await?;
                self.answer(request, context)
            }
        };
        push(&self.replies, (context.episode.clone(), context.turn));
        Ok(ChatReply::new(message, finish, get(&self.usage)))
    }
}

/// Models by name, one for each of their keys; one is made for every name asked for.
#[derive(Default)]
pub struct FakeModels(Mutex<HashMap<String, Arc<FakeModel>>>);

impl FakeModels {
    pub fn named(&self, name: &str) -> Arc<FakeModel> {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        models.entry(name.to_owned()).or_default().clone()
    }
}

impl ModelFactory for FakeModels {
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault> {
        if config.name == "fake/unknown" {
            return Err(Fault::new(FaultKind::ModelPermanent, "no such model"));
        }
        match config.endpoint.as_ref().and_then(|endpoint| endpoint.key_env.as_ref()) {
            Some(key) => Ok(self.named(&format!("{} {key}", config.name))),
            None => Ok(self.named(&config.name)),
        }
    }
}
