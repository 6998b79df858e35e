//! nginx, HAProxy, Apache and Pen. What is not installed is skipped in words; where
//! `SESSILE_REQUIRE_EXTERNAL` is set all must be there.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::harness::{Running, Setup, free_address, is_refused, own_host, until};
use crate::{node_of, nodes, one_client_each, other, page, read, until_it_serves, write};

/// The variable that makes a skip a failure.
const REQUIRE: &str = "SESSILE_REQUIRE_EXTERNAL";

/// The program, if it is installed.
pub(crate) fn installed(program: &str) -> Option<String> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').chain(places).map(|place| format!("{place}/{program}"));
    let found = found.into_iter().find(|file| Path::new(file).is_file());
    if found.is_none() {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and {program} is not installed");
        // Not by the macros, whose words nobody sees when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {program} is not installed; `apt-get install {program}`, then run this test again"
        );
    }
    found
}

/// An external balancer in front of two nodes.
pub(crate) struct External {
    pub(crate) setup: Setup,
    pub(crate) at: SocketAddr,
    pub(crate) program: Running,
}

impl External {
    /// Starts the nodes, then the program that `command` gives, and waits until it serves.
    fn start(command: impl FnOnce(&Setup, SocketAddr) -> Command) -> Self {
        Self::before(nodes(), command)
    }

    /// The same in front of nodes that serve already.
    pub(crate) fn before(setup: Setup, command: impl FnOnce(&Setup, SocketAddr) -> Command) -> Self {
        let at = free_address(own_host());
        let program = Running::spawn(command(&setup, at));
        until_it_serves(&setup, at);
        Self { setup, at, program }
    }

    /// Each session stays on its node.
    pub(crate) fn sticks_by_route(&self) {
        for (mut client, node) in one_client_each(&self.setup, self.at) {
            for v in 2..12 {
                assert_eq!(write(&mut client, self.at, v), node, "{}", self.program.err());
                assert_eq!(read(&mut client, self.at), (Some(v), node.clone()));
            }
        }
    }

    /// After a crash the very next request is answered by the other node, which has the session; there it
    /// stays.
    pub(crate) fn survives_a_crash(&mut self) {
        let [(mut one, node), (mut two, _)] = one_client_each(&self.setup, self.at);
        write(&mut one, self.at, 41);
        write(&mut two, self.at, 42);
        self.setup.node(&node).kill();
        let left = other(&node);
        assert_eq!(read(&mut one, self.at), (Some(41), left.to_owned()), "{}", self.program.err());
        assert!(one.cookie.as_ref().is_some_and(|cookie| cookie.ends_with(&format!(".{left}"))));
        assert_eq!(write(&mut one, self.at, 43), left);
        assert_eq!(read(&mut two, self.at), (Some(42), left.to_owned()));
    }

    /// A node that drains and still serves gets nothing new, also of its own sessions.
    pub(crate) fn honours_a_drain(&mut self) {
        let [(mut client, node), _] = one_client_each(&self.setup, self.at);
        write(&mut client, self.at, 7);
        let own = client.cookie.clone();
        let at = self.setup.ports(&node).http;
        let _busy = stuck_request(at);
        self.setup.node(&node).signal("TERM");
        until("the node drains", || {
            let answer = self.setup.client().send(at, "GET", "/.sessile/ready", &[]).ok()?;
            (answer.status == 503).then_some(())
        });
        until("its sessions go elsewhere", || {
            client.cookie.clone_from(&own);
            let (v, served) = read(&mut client, self.at);
            assert_eq!(v, Some(7));
            (served == other(&node)).then_some(())
        });
        // A node that requests keep coming to says so when it closes its port at last.
        until("its port closes", || is_refused(at).then_some(()));
        let node = self.setup.node(&node);
        assert!(!node.err().contains("do not use the health check"), "{}", node.err());
        assert!(node.is_alive(), "it drains");
    }

    /// While nodes stop in order, one after the other, nothing that was acknowledged is lost. A balancer that
    /// asks nobody for health may send a write to a port in the moment in which it closes, and then cannot
    /// know what became of it.
    pub(crate) fn survives_an_upgrade(&mut self) {
        let mut client = self.setup.client();
        let (mut v, mut acknowledged) = (0, 0);
        for node in ["tc01", "tc02"] {
            self.setup.node(node).signal("TERM");
            while self.setup.node(node).is_alive() {
                v += 1;
                let write = format!("/clusterapp/session?cmd=add&name=a&size=64&v={v}");
                match client.post(self.at, &write).status {
                    200 => acknowledged = v,
                    status => assert_eq!(status, 502),
                }
                let read = until("a read is answered", || {
                    let answer = client.get(self.at, "/clusterapp/session?cmd=show&name=a");
                    (answer.status == 200).then(|| answer.json()["v"].as_u64().unwrap_or_default())
                });
                assert!((acknowledged..=v).contains(&read), "{read} was read, {acknowledged} acknowledged");
            }
            self.setup.serve(node);
        }
        assert!(acknowledged > 0);
    }
}

/// A request whose body does not come: it keeps a draining node from ending.
fn stuck_request(at: SocketAddr) -> TcpStream {
    let mut tcp = TcpStream::connect(at).expect("the node serves");
    let head = format!(
        "POST /clusterapp/session HTTP/1.1\r\nhost: {at}\r\norigin: http://{at}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 99\r\n\r\ncmd=add&"
    );
    tcp.write_all(head.as_bytes()).expect("the node reads");
    tcp
}

/// Writes a configuration beside those of the nodes; its path.
pub(crate) fn file(setup: &Setup, name: &str, text: &str) -> String {
    let path = setup.place().join(name);
    std::fs::write(&path, text).expect("writable");
    path.display().to_string()
}

/// One process that stays in front and writes nothing outside of the test's directory.
fn nginx(program: &str, setup: &Setup, at: SocketAddr) -> Command {
    let place = setup.place().display();
    let own_places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {place}/{kind};"))
        .join(" ");
    let text = page::block("nginx", setup, at)
        .replace("\nhttp {", &format!("\nhttp {{ access_log off; {own_places}"));
    let mut command = Command::new(program);
    let globals = format!("daemon off; master_process off; pid {place}/nginx.pid;");
    command.args(["-e", "stderr", "-p", &place.to_string(), "-c", &file(setup, "nginx.conf", &text)]);
    command.args(["-g", &globals]);
    command
}

#[test]
fn nginx_routes_stickily_and_sessions_survive_a_crash() {
    let Some(program) = installed("nginx") else { return };
    let mut external = External::start(|setup, at| nginx(&program, setup, at));
    external.sticks_by_route();
    external.survives_a_crash();
}

#[test]
fn a_rolling_restart_behind_nginx_loses_nothing() {
    let Some(program) = installed("nginx") else { return };
    External::start(|setup, at| nginx(&program, setup, at)).survives_an_upgrade();
}

fn haproxy(program: &str, setup: &Setup, at: SocketAddr) -> Command {
    let text = page::block("haproxy", setup, at) + "\n";
    let mut command = Command::new(program);
    command.args(["-db", "-f", &file(setup, "haproxy.cfg", &text)]);
    command
}

#[test]
fn haproxy_routes_stickily_and_sessions_survive_a_crash() {
    let Some(program) = installed("haproxy") else { return };
    let mut external = External::start(|setup, at| haproxy(&program, setup, at));
    external.sticks_by_route();
    external.survives_a_crash();
}

#[test]
fn haproxy_honours_the_health_path_of_a_draining_node() {
    let Some(program) = installed("haproxy") else { return };
    External::start(|setup, at| haproxy(&program, setup, at)).honours_a_drain();
}

/// One process that stays in front and writes nothing outside of the test's directory.
fn apache(program: &str, setup: &Setup, at: SocketAddr) -> Command {
    let place = setup.place().display();
    let own_places =
        format!("PidFile {place}/apache.pid\nErrorLog {place}/apache.log\nDefaultRuntimeDir {place}\n");
    let text = own_places + &page::block("apache", setup, at) + "\n";
    let mut command = Command::new(program);
    let root = "ServerRoot /usr/lib/apache2";
    command.args(["-X", "-C", root, "-c", "User www-data", "-f", &file(setup, "apache.conf", &text)]);
    command
}

#[test]
fn apache_routes_stickily_survives_a_crash_and_honours_a_drain() {
    let Some(program) = installed("apache2") else { return };
    let mut external = External::start(|setup, at| apache(&program, setup, at));
    external.sticks_by_route();
    external.survives_a_crash();
    drop(external);
    External::start(|setup, at| apache(&program, setup, at)).honours_a_drain();
}

#[test]
fn behind_pen_every_node_reads_the_last_write_even_after_a_crash() {
    let Some(program) = installed("pen") else { return };
    let external = External::start(|setup, at| {
        let mut command = Command::new(&program);
        command.args(page::command("pen", setup, at));
        command
    });
    let External { mut setup, at, program } = external;
    let mut client = setup.client();
    let mut served = std::collections::BTreeSet::new();
    for v in 0..20 {
        served.insert(write(&mut client, at, v));
        let (found, node) = read(&mut client, at);
        assert_eq!(found, Some(v), "{}", program.err());
        served.insert(node);
    }
    assert_eq!(served.len(), 2, "round robin");
    setup.node("tc01").kill();
    // Pen may close the connection that finds the node dead.
    let answer = until("the other node answers", || {
        client.send(at, "GET", "/clusterapp/session?cmd=show&name=a", &[]).ok()
    });
    assert_eq!((answer.json()["v"].as_u64(), node_of(&answer).as_str()), (Some(19), "tc02"));
}
