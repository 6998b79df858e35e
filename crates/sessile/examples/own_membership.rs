//! Nodes that find each other through files in a shared directory: a membership of one's own.
//!
//! ```sh
//! cargo run --example own_membership
//! ```
#![allow(clippy::print_stdout, reason = "an example tells what it does")]

mod shop;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sessile::Cluster;
use sessile::seams::{Local, Membership, NextSighting, Sighting};

/// How often the directory is read.
const ROUND: Duration = Duration::from_millis(200);
/// More files than that are not read in one round.
const FILES_MAX: usize = 256;
/// The longest address: an IPv6 address in brackets with scope and port.
const ADDRESS_MAX_BYTES: u64 = 80;

/// Every node writes a file `NAME.node` that holds its address, and reads those of the others.
///
/// A file that stays behind does no harm: its address refuses. So nothing is removed at the end, and a node
/// that comes back writes over what it wrote before.
pub(crate) struct Directory {
    path: PathBuf,
    waiting: VecDeque<Sighting>,
    rounds: u64,
}

impl Directory {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), waiting: VecDeque::new(), rounds: 0 }
    }

    /// Every address that the files name. What cannot be read now is read in the next round.
    fn addresses(&self) -> Vec<SocketAddr> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        let files = paths.filter(|path| path.extension().is_some_and(|kind| kind == "node"));
        files.take(FILES_MAX).filter_map(|path| address_in(&path)).collect()
    }
}

fn address_in(path: &Path) -> Option<SocketAddr> {
    let is_short = fs::metadata(path).is_ok_and(|file| file.len() <= ADDRESS_MAX_BYTES);
    is_short.then(|| fs::read_to_string(path).ok()?.trim().parse().ok()).flatten()
}

impl Membership for Directory {
    fn begin(&mut self, local: Local) -> io::Result<()> {
        let identity = local.identity();
        let (half, whole) = (format!("{}.half", identity.name), format!("{}.node", identity.name));
        fs::write(self.path.join(&half), identity.advertise.to_string())?;
        fs::rename(self.path.join(half), self.path.join(whole)) // others read all of it or nothing
    }

    fn next(&mut self) -> NextSighting<'_> {
        Box::pin(async {
            loop {
                if let Some(sighting) = self.waiting.pop_front() {
                    return sighting;
                }
                if self.rounds > 0 {
                    tokio::time::sleep(ROUND).await;
                }
                self.waiting = self.addresses().into_iter().map(Sighting::Address).collect();
                if self.rounds == 0 {
                    self.waiting.push_back(Sighting::AllNamed);
                }
                self.rounds += 1;
            }
        })
    }
}

#[tokio::main]
pub(crate) async fn main() -> shop::Done {
    let directory = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for name in ["tc01", "tc02"] {
        let config = shop::config(name, directory.path())?;
        nodes.push(Cluster::builder(config).membership(Directory::new(directory.path())).join().await?);
    }
    let mut browser = shop::Browser::default();
    let wrote = browser.visit(&nodes[0], "/add/umbrella").await?;
    println!("tc01 wrote: {} ({})", wrote.text, wrote.receipt.unwrap_or_default());
    let read = browser.visit(&nodes[1], "/cart").await?;
    println!("tc02 reads: {}", read.text);
    for node in nodes {
        node.leave().await;
    }
    if read.text == "umbrella" { Ok(()) } else { Err("the cart did not arrive".into()) }
}
