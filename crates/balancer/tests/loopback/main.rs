//! The balancer over real loopback sockets, in front of small servers that misbehave when told to.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod access_log;
mod admin;
mod backend;
mod certificates;
mod choice;
mod control;
mod error_pages;
mod failover;
mod framing;
mod hostile_http2;
mod http2;
mod limits;
mod overload;
mod passing;
mod proxy_protocol;
mod reload;
mod retries;
mod setup;
mod sticky;
mod stop;
mod tcp;
mod tls;
mod udp;
