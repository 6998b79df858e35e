//! The verdict for people and programs, and the kept files of a drill.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sessile_history::{BrokenPromiseKind, History, Verdict, judge, write};

use super::Drill;
use super::event::DrillEvent;
use super::history_recorder::HistoryRecorder;
use super::target::Targets;
use crate::failure::Failure;
use crate::output;

/// Findings shown in full; the kept files contain all.
const SHOWN: usize = 3;

/// The result of a drill.
pub(super) struct Report {
    seed: u64,
    clients: u32,
    nodes: usize,
    verdict: Verdict,
    history: History,
    events: Vec<(u64, DrillEvent)>,
    /// The nodes' views of each other, if they did not agree in the end.
    apart: Option<String>,
}

impl Report {
    pub(super) fn new(
        drill: &Drill,
        seed: u64,
        targets: &Targets,
        recorder: &HistoryRecorder,
        apart: Option<String>,
    ) -> Self {
        let (history, events) = recorder.look(|history, events| (history.clone(), events.to_vec()));
        let (clients, nodes) = (drill.clients, targets.nodes.len());
        Self { seed, clients, nodes, verdict: judge(&history), history, events, apart }
    }

    /// Prints the verdict; the error lists findings and the folder of the kept files.
    pub(super) fn judge(
        &self,
        keep: Option<&Path>,
        logs: Option<&Path>,
        as_json: bool,
    ) -> Result<(), Failure> {
        match as_json {
            true => output::document(&self.json())?,
            false => output::print(&self.table())?,
        }
        let fine = self.verdict.is_clean() && self.apart.is_none();
        let chosen = PathBuf::from(format!("sessile-drill-{}-{}", self.seed, std::process::id()));
        let folder = keep.or(if fine { None } else { Some(&chosen) });
        if let Some(folder) = folder {
            self.keep(folder, logs)
                .map_err(|error| Failure::Failed(format!("{} cannot be kept: {error}", folder.display())))?;
            output::tell(&format!("history, verdict and faults are in {}", folder.display()));
        }
        if fine { Ok(()) } else { Err(self.failure()) }
    }

    fn table(&self) -> String {
        let Self { seed, clients, nodes, verdict, .. } = self;
        let mut text = format!(
            "{nodes} nodes, {clients} clients, {} sessions, seed {seed}\n{} acknowledged, {} unknown, {} not processed; {} faults; \
             longest wait {} ms\n",
            verdict.sessions,
            verdict.acknowledged,
            verdict.unknown,
            verdict.failed,
            self.faults(),
            verdict.longest_wait / 1_000
        );
        for kind in BrokenPromiseKind::ALL {
            text += &format!("{:<12} {:>6}  {}\n", kind.to_string(), verdict.count(kind), meaning(kind));
        }
        if verdict.gone_with_all_copies > 0 {
            let gone = verdict.gone_with_all_copies;
            text += &format!("{gone} answers had no session because every process that held it was gone\n");
        }
        text
    }

    fn json(&self) -> Value {
        let counts: serde_json::Map<_, _> = (BrokenPromiseKind::ALL.iter())
            .map(|kind| (kind.to_string().replace(' ', "_"), self.verdict.count(*kind).into()))
            .collect();
        json!({
            "seed": self.seed,
            "nodes": self.nodes,
            "clients": self.clients,
            "faults": self.faults(),
            "counts": counts,
            "verdict": self.verdict,
            "apart": self.apart,
        })
    }

    fn faults(&self) -> usize {
        let is_fault = |event: &DrillEvent| {
            matches!(event, DrillEvent::Killed(_) | DrillEvent::Stopped(_) | DrillEvent::Cut(_))
        };
        self.events.iter().filter(|(_, event)| is_fault(event)).count()
    }

    fn failure(&self) -> Failure {
        let findings =
            self.verdict.broken_promises.iter().take(SHOWN).map(|finding| finding.describe(&self.history));
        let apart =
            self.apart.iter().map(|views| format!("the nodes did not agree on their members: {views}"));
        let lines: Vec<_> = apart.chain(findings).collect();
        Failure::Failed(format!("the drill found violations\n{}", lines.join("\n")))
    }

    fn keep(&self, folder: &Path, logs: Option<&Path>) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut lines = BufWriter::new(fs::File::create(folder.join("history.jsonl"))?);
        write(&self.history, &mut lines)?;
        lines.flush()?;
        fs::write(folder.join("verdict.json"), format!("{:#}\n", self.json()))?;
        let faults = self.events.iter().map(|(at, event)| format!("{:.6} {event}\n", *at as f64 / 1e6));
        fs::write(folder.join("faults.log"), faults.collect::<String>())?;
        let text: String =
            self.verdict.broken_promises.iter().map(|finding| finding.describe(&self.history)).collect();
        fs::write(folder.join("findings.txt"), text)?;
        logs.map_or(Ok(()), |logs| copy_logs(logs, folder))
    }
}

/// Copies the log files, never the secret.
fn copy_logs(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn meaning(kind: BrokenPromiseKind) -> &'static str {
    match kind {
        BrokenPromiseKind::Lost => "acknowledged and missing although a copy exists",
        BrokenPromiseKind::Doubled => "written once, replaced, and back",
        BrokenPromiseKind::Resurrected => "seen after its end",
        BrokenPromiseKind::Torn => "part of one request's writes, or other bytes",
        BrokenPromiseKind::Diverged => "different on two nodes after healing",
        BrokenPromiseKind::MixedUp => "a value of another session, or of none",
        BrokenPromiseKind::Stale => "older than an acknowledged value",
    }
}
