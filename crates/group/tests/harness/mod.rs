//! Nodes on loopback for the tests: each has its group, its events in order, and its inbound frames by
//! sender.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use sessile_group::{
    ChannelOptions, ClusterSecrets, Event, Group, GroupConfig, Identity, Incoming, Membership, Static, listen,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Longest wait for any condition; far above what a working group needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What a node noticed; `Event` without the connection in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Noticed {
    Up(u32),
    Down(u32),
    Gone(u32),
    Inbound(u32),
    InboundEnded(u32),
    Silent(Vec<SocketAddr>),
    Searched { reached: Vec<u32>, silent: Vec<SocketAddr> },
}

#[derive(Default)]
struct Seen {
    noticed: Vec<Noticed>,
    frames: HashMap<u32, Vec<Bytes>>,
}

/// One node of a test.
pub(crate) struct TestNode {
    pub(crate) incarnation: u32,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) group: Group,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

/// How a node is started.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) cluster: String,
    pub(crate) secrets: Option<ClusterSecrets>,
    pub(crate) channel: ChannelOptions,
}

impl Setup {
    pub(crate) fn secure() -> Self {
        let channel =
            ChannelOptions { handshake_timeout: Duration::from_secs(2), ..ChannelOptions::default() };
        Self { cluster: "sample".into(), secrets: Some(ClusterSecrets::new([7; 32], vec![])), channel }
    }

    pub(crate) fn insecure() -> Self {
        Self { secrets: None, ..Self::secure() }
    }
}

/// A free address on loopback, bound until it is used.
pub(crate) async fn bind() -> TcpListener {
    listen(SocketAddr::from(([127, 0, 0, 1], 0)), false).await.unwrap()
}

/// The address of a node that ended, bound again; something else may hold the port for a moment.
pub(crate) async fn bind_at(address: SocketAddr) -> TcpListener {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        match listen(address, false).await {
            Ok(listener) => return listener,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn bind_all<const N: usize>() -> ([TcpListener; N], Vec<String>) {
    let mut listeners = Vec::new();
    for _ in 0..N {
        listeners.push(bind().await);
    }
    let list = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    (listeners.try_into().unwrap(), list)
}

pub(crate) fn members<S: AsRef<str>>(list: &[S]) -> Box<dyn Membership> {
    Box::new(Static::new(list).unwrap())
}

impl TestNode {
    pub(crate) async fn start(
        setup: &Setup,
        name: &str,
        listener: TcpListener,
        membership: Box<dyn Membership>,
    ) -> Self {
        Self::start_incarnation(setup, name, new_incarnation(), listener, membership).await
    }

    pub(crate) async fn start_incarnation(
        setup: &Setup,
        name: &str,
        incarnation: u32,
        listener: TcpListener,
        membership: Box<dyn Membership>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let identity = Identity {
            name: name.to_owned(),
            incarnation,
            cluster: setup.cluster.clone(),
            advertise: address,
            features: 0b101,
            notice: String::new(),
        };
        let config = GroupConfig {
            identity,
            secrets: setup.secrets.clone(),
            listener,
            channel: setup.channel.clone(),
        };
        let (group, mut events) = Group::start(config, membership).await.unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watching = seen.clone();
        let reader = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let noticed = match event {
                    Event::Up(peer) => Noticed::Up(peer.incarnation),
                    Event::Down { incarnation } => Noticed::Down(incarnation),
                    Event::FramesLost { .. } => continue,
                    Event::Gone { incarnation } => Noticed::Gone(incarnation),
                    Event::Silent { addresses } => Noticed::Silent(addresses),
                    Event::Searched { reached, silent, .. } => Noticed::Searched { reached, silent },
                    Event::Inbound(inbound) => {
                        let incarnation = inbound.peer().incarnation;
                        tokio::spawn(read(inbound, watching.clone()));
                        Noticed::Inbound(incarnation)
                    }
                };
                watching.lock().noticed.push(noticed);
            }
        });
        Self { incarnation, name: name.to_owned(), address, group, seen, reader }
    }

    pub(crate) fn noticed(&self) -> Vec<Noticed> {
        self.seen.lock().noticed.clone()
    }

    pub(crate) fn count(&self, wanted: &Noticed) -> usize {
        self.seen.lock().noticed.iter().filter(|noticed| *noticed == wanted).count()
    }

    pub(crate) fn frames_from(&self, incarnation: u32) -> Vec<Bytes> {
        self.seen.lock().frames.get(&incarnation).cloned().unwrap_or_default()
    }

    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !condition(self) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{}: {what} never came; noticed {:?}; {:?}",
                self.name,
                self.noticed(),
                self.group.counters()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn notices(&self, wanted: Noticed) {
        self.until(&format!("{wanted:?}"), |node| node.count(&wanted) > 0).await;
    }

    /// Waits until both directions between the two are up.
    pub(crate) async fn meets(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            one.notices(Noticed::Up(two.incarnation)).await;
            one.notices(Noticed::Inbound(two.incarnation)).await;
        }
    }

    pub(crate) async fn searched(&self) -> (Vec<u32>, Vec<SocketAddr>) {
        let find = |node: &Self| {
            node.noticed().into_iter().find_map(|noticed| match noticed {
                Noticed::Searched { reached, silent } => Some((reached, silent)),
                _ => None,
            })
        };
        self.until("the end of the search", |node| find(node).is_some()).await;
        find(self).unwrap()
    }

    pub(crate) fn send(&self, to: &Self, frame: &'static str) {
        self.group.send(to.incarnation, 0, Bytes::from_static(frame.as_bytes())).unwrap();
    }

    /// Waits until frames from `from` end with these.
    pub(crate) async fn receives(&self, from: &Self, frames: &[&str]) {
        self.until(&format!("{frames:?}"), |node| {
            node.frames_from(from.incarnation)
                .iter()
                .map(|frame| str::from_utf8(frame).unwrap())
                .eq(frames.iter().copied())
        })
        .await;
    }

    /// Ends everything at once, as a killed process does.
    pub(crate) fn kill(self) {
        self.reader.abort();
        drop(self.group);
    }
}

async fn read(mut inbound: Box<dyn Incoming>, seen: Arc<Mutex<Seen>>) {
    let incarnation = inbound.peer().incarnation;
    let mut batch = Vec::new();
    while inbound.next_batch(&mut batch).await.is_ok() {
        seen.lock().frames.entry(incarnation).or_default().append(&mut batch);
    }
    seen.lock().noticed.push(Noticed::InboundEnded(incarnation));
}

pub(crate) fn new_incarnation() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
