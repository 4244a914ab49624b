//! The container backend: sandboxes in containers of a Docker engine, or of Podman, which offers
//! the same API.
//!
//! The life of a container:
//!
//! ```text
//!  create ─► attach ─► start ─► ping ─► leased ─► dropped ─► removed
//!     │         │        │       │                              ▲
//!     └─────────┴────────┴───────┴── fault ─────────────────────┘
//! ```
//! The guest is the first process of the container. The container's standard input and output are
//! the guest's byte stream. No command is ever started through the container engine (`exec`).
//!
//! A container ends when its stream closes, and the container engine then removes it
//! (`auto_remove`). synthd removes it by force as well, in case the engine does not. A killed
//! synthd leaves containers behind; a later synthd finds them by the label of their owner and
//! removes them (sweep).
//!
//! Where to look:
//!
//! - `backend` implements the port `SandboxBackend`; `engine` is one connected container engine;
//! - `connection` and `ssh` reach the container engine; `facts` reads what it enforces;
//! - `container` writes the fields of a container; `seccomp` is its system-call filter;
//! - `site_container` opens a container for a task of a container; `kept_image` keeps what an agent
//!   has left there;
//! - `container_remover`, `container_tracker`, `owner` and `leftovers` see to it that nothing
//!   stays;
//! - `guest_program` and `stream` bring the guest in and its bytes out;
//! - `trial_container` runs a script in an ordinary container, for proofs of tasks of others;
//! - `images` builds, pulls and prunes images; `engine_faults` turns errors into typed faults.

mod backend;
mod connection;
mod container;
mod container_remover;
mod container_tracker;
mod engine;
mod engine_faults;
mod facts;
mod guest_program;
mod image;
mod images;
mod kept_image;
mod leftovers;
mod owner;
mod seccomp;
mod site_container;
mod ssh;
mod stream;
mod trial_container;

pub use backend::{DockerBackend, DockerSettings};
pub use connection::DockerAddress;
pub use images::{
    DebianRecipe, DockerImages, DockerfileRecipe, ImageRecipe, MADE_HERE, PruneLimit, PullProgress,
};
pub use trial_container::{EndedTrial, TrialContainers, TrialFile, TrialImage, TrialRun};
