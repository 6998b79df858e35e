//! Stores as used in practice: the suite for all stores, real servers, kills, full disks and flipped bits.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a panic is the report, a skipped test says so")]
#![allow(unreachable_pub, reason = "a test binary has no public items")]

mod encryption;
mod file;
mod file_damage;
mod flips;
mod full;
mod harness;
mod kill;
mod model;
mod postgres;
mod redb;
mod redb_damage;
mod redis;
