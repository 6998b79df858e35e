//! Very many sessions that expire at once.

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bulk_sessions::fill;
use crate::figures::Figures;
use crate::host::{Host, NodeSettings, PATIENCE};
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Sessions that expire at once: a million, or fewer in a debug build.
const SESSIONS: usize = if cfg!(debug_assertions) { 25_000 } else { 1_000_000 };
/// With fewer sessions the run is invalid: the machine is too busy.
const LEAST: usize = SESSIONS / 20;
/// Idle timeout of the sessions; they are created within half of it.
const TIMEOUT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 180 });
/// Room for the sessions, and a second application with this idle timeout.
const SHORT: &str = if cfg!(debug_assertions) {
    "[session]\nmax_active = 2_000_000\n[[app]]\npath = \"/short\"\nbuiltin = \"clusterapp\"\ntimeout = \"30s\"\n"
} else {
    "[session]\nmax_active = 2_000_000\n[[app]]\npath = \"/short\"\nbuiltin = \"clusterapp\"\ntimeout = \"180s\"\n"
};
/// If a member was lost meanwhile, its uses may be unknown: sessions get an eighth of the timeout more,
/// questioned ones another eighth.
const GONE_WITHIN: Duration = PATIENCE.saturating_add(Duration::from_secs(TIMEOUT.as_secs() / 4));
/// Upper bound of the load's own sessions.
const OTHERS: f64 = 1_000.0;
/// Allowed memory growth from the second to the third run, in percent: the third run reuses the second's
/// memory. The second run starts with less, because the first had no tombstones of an earlier run.
const GROWTH: u64 = 10;

pub(crate) const EXPIRE_AT_ONCE: Scenario = Scenario {
    name: "F50-expire-at-once",
    title: "the time of 25,000 sessions (a million where the rig is built with --release) runs out while all nodes are stopped: \
            when these go on, all expire at once, under load; three times; fewer where the machine is busy",
    bar: "each session expires once, on one node; none is left; no request takes 10 s; the third run leaves nodes at most a tenth larger than the second",
    quick: false,
    play: expire_at_once,
};

fn expire_at_once(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings { more: SHORT, ..NodeSettings::default() })?;
    rig.load(context, &["--patience", "20s"])?;
    let before = resident(&rig)?;
    let runs = (0..3).map(|_| expire_once(&mut rig)).collect::<Result<Vec<_>>>()?;
    let mut figures = end(&mut rig)?;
    for (run, which) in runs.iter().zip(["first", "second", "third"]) {
        figures.measure(&format!("{which} expired within"), format!("{} ms", run.took.as_millis()));
    }
    let (waited, expired) = (figures.longest_wait(), expired(&rig)?);
    let with_runs = runs.iter().flat_map(|run| [run.full, run.after]);
    let memory: Vec<_> =
        std::iter::once(before).chain(with_runs).map(|bytes| (bytes >> 20).to_string()).collect();
    let made: usize = runs.iter().map(|run| run.made).sum();
    figures.measure("expired", format!("{expired} of {made}"));
    figures.measure("MiB of all nodes before, and full and after, three times", memory.join(" "));
    figures.require(expired == made as f64, || format!("{expired} times a session expired"));
    figures.require(waited < Duration::from_secs(10), || format!("a request took {waited:?}"));
    let (second, third) = (runs[1].after, runs[2].after);
    let most = second + second * GROWTH / 100;
    figures
        .require(third <= most, || format!("the third run left nodes {} MiB larger", (third - second) >> 20));
    Ok(figures)
}

/// Result of one run: number of sessions, time until all had expired, memory of the nodes with the sessions
/// and after them.
struct ExpiryRun {
    made: usize,
    took: Duration,
    full: u64,
    after: u64,
}

fn expire_once(rig: &mut Rig) -> Result<ExpiryRun> {
    let hosts: Vec<Ipv4Addr> = rig.hosts.iter().map(Host::address).collect();
    let early = expired(rig)?;
    let filled = fill(&hosts, "/short/session?cmd=add&name=a&size=16&v=1", SESSIONS, TIMEOUT / 2)?;
    let made = filled.answers.get(&200).copied().unwrap_or(0);
    if made < LEAST || filled.answers.len() > 1 || filled.broken > 0 || expired(rig)? > early {
        bail!("{made} sessions in {:?}; answers {:?}", TIMEOUT / 2, filled.answers);
    }
    let full = resident(rig)?;
    stop_all(rig, TIMEOUT + Duration::from_secs(1))?;
    let began = Instant::now();
    while held(rig).iter().any(|held| *held > OTHERS) {
        if began.elapsed() > GONE_WITHIN {
            bail!("of {made} sessions the nodes still have {:?} after {GONE_WITHIN:?}", held(rig));
        }
        sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    go_on(3);
    Ok(ExpiryRun { made, took, full, after: resident(rig)? })
}

/// Stops all nodes for `time`.
fn stop_all(rig: &mut Rig, time: Duration) -> Result<()> {
    let names: Vec<_> = rig.hosts.iter().map(|host| host.name.clone()).collect();
    names.iter().try_for_each(|name| rig.report_event(&format!("stopped {name}")))?;
    rig.hosts.iter().try_for_each(Host::stop)?;
    sleep(time);
    rig.hosts.iter().try_for_each(Host::go_on)?;
    names.iter().try_for_each(|name| rig.report_event(&format!("resumed {name}")))
}

/// Number of sessions on each node; infinite for a node without an answer.
fn held(rig: &Rig) -> Vec<f64> {
    rig.hosts.iter().map(|host| host.metric("sessile_sessions").unwrap_or(f64::INFINITY)).collect()
}

/// Number of expired sessions.
fn expired(rig: &Rig) -> Result<f64> {
    rig.hosts.iter().map(|host| host.metric("sessile_sessions_expired_total")).sum()
}

fn resident(rig: &Rig) -> Result<u64> {
    rig.hosts.iter().map(Host::resident).sum()
}
