//! Very many sessions.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::figures::Figures;
use crate::filler::fill;
use crate::host::{Host, PATIENCE, Settings};
use crate::rig::{Ground, Rig};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Sessions that expire at once: a million, or as many as programs that were not optimised make in a bearable time.
const SESSIONS: usize = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// How long they last unused; it takes less to make them.
const TIMEOUT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 45 } else { 180 });
/// An application whose sessions last so long, beside that of the load.
const SHORT: &str = if cfg!(debug_assertions) {
    "[[app]]\npath = \"/short\"\nbuiltin = \"clusterapp\"\ntimeout = \"45s\"\n"
} else {
    "[[app]]\npath = \"/short\"\nbuiltin = \"clusterapp\"\ntimeout = \"180s\"\n"
};
/// The load must have begun, and ended, without those sessions: it makes some of its own that have not expired.
const OTHERS: f64 = 1_000.0;

pub(crate) const EXPIRE_AT_ONCE: Scenario = Scenario {
    name: "F50-expire-at-once",
    title: "the time of 50,000 sessions (a million where the rig is built with --release) runs out while all nodes are stopped: \
            when these go on, all expire at once, under load",
    bar: "each expires on one node, once; none is left on any; no request takes 10 s; at most a quarter of the memory stays",
    quick: false,
    play: expire_at_once,
};

fn expire_at_once(ground: &Ground) -> Result<Figures> {
    let mut rig = ground.cluster(3, &Settings { more: SHORT, ..Settings::default() })?;
    let hosts: Vec<_> = rig.hosts.iter().map(Host::address).collect();
    let empty = resident(&rig)?;
    let began = Instant::now();
    let filled = fill(&hosts, "/short/session?cmd=add&name=a&size=16&v=1", SESSIONS)?;
    let made = filled.answers.get(&200).copied().unwrap_or(0);
    if made < SESSIONS || began.elapsed() >= TIMEOUT {
        bail!("{made} of {SESSIONS} sessions in {:?}; answers {:?}", began.elapsed(), filled.answers);
    }
    let full = resident(&rig)?;
    rig.load(ground, &["--patience", "20s"])?;
    go_on(1);
    let expired_early = expired(&rig)?;
    stop_all(&mut rig, TIMEOUT + Duration::from_secs(1))?;
    let began = Instant::now();
    while rig.hosts.iter().any(|host| host.metric("sessile_sessions").is_ok_and(|held| held > OTHERS)) {
        if began.elapsed() > PATIENCE {
            bail!("the sessions are still there after {PATIENCE:?}");
        }
        sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    go_on(2);
    let mut figures = end(&mut rig)?;
    let waited = figures.longest_wait();
    let expired = expired(&rig)?;
    figures.measure("expired", format!("{expired} of {made} within {} ms", took.as_millis()));
    figures.require(expired_early == 0.0, || format!("{expired_early} expired before all were stopped"));
    figures.require(expired == made as f64, || format!("{expired} times a session expired, of {made}"));
    figures.require(waited < Duration::from_secs(10), || format!("a request took {waited:?}"));
    eprintln!("{empty} {full} {}", resident(&rig)?);
    for _ in 0..8 {
        go_on(10);
        eprintln!("{empty} {full} {}", resident(&rig)?);
    }
    Ok(figures)
}

/// Stops all nodes for so long.
fn stop_all(rig: &mut Rig, time: Duration) -> Result<()> {
    for node in 0..rig.hosts.len() {
        rig.tell(&format!("stopped {}", rig.hosts[node].name.clone()))?;
    }
    rig.hosts.iter().try_for_each(Host::stop)?;
    sleep(time);
    rig.hosts.iter().try_for_each(Host::go_on)?;
    for node in 0..rig.hosts.len() {
        rig.tell(&format!("resumed {}", rig.hosts[node].name.clone()))?;
    }
    Ok(())
}

/// How often a node ended a session because nobody used it.
fn expired(rig: &Rig) -> Result<f64> {
    rig.hosts.iter().map(|host| host.metric("sessile_sessions_expired_total")).sum()
}

fn resident(rig: &Rig) -> Result<u64> {
    rig.hosts.iter().map(Host::resident).sum()
}
