//! One round: load, a kill, verification of the survivor, the restart, verification of the restarted node.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use sessile_history::SeededRng;
use tokio::time::{sleep, timeout};

use super::copies;
use super::figures::Figures;
use super::observation::ObservationKind;
use super::observation_log::{ObservationLog, Progress};
use super::writer::Writer;
use crate::failure::Failure;
use crate::local_cluster::LocalCluster;

/// Clients, each with a connection and a session of its own.
const CLIENTS: u64 = 8;
/// Acknowledged writes of a round.
const WRITES: u64 = 2_000;
/// Acknowledged writes before the earliest kill; the latest one is [`LATEST_KILL`].
const EARLIEST_KILL: u64 = 400;
const LATEST_KILL: u64 = 1_600;
/// Longest random delay of the kill after the write that triggers it, in microseconds.
const KILL_JITTER_US: u64 = 3_000;
/// Longest load of one round.
const PATIENCE: Duration = Duration::from_secs(300);

/// The clients, which keep their sessions from round to round.
pub(super) struct CheckRound {
    writers: Vec<Writer>,
}

impl CheckRound {
    /// Clients of the balancer at `balancer`.
    pub(super) fn new(balancer: SocketAddr, log: &ObservationLog, seed: u64) -> Self {
        let writer = |number| Writer::new(balancer, log.clone(), SeededRng::new(seed, number));
        Self { writers: (1..=CLIENTS).map(writer).collect() }
    }

    /// Plays the round; the counts are those of this round alone.
    pub(super) async fn play(
        &mut self,
        cluster: &mut LocalCluster,
        log: &ObservationLog,
        rng: &mut SeededRng,
    ) -> Result<Figures, Failure> {
        let before = counts(log);
        log.begin_round();
        // Half of the clients start new sessions, which the balancer spreads over all nodes.
        self.writers.iter_mut().step_by(2).for_each(Writer::forget_session);
        try_join_all(self.writers.iter_mut().map(Writer::step)).await?;
        let victim = self.serving(rng);

        let load = try_join_all(self.writers.iter_mut().map(|writer| work(writer, log)));
        let load = async { timeout(PATIENCE, load).await.map_err(|_| too_slow(log))? };
        let killing = kill(cluster, log, rng, &victim);
        tokio::try_join!(load, killing)?;

        for node in cluster.plan.nodes.iter().filter(|node| node.name != victim) {
            copies::read_all(node.http, log).await?;
        }
        cluster.start(&victim)?;
        let rejoin = cluster.port_opened(&victim).await?;
        note(log, ObservationKind::Back { node: victim.clone() })?;
        if let Some(plan) = cluster.node(&victim) {
            copies::read_all(plan.http, log).await?;
        }
        let first_good = log.progress().borrow().first_good.unwrap_or_default();
        Ok(Figures { first_good, rejoin, ..counts(log).since(before) })
    }

    /// A node that currently serves sessions.
    fn serving(&self, rng: &mut SeededRng) -> String {
        let routes: Vec<_> = self.writers.iter().filter_map(Writer::route).collect();
        routes[rng.below(routes.len() as u64) as usize].to_owned()
    }
}

/// Runs a client until the round has enough writes, or an observation contradicts another.
async fn work(writer: &mut Writer, log: &ObservationLog) -> Result<(), Failure> {
    let progress = log.progress();
    while !is_enough(&progress.borrow()) {
        writer.step().await?;
    }
    Ok(())
}

fn is_enough(progress: &Progress) -> bool {
    progress.contradicted || (progress.acknowledged >= WRITES && progress.first_good.is_some())
}

/// Kills the node at a random moment under load.
async fn kill(
    cluster: &mut LocalCluster,
    log: &ObservationLog,
    rng: &mut SeededRng,
    victim: &str,
) -> Result<(), Failure> {
    let moment = EARLIEST_KILL + rng.below(LATEST_KILL - EARLIEST_KILL);
    let jitter = Duration::from_micros(rng.below(KILL_JITTER_US));
    let mut progress = log.progress();
    // The log outlives this round, so the wait cannot fail.
    let _ = progress.wait_for(|progress| progress.contradicted || progress.acknowledged >= moment).await;
    sleep(jitter).await;
    note(log, ObservationKind::Killed { node: victim.to_owned() })?;
    cluster.kill(victim).await;
    Ok(())
}

fn counts(log: &ObservationLog) -> Figures {
    log.look(|verdict| Figures {
        acknowledged: verdict.acknowledged,
        unknown: verdict.unknown,
        lost: verdict.lost(),
        doubled: verdict.doubled(),
        ..Figures::default()
    })
}

fn too_slow(log: &ObservationLog) -> Failure {
    let Progress { acknowledged, .. } = *log.progress().borrow();
    let seconds = PATIENCE.as_secs();
    Failure::Failed(format!("only {acknowledged} of {WRITES} writes were acknowledged in {seconds} s"))
}

fn note(log: &ObservationLog, seen: ObservationKind) -> Result<(), Failure> {
    log.note(seen).map_err(|error| Failure::Failed(format!("the observations cannot be written: {error}")))
}
