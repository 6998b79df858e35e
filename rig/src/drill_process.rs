//! A running `sessile drill --told`, which receives the events of the cluster.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::figures::Figures;

/// Longest wait for the drill to confirm an event.
const PATIENCE: Duration = Duration::from_secs(30);

/// The drill.
pub(crate) struct DrillProcess {
    child: Child,
    tell: Option<ChildStdin>,
    out: ChildStdout,
    said: Receiver<String>,
    folder: PathBuf,
}

impl DrillProcess {
    /// Starts it against these nodes, and a balancer.
    pub(crate) fn start(
        sessile: &Path,
        nodes: &[SocketAddr],
        balancer: Option<&str>,
        seed: u64,
        folder: PathBuf,
        more: &[&str],
    ) -> Result<Self> {
        let mut program = Command::new(sessile);
        program.args(["drill", "--told", "--json", "--seed", &seed.to_string()]);
        for node in nodes {
            program.args(["--node", &format!("http://{node}")]);
        }
        balancer.iter().for_each(|url| {
            program.args(["--balancer", url]);
        });
        program.args(more).arg("--keep").arg(&folder);
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().context("sessile drill")?;
        let (heard, said) = channel();
        let stderr = child.stderr.take().context("no pipe from the drill")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if heard.send(line).is_err() {
                    return;
                }
            }
        });
        let out = child.stdout.take().context("no pipe from the drill")?;
        let tell = child.stdin.take();
        Ok(Self { child, tell, out, said, folder })
    }

    /// Sends an event; returns when the drill has confirmed it.
    pub(crate) fn report_event(&mut self, event: &str) -> Result<()> {
        let pipe = self.tell.as_mut().context("the drill was ended")?;
        writeln!(pipe, "{event}").context("the drill does not read its input")?;
        let noted = json!({ "message": format!("noted: {event}") }).to_string();
        let mut before = Vec::new();
        while let Ok(line) = self.said.recv_timeout(PATIENCE) {
            if line == noted {
                return Ok(());
            }
            before.push(line);
        }
        bail!("the drill did not note `{event}`; it said {before:?}")
    }

    /// Ends the load; returns the drill's findings.
    pub(crate) fn end(mut self) -> Result<Figures> {
        drop(self.tell.take());
        let mut text = String::new();
        self.out.read_to_string(&mut text).context("the verdict")?;
        let status = self.child.wait().context("the drill")?;
        let rest: Vec<_> = self.said.iter().collect();
        let verdict: Value = serde_json::from_str(&text)
            .with_context(|| format!("the drill ended with {status} and said {}", rest.join("\n")))?;
        let mut figures = Figures::of(&verdict)?;
        let fine = verdict["verdict"]["acknowledged"].as_u64().unwrap_or(0) > 0;
        figures.require(fine, || "no request was acknowledged".to_owned());
        Ok(figures)
    }

    /// Folder of the drill's history.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for DrillProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
