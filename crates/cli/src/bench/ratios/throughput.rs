//! R2, R3 and R4: requests a second, processor time and bytes, against the same program with replication off.

use std::time::Duration;

use super::RatiosRun;
use crate::bench::client_pool::{ClientPool, SessionContent};
use crate::bench::cluster::{Nodes, Replication};
use crate::bench::grade::Bars;
use crate::bench::latency::median;
use crate::bench::load::{Cost, loaded};
use crate::bench::syscalls::SyscallWatch;
use crate::bench::traffic::Traffic;
use crate::failure::Failure;

const TIME: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::from_millis(100);
const MANY: usize = 64;
const SOME: usize = 16;
const KILOBYTE: SessionContent = SessionContent { attributes: 100, size: 1_024 };
const SMALL: SessionContent = SessionContent { attributes: 100, size: 100 };
/// Bytes that a write must carry beside its name and value: the session's key and the timestamp.
const KEY_AND_TIMESTAMP: f64 = 24.0;
/// Bytes of the name of an attribute here: `a` and one or two digits.
const NAME: f64 = 2.9;

/// Nodes, their clients, and their figures of each round.
struct Subject {
    nodes: Nodes,
    client_pool: ClientPool,
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    wire_bytes: Vec<f64>,
    /// Link write calls of the loaded node, for each client write.
    link_writes: Vec<f64>,
}

pub(super) async fn measure(run: &mut RatiosRun) -> Result<(), Failure> {
    let [off, sync, not_sync] =
        compared(run, MANY, KILOBYTE, [("pipelined", "local"), ("pipelined", "delta"), ("async", "delta")])
            .await?;
    let against = |with: &Subject| Some(median(&with.per_second)? / median(&off.per_second)?);
    run.ratio("R2 throughput, synchronous, 64 connections", against(&sync), Bars::at_least(0.7, 0.8));
    run.ratio("R2 throughput, async, 64 connections", against(&not_sync), Bars::at_least(0.85, 0.9));
    run.figure("requests a second, replication off, 64 connections", median(&off.per_second));
    run.figure("requests a second, synchronous, 64 connections", median(&sync.per_second));
    run.figure("requests a second, async, 64 connections", median(&not_sync.per_second));
    let wire_of_1_kb = wire(&sync, 1_024.0);
    stop([off, sync, not_sync]).await;

    let [mut off, mut sync] =
        compared(run, SOME, KILOBYTE, [("pipelined", "local"), ("pipelined", "delta")]).await?;
    let calls = [off.calls(run).await, sync.calls(run).await];
    let (total, without) = (median(&sync.cpu_us), median(&off.cpu_us));
    run.ratio("R3 CPU us of all nodes for a write, 16 connections", total, Bars::at_most(25.0, 20.0));
    let added = total.zip(without).map(|(total, without)| total - without);
    run.ratio("R3 CPU us added by replication", added, Bars::at_most(10.0, 7.0));
    run.ratio("R3 writes to the link for a delta", median(&sync.link_writes), Bars::at_most(0.3, 0.3));
    let [calls_without, calls_with] = calls;
    let added = calls_with.zip(calls_without).map(|(with, without)| with - without);
    run.ratio("R3 system calls added for a write", added, Bars::at_most(1.5, 0.6));
    run.figure("system calls for a write, replication off, 16 connections", calls_without);
    run.figure("CPU us for a write, replication off, 16 connections", without);
    run.figure("requests a second, synchronous, 16 connections", median(&sync.per_second));
    stop([off, sync]).await;

    let [small] = compared(run, MANY, SMALL, [("pipelined", "delta")]).await?;
    run.ratio("R4 wire, 1 KB values", wire_of_1_kb, Bars::at_most(1.3, 1.1));
    run.ratio("R4 wire, 100 B values", wire(&small, 100.0), Bars::at_most(1.3, 1.3));
    stop([small]).await;
    Ok(())
}

/// Bytes between the nodes against the bytes that a write must carry.
fn wire(subject: &Subject, value: f64) -> Option<f64> {
    median(&subject.wire_bytes).map(|bytes| bytes / (KEY_AND_TIMESTAMP + NAME + value))
}

/// Starts all subjects and loads them in turns.
async fn compared<const N: usize>(
    run: &mut RatiosRun,
    connections: usize,
    content: SessionContent,
    kinds: [(&'static str, &'static str); N],
) -> Result<[Subject; N], Failure> {
    let mut subjects = Vec::with_capacity(N);
    for (mode, manager) in kinds {
        let count = if manager == "local" { 1 } else { 2 };
        let nodes = Nodes::start(count, &Replication::new(mode, manager)).await?;
        let client_pool = ClientPool::connect(nodes.http(0), connections, content).await?;
        let [per_second, cpu_us, wire_bytes, link_writes] = std::array::from_fn(|_| Vec::new());
        subjects.push(Subject { nodes, client_pool, per_second, cpu_us, wire_bytes, link_writes });
    }
    let mut subjects: [Subject; N] = subjects.try_into().map_err(|_| {
        // Each configuration yields one subject.
        Failure::Failed("not every compared subject was started".to_owned())
    })?;
    for round in 0..=run.rounds {
        for subject in &mut subjects {
            // The first round is a warm-up.
            subject.play(run, round > 0).await?;
        }
    }
    Ok(subjects)
}

impl RatiosRun {
    fn time(&self) -> Duration {
        if self.settings.quick() { QUICK } else { TIME }
    }
}

impl Subject {
    /// System calls of all nodes for a write, in a separate interval because counting costs a little.
    async fn calls(&mut self, run: &RatiosRun) -> Option<f64> {
        let watch = SyscallWatch::start(&self.nodes.ids()).await?;
        let load = self.client_pool.drive(None, &run.interrupt.after(run.time())).await;
        let calls = watch.stop().await?;
        Some(calls / load.writes().max(1) as f64)
    }

    async fn play(&mut self, run: &mut RatiosRun, counts: bool) -> Result<(), Failure> {
        let time = run.time();
        let mut tries = 0;
        while !run.interrupt.is_requested() {
            tries += 1;
            let before = self.nodes.metrics_of(0).await?;
            let (load, usage, cost) =
                loaded(&mut self.client_pool, Some(&self.nodes), None, time, &run.interrupt).await?;
            let origin = self.nodes.metrics_of(0).await?.since(&before);
            if let Some(first_error) = load.first_error {
                return Err(Failure::Failed(format!("a write failed: {first_error}")));
            }
            if !counts {
                return Ok(());
            }
            if run.settings.again(&usage, tries)? || run.interrupt.is_requested() {
                continue;
            }
            run.found.circumstances.note(&usage);
            self.per_second.push(load.per_second());
            self.link_writes.push(Traffic::of(&origin).link_writes / load.writes().max(1) as f64);
            let Some(Cost { cpu_us, wire_bytes, .. }) = cost else { return Ok(()) };
            self.cpu_us.extend(cpu_us);
            self.wire_bytes.push(wire_bytes);
            return Ok(());
        }
        Ok(())
    }
}

async fn stop<const N: usize>(subjects: [Subject; N]) {
    for subject in subjects {
        subject.nodes.stop().await;
    }
}
