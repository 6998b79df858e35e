//! The balancer over real loopback sockets, in front of small servers that misbehave when told to.

mod failover;
mod framing;
mod node;
mod passing;
mod repeats;
mod setup;
mod sticky;
mod stop;
