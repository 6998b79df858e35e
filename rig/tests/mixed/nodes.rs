//! Nodes as processes on loopback, each of a given version.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::drill_process::DrillProcess;
use crate::figures::Figures;
use crate::http_request::ask;

const PROGRAM: &str = env!("CARGO_BIN_EXE_planted-node");
/// Longest wait for a node, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// A cluster with a static list, possibly under load. Dropping it stops everything.
pub(crate) struct Nodes {
    load: Option<DrillProcess>,
    nodes: Vec<Node>,
    directory: TempDir,
}

struct Node {
    name: String,
    http: SocketAddrV4,
    admin: SocketAddrV4,
    child: Option<Child>,
}

impl Nodes {
    /// Creates the configurations of this many nodes.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let host = own_host();
        let mut nodes = Vec::new();
        let members = (0..count).map(|_| free(host)).collect::<Result<Vec<_>>>()?;
        let list: Vec<_> = members.iter().map(|member| format!("\"{member}\"")).collect();
        for (number, member) in members.iter().enumerate() {
            let name = format!("tc0{}", number + 1);
            let node = Node { name, http: free(host)?, admin: free(host)?, child: None };
            fs::write(node.file(directory.path(), "toml"), node.configuration(*member, &list.join(", ")))?;
            nodes.push(node);
        }
        let made =
            program(&["secret", "new", "cluster.secret"], directory.path()).stdout(Stdio::null()).status()?;
        ensure!(made.success(), "a secret is made");
        Ok(Self { load: None, nodes, directory })
    }

    /// Starts the load on all nodes.
    pub(crate) fn load(&mut self) -> Result<()> {
        let nodes: Vec<_> = self.nodes.iter().map(|node| node.http.into()).collect();
        let folder = self.directory.path().join("drill");
        // A light load, because other tests run at the same time.
        let more = ["--clients", "4", "--think", "20ms"];
        self.load = Some(DrillProcess::start(Path::new(PROGRAM), &nodes, None, 1, folder, &more)?);
        self.report_event("note the load begins")
    }

    /// Ends the load; returns its figures.
    pub(crate) fn judged(&mut self) -> Result<Figures> {
        self.load.take().context("there is no load")?.end()
    }

    /// Starts a node with these plants without waiting for it.
    pub(crate) fn start(&mut self, node: usize, planted: &[&str]) -> Result<()> {
        let directory = self.directory.path();
        let node = &mut self.nodes[node];
        let log = File::options().create(true).append(true).open(node.file(directory, "log"))?;
        let serve = ["serve", "--config", &format!("{}.toml", node.name)];
        let mut program = program(&[planted, &serve].concat(), directory);
        node.child = Some(program.stdout(Stdio::null()).stderr(log).spawn()?);
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, node: usize) -> Result<()> {
        self.report_event(&format!("killed {}", self.nodes[node].name.clone()))?;
        self.nodes[node].kill();
        Ok(())
    }

    /// Starts a killed node with these plants, and waits until it serves and sees `others` other members.
    pub(crate) fn restart(&mut self, node: usize, planted: &[&str], others: usize) -> Result<()> {
        self.start(node, planted)?;
        self.ready(node, others)?;
        self.report_event(&format!("started {}", self.nodes[node].name.clone()))
    }

    /// Waits until a node serves and sees `others` other members.
    pub(crate) fn ready(&mut self, node: usize, others: usize) -> Result<()> {
        let began = Instant::now();
        let directory = self.directory.path();
        let node = &mut self.nodes[node];
        while node.others() != Some(others as u64) {
            let has_ended = node.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if began.elapsed() > PATIENCE || has_ended {
                let log = fs::read_to_string(node.file(directory, "log")).unwrap_or_default();
                bail!("{} does not serve with {others} others; its log is\n{log}", node.name);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// HTTP address of a node.
    pub(crate) fn at(&self, node: usize) -> SocketAddrV4 {
        self.nodes[node].http
    }

    /// A metric without labels.
    pub(crate) fn metric(&self, node: usize, name: &str) -> Result<f64> {
        let admin = self.nodes[node].admin;
        let page = ask(*admin.ip(), admin.port(), "GET", "/metrics", None)?.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.with_context(|| format!("{name} is not among\n{page}"))
    }

    fn report_event(&mut self, event: &str) -> Result<()> {
        self.load.as_mut().map_or(Ok(()), |load| load.report_event(event))
    }
}

impl Node {
    fn configuration(&self, receiver: SocketAddrV4, members: &str) -> String {
        let Self { name, http, admin, .. } = self;
        // A long drop time, so that a busy machine removes no member.
        format!(
            "[node]\nname = \"{name}\"\n[http]\nlisten = \"{http}\"\n[admin]\nlisten = \"{admin}\"\n[cluster]\nsecret_file = \
             \"cluster.secret\"\n[receiver]\nlisten = \"{receiver}\"\n[sender]\nack_timeout = \"10s\"\n[membership]\nkind = \
             \"static\"\nmembers = [{members}]\ndrop_time = \"15s\"\n[replication]\nreceipt_header = true\n[[app]]\npath = \
             \"/clusterapp\"\nbuiltin = \"clusterapp\"\ndiagnostics = true\n"
        )
    }

    fn file(&self, directory: &Path, extension: &str) -> PathBuf {
        directory.join(format!("{}.{extension}", self.name))
    }

    /// Number of other members that it sees, if it serves.
    fn others(&self) -> Option<u64> {
        let stats = ask(*self.http.ip(), self.http.port(), "GET", "/clusterapp/stats", None).ok()?;
        serde_json::from_str::<serde_json::Value>(&stats.body).ok()?["members"].as_u64()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program(words: &[&str], directory: &Path) -> Command {
    let mut program = Command::new(PROGRAM);
    program.args(words).current_dir(directory).stdin(Stdio::null());
    program
}

/// An address of loopback that no other test uses: ports that are free now stay free until the nodes take
/// them.
fn own_host() -> Ipv4Addr {
    static CLUSTERS: AtomicU8 = AtomicU8::new(1);
    let [.., a, b] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, a.clamp(1, 254), b, CLUSTERS.fetch_add(1, Relaxed));
    if TcpListener::bind((own, 0)).is_ok() { own } else { Ipv4Addr::LOCALHOST }
}

fn free(host: Ipv4Addr) -> Result<SocketAddrV4> {
    let port = TcpListener::bind((host, 0))?.local_addr()?.port();
    Ok(SocketAddrV4::new(host, port))
}
