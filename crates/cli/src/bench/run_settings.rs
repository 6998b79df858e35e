//! Options that all load measurements share.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::output_options::OutputOptions;
use super::usage::{MAX_FOREIGN, Usage};
use crate::failure::Failure;
use crate::output;

/// Most attempts at one interval before the machine counts as too busy.
const MAX_TRIES: usize = 3;

/// Options of every measurement of load.
#[derive(Debug, Clone, Args)]
pub(super) struct RunSettings {
    #[command(flatten)]
    pub(super) output: OutputOptions,
    /// Accept that other programs take more than 5 % of the machine; the report says how much
    #[arg(long)]
    pub(super) noisy: bool,
}

/// Conditions of a run that may distort its figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Circumstances {
    /// The largest share of the machine that other programs used in an interval.
    pub(super) foreign_cpu: Option<f64>,
    /// The user ended the run early.
    pub(super) interrupted: bool,
}

impl RunSettings {
    pub(super) fn quick(&self) -> bool {
        self.output.quick
    }

    /// Whether an interval must be repeated because other programs used too much of the machine; an error
    /// after [`MAX_TRIES`] attempts.
    pub(super) fn again(&self, usage: &Usage, tries: usize) -> Result<bool, Failure> {
        let strict = !self.noisy && !self.quick();
        let Some(foreign) = usage.foreign.filter(|foreign| strict && *foreign > MAX_FOREIGN) else {
            return Ok(false);
        };
        let percent = foreign * 100.0;
        if tries < MAX_TRIES {
            output::tell(&format!("other programs took {percent:.0} % of the machine; measuring again"));
            return Ok(true);
        }
        Err(Failure::Failed(format!(
            "other programs took {percent:.0} % of the machine, {tries} times in a row: stop them, or accept \
             doubtful figures with --noisy"
        )))
    }
}

impl Circumstances {
    /// Records the usage of an interval.
    pub(super) fn note(&mut self, usage: &Usage) {
        let worst = self.foreign_cpu.into_iter().chain(usage.foreign).reduce(f64::max);
        self.foreign_cpu = worst;
    }

    /// Whether other programs used too much of the machine, if known.
    pub(super) fn doubtful(&self) -> bool {
        self.foreign_cpu.is_some_and(|share| share > MAX_FOREIGN)
    }

    /// The same in a sentence.
    pub(super) fn words(&self) -> String {
        let others = match self.foreign_cpu {
            None => "this system does not report how much of the machine other programs used".to_owned(),
            Some(share) if self.doubtful() => {
                format!("DOUBTFUL: other programs took up to {:.0} % of the machine", share * 100.0)
            }
            Some(share) => format!("other programs took at most {:.0} % of the machine", share * 100.0),
        };
        if self.interrupted {
            format!("{others}\ninterrupted: the figures are those measured so far")
        } else {
            others
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn usage(foreign: f64) -> Usage {
        Usage { cpu: None, foreign: Some(foreign) }
    }

    #[test]
    fn a_busy_machine_is_retried_and_then_fails() {
        let settings = |arguments: &[&str]| {
            let command = RunSettings::augment_args(clap::Command::new("bench").no_binary_name(true));
            RunSettings::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
        };
        let strict = settings(&[]);
        assert!(matches!(strict.again(&usage(0.2), 1), Ok(true)));
        assert!(matches!(strict.again(&usage(0.2), MAX_TRIES), Err(Failure::Failed(_))));
        assert!(matches!(strict.again(&usage(0.04), MAX_TRIES), Ok(false)));
        for tolerant in ["--noisy", "--quick"] {
            assert!(matches!(settings(&[tolerant]).again(&usage(0.9), MAX_TRIES), Ok(false)));
        }
    }

    #[test]
    fn the_worst_interval_is_reported() {
        let mut circumstances = Circumstances::default();
        for foreign in [0.01, 0.31, 0.02] {
            circumstances.note(&usage(foreign));
        }
        assert_eq!(circumstances.foreign_cpu, Some(0.31));
        assert!(
            circumstances.words().contains("DOUBTFUL") && circumstances.words().contains("31 %"),
            "{}",
            circumstances.words()
        );
    }
}
