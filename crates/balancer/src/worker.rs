//! A runtime that serves clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::client_connection::ProxyMode;

/// The runtime, and what its clients share.
#[derive(Debug)]
pub(crate) struct Worker {
    runtime: Handle,
    mode: Arc<ProxyMode>,
    clients: Arc<AtomicUsize>,
}

/// A client that is served, until it is dropped: also when it is cut, or ends in a panic.
struct Served(Arc<AtomicUsize>);

impl Worker {
    pub(crate) fn new(runtime: Handle, mode: ProxyMode) -> Self {
        Self { runtime, mode: Arc::new(mode), clients: Arc::default() }
    }

    /// Clients that it serves now.
    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Relaxed)
    }

    /// Serves a client on this runtime, as one of `all`.
    pub(crate) fn serve<F>(
        &self,
        all: &mut JoinSet<()>,
        tcp: TcpStream,
        serve: impl FnOnce(Arc<ProxyMode>, TcpStream) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.clients.fetch_add(1, Relaxed);
        let (mode, served) = (Arc::clone(&self.mode), Served(Arc::clone(&self.clients)));
        if self.runtime.id() == Handle::current().id() {
            // On the heap: a future that another one waits for would lie in it twice.
            let serving = Box::pin(serve(mode, tcp));
            all.spawn(async move {
                serving.await;
                drop(served);
            });
            return;
        }
        let tcp = match tcp.into_std() {
            Ok(tcp) => tcp,
            Err(cause) => {
                tracing::warn!(%cause, "a client's connection could not be handed on");
                return;
            }
        };
        let serving = async move {
            // It is registered with the runtime that this runs on.
            match TcpStream::from_std(tcp) {
                Ok(tcp) => serve(mode, tcp).await,
                Err(cause) => tracing::warn!(%cause, "a client's connection could not be taken over"),
            }
            drop(served);
        };
        all.spawn_on(serving, &self.runtime);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
