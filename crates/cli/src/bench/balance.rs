//! `sessile bench balance`: this balancer beside HAProxy and nginx of the distribution, in one run, on the
//! same machine, in front of the same servers, with the same client.
//!
//! Every balancer is measured in turn in each round, so that what else the machine does meets them all alike.
//! The servers behind them answer the same bytes with as little work as possible. What is compared is a
//! ratio: requests a second, and processor time of the balancer for one request.
//!
//! Next: `balance/rival.rs` starts the balancers, `balance/server.rs` is what is behind them,
//! `balance/load.rs` the client, `balance/certificate.rs` is what `--tls` shows, `balance/findings.rs` tells
//! what was found.

mod certificate;
mod findings;
mod held;
mod load;
mod rival;
mod server;

use std::time::Duration;

use clap::{Args, ValueEnum as _};
use sessile_http_server::Transport;

use self::certificate::Certificate;
use self::findings::{BalanceReport, Case, Measured};
use self::rival::{Kind, Rival};
pub(super) use self::server::BalanceServer;
use self::server::Servers;
use super::latency::{Latency, median};
use super::usage::Watch;
use crate::failure::Failure;
use crate::{output, runtime};

/// How long one measurement takes when it is only about function.
const QUICK: Duration = Duration::from_millis(300);
/// How long a balancer is loaded before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct BalanceBench {
    /// Seconds of each measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Measurements of each balancer in each case; the one in the middle counts
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Connections of the client
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [16, 64, 256],
        value_parser = clap::value_parser!(u32).range(1..=4_096))]
    connections: Vec<u32>,
    /// Bytes of an answer
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [200, 100_000],
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    bytes: Vec<u32>,
    /// The balancers; one that is not installed is left out, in words
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values_t = Kind::ALL)]
    balancers: Vec<Kind>,
    /// In place of speed, memory: keep-alive connections that are idle after one request
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    idle: Option<u32>,
    /// In place of speed, memory: connections whose request's head has begun and does not end
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    slow: Option<u32>,
    /// Clients speak TLS with the balancers, which all show one self-made certificate; the servers behind
    /// stay plain
    #[arg(long, conflicts_with_all = ["idle", "slow"])]
    tls: bool,
    /// Short measurements that show that it works, and nothing of speed
    #[arg(long)]
    quick: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl BalanceBench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.idle.is_some() || self.slow.is_some() {
            let (idle, slow) = (self.idle.unwrap_or(0), self.slow.unwrap_or(0));
            let report = runtime::run_on_one_thread(held::measure(&self.balancers, idle, slow))?;
            return self.show(report.json()?, &report.to_string());
        }
        let report = runtime::run_on_one_thread(self.measure())?;
        self.show(report.json()?, &report.to_string())
    }

    fn show(&self, json: String, words: &str) -> Result<(), Failure> {
        if self.json { output::print_verbatim(&json) } else { output::print(words) }
    }

    async fn measure(&self) -> Result<BalanceReport, Failure> {
        let servers = Servers::start()?;
        let certificate = self.tls.then(Certificate::new).transpose()?;
        let mut rivals = Vec::new();
        let file = certificate.as_ref().map(Certificate::file);
        for kind in &self.balancers {
            match Rival::start(*kind, servers.addresses(), file).await? {
                Some(rival) => rivals.push(rival),
                None => output::tell(&format!("{} is not installed and left out", name(*kind))),
            }
        }
        let mut cases = Vec::new();
        for bytes in &self.bytes {
            for connections in &self.connections {
                output::tell(&format!("measuring {connections} connections, answers of {bytes} bytes …"));
                cases.push(self.case(&rivals, certificate.as_ref(), *connections, *bytes).await?);
            }
        }
        let (seconds, rounds) = (self.time().as_secs_f64(), self.rounds());
        Ok(BalanceReport { seconds, rounds, tls: self.tls, cases })
    }

    /// All balancers under one load, round after round.
    async fn case(
        &self,
        rivals: &[Rival],
        certificate: Option<&Certificate>,
        connections: u32,
        bytes: u32,
    ) -> Result<Case, Failure> {
        let mut samples = vec![Vec::new(); rivals.len()];
        for round in 0..self.rounds() {
            for (rival, samples) in rivals.iter().zip(&mut samples) {
                let open = || load::open(rival.address(), connections, certificate);
                if round == 0 {
                    load::run(open().await?, bytes, WARM_UP.min(self.time())).await?;
                }
                samples.push(self.sample(rival, open().await?, bytes).await?);
            }
        }
        let each = rivals.iter().zip(&samples);
        let measured = each.map(|(rival, samples)| Measured {
            balancer: name(rival.kind()),
            requests_per_second: middle(samples, |sample| Some(sample.requests_per_second)).unwrap_or(0.0),
            cpu_us_per_request: middle(samples, |sample| sample.cpu_us_per_request),
            p50_us: middle(samples, |sample| Some(sample.p50_us)).unwrap_or(0.0),
            p99_us: middle(samples, |sample| Some(sample.p99_us)).unwrap_or(0.0),
        });
        Ok(Case { connections, bytes, measured: measured.collect() })
    }

    async fn sample(&self, rival: &Rival, open: Vec<Transport>, bytes: u32) -> Result<Sample, Failure> {
        let watch = Watch::start(rival.processes());
        let (latency, took): (Latency, Duration) = load::run(open, bytes, self.time()).await?;
        let usage = watch.stop();
        let told = latency.percentiles();
        Ok(Sample {
            requests_per_second: told.count as f64 / took.as_secs_f64(),
            cpu_us_per_request: usage.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / told.count.max(1) as f64),
            p50_us: told.p50_us,
            p99_us: told.p99_us,
        })
    }

    fn time(&self) -> Duration {
        if self.quick { QUICK } else { Duration::from_secs(self.seconds) }
    }

    fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }
}

/// One measurement of one balancer.
#[derive(Debug, Clone, Copy)]
struct Sample {
    requests_per_second: f64,
    /// Nothing where the system does not tell.
    cpu_us_per_request: Option<f64>,
    p50_us: f64,
    p99_us: f64,
}

fn middle(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    median(&samples.iter().filter_map(value).collect::<Vec<_>>())
}

fn name(kind: Kind) -> String {
    kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
