//! The balancer over real loopback sockets, in front of small servers that misbehave when told to.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod access_log;
mod admin;
mod backend;
mod choice;
mod control;
mod error_pages;
mod failover;
mod framing;
mod overload;
mod passing;
mod reload;
mod retries;
mod setup;
mod sticky;
mod stop;
mod tcp;
