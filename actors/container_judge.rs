//! The port for tasks of containers: who makes their images, proves them, and judges what an agent has
//! left. The `synthd` package implements it for folders of Harbor and for rows like those of SWE-bench.

use crate::model::{Fault, Verdict};
use crate::ports::KeptImage;
use async_trait::async_trait;

/// The judge of one task of a container. It runs nothing in the container in which an agent has worked.
///
/// A fault is never a verdict: if nobody knows whether the agent's work or the host is to blame, it is
/// a fault.
#[async_trait]
pub trait ContainerJudge: Send + Sync + 'static {
    /// Sees to it that the image is there, and builds it if there is a recipe. `TaskSetup` and
    /// `SandboxRefused` say that this task cannot be had.
    async fn prepare(&self) -> Result<(), Fault>;

    /// What does not hold of the task: its solution must pass, and doing nothing must not. Empty if it
    /// is proven.
    async fn prove(&self) -> Result<Vec<String>, Fault>;

    /// The verdict over an image that has what an agent has left. The judge keeps the image as long as it
    /// needs it, also if nobody waits for the verdict any more.
    /// `runtime` is that of the campaign's containers, if it is not the engine's default.
    async fn judge(
        &self,
        image: Box<dyn KeptImage>,
        runtime: Option<&str>,
    ) -> Result<Verdict, Fault>;
}

/// What proofs of tasks of containers have found, in the data directory. It outlives campaigns.
#[async_trait]
pub trait ProofRecords: Send + Sync + 'static {
    /// What does not hold of the task with this origin. None if it was never tried.
    async fn known(&self, origin: &str) -> Option<Vec<String>>;

    /// Keeps what a proof has found. What cannot be kept is found again by the next proof, so a failure
    /// is only logged.
    async fn keep(&self, origin: &str, problems: &[String]);
}
