//! A cluster of nodes on free ports, in a temporary directory, started and stopped as the test says.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Answer, Client, Running, Secrets, until};

/// Where a node listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) replication: SocketAddr,
}

/// A directory with the configurations of some nodes. Dropping it ends every process and searches all that
/// they wrote for secrets; when the test failed, it shows what they wrote.
#[derive(Debug)]
pub(crate) struct Setup {
    place: TempDir,
    ports: BTreeMap<&'static str, Ports>,
    running: BTreeMap<&'static str, Running>,
    /// Output of ended processes.
    written: Vec<(&'static str, String)>,
    secrets: Secrets,
    token: OnceCell<String>,
}

impl Setup {
    /// Nodes of these names, on a static list, with clusterapp. Nothing is started yet.
    pub(crate) fn new<const N: usize>(names: [&'static str; N]) -> Self {
        Self::with(names, |_, config| config)
    }

    /// The same; `change` gets a node's name and its configuration, and gives the one that is used.
    pub(crate) fn with<const N: usize>(
        names: [&'static str; N],
        change: impl Fn(&str, String) -> String,
    ) -> Self {
        let host = own_host();
        let mut addresses = free_addresses(host, 3 * N).into_iter();
        let mut free = || addresses.next().expect("three for each node");
        let ports: BTreeMap<_, _> = names
            .into_iter()
            .map(|name| (name, Ports { http: free(), admin: free(), replication: free() }))
            .collect();
        let place = tempfile::tempdir().expect("a temporary directory");
        let members: Vec<_> = ports.values().map(|ports| format!("\"{}\"", ports.replication)).collect();
        for (name, ports) in &ports {
            let config = change(name, configuration(name, *ports, &members.join(", ")));
            std::fs::write(place.path().join(format!("{name}.toml")), config).expect("writable");
        }
        let secrets = Secrets::default();
        Self { place, ports, running: BTreeMap::new(), written: Vec::new(), secrets, token: OnceCell::new() }
    }

    /// The directory of the configurations.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    pub(crate) fn ports(&self, name: &str) -> Ports {
        self.ports[name]
    }

    /// Starts a node without waiting for anything.
    pub(crate) fn start(&mut self, name: &'static str) -> &mut Running {
        self.run(name, &["serve", "--config", &format!("{name}.toml")])
    }

    /// Starts a node with both outputs there; nothing that it writes is kept.
    pub(crate) fn start_onto(&mut self, name: &'static str, output: impl Fn() -> Stdio) -> &mut Running {
        self.forget(name);
        let mut program = Command::new(env!("CARGO_BIN_EXE_sessile"));
        program.args(["--log", "debug", "serve", "--config"]).arg(format!("{name}.toml"));
        program.current_dir(self.place.path());
        let process = Running::spawn_onto(program, output(), output());
        self.running.entry(name).or_insert(process)
    }

    /// Starts any verb in the same directory, in the place of what has run under this name.
    pub(crate) fn run(&mut self, name: &'static str, arguments: &[&str]) -> &mut Running {
        self.forget(name);
        let process = Running::start(self.place.path(), arguments);
        self.running.entry(name).or_insert(process)
    }

    /// Starts any verb in the same directory, beside everything else.
    pub(crate) fn order(&self, arguments: &[&str]) -> Running {
        Running::start(self.place.path(), arguments)
    }

    /// Starts a node and waits until it serves.
    #[track_caller]
    pub(crate) fn serve(&mut self, name: &'static str) {
        self.start(name);
        self.ready(name);
    }

    /// Waits until a node serves.
    #[track_caller]
    pub(crate) fn ready(&mut self, name: &'static str) {
        let at = self.ports[name].http;
        until(&format!("{name} serves"), || {
            let node = self.running.get_mut(name).expect("it was started");
            assert!(node.is_alive(), "{name} ended before it served");
            let asked = Client::new(self.secrets.clone()).send(at, "GET", "/.sessile/ready", &[]);
            asked.is_ok_and(|answer| answer.status == 200).then_some(())
        });
    }

    /// The process of that name.
    pub(crate) fn node(&mut self, name: &str) -> &mut Running {
        self.running.get_mut(name).expect("it was started")
    }

    /// What the system calls the process of that name.
    pub(crate) fn id(&self, name: &str) -> u32 {
        self.running[name].id()
    }

    /// A browser that has no cookie yet.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.secrets.clone())
    }

    /// What no process may ever write; for a test that makes more of them.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The admin token of the cluster, once one of its nodes has run.
    pub(crate) fn token(&self) -> &str {
        self.token.get_or_init(|| {
            let (name, _) = self.ports.first_key_value().expect("a node");
            let file = format!("{name}.toml");
            let mut asked = Running::start(self.place.path(), ["secret", "token", "--config", &file]);
            assert_eq!(asked.ended(), Some(0), "{}", asked.err());
            let token = asked.out().trim().to_owned();
            self.secrets.learn(&token);
            token
        })
    }

    /// What the admin port of a node answers to who has the token.
    #[track_caller]
    pub(crate) fn admin(&self, name: &str, path: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token());
        let headers = [("authorization", authorization.as_str())];
        self.client().send(self.ports[name].admin, "GET", path, &headers).expect("the admin port answers")
    }

    /// The names of the members that a node sees, itself included, in order.
    #[track_caller]
    pub(crate) fn members(&self, name: &str) -> Vec<String> {
        let members = self.admin(name, "/members").json();
        let names = members.as_array().expect("a list").iter().map(|member| member["name"].as_str());
        let mut names: Vec<_> = names.map(|name| name.expect("a name").to_owned()).collect();
        names.sort();
        names
    }

    /// Ends a node's process and keeps what it wrote.
    fn forget(&mut self, name: &'static str) {
        let Some(mut node) = self.running.remove(name) else { return };
        if node.is_alive() {
            node.kill();
        }
        node.ended();
        self.written.push((name, node.out() + &node.err()));
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        for name in self.running.keys().copied().collect::<Vec<_>>() {
            self.forget(name);
        }
        if std::thread::panicking() {
            for (name, written) in &self.written {
                println!("---- {name} wrote ----\n{written}");
            }
            return;
        }
        if let Ok(secret) = std::fs::read_to_string(self.place.path().join("cluster.secret")) {
            secret.lines().for_each(|line| self.secrets.learn(line));
        }
        for (name, written) in &self.written {
            self.secrets.search(name, written);
        }
    }
}

fn configuration(name: &str, ports: Ports, members: &str) -> String {
    let Ports { http, admin, replication } = ports;
    format!(
        r#"[node]
name = "{name}"
[http]
listen = "{http}"
[admin]
listen = "{admin}"
[cluster]
name = "test"
secret_file = "cluster.secret"
[membership]
kind = "static"
members = [{members}]
frequency = "100ms"
drop_time = "15s"
[receiver]
listen = "{replication}"
[[app]]
path = "/clusterapp"
builtin = "clusterapp"
diagnostics = true
"#
    )
}

/// A loopback address that no other test uses, where the system has more than one.
pub(crate) fn own_host() -> IpAddr {
    let [.., a, b, c] = getrandom::u32().expect("random bytes").to_be_bytes();
    let own = IpAddr::from([127, a, b, c.clamp(1, 254)]);
    let usable = TcpListener::bind((own, 0)).is_ok();
    if usable { own } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

/// A port at `host` that was free just now.
pub(crate) fn free_address(host: IpAddr) -> SocketAddr {
    free_addresses(host, 1)[0]
}

/// So many, each another one: all are held until the last is found.
fn free_addresses(host: IpAddr, count: usize) -> Vec<SocketAddr> {
    let probe = |_| TcpListener::bind((host, 0)).expect("a free port");
    let probes: Vec<_> = (0..count).map(probe).collect();
    probes.iter().map(|probe| probe.local_addr().expect("it is bound")).collect()
}

/// The first of seven neighbouring ports at 127.0.0.1 that were free just now.
pub(crate) fn free_block() -> u16 {
    let bound = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let base = || {
        let base = 20_000 + (getrandom::u32().expect("random bytes") % 1_700) as u16 * 7;
        let held: Option<Vec<_>> = (base..base + 7).map(|port| bound(port).ok()).collect();
        held.map(|_| base)
    };
    super::until("seven neighbouring ports are free", base)
}
