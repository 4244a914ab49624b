//! Agent programs of a few words: each asks its model as a client would, does in its sandbox
//! what the replies say, and ends.

use super::models::FakeModels;
use super::sandbox::FakeBackend;
use crate::agent::ShellTool;
use crate::agent_access::{
    AdmittedCall, AgentAccess, AgentCall, AgentCallResult, AgentSession, AgentSessionSpec,
    CallDecision,
};
use crate::model::{
    ChatMessage, ChatReply, ChatRequest, ChatRole, ExchangeRecorder, Fault, FaultKind, HostAddress,
    Money,
};
use crate::ports::{CallContext, ChatModel};
use crate::supervisor::spawn;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often a program asks again what was not answered.
const PATIENCE: u32 = 2;

pub struct FakeAgents {
    pub(super) backend: FakeBackend,
    pub(super) models: Arc<FakeModels>,
    /// How many sessions were opened. Each has a token of its own.
    pub(super) sessions: AtomicUsize,
}

#[async_trait]
impl AgentAccess for FakeAgents {
    async fn open_session(&self, spec: AgentSessionSpec) -> Result<AgentSession, Fault> {
        let session = self.sessions.fetch_add(1, Ordering::AcqRel);
        let token = format!("{}-{}-{session}", spec.episode, spec.attempt);
        // The door stays open, whatever becomes of the program.
        let calls = spec.calls.clone();
        let program = Program {
            backend: self.backend.clone(),
            models: self.models.clone(),
            spec,
            token: token.clone(),
        };
        let guard = spawn("agent", program.run());
        let to = HostAddress::Unix("/nowhere".into());
        Ok(AgentSession { to, token, guard: Box::new((guard, calls)) })
    }
}

struct Program {
    backend: FakeBackend,
    models: Arc<FakeModels>,
    spec: AgentSessionSpec,
    token: String,
}

impl Program {
    async fn run(self) {
        let jobs = self.backend.jobs();
        let task = jobs.started(&self.token).await;
        if jobs.is_broken() {
            return jobs.end(&self.token, 127);
        }
        if jobs.is_idle() {
            return std::future::pending().await;
        }
        let mut messages = vec![ChatMessage::text(ChatRole::User, task)];
        let mut refused = 0;
        while refused <= PATIENCE || jobs.is_patient() {
            let Some(answer) = self.ask(&messages).await else { break };
            let Ok(reply) = answer else {
                refused += 1;
                if jobs.is_upset() {
                    jobs.run(&self.token, "put upset x").await;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            refused = 0;
            let calls = reply.message.tool_calls.clone();
            messages.push(reply.message);
            for call in &calls {
                let Ok(command) = ShellTool::command(&call.arguments) else { break };
                if command.contains("COMPLETE") {
                    return jobs.end(&self.token, 0);
                }
                let told = jobs.run(&self.token, &command).await;
                messages.push(ChatMessage::tool_result(&call.id, told));
            }
            if messages.last().is_none_or(|last| last.role == ChatRole::Assistant) {
                break;
            }
        }
        jobs.end(&self.token, 1);
    }

    /// None: the episode is over.
    async fn ask(&self, messages: &[ChatMessage]) -> Option<Result<ChatReply, ()>> {
        let request = ChatRequest {
            messages: messages.to_vec(),
            tools: Vec::new(),
            max_output_tokens: 100,
            settings: Default::default(),
        };
        let request = Arc::new(request);
        if self.backend.jobs().is_distracted() {
            let (decision, _) = oneshot::channel();
            self.spec.calls.send(AgentCall { request: request.clone(), decision }).await.ok()?;
        }
        let delay = self.spec.delays.begin();
        tokio::time::sleep(self.backend.jobs().held_up()).await;
        drop(delay);
        let (decision, decided) = oneshot::channel();
        let call = AgentCall { request: request.clone(), decision };
        self.spec.calls.send(call).await.ok()?;
        match decided.await.ok()? {
            CallDecision::Over(_) => None,
            CallDecision::Recorded { reply, .. } => Some(Ok(*reply)),
            CallDecision::Ask(admitted) => Some(self.complete(&request, admitted).await),
        }
    }

    async fn complete(
        &self,
        request: &ChatRequest,
        admitted: AdmittedCall,
    ) -> Result<ChatReply, ()> {
        let context = CallContext {
            episode: self.spec.episode.clone(),
            script: Some(self.spec.script.clone()),
            turn: admitted.turn,
            retry: admitted.retry,
            recorder: ExchangeRecorder::default(),
        };
        let (model, begun) = (self.models.named(&admitted.model), Instant::now());
        let answer = tokio::time::timeout(admitted.limit, model.complete(request, &context)).await;
        let late = || Fault::new(FaultKind::OutOfTime, "the agent's time was up");
        let reply = match answer {
            Ok(answer) => answer.map_err(|failure| failure.fault),
            Err(_) => Err(late()),
        };
        // The provider has answered, and nobody waits for it.
        let (reply, failed) = match self.backend.jobs().hangs_up_at(admitted.turn) {
            true => (Err(Fault::new(FaultKind::AgentLeft, "it hung up")), begun.elapsed()),
            false => (reply, Duration::ZERO),
        };
        let (told, took) = (reply.clone(), Duration::from_millis(10));
        let (model, cost) = (admitted.model, Money::ZERO);
        let result = AgentCallResult { reply, model, numbers: 1, tries: 1, cost, took, failed };
        admitted.result.send(result).ok();
        told.map_err(drop)
    }
}
