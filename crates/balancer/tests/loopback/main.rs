//! The balancer over real loopback sockets, in front of small servers that misbehave when told to.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod admin;
mod backend;
mod control;
mod failover;
mod framing;
mod passing;
mod retries;
mod setup;
mod sticky;
mod stop;
mod tcp;
