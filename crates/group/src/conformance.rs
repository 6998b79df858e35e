//! What every [`Membership`] and every [`Channel`](crate::Channel) has to do, as tests that any
//! implementation can be run through.
//!
//! Call them from a test of your own; they panic with words where something does not conform. They wait for
//! conditions and never for a time, so they take as long as the implementation needs, at most twenty seconds
//! a step.

mod carrying;
mod witness;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::config::{ChannelOptions, GroupConfig, listen};
use crate::group::Group;
use crate::identity::Identity;
use crate::membership::Membership;
use crate::{ClusterSecrets, OpenChannel};
use witness::{LIMIT, Noticed, Witness};

/// Runs channels that `open` begins through everything that [`Channel`](crate::Channel) promises. Each call
/// of `open` gets the identity of a new process; its address has no port yet, and `open` replaces it where it
/// needs one. All of them must find each other.
///
/// A channel may lose, double and reorder frames. So the suite sends again what did not arrive, and checks
/// that whatever arrives was sent, by that process, in those bytes.
///
/// # Panics
/// When a channel does not conform; the message says how.
pub async fn channel<F, R>(open: F)
where
    F: Fn(Identity) -> R,
    R: Future<Output = OpenChannel>,
{
    let begin = async |name: &str| {
        let identity = identity(name, ([127, 0, 0, 1], 0).into());
        let incarnation = identity.incarnation;
        Witness::of(name, incarnation, open(identity).await)
    };
    let a = begin("a").await;
    assert_eq!(a.searched().await, [], "the first one finds nobody, and says so");
    let b = begin("b").await;
    a.meets(&b).await;
    assert!(b.searched().await.contains(&a.incarnation), "whoever is there is met before the search is over");
    let c = begin("c").await;
    c.meets(&a).await;
    c.meets(&b).await;
    c.searched().await;

    carrying::frames_arrive_unchanged(&[&a, &b, &c]).await;
    carrying::what_cannot_be_sent_is_refused(&a);
    carrying::a_full_queue_is_refused_and_hinders_nobody(&a, &b, &c).await;
    ending(&a, b, c).await;
    let successor = begin("c").await;
    a.meets(&successor).await;
    forgetting(&a, &successor).await;
    for witness in [&a, &successor] {
        witness.judge_order();
    }
}

/// Who is forgotten is not heard any more, and its loss is no news to the one that forgot it.
async fn forgetting(a: &Witness, b: &Witness) {
    let downs = a.count(&Noticed::Down(b.incarnation));
    a.channel.forget(b.incarnation);
    a.notices(Noticed::Ended(b.incarnation)).await;
    b.notices(Noticed::Down(a.incarnation)).await;
    assert_eq!(a.count(&Noticed::Down(b.incarnation)), downs, "no Down follows a forget");
}

/// Who stops or is killed is told as lost, and nothing is taken for it.
async fn ending(a: &Witness, b: Witness, c: Witness) {
    let (stopped, killed) = (b.incarnation, c.incarnation);
    b.channel.stop().await;
    drop(b);
    a.until("a stopped process is lost", |a| a.is_lost(stopped)).await;
    drop(c);
    a.until("a killed process is lost", |a| a.is_lost(killed)).await;
    for incarnation in [stopped, killed] {
        let refused = |a: &Witness| a.channel.send(incarnation, 0, bytes::Bytes::new()).is_err();
        a.until("nothing is taken for it", refused).await;
    }
}

/// Runs a way of finding addresses through everything that [`Membership`] promises. `make` is called once for
/// each start of a node, with the addresses of all three nodes of the test as `host:port`, which it may
/// ignore: what a node must know of itself it is told in [`Membership::begin`].
///
/// Nodes find each other, whoever starts first; the first search ends, once; a lone node names nobody that is
/// there; a node that was killed and came back at its address is found again.
///
/// # Panics
/// When it does not conform; the message says how.
pub async fn membership(make: impl Fn(&[String]) -> Box<dyn Membership>) {
    let listeners = [bind_any().await, bind_any().await, bind_any().await];
    let addresses = listeners.map(|listener| listener.local_addr().expect("it is bound"));
    let list = addresses.map(|address| address.to_string());
    let start = async |name: &str, address| node(name, bind(address).await, make(&list)).await;
    let [at_a, at_b, at_c] = addresses;

    let a = start("a", at_a).await;
    assert_eq!(a.searched().await, [], "the first node is alone");
    let b = start("b", at_b).await;
    a.meets(&b).await;
    assert_eq!(b.searched().await, [a.incarnation]);
    let c = start("c", at_c).await;
    c.meets(&a).await;
    c.meets(&b).await;
    let mut both = [a.incarnation, b.incarnation];
    both.sort_unstable();
    assert_eq!(c.searched().await, both);

    let killed = b.incarnation;
    drop(b);
    a.notices(Noticed::Gone(killed)).await;
    c.notices(Noticed::Gone(killed)).await;
    let b = start("b", at_b).await;
    b.meets(&a).await;
    b.meets(&c).await;
    for node in [&a, &b, &c] {
        node.searched().await;
        node.judge_order();
    }
}

fn identity(name: &str, advertise: SocketAddr) -> Identity {
    let incarnation = getrandom::u32().expect("the system has random bytes");
    Identity {
        name: name.to_owned(),
        incarnation,
        cluster: "conformance".to_owned(),
        advertise,
        features: 0,
        notice: String::new(),
    }
}

async fn node(name: &str, listener: TcpListener, membership: Box<dyn Membership>) -> Witness {
    let identity = identity(name, listener.local_addr().expect("it is bound"));
    let incarnation = identity.incarnation;
    let secrets = Some(ClusterSecrets::new([7; 32], Vec::new()));
    let config = GroupConfig { identity, secrets, listener, channel: ChannelOptions::default() };
    let (group, events) = Group::start(config, membership).await.expect("the membership begins");
    Witness::of(name, incarnation, (Box::new(group), events))
}

async fn bind_any() -> TcpListener {
    bind(([127, 0, 0, 1], 0).into()).await
}

/// Something else may hold the port of a node that ended for a moment.
async fn bind(address: SocketAddr) -> TcpListener {
    let deadline = Instant::now() + LIMIT;
    loop {
        match listen(address, false).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(witness::POLL).await;
    }
}
