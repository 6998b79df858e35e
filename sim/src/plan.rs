//! The plan of a seed: the cluster, the network's conditions, and the faults, all drawn at the start.

use std::time::Duration;

use sessile_core::Ack;

use crate::history::HostId;
use crate::rng::Rng;

/// Faults that every seed has at least.
pub(crate) const MIN_FAULTS: usize = 3;

/// One run, as drawn.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Nodes.
    pub(crate) hosts: usize,
    /// When commits settle.
    pub(crate) mode: Ack,
    /// The network.
    pub(crate) conditions: NetworkConditions,
    /// How clients choose a node.
    pub(crate) routing: Routing,
    /// Longest time between two operations of a client.
    pub(crate) think: Duration,
    /// How long a starting node waits for the state.
    pub(crate) transfer_timeout: Duration,
    /// Faults and the times between them.
    pub(crate) faults: Vec<(Duration, Fault)>,
    /// Whether nodes swap out sessions that rest.
    pub(crate) swaps: bool,
    /// Even the last complete copy may be killed.
    pub(crate) reckless: bool,
    /// Every request sends the whole session, also one that writes nothing.
    pub(crate) whole: bool,
    /// Some processes are of the next version: a rolling upgrade, or one that is taken back.
    pub(crate) mixed: bool,
}

/// How clients choose a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    /// One after another.
    RoundRobin,
    /// The one that answered last.
    Sticky,
    /// Any.
    Random,
}

/// How the network treats frames.
#[derive(Clone, Debug)]
pub(crate) struct NetworkConditions {
    /// Whether frames of one link keep their order; lost ones are then sent again, late.
    pub(crate) ordered: bool,
    /// The shortest and the longest delay.
    pub(crate) delay: (Duration, Duration),
    /// Frames lost, of 1,000.
    pub(crate) loss: u32,
    /// Frames doubled, of 1,000 (never on ordered links).
    pub(crate) doubled: u32,
    /// A host whose links are slower, and by how much.
    pub(crate) slow: Option<(HostId, Duration)>,
    /// A killed process is proven gone by a refused connection.
    pub(crate) crash_proves: bool,
    /// A HELLO of another incarnation from a host proves its former process gone.
    pub(crate) hello_proves: bool,
}

/// One planned fault.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// A process dies and comes back.
    Crash { host: HostId, back: Duration },
    /// A process dies while its commit is in flight.
    CrashInCommit { host: HostId, back: Duration },
    /// A process dies and comes back, and the donor of its transfer dies in the middle of it.
    CrashOfDonor { host: HostId, back: Duration },
    /// A process dies in a commit that only one other process received, which is stopped until the first one
    /// is back.
    CrashWitnessed { host: HostId, back: Duration },
    /// A process is stopped for a while.
    Pause { host: HostId, time: Duration },
    /// A process is stopped, and when it goes on another one dies.
    PauseThenCrash { host: HostId, time: Duration, victim: HostId, back: Duration },
    /// Several short pauses.
    Stutter { host: HostId, times: u32 },
    /// A node drains, leaves and comes back.
    Leave { host: HostId, back: Duration },
    /// The hosts are divided into two sides.
    Split { sides: Vec<u8>, time: Duration },
    /// No frame reaches the second side from the first.
    OneWay { sides: Vec<u8>, time: Duration },
    /// Two hosts cannot reach each other; all others reach both.
    Partial { one: HostId, other: HostId, time: Duration },
    /// Links between two hosts break again and again.
    Flap { one: HostId, other: HostId, times: u32 },
    /// One host is stopped, or cut off, while all others are restarted one after another.
    Outage { host: HostId, cut: bool },
    /// Changes from one host do not reach another, all other frames do: one of several connections is stuck.
    Choke { from: HostId, to: HostId, time: Duration },
    /// The queue of frames from one host to another is full, for so many frames of 1,000.
    FullQueue { from: HostId, to: HostId, share: u32, time: Duration },
    /// A process is stopped, and another one starts under its name on another host.
    Twin { host: HostId, time: Duration },
    /// A wall clock jumps, which the core cannot notice.
    ClockJump,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let hosts = rng.between(3, 5) as usize;
        let cuts = rng.chance(400);
        let count = rng.between(MIN_FAULTS as u64, 6) as usize;
        let faults = (0..count).map(|_| (rng.millis(1_500, 7_000), draw_fault(rng, hosts, cuts))).collect();
        let mut plan = Self {
            hosts,
            mode: if rng.chance(900) { Ack::Synchronous } else { Ack::Asynchronous },
            conditions: NetworkConditions::draw(rng, hosts),
            routing: rng.pick(&[Routing::RoundRobin, Routing::Sticky, Routing::Random, Routing::Random]),
            think: Duration::from_millis(rng.pick(&[50, 300, 1_000])),
            transfer_timeout: Duration::from_secs(rng.pick(&[4, 20, 60])),
            faults,
            reckless: rng.chance(50),
            whole: rng.chance(150),
            // New options are drawn last, so that the plans of older seeds stay unchanged.
            swaps: rng.chance(250),
            mixed: rng.chance(250),
        };
        for draw in [draw_choke, draw_partial, draw_full_queue] {
            if rng.chance(150) {
                plan.faults.push((rng.millis(1_500, 7_000), draw(rng, hosts)));
            }
        }
        plan
    }
}

impl Plan {
    /// Whether every frame that is sent arrives soon, unless its sender dies or a cut is in its way.
    pub(crate) fn is_reliable(&self) -> bool {
        let loses = |(_, fault): &(Duration, Fault)| {
            matches!(fault, Fault::Choke { .. } | Fault::FullQueue { .. } | Fault::Flap { .. })
        };
        self.conditions.loss == 0 && !self.mixed && !self.faults.iter().any(loses)
    }
}

impl NetworkConditions {
    fn draw(rng: &mut Rng, hosts: usize) -> Self {
        let ordered = rng.chance(500);
        let longest = rng.pick(&[1, 5, 20, 60]);
        Self {
            ordered,
            delay: (Duration::from_micros(50), Duration::from_millis(longest)),
            loss: if ordered { rng.pick(&[0, 0, 50, 300]) } else { rng.pick(&[0, 10, 50]) },
            doubled: if ordered { 0 } else { rng.pick(&[0, 0, 20, 100]) },
            slow: rng.chance(200).then(|| (rng.index(hosts), rng.millis(20, 120))),
            crash_proves: rng.chance(600),
            hello_proves: rng.chance(700),
        }
    }
}

fn draw_fault(rng: &mut Rng, hosts: usize, cuts: bool) -> Fault {
    if cuts && rng.chance(500) {
        return draw_cut(rng, hosts);
    }
    let host = rng.index(hosts);
    let back = rng.millis(200, 6_000);
    match rng.below(100) {
        0..=16 => Fault::Crash { host, back },
        17..=34 if rng.chance(500) => Fault::CrashInCommit { host, back: rng.millis(7_000, 14_000) },
        17..=34 => Fault::CrashInCommit { host, back: rng.millis(100, 3_000) },
        35..=42 => Fault::CrashOfDonor { host, back },
        43..=49 => Fault::CrashWitnessed { host, back: rng.millis(100, 500) },
        50..=57 => Fault::Pause { host, time: pause_time(rng) },
        58..=69 => {
            let victim = (host + 1 + rng.index(hosts - 1)) % hosts;
            Fault::PauseThenCrash { host, time: rng.millis(1_000, 6_500), victim, back }
        }
        70..=75 => Fault::Stutter { host, times: rng.between(2, 6) as u32 },
        76..=81 => Fault::Leave { host, back },
        82..=87 => Fault::Flap {
            one: host,
            other: (host + 1 + rng.index(hosts - 1)) % hosts,
            times: rng.between(1, 6) as u32,
        },
        88..=96 => Fault::Outage { host, cut: cuts && rng.chance(500) },
        _ => Fault::ClockJump,
    }
}

fn draw_cut(rng: &mut Rng, hosts: usize) -> Fault {
    let time = if rng.chance(400) { rng.millis(200, 3_500) } else { rng.millis(3_500, 15_000) };
    let lonely = rng.index(hosts);
    let sides = loop {
        let sides: Vec<u8> = if rng.chance(500) {
            (0..hosts).map(|host| u8::from(host == lonely)).collect()
        } else {
            (0..hosts).map(|_| rng.below(2) as u8).collect()
        };
        if sides.contains(&0) && sides.contains(&1) {
            break sides;
        }
    };
    match rng.below(10) {
        0..=5 => Fault::Split { sides, time },
        6 | 7 => Fault::OneWay { sides, time },
        _ => Fault::Partial { one: lonely, other: (lonely + 1 + rng.index(hosts - 1)) % hosts, time },
    }
}

fn draw_choke(rng: &mut Rng, hosts: usize) -> Fault {
    let (from, to) = draw_pair(rng, hosts);
    Fault::Choke { from, to, time: rng.millis(500, 12_000) }
}

fn draw_full_queue(rng: &mut Rng, hosts: usize) -> Fault {
    let (from, to) = draw_pair(rng, hosts);
    Fault::FullQueue { from, to, share: rng.pick(&[200, 800, 1_000]), time: rng.millis(500, 8_000) }
}

/// One of the two is removed by the hosts that see both, while it holds their leases.
fn draw_partial(rng: &mut Rng, hosts: usize) -> Fault {
    let (one, other) = draw_pair(rng, hosts);
    Fault::Partial { one, other, time: rng.millis(3_000, 6_000) }
}

fn draw_pair(rng: &mut Rng, hosts: usize) -> (HostId, HostId) {
    let one = rng.index(hosts);
    (one, (one + 1 + rng.index(hosts - 1)) % hosts)
}

fn pause_time(rng: &mut Rng) -> Duration {
    match rng.below(10) {
        0..=2 => rng.millis(200, 1_900),
        3..=6 => rng.millis(1_900, 5_000),
        7 | 8 => rng.millis(5_000, 15_000),
        _ => rng.millis(15_000, 60_000),
    }
}
