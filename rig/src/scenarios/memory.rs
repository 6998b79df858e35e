//! A host with too little memory.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bulk_sessions::fill;
use crate::control_group::ControlGroup;
use crate::figures::Figures;
use crate::host::{Host, NodeSettings};
use crate::http_request::{ask, metric};
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Memory that the node may allocate in addition.
const ROOM: u64 = 48 << 20;
/// Number of created sessions; their total size is four times that memory.
const SESSIONS: usize = 4_000;
const BYTES: usize = 48 * 1024;
/// Table limits that refuse sessions before the memory is exhausted.
const TABLE: &str = "[session]\nmax_table_bytes = \"16MiB\"\nmax_session_bytes = \"256KiB\"\nmax_attribute_bytes = \"256KiB\"\n";
/// Longest time to create them.
const FILLING: Duration = Duration::from_secs(300);
/// Longest wait for the kernel to kill it.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const BOUNDED: Scenario = Scenario {
    name: "F28-memory",
    title: "a node is limited to 48 MiB more memory, and 4,000 sessions of 48 KiB are created: the kernel kills it; then nodes with the same limit, and a table bounded to 16 MiB",
    bar: "the others keep serving and lose nothing, and the node is admitted when it returns; with the bound no node dies: sessions are refused with 503, created sessions are complete, and a node without room for a copy reports it",
    quick: false,
    play: |context| Ok(killed(context)?.and(refused(context)?)),
};

/// Without a configured bound, the kernel kills the node.
fn killed(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    rig.load(context, &["--patience", "8s"])?;
    go_on(2);
    let bound = ControlGroup::memory(rig.hosts[2].pid().context("the node lives")?, ROOM)?;
    let others: Vec<_> = rig.hosts[..2].iter().map(Host::address).collect();
    let filling = std::thread::spawn(move || fill(&others, &add(), SESSIONS, FILLING));
    let began = Instant::now();
    while !rig.hosts[2].has_ended() {
        if began.elapsed() > PATIENCE {
            bail!("the kernel did not kill the node in {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    rig.report_event("killed tc03")?;
    rig.hosts[2].kill()?;
    drop(bound);
    let filled = filling.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    rig.restart(2, 2)?;
    let mut figures = end(&mut rig)?;
    let made = filled.answers.get(&200).copied().unwrap_or(0);
    figures.measure("made meanwhile", made);
    figures.require(made == SESSIONS, || format!("{made} of {SESSIONS} sessions were created on the others"));
    let held = rig.hosts[2].metric("sessile_sessions")?;
    figures.require(held >= made as f64, || format!("after its return it holds {held} sessions of {made}"));
    Ok(figures)
}

/// With a bound, sessions are refused and no node dies.
fn refused(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings { more: TABLE, ..NodeSettings::default() })?;
    let pids = rig.processes().into_iter().map(|(_, pid)| pid);
    let bounds = pids.map(|pid| ControlGroup::memory(pid, ROOM)).collect::<Result<Vec<_>>>()?;
    let hosts: Vec<_> = rig.hosts.iter().map(Host::address).collect();
    let filled = fill(&hosts, &add(), SESSIONS / 2, FILLING)?;
    let count = |status| filled.answers.get(&status).copied().unwrap_or(0);
    let (made, turned_away) = (count(200), count(503));
    let mut figures = Figures::default();
    figures.measure("made within 16 MiB", made);
    figures.measure("refused", turned_away);
    figures.require(made > 0 && turned_away > 0, || format!("answers: {:?}", filled.answers));
    figures.require(made + turned_away == SESSIONS / 2 && filled.broken == 0, || {
        format!("answers {:?}, {} broken connections", filled.answers, filled.broken)
    });
    let shown = ShownSessions::by(&hosts, &filled.cookies);
    let dead = rig.hosts.iter_mut().filter_map(|host| host.has_ended().then_some(())).count();
    if dead > 0 {
        figures.require(false, || format!("{dead} nodes died"));
        return Ok(figures);
    }
    figures.measure("on all nodes", shown.everywhere);
    figures.measure("on some", shown.somewhere);
    figures.require(shown.wrong == 0, || format!("{} sessions are complete on no node", shown.wrong));
    let counted = rejected(&rig)?;
    figures.require(counted >= turned_away as f64, || format!("only {counted} refusals were counted"));
    drop(bounds);
    Ok(figures)
}

fn add() -> String {
    format!("/clusterapp/session?cmd=add&name=a&size={BYTES}&v=7")
}

/// Created sessions as shown by the nodes.
#[derive(Debug, Default)]
struct ShownSessions {
    everywhere: usize,
    /// Complete on at least one node; another node has no room for a copy and answers 503.
    somewhere: usize,
    /// Complete on no node, or absent or different on one.
    wrong: usize,
}

impl ShownSessions {
    fn by(hosts: &[Ipv4Addr], cookies: &[String]) -> Self {
        let mut shown = Self::default();
        for cookie in cookies {
            let ask = |host| ask(host, 9080, "POST", "/clusterapp/session?cmd=show&name=a", Some(cookie));
            let answers: Vec<_> = hosts.iter().filter_map(|host| ask(*host).ok()).collect();
            let is_whole = |body: &str| body.contains(&format!("\"v\":7,\"len\":{BYTES}"));
            let whole = answers.iter().filter(|answer| is_whole(&answer.body)).count();
            let no_room = answers.iter().filter(|answer| answer.status == 503).count();
            match (whole, no_room) {
                (whole, _) if whole == hosts.len() => shown.everywhere += 1,
                (1.., no_room) if whole + no_room == hosts.len() => shown.somewhere += 1,
                _ => shown.wrong += 1,
            }
        }
        shown
    }
}

fn rejected(rig: &Rig) -> Result<f64> {
    rig.hosts.iter().map(|host| metric(host.address(), "sessile_commits_rejected_total")).sum()
}
