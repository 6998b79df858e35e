//! Joining nodes: many at once, or with a taken name.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::figures::Figures;
use crate::host::{Host, NodeSettings, PATIENCE};
use crate::http_request::ask;
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Sessions on the donor when the others return.
const SESSIONS: usize = 4_000;
/// Bytes of each session.
const BYTES: usize = 48 * 1024;

pub(crate) const ALL_AT_ONCE: Scenario = Scenario {
    name: "F34-rejoin",
    title: "four nodes return at once to one that has 4,000 sessions of 48 KiB",
    bar: "the donor's memory grows by at most a tenth; a serving node has every session",
    quick: false,
    play: all_at_once,
};

fn all_at_once(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(5, &NodeSettings::default())?;
    (1..5).try_for_each(|node| rig.kill(node))?;
    rig.hosts[0].ready(0)?;
    fill(&rig.hosts[0])?;
    let held = sessions(&rig.hosts[0])?;
    let before = rig.hosts[0].resident()?;
    (1..5).try_for_each(|node| rig.hosts[node].start())?;
    let (began, mut highest, mut early) = (Instant::now(), before, 0);
    let mut waiting: Vec<usize> = (1..5).collect();
    while !waiting.is_empty() && began.elapsed() < PATIENCE {
        highest = highest.max(rig.hosts[0].resident()?);
        waiting.retain(|node| match sessions(&rig.hosts[*node]) {
            Ok(found) => {
                early += usize::from(found < held);
                false
            }
            Err(_) => true,
        });
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = began.elapsed();
    rig.load(context, &[])?;
    go_on(3);
    let mut figures = end(&mut rig)?;
    let grown = highest.saturating_sub(before) as f64 / before as f64 * 100.0;
    figures.measure("rejoined in", format!("{} ms", took.as_millis()));
    figures.measure("donor grew by", format!("{grown:.1} % of {} MiB", before >> 20));
    figures.require(waiting.is_empty(), || "not all nodes came back".to_owned());
    figures.require(early == 0, || format!("{early} nodes served before they had all sessions"));
    figures.require(grown <= 10.0, || format!("the donor grew by {grown:.1} %"));
    Ok(figures)
}

fn fill(host: &Host) -> Result<()> {
    for part in 0..8 {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let at = host.address();
                std::thread::spawn(move || {
                    (0..SESSIONS / 32).try_for_each(|_| {
                        let target = format!("/clusterapp/session?cmd=add&name=a&size={BYTES}&v={part}");
                        ask(at, 9080, "POST", &target, None).map(|_| ())
                    })
                })
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
    }
    Ok(())
}

/// Number of sessions on a node, once it serves.
fn sessions(host: &Host) -> Result<u64> {
    let answer = ask(host.address(), 9080, "GET", "/clusterapp/stats", None)?;
    let stats: serde_json::Value = serde_json::from_str(&answer.body).context("stats")?;
    stats["sessions"].as_u64().context("stats")
}

pub(crate) const SAME_NAME: Scenario = Scenario {
    name: "F35-same-name",
    title: "a second node with a taken name, on another host; then a node starts at a dead node's address under another name",
    bar: "the duplicate is refused with an error; the cluster keeps serving; the other node is admitted",
    quick: false,
    play: same_name,
};

fn same_name(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster_among(4, 3, &NodeSettings::default())?;
    rig.load(context, &[])?;
    go_on(2);
    let mut twin = Host::new(&context.sessile, context.directory(), 4, "tc01", 3, &NodeSettings::default())?;
    twin.start()?;
    let began = Instant::now();
    let told = |twin: &Host| twin.logged("tc01") > 0 && (twin.logged("name") > 0);
    while !(twin.has_ended() && told(&twin)) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (refused, words) = (twin.members().is_none(), twin.tail());
    fs::write(context.directory().join("twin.txt"), &words).context("the twin's words")?;
    twin.kill()?;
    rig.kill(2)?;
    let mut heir = Host::new(&context.sessile, context.directory(), 3, "tc09", 3, &NodeSettings::default())?;
    heir.start()?;
    heir.ready(2)?;
    heir.kill()?;
    rig.restart(2, 2)?;
    let mut figures = end(&mut rig)?;
    figures.require(refused, || "the duplicate served".to_owned());
    figures.require(words.contains("tc01") && words.contains("name"), || {
        format!("the duplicate said {words:?}")
    });
    Ok(figures)
}
