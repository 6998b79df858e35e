//! The balancers that are measured, each as its documentation recommends for speed: as many threads as cores,
//! connections to the servers kept, no access log.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::failure::Failure;

/// Longest wait until a balancer answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Sessile,
    Haproxy,
    Nginx,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Sessile, Self::Haproxy, Self::Nginx];
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

/// A balancer that runs; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Rival {
    kind: Kind,
    address: SocketAddr,
    child: Child,
    _place: TempDir,
}

impl Rival {
    /// Starts it in front of these servers and waits until it serves: HTTPS where it gets a certificate.
    /// Nothing when it is not installed.
    pub(super) async fn start(
        kind: Kind,
        servers: impl Iterator<Item = SocketAddr>,
        certificate: Option<&Path>,
    ) -> Result<Option<Self>, Failure> {
        let failed = |error: std::io::Error| Failure::Failed(format!("{kind}: {error}"));
        let place = tempfile::Builder::new().prefix("sessile-bench-").tempdir().map_err(failed)?;
        let at = free_address().map_err(failed)?;
        let text = configuration(kind, at, servers, place.path(), certificate);
        let Some(mut command) = command(kind, &text, place.path()).map_err(failed)? else {
            return Ok(None);
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(failed)?;
        let mut rival = Self { kind, address: at, child, _place: place };
        rival.serves().await?;
        Ok(Some(rival))
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process and those that it has started.
    pub(super) fn processes(&self) -> Vec<u32> {
        let own = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|process| process.parse().ok());
        std::iter::once(own).chain(children).collect()
    }

    async fn serves(&mut self) -> Result<(), Failure> {
        let (began, kind) = (Instant::now(), self.kind);
        while TcpStream::connect(self.address).await.is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Failure::Failed(format!("{kind} ended at once: {status}; its words are above")));
            }
            if began.elapsed() > PATIENCE {
                return Err(Failure::Failed(format!("{kind} does not listen at {}", self.address)));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // Those that nginx started end when they lose the one that started them.
        #[cfg(unix)]
        if let Some(process) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        #[cfg(not(unix))]
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How it is started; nothing when it is not installed.
fn command(kind: Kind, text: &str, place: &Path) -> std::io::Result<Option<Command>> {
    let file = place.join("balancer.conf");
    std::fs::write(&file, text)?;
    let mut command = match kind {
        Kind::Sessile => Command::new(std::env::current_exe()?),
        other => match installed(&other.to_string()) {
            Some(program) => Command::new(program),
            None => return Ok(None),
        },
    };
    match kind {
        Kind::Sessile => command.args(["--log", "error", "balance", "--config"]).arg(&file),
        Kind::Haproxy => command.args(["-db", "-q", "-f"]).arg(&file),
        Kind::Nginx => command.args(["-e", "stderr", "-p"]).arg(place).arg("-c").arg(&file),
    };
    Ok(Some(command))
}

fn configuration(
    kind: Kind,
    at: SocketAddr,
    servers: impl Iterator<Item = SocketAddr>,
    place: &Path,
    certificate: Option<&Path>,
) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = |line: &dyn Fn(usize, SocketAddr) -> String| -> String {
        servers.enumerate().map(|(number, server)| line(number + 1, server)).collect()
    };
    let tls = certificate.map(|file| tls(kind, file)).unwrap_or_default();
    match kind {
        Kind::Sessile => {
            let nodes =
                each(&|number, server| format!("[[node]]\nname = \"s{number}\"\naddress = \"{server}\"\n"));
            let limits = "[balance.limits]\nconnections = 100000\nconnections_per_source = 100000\n";
            format!("[balance]\nlisten = \"{at}\"\n{limits}{tls}{nodes}")
        }
        Kind::Haproxy => {
            let servers = each(&|number, server| format!("    server s{number} {server} check\n"));
            format!(
                "global\n    no strict-limits\n    nbthread {cores}\n    maxconn 12000\ndefaults\n    mode http\n    timeout connect 1s\n    \
                 timeout client 60s\n    timeout server 60s\n    option forwardfor\n    http-reuse always\n\
                 frontend clients\n    bind {at}{tls}\n    default_backend servers\nbackend servers\n    \
                 balance roundrobin\n    option httpchk\n{servers}"
            )
        }
        Kind::Nginx => {
            let servers = each(&|_, server| format!("server {server}; "));
            let place = place.display();
            let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {place}/{kind}; "))
                .concat();
            format!(
                "daemon off;\nworker_processes {cores};\npid {place}/nginx.pid;\nevents {{ worker_connections 20000; }}\n\
                 http {{\n    {places}\n    access_log off;\n    keepalive_requests 1000000000;\n    \
                 upstream servers {{ {servers}keepalive 512; keepalive_requests 1000000000; }}\n    server {{\n        \
                 listen {at}{tls};\n        location / {{\n            proxy_pass http://servers;\n            \
                 proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n            \
                 proxy_set_header X-Forwarded-For $remote_addr;\n            proxy_max_temp_file_size 0;\n        \
                 }}\n    }}\n}}\n"
            )
        }
    }
}

/// What each writes to speak TLS with this certificate, its key in the same file. With all three the client
/// chooses the cipher, so all three use the same one.
fn tls(kind: Kind, file: &Path) -> String {
    let file = file.display();
    match kind {
        Kind::Sessile => format!("[balance.tls]\ncertificates = [\"{file}\"]\n"),
        Kind::Haproxy => format!(" ssl crt {file} prefer-client-ciphers"),
        Kind::Nginx => format!(" ssl;\n        ssl_certificate {file};\n        ssl_certificate_key {file}"),
    }
}

fn installed(program: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"]);
    places.map(|place| format!("{place}/{program}")).find(|file| Path::new(file).is_file())
}

/// An address that is free now.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
