//! The catalogue of faults, with their numbers and requirements.

mod clients;
mod crashes;
mod cuts;
mod joins;
mod limits;
mod links;
mod logins;
mod mass_expiry;
mod memory;
mod mixed;
mod pairs;
mod pauses;
mod replays;
mod strangers;

use std::time::Duration;

use anyhow::Result;

use crate::figures::Figures;
use crate::rig::Rig;
use crate::scenario::Scenario;

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    crashes::KILL,
    crashes::KILL_IN_BURST,
    crashes::ALL_COPIES,
    pauses::LONG,
    pauses::COPY,
    pauses::SHORT,
    cuts::SPLIT,
    cuts::ONE_WAY,
    cuts::PARTIAL,
    cuts::FLAPPING,
    cuts::LONG_DIVERGENCE,
    links::LOSS,
    links::NARROW,
    links::FAR,
    links::FLIPPED_BITS,
    links::HALF_OPEN,
    links::DEAF,
    links::RESETS,
    limits::DESCRIPTORS,
    memory::BOUNDED,
    limits::LITTLE_CPU,
    clients::OVERSIZED,
    clients::SLOW_CLIENTS,
    clients::LOGOUT_RACE,
    logins::RACE,
    clients::CROWD_ON_ONE,
    mass_expiry::EXPIRE_AT_ONCE,
    joins::ALL_AT_ONCE,
    joins::SAME_NAME,
    mixed::MIXED,
    strangers::FLOODED_GROUP,
    replays::CONNECTIONS,
    pairs::SAMPLED,
];

/// Lets the load run for this time.
fn go_on(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// Waits until all nodes agree, lets the load run a little, and ends it with its verdict.
fn end(rig: &mut Rig) -> Result<Figures> {
    let together = rig.together()?;
    go_on(2);
    let mut figures = rig.judged()?;
    figures.measure("nodes agree after", format!("{} ms", together.as_millis()));
    Ok(figures)
}
