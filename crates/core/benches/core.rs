//! How long the core's own work takes: merging, committing with encoding, receiving with decoding, the table.
//!
//! All of it goes through what the crate offers others: a whole [`Node`](sessile_core::Node) without sockets.

use std::time::Duration;

use divan::{Bencher, black_box};
use sessile_core::{
    AppId, Boot, Bounds, Changes, Effect, FieldName, Fields, Instant, Mode, Node, Plant, Proof, Secret,
    SessionKey, Settings, Stamp, Timing, Value,
};

fn main() {
    divan::main();
}
