//! Frames of many callers that wait for answers share writes, in every kind of runtime.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use std::sync::Arc;

use bytes::Bytes;
use harness::{Setup, bind_all, members, new_incarnation};
use parking_lot::Mutex;
use sessile_group::{Event, Group, GroupConfig, Identity, Incoming};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

const CALLERS: usize = 16;
const CALLS: usize = 200;

async fn start(listener: TcpListener, list: &[String]) -> (Arc<Group>, mpsc::Receiver<Event>) {
    let setup = Setup::secure();
    let identity = Identity {
        name: "n".into(),
        incarnation: new_incarnation(),
        cluster: setup.cluster,
        advertise: listener.local_addr().unwrap(),
        features: 0,
        notice: String::new(),
    };
    let config = GroupConfig { identity, secrets: setup.secrets, listener, channel: setup.channel };
    let (group, events) = Group::start(config, members(list)).await.unwrap();
    (Arc::new(group), events)
}

/// Waits for the link to the other node and the connection from it.
async fn meet(events: &mut mpsc::Receiver<Event>) -> Box<dyn Incoming> {
    let (mut up, mut inbound) = (false, None);
    while !up || inbound.is_none() {
        match events.recv().await.unwrap() {
            Event::Up(_) => up = true,
            Event::Inbound(connection) => inbound = Some(connection),
            _ => {}
        }
    }
    inbound.unwrap()
}

/// Acknowledges every batch with one frame: the number of frames received so far.
async fn acknowledge(group: Arc<Group>, mut inbound: Box<dyn Incoming>) {
    let (mut received, mut batch) = (0, Vec::new());
    while inbound.next_batch(&mut batch).await.is_ok() {
        received += batch.drain(..).count() as u64;
        group.send(inbound.peer().incarnation, 0, Bytes::copy_from_slice(&received.to_be_bytes())).unwrap();
    }
}

async fn hear(mut inbound: Box<dyn Incoming>, acknowledged: watch::Sender<u64>) {
    let mut batch = Vec::new();
    while inbound.next_batch(&mut batch).await.is_ok() {
        let last = batch.drain(..).next_back().unwrap();
        acknowledged.send_replace(u64::from_be_bytes(last[..].try_into().unwrap()));
    }
}

/// Writes per frame while the callers each wait for the acknowledgement of their frame before they send the
/// next.
async fn writes_per_frame(callers: usize) -> f64 {
    let ([a, b], list) = bind_all().await;
    let ((a, mut a_events), (b, mut b_events)) = (start(a, &list).await, start(b, &list).await);
    let (at_a, at_b) = (meet(&mut a_events).await, meet(&mut b_events).await);
    let b_incarnation = at_a.peer().incarnation;
    let acknowledged = watch::Sender::new(0);
    tokio::spawn(acknowledge(b, at_b));
    tokio::spawn(hear(at_a, acknowledged.clone()));

    let sent = Arc::new(Mutex::new(0));
    let calls = (0..callers).map(|_| {
        let (a, sent, mut acknowledged) = (a.clone(), sent.clone(), acknowledged.subscribe());
        tokio::spawn(async move {
            for _ in 0..CALLS {
                let number = {
                    let mut sent = sent.lock();
                    a.send(b_incarnation, 0, Bytes::from_static(&[1; 1000])).unwrap();
                    *sent += 1;
                    *sent
                };
                acknowledged.wait_for(|acknowledged| *acknowledged >= number).await.unwrap();
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let traffic = a.counters().traffic;
    assert_eq!(traffic.frames_out, (callers * CALLS) as u64);
    traffic.writes as f64 / traffic.frames_out as f64
}

#[tokio::test]
async fn on_one_thread() {
    let ratio = writes_per_frame(CALLERS).await;
    assert!(ratio < 0.3, "{ratio} writes per frame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_several_threads() {
    let ratio = writes_per_frame(CALLERS).await;
    assert!(ratio < 0.3, "{ratio} writes per frame");
}
