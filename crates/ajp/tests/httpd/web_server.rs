//! Apache httpd, one process that stays in front and writes nothing outside of its own directory.

use std::fmt;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{peer, service};

const MODULES: &str = "/usr/lib/apache2/modules";
/// Longest wait until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which module speaks AJP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Module {
    Jk,
    ProxyAjp,
}

/// The web server and the service behind it. Both end when it is dropped.
pub(crate) struct WebServer {
    pub(crate) at: SocketAddr,
    module: Module,
    process: Child,
    place: TempDir,
    _runtime: Runtime,
}

impl WebServer {
    /// Starts it; `None` where it is not installed.
    pub(crate) fn start(module: Module, packet_size: usize) -> Option<Self> {
        Self::start_with(module, packet_size, peer::SECRET, "")
    }

    /// Starts it with this secret and further lines of configuration.
    pub(crate) fn start_with(module: Module, packet_size: usize, secret: &str, lines: &str) -> Option<Self> {
        let file = match module {
            Module::Jk => "mod_jk.so",
            Module::ProxyAjp => "mod_proxy_ajp.so",
        };
        if !is_installed(file) {
            return None;
        }
        let (runtime, behind) = service::start(packet_size);
        let place = tempfile::tempdir().unwrap();
        let at = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let text = configuration(place.path(), at, behind, module, packet_size, secret) + lines + "\n";
        let configured = place.path().join("apache.conf");
        std::fs::write(&configured, text).unwrap();
        let process = Command::new("apache2")
            .args([
                "-X",
                "-C",
                "ServerRoot /usr/lib/apache2",
                "-c",
                "User www-data",
                "-c",
                "Group www-data",
                "-f",
            ])
            .arg(&configured)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("apache2 starts");
        let mut server = Self { at, module, process, place, _runtime: runtime };
        let began = Instant::now();
        while TcpStream::connect(at).is_err() {
            assert!(server.process.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE, "{server:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(server)
    }

    /// Whether a response tells its length. mod_proxy_ajp of httpd 2.4.59 and later takes the header out.
    pub(crate) fn tells_length(&self, told: Option<&str>, length: usize) -> bool {
        told == Some(length.to_string().as_str()) || (told.is_none() && self.module == Module::ProxyAjp)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// With what it wrote to its logs: that is what somebody needs whose test failed.
impl fmt::Debug for WebServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.module)?;
        for log in ["apache.log", "jk.log"] {
            let text = std::fs::read_to_string(self.place.path().join(log)).unwrap_or_default();
            text.lines().rev().take(6).try_for_each(|line| write!(f, "\n  {line}"))?;
        }
        Ok(())
    }
}

fn is_installed(module: &str) -> bool {
    let is_there = Path::new(MODULES).join(module).is_file() && Path::new("/usr/sbin/apache2").is_file();
    assert!(
        is_there || std::env::var_os("SESSILE_REQUIRE_EXTERNAL").is_none(),
        "SESSILE_REQUIRE_EXTERNAL is set, and Apache with {module} is not installed"
    );
    if !is_there {
        // Not by the macros, whose words nobody sees when a test passes.
        let words = "`apt-get install apache2 libapache2-mod-jk`, then run this test again";
        let _ = writeln!(std::io::stderr(), "SKIPPED: {module} is not installed; {words}");
    }
    is_there
}

fn configuration(
    place: &Path,
    at: SocketAddr,
    behind: SocketAddr,
    module: Module,
    packet_size: usize,
    secret: &str,
) -> String {
    let place = place.display();
    let mut text = format!(
        "PidFile {place}/pid\nErrorLog {place}/apache.log\nDefaultRuntimeDir {place}\nListen {at}\nServerName localhost\n\
         LimitRequestFieldSize 60000\nLoadModule mpm_event_module modules/mod_mpm_event.so\n\
         LoadModule authz_core_module modules/mod_authz_core.so\nLoadModule setenvif_module modules/mod_setenvif.so\n"
    );
    match module {
        Module::Jk => {
            let workers = format!(
                "worker.list=node\nworker.node.type=ajp13\nworker.node.host={}\nworker.node.port={}\n\
                 worker.node.secret={secret}\nworker.node.ping_mode=A\nworker.node.max_packet_size={packet_size}\n",
                behind.ip(),
                behind.port()
            );
            std::fs::write(format!("{place}/workers.properties"), workers).unwrap();
            text.push_str(&format!(
                "LoadModule jk_module modules/mod_jk.so\nJkWorkersFile {place}/workers.properties\n\
                 JkShmFile {place}/jk.shm\nJkLogFile {place}/jk.log\nJkLogLevel info\nJkMount /* node\n"
            ));
        }
        Module::ProxyAjp => text.push_str(&format!(
            "LoadModule proxy_module modules/mod_proxy.so\nLoadModule proxy_ajp_module modules/mod_proxy_ajp.so\n\
             ProxyIOBufferSize {packet_size}\nProxyPreserveHost On\nProxyPass / ajp://{behind}/ secret={secret} ping=1\n"
        )),
    }
    text
}
