//! `sessile bench` as a process: what it measures, what it says of a server that answers wrongly, what it writes down.
//! Never a time: those depend on who else uses the machine.

#[path = "../harness/mod.rs"]
mod harness;

mod against;
mod article;
mod liar;
