//! Tasks of containers for tests: a judge that plays a script, and proofs in memory.

use crate::container_judge::{ContainerJudge, ProofRecords};
use crate::model::{
    CheckResult, ContainerSite, ContainerSource, Fault, JudgePlace, TaskContainer, Verdict,
};
use crate::ports::KeptImage;
use crate::task::ContainerTask;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A judge that counts what it is asked. It finds that an agent's work passes.
#[derive(Debug, Default)]
pub struct FakeJudge {
    prepared: AtomicUsize,
    proven: AtomicUsize,
    problems: Vec<String>,
}

impl FakeJudge {
    /// A judge whose task is not proven.
    pub fn unproven(why: &str) -> Self {
        Self { problems: vec![why.to_owned()], ..Self::default() }
    }

    /// How often the image was asked for.
    pub fn prepared(&self) -> usize {
        self.prepared.load(Ordering::Relaxed)
    }

    /// How often the task was proven.
    pub fn proven(&self) -> usize {
        self.proven.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl ContainerJudge for FakeJudge {
    async fn prepare(&self) -> Result<(), Fault> {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn prove(&self) -> Result<Vec<String>, Fault> {
        self.proven.fetch_add(1, Ordering::Relaxed);
        Ok(self.problems.clone())
    }

    async fn judge(&self, image: Box<dyn KeptImage>, _: Option<&str>) -> Result<Verdict, Fault> {
        let check = CheckResult {
            name: "tests".to_owned(),
            weight: 1.0,
            passed: true,
            output: image.id().to_owned(),
            end: None,
            second: None,
        };
        Ok(Verdict::agree(vec![check.clone()], &[check]))
    }
}

/// Proofs in memory.
#[derive(Debug, Default)]
pub struct ProofMemory(Mutex<HashMap<String, Vec<String>>>);

#[async_trait]
impl ProofRecords for ProofMemory {
    async fn known(&self, origin: &str) -> Option<Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(origin).cloned()
    }

    async fn keep(&self, origin: &str, problems: &[String]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(origin.to_owned(), problems.to_vec());
    }
}

/// A task of a container with this id, made from a task of the test catalog.
#[expect(clippy::expect_used, reason = "a test's")]
pub fn container_task(id: &str, judge: Arc<FakeJudge>) -> ContainerTask {
    let catalog = super::catalog();
    let letter = catalog.get("unit/letter").expect("the test catalog has it");
    let mut task = letter.task(1, 0).expect("it makes tasks");
    id.clone_into(&mut task.template);
    task.verification.judge = JudgePlace::Container;
    task.verification.milestones.clear();
    task.container = Some(TaskContainer {
        source: ContainerSource::Harbor,
        origin: format!("origin of {id}"),
        licence: None,
        authors: Vec::new(),
        image: "image".to_owned(),
        site: ContainerSite::default(),
        memory_bytes: 1 << 20,
    });
    ContainerTask::new(task, judge)
}
