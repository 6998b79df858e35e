//! What became of each mutant, kept beside the copy so that a long pass can be continued; and the survivors
//! that are explained.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::trial::Verdict;
use crate::workspace::Mutant;

/// Verdicts by the names of mutants.
pub(crate) struct Record {
    path: PathBuf,
    verdicts: BTreeMap<String, String>,
}

impl Record {
    /// The verdicts so far.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        let verdicts = lines.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())).collect();
        Ok(Self { path: path.to_owned(), verdicts })
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.verdicts.contains_key(name)
    }

    pub(crate) fn survived(&self, name: &str) -> bool {
        self.verdicts.get(name).is_some_and(|verdict| verdict.starts_with("survived"))
    }

    /// Notes a verdict, at once on disk.
    pub(crate) fn add(&mut self, name: &str, verdict: &Verdict) -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        writeln!(file, "{name}\t{}", verdict.text()).context("the record cannot be written")?;
        self.verdicts.insert(name.to_owned(), verdict.text());
        Ok(())
    }

    /// Prints how many of all that were tried so far were caught and by what, and the survivors of this pass.
    /// Gives how many of these are not explained.
    pub(crate) fn report(&self, tried: &[Mutant], explained: &Explained) -> usize {
        let by = |kind: &str| self.verdicts.values().filter(|verdict| verdict.starts_with(kind)).count();
        let (all, survived) = (self.verdicts.len(), by("survived"));
        let equivalent = self
            .verdicts
            .iter()
            .filter(|(name, verdict)| verdict.starts_with("survived") && explained.has(name));
        let equivalent = equivalent.count();
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let caught = all - survived;
        println!(
            "of {all} on record {} were caught by tests, {} by seeds, {survived} survived: {:.1} % caught",
            by("test"),
            by("seed"),
            share(caught, all)
        );
        println!(
            "{equivalent} survivors are explained: {:.1} % of the others caught",
            share(caught, all - equivalent)
        );
        let names: BTreeSet<_> = tried.iter().map(Mutant::name).collect();
        let unexplained: Vec<_> =
            names.iter().filter(|name| self.survived(name) && !explained.has(name)).collect();
        unexplained.iter().for_each(|name| println!("SURVIVED {name}"));
        unexplained.len()
    }
}

/// Survivors that a line of `survivors.txt` explains.
pub(crate) struct Explained(BTreeSet<String>);

impl Explained {
    /// Each line is a mutant's name, ` :: `, and the reason.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(Self(lines.filter_map(|line| line.split_once(" :: ")).map(|(name, _)| name.to_owned()).collect()))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}
