//! Hosts on a network, a drill, and faults that are reported to it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sessile_history::SeededRng;
use tempfile::TempDir;

use crate::drill_process::DrillProcess;
use crate::figures::Figures;
use crate::host::{Host, NodeSettings, PATIENCE};
use crate::link_emulator::{LinkEmulator, LinkFaults};
use crate::network::{HERE, Network};

/// Address of the balancer.
const BALANCER: &str = "10.77.0.254:8080";

/// Context of a scenario: the program, the seed, and a folder.
pub(crate) struct ScenarioContext {
    pub(crate) sessile: PathBuf,
    pub(crate) seed: u64,
    /// Plants of every node of a cluster.
    pub(crate) planted: Vec<String>,
    directory: PathBuf,
    _scratch: Option<TempDir>,
}

impl ScenarioContext {
    /// Uses the folder `keep`, or a temporary folder that is removed with the context.
    pub(crate) fn new(sessile: PathBuf, seed: u64, keep: Option<PathBuf>) -> Result<Self> {
        let scratch = match keep {
            Some(_) => None,
            None => Some(tempfile::tempdir().context("a temporary folder")?),
        };
        let directory = keep.or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned()));
        let directory = directory.context("no folder")?;
        std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        Ok(Self { sessile, seed, planted: Vec::new(), directory, _scratch: scratch })
    }

    /// The same, with this bug in every node.
    pub(crate) fn planted(self, bug: Option<&str>) -> Self {
        let planted = bug.into_iter().flat_map(|bug| ["--plant".to_owned(), bug.to_owned()]).collect();
        Self { planted, ..self }
    }

    /// SeededRng that the seed repeats; those of the clients are others.
    pub(crate) fn rng(&self) -> SeededRng {
        SeededRng::new(self.seed, 1 << 33)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a cluster of this many nodes and waits until they agree.
    pub(crate) fn cluster(&self, nodes: usize, settings: &NodeSettings) -> Result<Rig> {
        self.cluster_among(nodes, nodes, settings)
    }

    /// The same, on the first of this many hosts.
    pub(crate) fn cluster_among(&self, hosts: usize, nodes: usize, settings: &NodeSettings) -> Result<Rig> {
        let network = Network::new(hosts)?;
        self.secret(settings.cluster)?;
        let host = |number| {
            let name = format!("tc0{number}");
            let mut host = Host::new(&self.sessile, &self.directory, number, &name, nodes, settings)?;
            host.plant(&self.planted);
            Ok(host)
        };
        let hosts = (1..=nodes).map(host).collect::<Result<Vec<_>>>()?;
        let mut rig = Rig { hosts, load: None, emulators: Vec::new(), balancer: None, network };
        rig.hosts.iter_mut().try_for_each(Host::start)?;
        rig.hosts.iter_mut().try_for_each(|host| host.ready(nodes - 1))?;
        Ok(rig)
    }

    /// Creates a new secret for a cluster.
    pub(crate) fn secret(&self, cluster: &str) -> Result<()> {
        let file = self.directory.join(format!("{cluster}.secret"));
        if file.exists() {
            std::fs::remove_file(&file).context("an old secret")?;
        }
        let made =
            Command::new(&self.sessile).args(["secret", "new"]).arg(&file).stdout(Stdio::null()).status();
        match made.context("sessile secret new")?.success() {
            true => Ok(()),
            false => bail!("sessile secret new failed"),
        }
    }
}

/// A cluster on its hosts, possibly under load. Dropping it stops everything.
pub(crate) struct Rig {
    load: Option<DrillProcess>,
    balancer: Option<Child>,
    emulators: Vec<LinkEmulator>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
}

impl Rig {
    /// Starts the load.
    pub(crate) fn load(&mut self, context: &ScenarioContext, more: &[&str]) -> Result<()> {
        let balancer = self.balancer.as_ref().map(|_| format!("http://{BALANCER}"));
        let folder = context.directory.join("drill");
        let nodes: Vec<_> = self.hosts.iter().map(|host| (host.address(), 9080).into()).collect();
        self.load = Some(DrillProcess::start(
            &context.sessile,
            &nodes,
            balancer.as_deref(),
            context.seed,
            folder,
            more,
        )?);
        // The first confirmed event shows that the drill runs.
        self.report_event("note the load begins")
    }

    /// Ends the load; returns the drill's figures.
    pub(crate) fn judged(&mut self) -> Result<Figures> {
        self.load.take().context("there is no load")?.end()
    }

    /// Path of the load's history.
    pub(crate) fn history(&self) -> Option<PathBuf> {
        self.load.as_ref().map(|load| load.folder().join("history.jsonl"))
    }

    pub(crate) fn report_event(&mut self, event: &str) -> Result<()> {
        self.load.as_mut().map_or(Ok(()), |load| load.report_event(event))
    }

    pub(crate) fn kill(&mut self, node: usize) -> Result<()> {
        self.report_event(&format!("killed {}", self.hosts[node].name.clone()))?;
        self.hosts[node].kill()
    }

    /// Starts a killed node, and waits until it serves and sees `others` other members.
    pub(crate) fn restart(&mut self, node: usize, others: usize) -> Result<Duration> {
        let began = Instant::now();
        self.hosts[node].start()?;
        self.hosts[node].ready(others)?;
        let took = began.elapsed();
        self.report_event(&format!("started {}", self.hosts[node].name.clone()))?;
        Ok(took)
    }

    /// Stops a node (SIGSTOP) for `time`.
    pub(crate) fn pause(&mut self, node: usize, time: Duration) -> Result<()> {
        let name = self.hosts[node].name.clone();
        self.report_event(&format!("stopped {name}"))?;
        self.hosts[node].stop()?;
        sleep(time);
        self.hosts[node].go_on()?;
        self.report_event(&format!("resumed {name}"))
    }

    /// A clean partition: no traffic between nodes of different sides.
    pub(crate) fn split(&mut self, sides: &[&[usize]]) -> Result<()> {
        let names = |side: &&[usize]| {
            side.iter().map(|node| self.hosts[*node].name.clone()).collect::<Vec<_>>().join(",")
        };
        let told: Vec<_> = sides.iter().map(names).collect();
        self.report_event(&format!("cut {}", told.join(" ")))?;
        for (directory, side) in sides.iter().enumerate() {
            for (one, other) in side
                .iter()
                .flat_map(|one| sides[directory + 1..].concat().into_iter().map(move |other| (*one, other)))
            {
                self.network.cut(one + 1, other + 1)?;
            }
        }
        Ok(())
    }

    /// Removes all link faults.
    pub(crate) fn heal(&mut self) -> Result<()> {
        self.network.heal()?;
        self.report_event("healed")
    }

    /// Waits until every node sees all others.
    pub(crate) fn together(&mut self) -> Result<Duration> {
        let (began, others) = (Instant::now(), self.hosts.len() - 1);
        while !self.hosts.iter().all(|host| host.members() == Some(others)) {
            if began.elapsed() > PATIENCE {
                let seen: Vec<_> = self.hosts.iter().map(Host::members).collect();
                bail!(
                    "the nodes did not agree within {PATIENCE:?}; numbers of other members that they see: {seen:?}"
                );
            }
            sleep(Duration::from_millis(50));
        }
        Ok(began.elapsed())
    }

    /// Routes all new links of a node through emulators without faults. Existing links stay until they end.
    pub(crate) fn emulate(&mut self, node: usize) -> Result<LinkFaults> {
        let link_faults = LinkFaults::default();
        let others: Vec<_> = (0..self.hosts.len()).filter(|other| *other != node).collect();
        for (from, to) in others.iter().flat_map(|other| [(node, *other), (*other, node)]) {
            let emulator =
                LinkEmulator::start(HERE, (self.hosts[to].address(), 4001).into(), link_faults.clone())?;
            self.network.divert(from + 1, to + 1, emulator.port)?;
            self.emulators.push(emulator);
        }
        Ok(link_faults)
    }

    /// Starts a balancer in front of all nodes.
    pub(crate) fn balance(&mut self, context: &ScenarioContext) -> Result<()> {
        let nodes: String = (self.hosts.iter())
            .map(|host| {
                format!("[[node]]\nname = \"{}\"\naddress = \"{}:9080\"\n", host.name, host.address())
            })
            .collect();
        let file = context.directory.join("balancer.toml");
        let text = format!("[balance]\nlisten = \"{BALANCER}\"\nunsafe_paths = [\"/clusterapp\"]\n{nodes}");
        std::fs::write(&file, text).context("the balancer's file")?;
        let mut program = Command::new(&context.sessile);
        program.args(["balance", "--config"]).arg(&file);
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.balancer = Some(program.spawn().context("sessile balance")?);
        Ok(())
    }

    /// All running processes by name: the nodes and the balancer.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let nodes = self.hosts.iter().filter_map(|host| Some((host.name.clone(), host.pid()?)));
        nodes.chain(self.balancer.iter().map(|balancer| ("balancer".to_owned(), balancer.id()))).collect()
    }

    pub(crate) fn kill_balancer(&mut self) -> Result<()> {
        if let Some(mut balancer) = self.balancer.take() {
            balancer.kill().context("SIGKILL")?;
            balancer.wait().context("after SIGKILL")?;
        }
        Ok(())
    }

    /// Number of member removals so far.
    pub(crate) fn removals(&self) -> usize {
        self.hosts.iter().map(|host| host.logged("member removed")).sum()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.kill_balancer();
        // SIGKILL also ends stopped processes; each host kills its process when dropped.
    }
}
