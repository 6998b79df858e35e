//! `sessile bench` as a process: its measurements, its verdict on a faulty server, its reports. No timed
//! assertions: times depend on the load of the machine.

#[path = "../harness/mod.rs"]
mod harness;

mod against;
mod article;
mod liar;
