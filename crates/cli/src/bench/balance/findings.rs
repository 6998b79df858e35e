//! What was found, for people and as JSON.

use std::fmt;

use serde::Serialize;

use crate::bench::grade::Bars;
use crate::bench::table::Table;
use crate::failure::Failure;

/// Ours, as the ratios name it, and what it is compared with.
const OURS: &str = "sessile";
const REFERENCE: &str = "haproxy";
/// Requests a second, as a ratio to HAProxy's.
const SPEED: Bars = Bars::at_least(0.9, 1.0);
/// Processor time of the balancer for a request, as a ratio to HAProxy's.
const COST: Bars = Bars::at_most(2.0, 1.5);

/// All cases.
#[derive(Debug, Serialize)]
pub(super) struct BalanceReport {
    pub(super) seconds: f64,
    pub(super) rounds: u32,
    /// Between client and balancer.
    pub(super) tls: bool,
    pub(super) cases: Vec<Case>,
}

/// All balancers under one load.
#[derive(Debug, Serialize)]
pub(super) struct Case {
    pub(super) connections: u32,
    pub(super) bytes: u32,
    pub(super) measured: Vec<Measured>,
}

/// One balancer under one load: the medians of its rounds.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) balancer: String,
    pub(super) requests_per_second: f64,
    pub(super) cpu_us_per_request: Option<f64>,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

impl BalanceReport {
    pub(super) fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map_err(|error| Failure::Failed(format!("JSON: {error}")))
    }
}

impl Case {
    fn of(&self, balancer: &str) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.balancer == balancer)
    }

    /// Ours to HAProxy's: requests a second, and processor time for a request.
    fn ratios(&self) -> Option<(f64, Option<f64>)> {
        let (ours, reference) = (self.of(OURS)?, self.of(REFERENCE)?);
        let cost = ours.cpu_us_per_request.zip(reference.cpu_us_per_request);
        let speed = ours.requests_per_second / reference.requests_per_second;
        Some((speed, cost.map(|(ours, reference)| ours / reference)))
    }
}

impl fmt::Display for BalanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            writeln!(f, "{} connections, answers of {} bytes", case.connections, case.bytes)?;
            let mut table = Table::new(["balancer", "requests/s", "CPU us/request", "p50 us", "p99 us"]);
            for measured in &case.measured {
                let cpu = measured.cpu_us_per_request.map_or("not known".into(), |cpu| format!("{cpu:.1}"));
                table.row([
                    measured.balancer.clone(),
                    format!("{:.0}", measured.requests_per_second),
                    cpu,
                    format!("{:.0}", measured.p50_us),
                    format!("{:.0}", measured.p99_us),
                ]);
            }
            if let Some((speed, cost)) = case.ratios() {
                table.remark(graded("requests a second to HAProxy's", speed, SPEED));
                table.remark(match cost {
                    Some(cost) => graded("CPU a request to HAProxy's", cost, COST),
                    None => "CPU a request: this system does not tell".into(),
                });
            }
            writeln!(f, "{table}")?;
        }
        let tls = if self.tls { ", in TLS" } else { "" };
        writeln!(f, "medians of {} rounds of {} s{tls}", self.rounds, self.seconds)
    }
}

fn graded(what: &str, ratio: f64, bars: Bars) -> String {
    let [good, excellent] = bars.words();
    format!("{what}: {ratio:.2} (good {good}, excellent {excellent}): {}", bars.grade(ratio).word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(balancer: &str, requests_per_second: f64, cpu: f64) -> Measured {
        let (balancer, cpu_us_per_request) = (balancer.to_owned(), Some(cpu));
        Measured { balancer, requests_per_second, cpu_us_per_request, p50_us: 1.0, p99_us: 2.0 }
    }

    #[test]
    fn ratios_are_to_haproxy_and_graded() {
        let measured = vec![measured("sessile", 95.0, 17.0), measured("haproxy", 100.0, 10.0)];
        let cases = vec![Case { connections: 16, bytes: 200, measured }];
        let report = BalanceReport { seconds: 1.0, rounds: 1, tls: true, cases };
        let text = report.to_string();
        assert!(text.contains(", in TLS"), "{text}");
        assert!(text.contains("HAProxy's: 0.95 (good >= 0.9, excellent >= 1): good"), "{text}");
        assert!(text.contains("HAProxy's: 1.70 (good <= 2, excellent <= 1.5): good"), "{text}");
    }
}
