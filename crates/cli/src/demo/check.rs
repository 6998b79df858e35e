//! `sessile demo --check`: kills a node under load, round after round, and judges whether anything was lost.
//!
//! A round: clients write through the balancer; at a random moment the node that serves is killed; when enough is
//! acknowledged, every acknowledged value is read from the survivor's own copies; the node is started again and, as
//! soon as its port is open, read in the same way. `writer` is a client, `journal` keeps what all of them see,
//! `verdict` says what follows from it: it alone decides, and knows nothing of processes.

mod copies;
mod figures;
mod journal;
mod observation;
mod round;
mod verdict;
mod writer;

use std::path::{Path, PathBuf};

use sessile_history::Dice;

use self::figures::Figures;
use self::journal::Journal;
use self::round::Round;
use crate::failure::Failure;
use crate::output;
use crate::rig::{Plan, Settings, Stage};
use crate::stop::StopWish;

/// What the nodes of a check log.
const LOG: &str = "info";
/// Most findings that are shown; all are in the observations.
const SHOWN_FINDINGS: usize = 20;

/// The size of the value of version `v`, so that a reader knows it: 16 to 2063 bytes.
fn size_of(v: u64) -> usize {
    16 + (v.wrapping_mul(0x9E37_79B9) % 2_048) as usize
}

/// Plays `rounds` rounds; an error says what was lost and where the observations are.
pub(super) async fn run(rounds: u32, seed: Option<u64>) -> Result<(), Failure> {
    let stop = StopWish::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let seed = match seed {
        Some(seed) => seed,
        None => {
            u64::from(getrandom::u32().map_err(|error| Failure::Failed(format!("random numbers: {error}")))?)
        }
    };
    let plan = Plan::on_free_ports(2, Settings::default())
        .map_err(|error| Failure::Failed(format!("no free ports: {error}")))?;
    output::print(&format!("demo --check --rounds {rounds} --seed {seed}"))?;
    let (stage, news) = Stage::open(plan, LOG).await?;
    output::print(&stage.listing())?;
    // What the nodes log is kept in their files; here nobody listens.
    drop(news);
    let mut check = Check::new(stage, seed)?;
    let played = tokio::select! {
        played = check.play(rounds) => played,
        () = stop.asked() => Err(Failure::Failed("stopped before the check was over".to_owned())),
    };
    let judged = played.and_then(|sum| check.judge(rounds, seed, sum));
    let judged = judged.map_err(|failure| check.keep(seed, failure));
    check.stage.close().await;
    judged
}

/// A check under way.
struct Check {
    stage: Stage,
    journal: Journal,
    dice: Dice,
    round: Round,
}

impl Check {
    fn new(stage: Stage, seed: u64) -> Result<Self, Failure> {
        let journal = Journal::new(stage.place())
            .map_err(|error| Failure::Failed(format!("{}: {error}", stage.place().display())))?;
        let round = Round::new(stage.plan.balancer, &journal, seed);
        Ok(Self { stage, journal, dice: Dice::new(seed, 0), round })
    }

    /// All rounds, or those until something is lost.
    async fn play(&mut self, rounds: u32) -> Result<Figures, Failure> {
        let mut sum = Figures::default();
        for number in 1..=rounds {
            let figures = self.round.play(&mut self.stage, &self.journal, &mut self.dice).await?;
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
        let findings = self.journal.look(|verdict| verdict.findings.clone());
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

    /// Keeps what is needed to understand a failure, and says where.
    fn keep(&self, seed: u64, failure: Failure) -> Failure {
        let Failure::Failed(message) = failure else { return failure };
        let folder = PathBuf::from(format!("sessile-check-{seed}-{}", std::process::id()));
        let kept = self.journal.flush().and_then(|()| copy_all(self.stage.place(), &folder));
        match kept {
            Ok(()) => {
                Failure::Failed(format!("{message}\nobservations and logs are in {}", folder.display()))
            }
            Err(error) => Failure::Failed(format!("{message}\n{} cannot be kept: {error}", folder.display())),
        }
    }
}

/// Copies what a reader of a failure needs: everything but the cluster's secret.
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
