//! Threads that serve connections: one for each core, each with a runtime of its own.
//!
//! What gets ready on one thread in a moment leaves it together: the changes of many requests go to a member in one
//! call. Threads that take tasks from each other wake each other for nearly every request, which cost twice the
//! processor time (docs/performance.md, "Threads"). The price is that a connection stays where it began: a handler
//! must not block its thread. The node's own tasks run on the first thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// More threads than this would not find the work; also where the machine has more cores.
const MAX_THREADS: usize = 64;

/// The threads. Those beside the calling one end when this is dropped, and cut what they serve.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// Connections on the thread that runs the node.
    here: Load,
    others: Vec<Core>,
}

/// Another thread, told to end by being dropped.
#[derive(Debug)]
struct Core {
    runtime: Handle,
    load: Load,
    _until: oneshot::Sender<()>,
}

/// How many connections a thread serves.
#[derive(Debug, Default, Clone)]
struct Load(Arc<AtomicUsize>);

/// One of them, until it is dropped.
struct Served(Load);

impl Cores {
    /// One for each core of this machine, the calling thread counted.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn all() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        Self::of(cores)
    }

    fn of(cores: usize) -> io::Result<Self> {
        let others = (1..cores).map(Core::start).collect::<io::Result<_>>()?;
        Ok(Self { here: Load::default(), others })
    }

    /// The runtimes of the threads beside the calling one.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.others.iter().map(|core| core.runtime.clone()).collect()
    }

    /// Serves a connection on the thread that has the fewest; on the node's own, where its changes have the shortest way,
    /// when several have as few.
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
                tracing::warn!(%peer, %cause, "a connection could not be handed on");
                return;
            }
        };
        let served = core.load.one_more();
        core.runtime.spawn(async move {
            // It is registered with the runtime that this runs on.
            match TcpStream::from_std(tcp) {
                Ok(tcp) => serve(tcp).await,
                Err(cause) => tracing::warn!(%peer, %cause, "a connection could not be taken over"),
            }
            drop(served);
        });
    }
}

impl Core {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (until, told) = oneshot::channel::<()>();
        let core = Self { runtime: runtime.handle().clone(), load: Load::default(), _until: until };
        thread::Builder::new().name(format!("sessile-core-{number}")).spawn(move || {
            // An error: nobody is left who could tell. That is the end as well.
            let _ = runtime.block_on(told);
        })?;
        Ok(core)
    }
}

impl Load {
    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn one_more(&self) -> Served {
        self.0.fetch_add(1, Relaxed);
        Served(self.clone())
    }
}

/// Also when the connection is cut, or its handler panics.
impl Drop for Served {
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
    async fn every_thread_serves_and_ends_with_the_last_owner() {
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
                // Served until the client or the thread goes.
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
