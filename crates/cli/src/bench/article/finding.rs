//! The article's findings, judged by the figures that were measured.

use std::fmt;

use crate::bench::report::Row;

/// A claim of the article, with this run's verdict on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArticleFinding {
    pub(crate) claim: &'static str,
    pub(crate) measured: String,
    /// `None` if this run did not measure the figures that the claim needs.
    pub(crate) holds: Option<bool>,
}

/// Response times that differ by less than this share are nearly equal.
const NEARLY: f64 = 0.2;

/// All of them, in the article's order.
pub(crate) fn all(rows: &[Row]) -> Vec<ArticleFinding> {
    let of = |code: &str, figure: &str| {
        rows.iter()
            .find(|row| row.name == code)
            .and_then(|row| row.value(figure))
            .filter(|value| *value > 0.0)
    };
    let ratio = |figure: &str, above: &str, below: &str| Some(of(above, figure)? / of(below, figure)?);
    let saving = |code: &str, instead_of: &str| Some(1.0 - ratio("replication mean", code, instead_of)?);
    vec![
        ArticleFinding::of(
            "delta replicates large sessions about 30 % cheaper than simple",
            saving("DPL2", "SPL2").map(|saved| (percent(saved), saved >= 0.25)),
        ),
        ArticleFinding::of(
            "delta replicates small sessions about 50 % cheaper than simple",
            saving("DPS2", "SPS2").map(|saved| (percent(saved), saved >= 0.45)),
        ),
        ArticleFinding::of(
            "small sessions replicate 2 to 3 times faster than large ones",
            ratio("replication mean", "DPL2", "DPS2").map(|times| (times_faster(times), times >= 2.0)),
        ),
        ArticleFinding::of(
            "pooled replicates about 4 times faster than async",
            ratio("replication mean", "DAS2", "DPS2").map(|times| (times_faster(times), times >= 3.0)),
        ),
        ArticleFinding::of(
            "the responses of pooled and async take nearly the same time",
            ratio("response mean", "DPS2", "DAS2").map(nearly),
        ),
        ArticleFinding::of(
            "the overheads of pooled and async are nearly the same",
            ratio("overhead mean", "DPS2", "DAS2").map(nearly),
        ),
        ArticleFinding::of("the cost of replication grows with the number of nodes", None),
    ]
}

impl ArticleFinding {
    fn of(claim: &'static str, judged: Option<(String, bool)>) -> Self {
        match judged {
            Some((measured, holds)) => Self { claim, measured, holds: Some(holds) },
            None => Self { claim, measured: "not measured by this run".to_owned(), holds: None },
        }
    }
}

fn percent(saved: f64) -> String {
    format!("replication time saved: {:.0} %", saved * 100.0)
}

fn times_faster(times: f64) -> String {
    format!("{times:.1} times")
}

fn nearly(ratio: f64) -> (String, bool) {
    (format!("pooled / async: {ratio:.2}"), (ratio - 1.0).abs() <= NEARLY)
}

impl fmt::Display for ArticleFinding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.holds {
            Some(true) => "holds:",
            Some(false) => "does not hold:",
            None => "open:",
        };
        write!(out, "{verdict:14} {} ({})", self.claim, self.measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(code: &str, response: f64, overhead: f64, replication: f64) -> Row {
        let mut row = Row::new(code);
        row.figure("response mean", "ms", response);
        row.figure("overhead mean", "ms", overhead);
        row.figure("replication mean", "ms", replication);
        row
    }

    #[test]
    fn the_articles_own_figures_get_a_verdict() {
        let rows = [
            row("SPL2", 59.0, 35.0, 20.0),
            row("SPS2", 37.0, 20.0, 10.0),
            row("DPL2", 57.0, 27.0, 15.0),
            row("DPS2", 26.0, 5.0, 5.0),
            row("DAS2", 24.0, 5.0, 20.0),
        ];
        let findings = all(&rows);
        let holds: Vec<_> = findings.iter().map(|finding| finding.holds).collect();
        let yes = Some(true);
        assert_eq!(holds, [yes, yes, yes, yes, yes, yes, None], "{findings:?}");
        assert_eq!(findings[2].measured, "3.0 times");
        assert!(findings[0].to_string().starts_with("holds: "));
    }

    #[test]
    fn a_claim_without_figures_has_no_verdict() {
        let findings = all(&[row("DPS2", 1.0, 1.0, 0.0)]);
        assert!(findings.iter().all(|finding| finding.holds.is_none()));
        let same = all(&[row("DPS2", 1.0, 1.0, 1.0), row("DAS2", 2.0, 1.0, 1.0)]);
        assert_eq!((same[3].holds, same[4].holds), (Some(false), Some(false)));
    }
}
