//! A node on a thread of its own, which can be stopped as a process is by SIGSTOP: its sockets stay, and
//! nobody answers.

use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::harness::{Node, Town};

/// The node and the thread that runs it.
pub(crate) struct Apart {
    pub(crate) node: Option<Node>,
    stop: UnboundedSender<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// While this lives, the node's thread does nothing.
pub(crate) struct Stopped {
    _release: mpsc::Sender<()>,
}

impl Apart {
    pub(crate) async fn join(town: &Town, name: &str, known: &[&Node]) -> Self {
        let config = town.config(name, known);
        let (stop, mut stops) = unbounded_channel::<mpsc::Receiver<()>>();
        let (joined, waiting) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                assert!(joined.send(Node::join(config).await).is_ok());
                while let Some(release) = stops.recv().await {
                    // Blocks the only thread until the other end is dropped.
                    let _ = release.recv();
                }
            });
        });
        Self { node: Some(waiting.await.unwrap()), stop, thread: Some(thread) }
    }

    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    pub(crate) fn stop(&self) -> Stopped {
        let (release, released) = mpsc::channel();
        self.stop.send(released).unwrap();
        Stopped { _release: release }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.node.take());
        // Ends the thread, once it is not stopped any more.
        self.stop = unbounded_channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
