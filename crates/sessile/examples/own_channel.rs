//! A channel of one's own: it carries frames within the process, loses some of them and doubles others, and
//! the sessions do not mind.
//!
//! ```sh
//! cargo run --example own_channel
//! ```
#![allow(clippy::print_stdout, reason = "an example tells what it does")]

mod shop;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sessile::Cluster;
use sessile::seams::{
    Channel, Depth, FRAME_LIMIT, Identity, InProcess, OpenChannel, SendError, Stopping, Tally,
};

/// One frame in so many vanishes, and the one after it comes twice.
const MISHAP_EVERY: u64 = 7;

/// A channel around another one, as your own would be around a socket.
pub(crate) struct Careless {
    inner: Box<dyn Channel>,
    sent: AtomicU64,
}

impl Careless {
    /// Begins as the process `identity` in `network`.
    pub(crate) fn join(network: &InProcess, identity: Identity) -> io::Result<OpenChannel> {
        let (inner, events) = network.join(identity)?;
        Ok((Box::new(Self { inner, sent: AtomicU64::new(0) }), events))
    }

    fn reaches(&self, to: u32) -> bool {
        self.inner.counters().peers.iter().any(|peer| peer.peer.incarnation == to)
    }
}

impl Channel for Careless {
    fn push(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        match number % MISHAP_EVERY {
            // Lost on the way, which its sender does not learn. A frame that cannot be sent at all is refused
            // below.
            0 if self.reaches(to) && frame.len() <= FRAME_LIMIT => Ok(()),
            1 => self.inner.push(to, connection, frame.clone()).inspect(|()| {
                // The double may find no room.
                let _ = self.inner.push(to, connection, frame);
            }),
            _ => self.inner.push(to, connection, frame),
        }
    }

    fn flush(&self, to: u32, connection: usize) {
        self.inner.flush(to, connection);
    }

    fn queued(&self, to: u32) -> Depth {
        self.inner.queued(to)
    }

    fn counters(&self) -> Tally {
        self.inner.counters()
    }

    fn forget(&self, incarnation: u32) {
        self.inner.forget(incarnation);
    }

    fn stop(&self) -> Stopping<'_> {
        self.inner.stop()
    }
}

#[tokio::main]
pub(crate) async fn main() -> shop::Done {
    let directory = tempfile::tempdir()?;
    let network = InProcess::default();
    let mut nodes = Vec::new();
    for name in ["tc01", "tc02", "tc03"] {
        let mut config = shop::config(name, directory.path())?;
        config.sender.ack_timeout = Duration::from_millis(100); // what was lost is soon sent again
        let network = network.clone();
        let cluster = Cluster::builder(config).channel(move |identity| Careless::join(&network, identity));
        nodes.push(cluster.join().await?);
    }
    let mut browser = shop::Browser::default();
    let mut cart = String::new();
    for (node, item) in nodes.iter().cycle().zip(["umbrella", "hat", "boots", "scarf", "coat", "gloves"]) {
        let wrote = browser.visit(node, &format!("/add/{item}")).await?;
        println!("{} wrote: {} ({})", node.name(), wrote.text, wrote.receipt.unwrap_or_default());
        cart = wrote.text;
    }
    let mut all_read_it = true;
    for node in &nodes {
        let read = browser.visit(node, "/cart").await?;
        println!("{} reads: {}", node.name(), read.text);
        all_read_it &= read.text == cart && cart.split(", ").count() == 6;
    }
    for node in nodes {
        node.leave().await;
    }
    if all_read_it { Ok(()) } else { Err("a write was lost".into()) }
}
