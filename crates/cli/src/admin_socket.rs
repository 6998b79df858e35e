//! The Unix socket of a node: the admin pages for operators of its machine, who need no token. The system
//! tells who connects: this process's user and root are served.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use sessile::Config;
use sessile::admin::AdminPort;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;

/// Pause after the system could not hand over a connection, as without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The served socket. Dropping it removes its file.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    path: PathBuf,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl AdminSocket {
    /// Serves `pages` at the socket of the configuration, if there is one. A socket that nobody asked for and
    /// that cannot be made costs a line of the log: the verbs then use the admin port.
    pub(crate) fn open(config: &Config, pages: Router) -> Result<Option<Self>, Failure> {
        let Some(path) = config.admin_socket() else { return Ok(None) };
        match bind(&path) {
            Ok(listener) => Ok(Some(Self::serve(path, listener, pages))),
            Err(error) => {
                let words = format!("the admin socket {}: {error}", path.display());
                if config.admin.socket.is_some() {
                    let remedy = "choose another `socket` in [admin], or stop the program that uses it";
                    return Err(Failure::Failed(format!("{words}; {remedy}")));
                }
                tracing::warn!("{words}; set `socket` in [admin] to a path that this node may create");
                Ok(None)
            }
        }
    }

    fn serve(path: PathBuf, listener: UnixListener, pages: Router) -> Self {
        let (stopping, mut stop) = watch::channel(false);
        let stopped = async move {
            // An error means that the socket was dropped, which is a stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let pages = AdminPort::for_operators(pages);
        let serving = tokio::spawn(async move {
            let served = axum::serve(Operators(listener), pages).with_graceful_shutdown(stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the admin socket is closed");
            }
        });
        tracing::info!(socket = %path.display(), "the admin socket is open");
        Self { path, stopping, serving }
    }

    /// Closes the socket and waits for running requests, at most so long.
    pub(crate) async fn stop(mut self, at_most: Duration) {
        self.stopping.send_replace(true);
        // What is not answered by then is cut.
        let _ = timeout(at_most, &mut self.serving).await;
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.serving.abort();
        // Another process may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds the socket; one that a dead process left is replaced.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process serves it"));
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes connections of this process's user and of root.
struct Operators(UnixListener);

impl Listener for Operators {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) if is_operator(&stream) => return (stream, address),
                Ok(_) => tracing::warn!("another user was refused at the admin socket"),
                Err(error) => {
                    tracing::warn!(%error, "the admin socket takes no connection now");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn is_operator(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|caller| [0, own].contains(&caller.uid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_process_s_socket_is_replaced_and_a_living_one_s_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("tc01.sock");
        let first = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(path.exists(), "as a killed process leaves it");
        bind(&path).unwrap();
    }
}
