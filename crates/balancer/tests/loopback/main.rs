//! The balancer over real loopback sockets, in front of small servers that misbehave when told to.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod admin;
mod failover;
mod framing;
mod node;
mod passing;
mod repeats;
mod roster;
mod setup;
mod sticky;
mod stop;
mod tcp;
