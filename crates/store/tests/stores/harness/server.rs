//! Database servers, started by the tests themselves on free ports from the binaries of the distribution.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The longest that a server may take to start.
const START: Duration = Duration::from_secs(60);

/// Starts a server in a folder on a port.
type StartCommand = dyn Fn(&Path, u16) -> Command + Send + Sync;

/// One server, which ends with this value.
pub struct Server {
    folder: TempDir,
    pub port: u16,
    command: Box<StartCommand>,
    is_ready: Box<dyn Fn(u16) -> bool + Send + Sync>,
    child: Option<Child>,
}

/// Says that a test is skipped; with `SESSILE_REQUIRE_EXTERNAL=1` that is a failure.
pub fn skip(what: &str) {
    assert!(std::env::var("SESSILE_REQUIRE_EXTERNAL").is_err_and(|_| true), "{what} is not installed");
    println!("SKIPPED: {what} is not installed");
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The program on the path, or in one of these folders.
fn program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    folders.iter().chain(&on_path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Server {
    fn new(
        folder: TempDir,
        command: impl Fn(&Path, u16) -> Command + Send + Sync + 'static,
        is_ready: impl Fn(u16) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (command, is_ready) = (Box::new(command), Box::new(is_ready));
        let mut server = Self { folder, port: free_port(), command, is_ready, child: None };
        server.start();
        server
    }

    /// Starts it, on the port that it had, and waits until it is ready. What a killed one left may make the
    /// first attempts fail.
    pub fn start(&mut self) {
        let begun = Instant::now();
        self.spawn();
        while !(self.is_ready)(self.port) {
            let log = || fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            assert!(begun.elapsed() < START, "the server does not start: {}", log());
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                self.spawn();
            }
            std::thread::yield_now();
        }
    }

    fn spawn(&mut self) {
        let log = File::create(self.folder.path().join("server.log")).unwrap();
        let mut command = (self.command)(self.folder.path(), self.port);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
            // Its children notice by themselves.
            while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                std::thread::yield_now();
            }
        }
    }

    /// Valkey, or else Redis; none if neither is installed. `extra` are lines for its configuration.
    pub fn redis(extra: &[&str]) -> Option<Self> {
        let binary = program("valkey-server", &[]).or_else(|| program("redis-server", &[]))?;
        let extra = extra.join("\n");
        let command = move |folder: &Path, port: u16| {
            let lines = format!(
                "bind 127.0.0.1\nport {port}\ndir {}\nappendonly yes\nappendfsync always\nsave \"\"\n{extra}\n",
                folder.display()
            );
            let path = folder.join("server.conf");
            fs::write(&path, lines).unwrap();
            let mut command = Command::new(&binary);
            command.arg(path);
            command
        };
        Some(Self::new(tempfile::tempdir().unwrap(), command, pongs))
    }

    /// PostgreSQL; none if it is not installed. It refuses to run as root, and then runs as `postgres` or
    /// `nobody`.
    pub fn postgres() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let mut folders: Vec<PathBuf> = versions.map(|entry| entry.unwrap().path().join("bin")).collect();
        folders.sort();
        let [initdb, postgres, pg_isready] =
            ["initdb", "postgres", "pg_isready"].map(|name| program(name, &folders));
        let (initdb, postgres, pg_isready) = (initdb?, postgres?, pg_isready?);
        let user = other_user();
        let folder = make_cluster(&initdb, &user);
        let command = move |folder: &Path, port: u16| {
            let cluster = folder.join("cluster");
            let mut command = as_user(&user, &postgres);
            command.arg("-D").arg(&cluster).arg("-k").arg(&cluster);
            command.args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
            command
        };
        let is_ready = move |port: u16| {
            let mut asked = Command::new(&pg_isready);
            asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            asked.status().is_ok_and(|status| status.success())
        };
        Some(Self::new(folder, command, is_ready))
    }
}

fn make_cluster(initdb: &Path, user: &Option<(String, (u32, u32))>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cluster = folder.path().join("cluster");
    fs::create_dir(&cluster).unwrap();
    if let Some((name, _)) = user {
        assert!(Command::new("chown").arg("-R").arg(name).arg(folder.path()).status().unwrap().success());
    }
    let mut command = as_user(user, initdb);
    command.args(["-A", "trust", "-U", "sessile", "-E", "UTF8", "--locale=C", "-D"]).arg(&cluster);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn pongs(port: u16) -> bool {
    let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).map(|()| answer)
    });
    asked.is_ok_and(|answer| answer == *b"+PONG")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(unix)]
fn other_user() -> Option<(String, (u32, u32))> {
    let number = |what: &str, name: &str| {
        let output = Command::new("id").arg(what).arg(name).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    let me = Command::new("id").arg("-u").output().ok()?;
    if String::from_utf8_lossy(&me.stdout).trim() != "0" {
        return None;
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some((name.to_string(), (number("-u", name)?, number("-g", name)?))))
}

#[cfg(unix)]
fn as_user(user: &Option<(String, (u32, u32))>, program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((_, (uid, gid))) = user {
        command.uid(*uid).gid(*gid);
    }
    command
}
