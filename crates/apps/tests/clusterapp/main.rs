//! The sample application by its contract: what it answers to programs and to people.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod commands;
mod forms;
mod measuring;
mod mutating;
mod pages;
mod refusals;
mod test_client;
mod two_nodes;
