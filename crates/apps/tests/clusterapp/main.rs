//! The sample application by its contract: what it answers to programs and to people.

mod commands;
mod measuring;
mod pages;
mod refusals;
mod visitor;
