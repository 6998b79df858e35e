//! Each channel through the suite for all of them.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod harness;

use bytes::Bytes;
use harness::{Setup, bind, members};
use parking_lot::Mutex;
use sessile_group::{
    Channel, Depth, Group, GroupConfig, Identity, InProcess, OpenChannel, SendError, Stopping, Tally,
    conformance,
};

/// Opens a group on a free port that knows the addresses of those before it.
async fn open(setup: &Setup, before: &Mutex<Vec<String>>, identity: Identity) -> OpenChannel {
    let listener = bind().await;
    let advertise = listener.local_addr().unwrap();
    let known = before.lock().clone();
    before.lock().push(advertise.to_string());
    let mut channel = setup.channel.clone();
    channel.queue_bytes = 8 << 20;
    let identity = Identity { advertise, ..identity };
    let config = GroupConfig { identity, secrets: setup.secrets.clone(), listener, channel };
    let (group, events) = Group::start(config, members(&known)).await.unwrap();
    (Box::new(group), events)
}

#[tokio::test]
async fn a_group_conforms_with_and_without_a_secret() {
    for setup in [Setup::secure(), Setup::insecure()] {
        let before = Mutex::default();
        conformance::channel(|identity| open(&setup, &before, identity)).await;
    }
}

#[tokio::test]
async fn the_channel_within_a_process_conforms() {
    let network = InProcess::default();
    conformance::channel(async |identity| network.join(identity).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_channel_within_a_process_conforms_on_many_threads() {
    let network = InProcess::default();
    conformance::channel(async |identity| network.join(identity).unwrap()).await;
}

#[tokio::test]
async fn a_network_within_a_process_is_bounded_and_incarnations_are_unique() {
    let network = InProcess::default();
    let identity = |incarnation| Identity {
        name: "a".into(),
        incarnation,
        cluster: "sample".into(),
        advertise: ([127, 0, 0, 1], 0).into(),
        features: 0,
        notice: String::new(),
    };
    let mut members: Vec<OpenChannel> =
        (0..64).map(|incarnation| network.join(identity(incarnation)).unwrap()).collect();
    let refused = |incarnation| network.join(identity(incarnation)).err().unwrap().kind();
    assert_eq!(refused(64), std::io::ErrorKind::QuotaExceeded);
    assert_eq!(refused(7), std::io::ErrorKind::AddrInUse);
    members.pop();
    network.join(identity(64)).unwrap();
}

/// A channel with a planted bug: what its function makes of a frame is sent instead, or else its answer
/// given.
struct Faulty<F> {
    inner: Box<dyn Channel>,
    fault: F,
}

impl<F: Fn(&Bytes) -> Option<Bytes> + Send + Sync> Channel for Faulty<F> {
    fn push(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError> {
        match (self.fault)(&frame) {
            Some(frame) => self.inner.push(to, connection, frame),
            None => Ok(()),
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

async fn suite_over(fault: impl Fn(&Bytes) -> Option<Bytes> + Clone + Send + Sync + 'static) {
    let network = InProcess::default();
    let open = async |identity| {
        let (inner, events) = network.join(identity).unwrap();
        let channel: Box<dyn Channel> = Box::new(Faulty { inner, fault: fault.clone() });
        (channel, events)
    };
    conformance::channel(open).await;
}

#[tokio::test]
#[should_panic(expected = "never sent to it")]
async fn frames_that_are_changed_on_the_way_are_found() {
    suite_over(|frame| Some(frame.iter().map(|byte| byte ^ 1).collect())).await;
}

#[tokio::test]
#[should_panic(expected = "never sent to it")]
async fn frames_that_are_cut_on_the_way_are_found() {
    suite_over(|frame| Some(frame.slice(..frame.len().min(4_000)))).await;
}
