//! Threads that serve connections: one for each core, each with a runtime of its own.
//!
//! Changes that become ready on one thread in the same moment are sent together: the changes of many requests
//! go to a member in one call. A work-stealing runtime wakes another thread for nearly every request, which
//! cost twice the processor time (docs/results-performance.md, "Threads"). The price: a connection stays on
//! its thread, so a handler must not block. The node's own tasks run on the first thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Upper bound of threads, also on machines with more cores.
const MAX_THREADS: usize = 64;

/// The threads. Dropping this ends all threads but the calling one and cuts their connections.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// Connections on the thread that runs the node.
    here: ConnectionCount,
    others: Vec<CoreThread>,
}

/// Another thread, which ends when this is dropped.
#[derive(Debug)]
struct CoreThread {
    runtime: Handle,
    load: ConnectionCount,
    _until: oneshot::Sender<()>,
}

/// Number of connections that a thread serves.
#[derive(Debug, Default, Clone)]
struct ConnectionCount(Arc<AtomicUsize>);

/// One counted connection, until dropped.
struct ServedConnection(ConnectionCount);

impl Cores {
    /// One thread for each core of this machine, including the calling thread.
    ///
    /// # Errors
    /// If the system cannot create a thread.
    pub(crate) fn all() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        Self::of(cores)
    }

    fn of(cores: usize) -> io::Result<Self> {
        let others = (1..cores).map(CoreThread::start).collect::<io::Result<_>>()?;
        Ok(Self { here: ConnectionCount::default(), others })
    }

    /// The runtimes of the threads beside the calling one.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.others.iter().map(|core| core.runtime.clone()).collect()
    }

    /// Serves a connection on the thread with the fewest connections. In a tie the node's own thread wins,
    /// because its changes have the shortest path.
    pub(crate) fn spawn<F>(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let least = self.others.iter().min_by_key(|core| core.load.count());
        let Some(core) = least.filter(|core| core.load.count() < self.here.count()) else {
            let served = self.here.one_more();
            tokio::spawn(async move {
                serve(tcp).await;
                drop(served);
            });
            return;
        };
        let tcp = match tcp.into_std() {
            Ok(tcp) => tcp,
            Err(cause) => {
                tracing::warn!(%peer, %cause, "a connection could not be passed to another thread");
                return;
            }
        };
        let served = core.load.one_more();
        core.runtime.spawn(async move {
            // The stream must be registered with the runtime of the serving thread.
            match TcpStream::from_std(tcp) {
                Ok(tcp) => serve(tcp).await,
                Err(cause) => {
                    tracing::warn!(%peer, %cause, "a connection could not be registered on its thread")
                }
            }
            drop(served);
        });
    }
}

impl CoreThread {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (until, told) = oneshot::channel::<()>();
        let core =
            Self { runtime: runtime.handle().clone(), load: ConnectionCount::default(), _until: until };
        thread::Builder::new().name(format!("sessile-core-{number}")).spawn(move || {
            // An error means that the sender is gone, which ends the thread as well.
            let _ = runtime.block_on(told);
        })?;
        Ok(core)
    }
}

impl ConnectionCount {
    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn one_more(&self) -> ServedConnection {
        self.0.fetch_add(1, Relaxed);
        ServedConnection(self.clone())
    }
}

/// Also counts down when the connection is cut or its handler panics.
impl Drop for ServedConnection {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn every_thread_serves_until_the_last_owner_drops() {
        let cores = Cores::of(4).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (tell, mut told) = mpsc::channel(8);
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            let (tcp, peer) = listener.accept().await.unwrap();
            let tell = tell.clone();
            cores.spawn(tcp, peer, |mut tcp| async move {
                tell.send(thread::current().id()).await.unwrap();
                // Serve until the client or the thread ends.
                let _ = tcp.read_u8().await;
            });
        }
        let mut threads = HashSet::new();
        for _ in 0..8 {
            threads.insert(told.recv().await.unwrap());
        }
        assert_eq!(threads.len(), 4, "two connections each");
        drop(cores);
        let mut reads = JoinSet::new();
        for mut client in clients {
            reads.spawn(async move { client.read_u8().await });
        }
        // Those two of this very thread are still served.
        for _ in 0..6 {
            assert!(reads.join_next().await.unwrap().unwrap().is_err());
        }
    }
}
