//! Faults of a soak, one at a time; each is undone before the next.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use sessile_history::SeededRng;

use super::NODES;
use crate::link_emulator::LinkFaults;
use crate::rig::Rig;

/// Kinds of faults; nodes that run all the time are never killed.
const FAULTS: [(&str, Fault); 9] = [
    ("kill", kill),
    ("pause", pause),
    ("split", split),
    ("one-way", one_way),
    ("loss", loss),
    ("narrow", narrow),
    ("far", far),
    ("bits", bits),
    ("resets", resets),
];

/// Injects a fault and undoes it; returns the affected node.
type Fault = fn(&mut Rig, &mut SeededRng, &LinkFaults) -> Result<String>;

/// Injects a random fault; returns its description when all nodes see each other again.
pub(super) fn inject(rig: &mut Rig, rng: &mut SeededRng, link_faults: &LinkFaults) -> Result<String> {
    let (name, fault) = FAULTS[rng.below(FAULTS.len() as u64) as usize];
    let whom = fault(rig, rng, link_faults).with_context(|| name.to_owned())?;
    rig.together().with_context(|| format!("{name} {whom}"))?;
    Ok(format!("{name} {whom}"))
}

/// Half a second to eight seconds: shorter and longer than the drop time.
fn some_time(rng: &mut SeededRng) -> Duration {
    Duration::from_millis(500 + rng.below(7_500))
}

fn some_node(rng: &mut SeededRng) -> usize {
    rng.below(NODES as u64) as usize
}

fn kill(rig: &mut Rig, rng: &mut SeededRng, _: &LinkFaults) -> Result<String> {
    let node = NODES - 2 + rng.below(2) as usize;
    rig.kill(node)?;
    sleep(some_time(rng));
    rig.restart(node, NODES - 1)?;
    Ok(rig.hosts[node].name.clone())
}

fn pause(rig: &mut Rig, rng: &mut SeededRng, _: &LinkFaults) -> Result<String> {
    let node = some_node(rng);
    rig.pause(node, some_time(rng))?;
    Ok(rig.hosts[node].name.clone())
}

fn split(rig: &mut Rig, rng: &mut SeededRng, _: &LinkFaults) -> Result<String> {
    let alone = some_node(rng);
    let others: Vec<_> = (0..NODES).filter(|node| *node != alone).collect();
    rig.split(&[&[alone], &others])?;
    sleep(some_time(rng));
    rig.heal()?;
    Ok(rig.hosts[alone].name.clone())
}

/// Blocks the outgoing traffic of a node.
fn one_way(rig: &mut Rig, rng: &mut SeededRng, _: &LinkFaults) -> Result<String> {
    let mute = some_node(rng);
    rig.report_event("cut")?;
    for other in (0..NODES).filter(|node| *node != mute) {
        rig.network.cut_one_way(mute + 1, other + 1)?;
    }
    sleep(some_time(rng));
    rig.heal()?;
    Ok(rig.hosts[mute].name.clone())
}

fn loss(rig: &mut Rig, rng: &mut SeededRng, _: &LinkFaults) -> Result<String> {
    rig.report_event("note loss of 5 %")?;
    rig.network.lose(5)?;
    sleep(some_time(rng));
    rig.network.heal()?;
    Ok("5 %".to_owned())
}

fn narrow(rig: &mut Rig, rng: &mut SeededRng, _: &LinkFaults) -> Result<String> {
    let node = some_node(rng);
    rig.report_event("note a narrow link")?;
    rig.network.narrow(node + 1, "1mbit")?;
    sleep(some_time(rng));
    rig.network.widen(node + 1)?;
    Ok(rig.hosts[node].name.clone())
}

fn far(rig: &mut Rig, rng: &mut SeededRng, link_faults: &LinkFaults) -> Result<String> {
    rig.report_event("note a far node")?;
    link_faults.delay(50, 20);
    sleep(some_time(rng));
    link_faults.delay(0, 0);
    Ok(emulated(rig))
}

fn bits(rig: &mut Rig, rng: &mut SeededRng, link_faults: &LinkFaults) -> Result<String> {
    rig.report_event("note flipped bits")?;
    link_faults.damage(300);
    sleep(some_time(rng));
    link_faults.damage(0);
    Ok(emulated(rig))
}

fn resets(rig: &mut Rig, rng: &mut SeededRng, link_faults: &LinkFaults) -> Result<String> {
    rig.report_event("note resets")?;
    for _ in 0..1 + rng.below(6) {
        link_faults.reset();
        sleep(Duration::from_millis(700));
    }
    Ok(emulated(rig))
}

/// The node with emulated links.
fn emulated(rig: &Rig) -> String {
    rig.hosts[NODES - 1].name.clone()
}
