//! Further connections to one process: opened on first use, used again, closed when idle, replaced when lost.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use harness::{LIMIT, Setup, bind_all, members, new_incarnation};
use sessile_group::{Event, Group, GroupConfig, Identity, Incoming, Tally};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A node whose connections the test reads by hand.
struct Hand {
    group: Group,
    events: mpsc::Receiver<Event>,
    incarnation: u32,
    inbounds: VecDeque<Box<dyn Incoming>>,
    /// The process for which frames were lost last.
    lost: Option<u32>,
}

impl Hand {
    async fn start(setup: &Setup, features: u64, listener: TcpListener, list: &[String]) -> Self {
        let identity = Identity {
            name: "n".into(),
            incarnation: new_incarnation(),
            cluster: setup.cluster.clone(),
            advertise: listener.local_addr().unwrap(),
            features,
            notice: String::new(),
        };
        let incarnation = identity.incarnation;
        let config = GroupConfig {
            identity,
            secrets: setup.secrets.clone(),
            listener,
            channel: setup.channel.clone(),
        };
        let (group, events) = Group::start(config, members(list)).await.unwrap();
        Self { group, events, incarnation, inbounds: VecDeque::new(), lost: None }
    }

    async fn event(&mut self, what: &str) -> Option<()> {
        let event = tokio::time::timeout(LIMIT, self.events.recv()).await;
        match event.unwrap_or_else(|_| panic!("{what}: never came")).unwrap() {
            Event::Up(_) => return Some(()),
            Event::Down { .. } => panic!("{what}: a connection is taken for the link"),
            Event::Inbound(inbound) => self.inbounds.push_back(inbound),
            Event::FramesLost { incarnation } => self.lost = Some(incarnation),
            Event::Gone { .. } | Event::Silent { .. } | Event::Searched { .. } => {}
        }
        None
    }

    async fn up(&mut self) {
        while self.event("a link").await.is_none() {}
    }

    /// The next connection that another process opens to this one.
    async fn inbound(&mut self) -> Box<dyn Incoming> {
        loop {
            if let Some(inbound) = self.inbounds.pop_front() {
                return inbound;
            }
            self.event("a connection").await;
        }
    }

    fn send(&self, to: &Self, connection: usize, frame: &'static str) {
        self.group.send(to.incarnation, connection, Bytes::from_static(frame.as_bytes())).unwrap();
    }

    async fn until(&self, what: &str, holds: impl Fn(&Tally) -> bool) {
        let wait = async {
            while !holds(&self.group.counters()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(LIMIT, wait).await;
        assert!(waited.is_ok(), "{what}: never; {:?}", self.group.counters());
    }

    /// Asks for a further connection until it is there; what it carried so far went over connection 0.
    async fn open(&self, to: &mut Self, connection: usize) -> Box<dyn Incoming> {
        let opened = self.group.counters().connections_opened;
        self.send(to, connection, "first");
        let inbound = to.inbound().await;
        self.until("the connection", |tally| tally.connections_opened > opened).await;
        inbound
    }
}

/// `a` may open connections to `b`; with b's connection from a as connection 0.
async fn pair(
    connections: usize,
    connection_idle: Duration,
    features: u64,
) -> (Hand, Hand, Box<dyn Incoming>) {
    let mut setup = Setup::secure();
    setup.channel.connections = connections;
    // Each connection has room for the largest frame.
    setup.channel.queue_bytes = 256 << 20;
    setup.channel.connection_idle = connection_idle;
    let ([a, b], list) = bind_all().await;
    let mut a = Hand::start(&setup, features, a, &list).await;
    let mut b = Hand::start(&setup, features, b, &list).await;
    a.up().await;
    let first = b.inbound().await;
    assert_eq!(first.connection(), 0);
    (a, b, first)
}

async fn next(inbound: &mut Box<dyn Incoming>) -> String {
    let mut batch = Vec::new();
    tokio::time::timeout(LIMIT, inbound.next_batch(&mut batch)).await.expect("a frame in time").unwrap();
    let texts: Vec<_> = batch.iter().map(|frame| str::from_utf8(frame).unwrap()).collect();
    texts.join(" ")
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_connection_is_opened_on_first_use_and_used_again() {
    let (a, mut b, mut first) = pair(2, LONG, Identity::ORDERS_CONNECTIONS).await;
    assert_eq!(a.group.counters().connections_opened, 0, "nobody used one");
    let mut second = a.open(&mut b, 2).await;
    assert_eq!((second.connection(), second.peer().incarnation), (2, a.incarnation));
    assert_eq!(next(&mut first).await, "first", "nothing waits for a connection that is not open");
    for frame in ["one", "two"] {
        a.send(&b, 2, frame);
        assert_eq!(next(&mut second).await, frame);
    }
    a.send(&b, 7, "no such connection");
    assert_eq!(next(&mut first).await, "no such connection");
    let tally = a.group.counters();
    assert_eq!((tally.connections_opened, tally.peers[0].connections, tally.links_lost), (1, 1, 0));
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_opened_again_when_it_is_used() {
    let (a, mut b, mut first) = pair(1, Duration::from_millis(50), Identity::ORDERS_CONNECTIONS).await;
    for round in 1..=2 {
        let mut connection = a.open(&mut b, 1).await;
        assert_eq!(next(&mut first).await, "first");
        a.until("the end of the idle connection", |tally| tally.connections_closed == round).await;
        assert!(connection.next_batch(&mut Vec::new()).await.is_err());
        a.until("no connection", |tally| tally.peers[0].connections == 0).await;
    }
    assert_eq!(a.group.counters().connections_lost, 0);
}

#[tokio::test]
async fn a_lost_connection_costs_nothing_but_its_use() {
    let (mut a, mut b, mut first) = pair(1, LONG, Identity::ORDERS_CONNECTIONS).await;
    drop(a.open(&mut b, 1).await);
    assert_eq!(next(&mut first).await, "first");
    a.until("the loss", |tally| tally.connections_lost == 1).await;
    while a.lost.is_none() {
        a.event("the loss of frames").await;
    }
    assert_eq!(a.lost, Some(b.incarnation));
    a.until("no connection", |tally| tally.peers[0].connections == 0).await;
    a.send(&b, 1, "round");
    assert_eq!(next(&mut first).await, "round");
    // After a rest it is opened again.
    let again = async {
        while a.group.counters().connections_opened < 2 {
            a.send(&b, 1, "again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, again).await.expect("opened again");
    assert_eq!(b.inbound().await.connection(), 1);
}

#[tokio::test]
async fn a_frame_does_not_wait_for_a_large_one_on_another_connection() {
    let (a, mut b, mut first) = pair(2, LONG, Identity::ORDERS_CONNECTIONS).await;
    let mut slow = a.open(&mut b, 1).await;
    let mut fast = a.open(&mut b, 2).await;
    let mut asked = next(&mut first).await;
    if asked == "first" {
        asked = [asked, next(&mut first).await].join(" ");
    }
    assert_eq!(asked, "first first");
    // More than any socket's buffers hold, on a connection that nobody reads.
    let large = Bytes::from(vec![7; 15 << 20]);
    a.group.send(b.incarnation, 1, large.clone()).unwrap();
    a.send(&b, 2, "small");
    a.send(&b, 0, "other");
    for (connection, frame) in [(&mut fast, "small"), (&mut first, "other")] {
        assert!(next(connection).await == frame, "{frame} does not come next");
    }
    assert!(a.group.queued(b.incarnation).bytes > 0, "the large one is still on its way");
    let mut batch = Vec::new();
    slow.next_batch(&mut batch).await.unwrap();
    assert!(batch == [large], "whole");
}

#[tokio::test]
async fn no_connection_is_opened_to_a_build_that_would_mix_up_the_order() {
    let (a, b, mut first) = pair(2, LONG, 0).await;
    for frame in ["one", "two"] {
        a.send(&b, 1, frame);
        assert_eq!(next(&mut first).await, frame);
    }
    assert_eq!(a.group.counters().connections_opened, 0);
}

#[tokio::test]
async fn what_waits_on_a_connection_is_written_before_the_group_stops() {
    let (a, mut b, mut first) = pair(1, LONG, Identity::ORDERS_CONNECTIONS).await;
    let mut connection = a.open(&mut b, 1).await;
    assert_eq!(next(&mut first).await, "first");
    a.send(&b, 1, "last");
    a.group.stop().await;
    assert_eq!(next(&mut connection).await, "last");
    assert_eq!(a.group.counters().connections_closed, 1);
}
