//! Sandboxes in containers of a Docker engine, or of Podman behind the same interface.
//!
//! ```text
//!  create ─► attach ─► start ─► ping ─► leased ─► dropped ─► removed
//!     │         │        │       │                              ▲
//!     └─────────┴────────┴───────┴── fault ─────────────────────┘
//! ```
//! The guest is the container's first process and its standard input and output are the
//! stream: no command is ever started by the engine. A container whose stream closes ends,
//! and is removed by the engine itself; it is removed by force all the same, and what a
//! killed synthd left is found by its owner's label.

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
mod leftovers;
mod owner;
mod seccomp;
mod ssh;
mod stream;

pub use backend::{DockerBackend, DockerSettings};
pub use connection::DockerAddress;
pub use images::{
    DebianRecipe, DockerImages, DockerfileRecipe, ImageRecipe, MADE_HERE, PruneLimit, PullProgress,
};
