//! Two nodes as processes of their own, and clients that go on at the other one when theirs is gone.
//!
//! A node is this test's own program, started anew for its test `node`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config};
use tempfile::TempDir;

/// Longest wait for any condition; far above what a working cluster needs.
const LIMIT: Duration = Duration::from_secs(60);
const NAMES: [&str; 2] = ["tc01", "tc02"];
/// Nothing listens there: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";
const VARIABLES: [&str; 4] = ["NODE_APP", "NODE_NAME", "NODE_DIRECTORY", "NODE_KNOWN"];

/// What a process is told that is to be a node.
pub(crate) struct NodePlan {
    /// Which application it serves.
    pub(crate) app: String,
    name: String,
    directory: PathBuf,
    known: String,
}

impl NodePlan {
    /// `None`: this process is none.
    pub(crate) fn of_environment() -> Option<Self> {
        let [app, name, directory, known] = VARIABLES.map(|name| std::env::var(name).ok());
        Some(Self { app: app?, name: name?, directory: directory?.into(), known: known? })
    }

    /// The node, once it has the sessions of the other one. The process ends with the test that started it.
    pub(crate) async fn join(&self) -> Cluster {
        thread::spawn(|| {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
        let mut config = Config::default();
        config.node.name.clone_from(&self.name);
        config.cluster.secret_file = secret_file(&self.directory);
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        config.membership.members = vec![self.known.parse().unwrap()];
        Cluster::join(config).await.unwrap()
    }

    /// Tells the test where the node is.
    pub(crate) fn announce(&self, cluster: &Cluster, http: SocketAddr) {
        let place = self.directory.join(&self.name);
        let whole = place.with_extension("whole");
        std::fs::write(&whole, format!("{http} {}", cluster.members()[0].address)).unwrap();
        std::fs::rename(whole, place).unwrap();
    }
}

fn secret_file(directory: &Path) -> PathBuf {
    directory.join("cluster.secret")
}

/// The nodes of a test.
pub(crate) struct Nodes {
    processes: Vec<Child>,
    http: Vec<SocketAddr>,
    _directory: TempDir,
}

impl Nodes {
    /// Two nodes that serve `app`.
    pub(crate) fn start(app: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        ClusterSecrets::load_or_create(&secret_file(directory.path())).unwrap();
        let mut nodes = Self { processes: Vec::new(), http: Vec::new(), _directory: directory };
        let mut known = NOBODY.to_owned();
        for name in NAMES {
            known = nodes.start_node(app, name, &known);
        }
        nodes
    }

    /// Starts a node that knows the member at `known`, and gives its own address as a member.
    fn start_node(&mut self, app: &str, name: &str, known: &str) -> String {
        let directory = self._directory.path();
        let values = [app, name, directory.to_str().unwrap(), known];
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "node", "--ignored", "--nocapture"])
            .envs(VARIABLES.into_iter().zip(values))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let place = directory.join(name);
        self.processes.push(process);
        let began = Instant::now();
        while !place.exists() {
            assert!(began.elapsed() < LIMIT, "{name} does not start");
            assert_eq!(self.processes.last_mut().unwrap().try_wait().unwrap(), None, "{name} ended");
            thread::sleep(Duration::from_millis(5));
        }
        let told = std::fs::read_to_string(place).unwrap();
        let (http, member) = told.split_once(' ').unwrap();
        self.http.push(http.parse().unwrap());
        member.to_owned()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: usize) {
        self.processes[node].kill().unwrap();
        self.processes[node].wait().unwrap();
    }

    pub(crate) fn client(&self, at: usize) -> Client {
        Client { cookie: None, nodes: self.http.clone(), at }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A browser with one cookie.
#[derive(Clone)]
pub(crate) struct Client {
    cookie: Option<String>,
    nodes: Vec<SocketAddr>,
    /// The node that it asks.
    pub(crate) at: usize,
}

impl Client {
    /// Asks once; an error is a request whose outcome is unknown.
    pub(crate) fn ask(&mut self, method: &str, path: &str) -> io::Result<(u16, String)> {
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let cookie = self.cookie.as_ref().map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default();
        let mut tcp = TcpStream::connect(self.nodes[self.at])?;
        tcp.set_read_timeout(Some(LIMIT))?;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\n{cookie}");
        tcp.write_all(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        tcp.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        if header("content-length").and_then(|length| length.parse().ok()) != Some(body.len()) {
            return Err(broken());
        }
        if let Some(pair) = header("set-cookie").and_then(|set| set.split(';').next()) {
            self.cookie = Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        Ok((status, body.to_owned()))
    }

    /// Asks until a node answers; gives how often nobody did.
    pub(crate) fn ask_any(&mut self, method: &str, path: &str) -> (String, u64) {
        let began = Instant::now();
        for failures in 0.. {
            match self.ask(method, path) {
                Ok((200..=299, body)) => return (body, failures),
                Ok((503, _)) | Err(_) => self.at = 1 - self.at,
                Ok((status, body)) => panic!("{method} {path} was answered by {status}: {body}"),
            }
            assert!(began.elapsed() < LIMIT, "{method} {path}: no node answers");
        }
        unreachable!("a wait ends")
    }
}

/// Loads both nodes with clients that each repeat `act`, kills the first one amid that, and lets every client
/// go on for a while at the other one.
pub(crate) fn kill_under_load<S: Send>(
    nodes: &mut Nodes,
    begin: impl Fn(Client) -> S + Sync,
    act: impl Fn(&mut S) + Sync,
) {
    const CLIENTS: usize = 4;
    const BEFORE: u64 = 200;
    const AFTER: u64 = 50;
    let (acts, is_killed) = (AtomicU64::new(0), AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS).map(|number| nodes.client(number % 2)).collect();
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| {
                let mut state = begin(client);
                let mut after = 0;
                while after < AFTER {
                    act(&mut state);
                    acts.fetch_add(1, SeqCst);
                    after += u64::from(is_killed.load(SeqCst));
                }
            });
        }
        let began = Instant::now();
        while acts.load(SeqCst) < BEFORE {
            assert!(began.elapsed() < LIMIT, "the load does not begin");
            thread::sleep(Duration::from_millis(1));
        }
        nodes.kill(0);
        is_killed.store(true, SeqCst);
    });
}
