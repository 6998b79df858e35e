//! A node on its host, as a process that can be killed and stopped.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::http_request::{ask, metric};
use crate::network::{address, namespace};

/// Longest wait for a node's state changes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Settings of a scenario's nodes.
#[derive(Debug, Clone)]
pub(crate) struct NodeSettings {
    pub(crate) cluster: &'static str,
    pub(crate) multicast: bool,
    /// Further tables, verbatim.
    pub(crate) more: &'static str,
    /// Further lines of `[membership]`.
    pub(crate) membership: &'static str,
    /// The helper of this program that acts as the node; `None` for `sessile serve`.
    pub(crate) helper: Option<&'static str>,
    /// Limit of a node's open descriptors.
    pub(crate) descriptors: Option<u32>,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self { cluster: "rig", multicast: true, more: "", membership: "", helper: None, descriptors: None }
    }
}

/// A node, running or not.
pub(crate) struct Host {
    pub(crate) number: usize,
    pub(crate) name: String,
    directory: PathBuf,
    sessile: PathBuf,
    settings: NodeSettings,
    /// Plants as arguments of `planted-node`; if empty, the released program runs.
    planted: Vec<String>,
    child: Option<Child>,
}

impl Host {
    /// The node `name` on host `number` among hosts 1 to `nodes`; not started yet.
    pub(crate) fn new(
        sessile: &Path,
        directory: &Path,
        number: usize,
        name: &str,
        nodes: usize,
        settings: &NodeSettings,
    ) -> Result<Self> {
        let host = Self {
            number,
            name: name.to_owned(),
            directory: directory.to_owned(),
            sessile: sessile.to_owned(),
            settings: settings.clone(),
            planted: Vec::new(),
            child: None,
        };
        fs::write(host.file("toml"), host.configuration(nodes))
            .context("a configuration cannot be written")?;
        Ok(host)
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        address(self.number)
    }

    fn configuration(&self, nodes: usize) -> String {
        let (at, name, NodeSettings { cluster, more, multicast, membership, .. }) =
            (self.address(), &self.name, &self.settings);
        let found = match multicast {
            true => format!("kind = \"multicast\"\nbind = \"{at}\""),
            false => {
                let members: Vec<_> = (1..=nodes).map(|host| format!("\"{}:4001\"", address(host))).collect();
                format!("kind = \"static\"\nmembers = [{}]", members.join(", "))
            }
        };
        format!(
            "[node]\nname = \"{name}\"\n[http]\nlisten = \"{at}:9080\"\n[admin]\nlisten = \"{at}:9005\"\n[cluster]\nname = \
             \"{cluster}\"\nsecret_file = \"{cluster}.secret\"\n[receiver]\nlisten = \"{at}:4001\"\n[replication]\nreceipt_header = \
             true\n[[app]]\npath = \"/clusterapp\"\nbuiltin = \"clusterapp\"\ndiagnostics = true\n{more}[membership]\n{membership}{found}\n"
        )
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}-h{}.{extension}", self.name, self.number))
    }

    /// Sets the plants for the node's next start.
    pub(crate) fn plant(&mut self, planted: &[impl ToString]) {
        self.planted = planted.iter().map(ToString::to_string).collect();
    }

    fn program(&self) -> Result<PathBuf> {
        if self.planted.is_empty() {
            return Ok(self.sessile.clone());
        }
        Ok(std::env::current_exe().context("where is this program?")?.with_file_name("planted-node"))
    }

    /// Starts the process without waiting for it.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.file("log"))
            .context("a log cannot be written")?;
        let mut program = Command::new("ip");
        program.args(["netns", "exec", &namespace(self.number)]);
        if let Some(descriptors) = self.settings.descriptors {
            program.args(["prlimit", &format!("--nofile={descriptors}:{descriptors}")]);
        }
        match self.settings.helper {
            None => program.arg(self.program()?).args(&self.planted).arg("serve"),
            Some(helper) => {
                program.arg(std::env::current_exe().context("where is this program?")?).arg(helper)
            }
        };
        program.arg("--config").arg(self.file("toml"));
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(program.spawn().context("ip netns exec")?);
        Ok(())
    }

    /// Waits until the node serves and sees `others` other members.
    pub(crate) fn ready(&mut self, others: usize) -> Result<()> {
        let began = Instant::now();
        while self.members() != Some(others) {
            if began.elapsed() > PATIENCE || self.has_ended() {
                bail!(
                    "{} does not serve with {others} others; its log ends with\n{}",
                    self.name,
                    self.tail()
                );
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Number of other members that it sees, if it serves.
    pub(crate) fn members(&self) -> Option<usize> {
        let answer = ask(self.address(), 9080, "GET", "/clusterapp/stats", None).ok()?;
        let stats: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
        usize::try_from(stats["members"].as_u64()?).ok()
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().context("SIGKILL")?;
            child.wait().context("after SIGKILL")?;
        }
        Ok(())
    }

    /// Sends SIGTERM; waits until the node has drained and ended.
    pub(crate) fn leave(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let began = Instant::now();
        while !self.has_ended() {
            if began.elapsed() > PATIENCE {
                bail!("{} does not leave; its log ends with\n{}", self.name, self.tail());
            }
            std::thread::sleep(PAUSE);
        }
        self.child = None;
        Ok(())
    }

    pub(crate) fn stop(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(pid as i32)).context("the node has ended")?;
        kill_process(pid, signal).context("a signal")
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Resident memory of the process.
    pub(crate) fn resident(&self) -> Result<u64> {
        let pid = self.pid().context("the node has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("/proc")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS")?;
        Ok(kib * 1024)
    }

    /// The sum of all samples of a metric.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        metric(self.address(), name)
    }

    /// Number of log lines that contain the text.
    pub(crate) fn logged(&self, words: &str) -> usize {
        self.log().lines().filter(|line| line.contains(words)).count()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
