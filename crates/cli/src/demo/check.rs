//! `sessile demo --check`: kills a node under load in every round and judges whether anything was lost.
//!
//! A round: clients write through the balancer; at a random moment the serving node is killed; after enough
//! acknowledged writes, every acknowledged value is read from the survivor's own copies; the killed node is
//! restarted and, as soon as its port is open, read in the same way. `writer` is a client, `observation_log`
//! records the observations of all clients, `verdict` alone judges them and knows nothing of processes.

mod copies;
mod figures;
mod observation;
mod observation_log;
mod round;
mod verdict;
mod writer;

use std::path::{Path, PathBuf};

use sessile_history::SeededRng;

use self::figures::Figures;
use self::observation_log::ObservationLog;
use self::round::CheckRound;
use crate::failure::Failure;
use crate::local_cluster::{ClusterPlan, ClusterSettings, LocalCluster};
use crate::output;
use crate::stop::StopRequest;

/// Log filter of the nodes.
const LOG: &str = "info";
/// Most findings shown; the observations contain all.
const SHOWN_FINDINGS: usize = 20;

/// Size of the value of version `v`, known to every reader: 16 to 2063 bytes.
fn size_of(v: u64) -> usize {
    16 + (v.wrapping_mul(0x9E37_79B9) % 2_048) as usize
}

/// Plays `rounds` rounds; an error lists the lost writes and the folder of the observations.
pub(super) async fn run(rounds: u32, seed: Option<u64>) -> Result<(), Failure> {
    let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let seed = match seed {
        Some(seed) => seed,
        None => {
            u64::from(getrandom::u32().map_err(|error| Failure::Failed(format!("random numbers: {error}")))?)
        }
    };
    let plan = ClusterPlan::on_free_ports(2, ClusterSettings::default())
        .map_err(|error| Failure::Failed(format!("no free ports: {error}")))?;
    output::print(&format!("demo --check --rounds {rounds} --seed {seed}"))?;
    let (cluster, events) = LocalCluster::open(plan, LOG).await?;
    output::print(&cluster.listing())?;
    // The log files keep the nodes' events; no receiver is needed.
    drop(events);
    let mut check = Check::new(cluster, seed)?;
    let played = tokio::select! {
        played = check.play(rounds) => played,
        () = stop.requested() => Err(Failure::Failed("stopped before the check was over".to_owned())),
    };
    let judged = played.and_then(|sum| check.judge(rounds, seed, sum));
    let judged = judged.map_err(|failure| check.keep(seed, failure));
    check.cluster.close().await;
    judged
}

/// A running check.
struct Check {
    cluster: LocalCluster,
    log: ObservationLog,
    rng: SeededRng,
    round: CheckRound,
}

impl Check {
    fn new(cluster: LocalCluster, seed: u64) -> Result<Self, Failure> {
        let log = ObservationLog::new(cluster.place())
            .map_err(|error| Failure::Failed(format!("{}: {error}", cluster.place().display())))?;
        let round = CheckRound::new(cluster.plan.balancer, &log, seed);
        Ok(Self { cluster, log, rng: SeededRng::new(seed, 0), round })
    }

    /// Plays all rounds, or stops at the first loss.
    async fn play(&mut self, rounds: u32) -> Result<Figures, Failure> {
        let mut sum = Figures::default();
        for number in 1..=rounds {
            let figures = self.round.play(&mut self.cluster, &self.log, &mut self.rng).await?;
            output::print(&format!("round {number:>3}: {figures}"))?;
            sum = sum.plus(figures);
            if sum.lost + sum.doubled > 0 {
                break;
            }
        }
        Ok(sum)
    }

    fn judge(&self, rounds: u32, seed: u64, sum: Figures) -> Result<(), Failure> {
        output::print(&format!("in all    : {sum} (longest)"))?;
        let findings = self.log.look(|verdict| verdict.findings.clone());
        if findings.is_empty() {
            return output::print(&format!(
                "passed: {rounds} rounds with seed {seed}, nothing acknowledged was lost"
            ));
        }
        let shown: Vec<_> = findings.iter().take(SHOWN_FINDINGS).map(ToString::to_string).collect();
        let more = findings.len() - shown.len();
        let more = if more > 0 { format!("\n… and {more} more") } else { String::new() };
        Err(Failure::Failed(format!("the check failed with seed {seed}:\n{}{more}", shown.join("\n"))))
    }

    /// Keeps observations and logs of a failure, and names their folder.
    fn keep(&self, seed: u64, failure: Failure) -> Failure {
        let Failure::Failed(message) = failure else { return failure };
        let folder = PathBuf::from(format!("sessile-check-{seed}-{}", std::process::id()));
        let kept = self.log.flush().and_then(|()| copy_all(self.cluster.place(), &folder));
        match kept {
            Ok(()) => {
                Failure::Failed(format!("{message}\nobservations and logs are in {}", folder.display()))
            }
            Err(error) => Failure::Failed(format!("{message}\n{} cannot be kept: {error}", folder.display())),
        }
    }
}

/// Copies everything but the cluster's secret.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().extension().is_none_or(|extension| extension != "secret") {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
