//! The namespace backend against the real kernel: as whoever runs the tests, and by
//! `as_user` as an ordinary user too.

mod as_docker;
mod as_gvisor;
pub(crate) use as_gvisor::without_network;
mod as_podman;
mod as_user;
mod basics;
mod beside;
mod changes;
mod containers;
pub(crate) use containers::{BASE, image};
mod copies;
mod egress;
mod engines;
mod forgeries;
mod frames;
mod hostile;
mod hostile_table;
mod installed;
mod lab;
pub(crate) use lab::RUNTIME;
mod lifetime;
mod memory_warning;
mod odd_images;
mod operations;
mod rescans;
mod roots;
mod services;
mod still;
mod terminals;
mod tunnel;
