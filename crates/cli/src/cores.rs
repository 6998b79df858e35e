//! Threads that serve connections: one for each core, each with a runtime of its own.
//!
//! What gets ready on one thread in a moment leaves it together: the changes of many requests go to a member in one
//! call. Threads that take tasks from each other wake each other for nearly every request, which cost twice the
//! processor time (docs/performance.md, "Threads"). The price is that a connection stays where it began: a handler
//! must not block its thread. The node's own tasks run on the first thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// More threads than this would not find the work; also where the machine has more cores.
const MAX_THREADS: usize = 64;

/// The threads beside the one that runs the node. They end when this is dropped, and cut what they serve.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    others: Vec<Core>,
    turn: AtomicUsize,
}

/// A thread, told to end by being dropped.
#[derive(Debug)]
struct Core {
    runtime: Handle,
    _until: oneshot::Sender<()>,
}

impl Cores {
    /// One for each core of this machine, the calling thread counted.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn all() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let others = (1..cores).map(Core::start).collect::<io::Result<_>>()?;
        Ok(Self { others, turn: AtomicUsize::new(0) })
    }

    /// Serves a connection on the thread whose turn it is.
    pub(crate) fn spawn<F>(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let turn = self.turn.fetch_add(1, Relaxed) % (self.others.len() + 1);
        let Some(core) = self.others.get(turn) else {
            tokio::spawn(serve(tcp));
            return;
        };
        let tcp = match tcp.into_std() {
            Ok(tcp) => tcp,
            Err(cause) => {
                tracing::warn!(%peer, %cause, "a connection could not be handed on");
                return;
            }
        };
        core.runtime.spawn(async move {
            // It is registered with the runtime that this runs on.
            match TcpStream::from_std(tcp) {
                Ok(tcp) => serve(tcp).await,
                Err(cause) => tracing::warn!(%peer, %cause, "a connection could not be taken over"),
            }
        });
    }
}

impl Core {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (until, told) = oneshot::channel::<()>();
        let core = Self { runtime: runtime.handle().clone(), _until: until };
        thread::Builder::new().name(format!("sessile-core-{number}")).spawn(move || {
            // An error: nobody is left who could tell. That is the end as well.
            let _ = runtime.block_on(told);
        })?;
        Ok(core)
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
        let others = (1..4).map(Core::start).collect::<io::Result<_>>().unwrap();
        let cores = Cores { others, turn: AtomicUsize::new(0) };
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
