//! The three balancers, each in front of a recorder of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sessile_balancer::{BackendConfig, Balancer, BalancerConfig};
use tokio::net::TcpStream;

/// The variable that makes a skip a failure.
const REQUIRE: &str = "SESSILE_REQUIRE_EXTERNAL";

/// Another balancer; it ends when this is dropped.
pub(crate) struct Rival {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Rival {
    /// nginx, if it is installed.
    pub(crate) fn nginx(server: SocketAddr, place: &Path) -> Option<Self> {
        let program = installed("nginx")?;
        let (at, folder) = (free_address(), place.display());
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind}; "))
            .concat();
        let text = format!(
            "daemon off; master_process off; pid {folder}/nginx.pid;\nevents {{}}\nhttp {{\n{places} access_log off;\n\
             server {{ listen {at}; location / {{ proxy_pass http://{server}; proxy_http_version 1.1; \
             proxy_set_header Host $http_host; proxy_set_header Connection \"\"; proxy_next_upstream off; }} }}\n}}\n"
        );
        let mut command = Command::new(program);
        command.args(["-e", "/dev/null", "-p", &folder.to_string(), "-c", &file(place, "nginx.conf", &text)]);
        Some(Self::spawn(command, at))
    }

    /// HAProxy, if it is installed.
    pub(crate) fn haproxy(server: SocketAddr, place: &Path) -> Option<Self> {
        let program = installed("haproxy")?;
        let at = free_address();
        let text = format!(
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n  retries 0\n\
             frontend clients\n  bind {at}\n  default_backend servers\nbackend servers\n  server s1 {server}\n"
        );
        let mut command = Command::new(program);
        command.args(["-db", "-f", &file(place, "haproxy.cfg", &text)]);
        Some(Self::spawn(command, at))
    }

    fn spawn(mut command: Command, address: SocketAddr) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { address, child: command.spawn().unwrap() }
    }

    /// Waits until it takes connections.
    pub(crate) async fn serves(&self) {
        let connected = async {
            while TcpStream::connect(self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), connected).await.expect("it serves in time");
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This balancer, where clients connect. It tries nothing twice, as the others.
pub(crate) async fn ours(server: SocketAddr) -> SocketAddr {
    let mut config = BalancerConfig::default();
    config.balance.listen = "127.0.0.1:0".into();
    config.balance.outlier.failures = 0;
    config.balance.retry_percent = 0;
    config.nodes.push(BackendConfig::new("tc01", server.to_string()));
    let balancer = Balancer::bind(config).await.unwrap();
    let address = balancer.local_addr();
    tokio::spawn(balancer.run(std::future::pending()));
    address
}

fn installed(program: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"]);
    let found = places.map(|place| format!("{place}/{program}")).find(|file| Path::new(file).is_file());
    if found.is_none() {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and {program} is not installed");
        // Not by the macros, whose words nobody sees when a test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {program} is not installed");
    }
    found
}

fn file(place: &Path, name: &str, text: &str) -> String {
    let path = place.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// An address that is free now.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
