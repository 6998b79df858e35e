//! What a response waits for: a second node that this test connects, and then leaves without an answer.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use sessile_core::{FrameSink, Gate, NotSent, PeerInfo, SessionKey};
use sessile_group::{Depth, SendError, Stopping, Tally};
use tokio::sync::Notify;

use super::*;
use crate::codec;

const HERE: Incarnation = Incarnation(1);
const THERE: Incarnation = Incarnation(2);
/// Far more steps than anything here takes.
const STEPS_MAX: usize = 10_000;

/// Frames on their way between the two.
#[derive(Clone, Default)]
struct Wires(Arc<Mutex<VecDeque<(Incarnation, Bytes)>>>);

impl Wires {
    fn next(&self) -> Option<(Incarnation, Bytes)> {
        self.0.lock().pop_front()
    }
}

impl FrameSink for Wires {
    fn send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        self.0.lock().push_back((to, frame));
        Ok(())
    }
}

impl Channel for Wires {
    fn push(&self, to: u32, _: usize, frame: Bytes) -> Result<(), SendError> {
        self.0.lock().push_back((Incarnation(to), frame));
        Ok(())
    }

    fn flush(&self, _: u32, _: usize) {}

    fn queued(&self, _: u32) -> Depth {
        Depth::default()
    }

    fn counters(&self) -> Tally {
        Tally::default()
    }

    fn forget(&self, _: u32) {}

    fn stop(&self) -> Stopping<'_> {
        Box::pin(async {})
    }
}

/// A site on `tc01` whose only other member is `tc02`.
struct Pair {
    site: Site,
    other: Node,
    wires: Wires,
    cut: bool,
}

impl Pair {
    /// Both nodes are members and serve; from now on nothing is carried between them.
    fn connected(settings: SessionSettings) -> Self {
        let started =
            |incarnation: Incarnation, name: &str, now| Node::new(Settings::new(incarnation, name), now);
        let wires = Wires::default();
        let site =
            Site::connected(|_, now| started(HERE, "tc01", now), settings, Some(Box::new(wires.clone())));
        let other = started(THERE, "tc02", site.engine.now());
        let mut pair = Self { site, other, wires, cut: false };
        for incarnation in [HERE, THERE] {
            let peer = if incarnation == HERE { (THERE, "tc02") } else { (HERE, "tc01") };
            let peer = PeerInfo { incarnation: peer.0, name: peer.1.to_owned() };
            pair.tell(incarnation, |node, now, effects| node.link_up(&peer, now, effects));
        }
        for incarnation in [HERE, THERE] {
            pair.tell(incarnation, |node, now, effects| node.searched(now, effects));
        }
        pair.carry_until(|pair| (pair.gate() == Gate::Open && pair.members() == 2).then_some(()));
        pair
    }

    fn members(&self) -> usize {
        self.site.engine.node().members(self.now()).len()
    }

    fn gate(&self) -> Gate {
        self.site.engine.node().gate(self.now())
    }

    fn now(&self) -> Instant {
        self.site.engine.now()
    }

    fn tell(
        &mut self,
        incarnation: Incarnation,
        input: impl FnOnce(&Node, Instant, &mut sessile_core::Effects),
    ) {
        if incarnation == HERE {
            self.site.engine.step(input);
        } else {
            let now = self.now();
            input(&self.other, now, &mut sessile_core::Effects::new(&mut self.wires));
        }
    }

    /// Lets a little time pass for both nodes, and delivers what they have to say.
    fn carry(&mut self) {
        self.site.engine.advance(Timing::default().tick());
        for incarnation in [HERE, THERE] {
            self.tell(incarnation, |node, now, effects| node.tick(now, effects));
        }
        while let Some((to, frame)) = self.wires.next() {
            let from = if to == HERE { THERE } else { HERE };
            if self.cut {
                continue;
            }
            self.tell(to, |node, now, effects| {
                node.received(from, &frame, now, effects).unwrap();
                node.acknowledge(from, effects);
            });
        }
    }

    /// The other node's process is proven to be gone.
    fn lose_the_other(&mut self) {
        self.tell(HERE, |node, now, effects| node.gone(THERE, now, effects));
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        if let Some(cookie) = &self.site.cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        request
    }

    /// A request with the site's cookie that reads `n`.
    fn reading(&self) -> BoxFuture<'static, Reply> {
        self.visiting(|session| async move { answer(session.get::<String>("n").unwrap()) })
    }

    /// A request with the site's cookie that writes `n`.
    fn writing(&self, value: &'static str) -> BoxFuture<'static, Reply> {
        self.visiting(move |session| async move {
            session.set("n", value).unwrap();
            answer(())
        })
    }

    fn visiting<A, R>(&self, app: A) -> BoxFuture<'static, Reply>
    where
        A: FnOnce(Session) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let (layer, request) = (self.site.layer.clone(), self.request());
        async move { send(&layer, request, app).await }.boxed()
    }

    /// Carries between the nodes until `request` is answered.
    fn answered(&mut self, mut request: BoxFuture<'static, Reply>) -> Reply {
        self.carry_until(|_| (&mut request).now_or_never())
    }

    /// Carries between the nodes until `happened` gives what it waits for.
    fn carry_until<T>(&mut self, mut happened: impl FnMut(&Self) -> Option<T>) -> T {
        for _ in 0..STEPS_MAX {
            if let Some(outcome) = happened(self) {
                return outcome;
            }
            self.carry();
        }
        panic!("it does not happen");
    }

    /// Makes a session, `n` being `one`, that both nodes have.
    fn begin(&mut self) -> SessionKey {
        let writing = self.writing("one");
        let cookie = self.answered(writing).set_cookie.unwrap();
        self.site.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        self.site.engine.node().sessions(None, 1, self.now())[0].key
    }

    fn on_the_other(&self, key: SessionKey) -> Option<Bytes> {
        Some(self.other.peek(key)?.1.get("n")?.bytes)
    }

    /// A call into the core on another thread panics.
    fn fail(&self) {
        let engine = self.site.engine.clone();
        let call = move || engine.step(|_, _, _| panic!("a planted fault"));
        assert!(std::thread::spawn(call).join().is_err());
    }

    /// Cuts the wires until the lease is out.
    fn stalled(&mut self) {
        self.cut = true;
        self.carry_until(|pair| (pair.gate() == Gate::Stalled).then_some(()));
    }
}

fn reporting() -> SessionSettings {
    SessionSettings { receipt_header: true, ..usual() }
}

fn is_waiting(request: &mut BoxFuture<'static, Reply>) -> bool {
    request.now_or_never().is_none()
}

#[tokio::test]
async fn a_response_that_wrote_goes_when_every_member_has_it() {
    let mut pair = Pair::connected(reporting());
    let mut writing = pair.writing("one");
    assert!(is_waiting(&mut writing), "the other node has not confirmed");
    let reply = pair.answered(writing);
    assert_eq!(reply.response.headers()["sessile-receipt"], "copies=2/2");
}

#[tokio::test]
async fn a_member_that_is_gone_is_not_waited_for() {
    let mut pair = Pair::connected(reporting());
    let mut writing = pair.writing("one");
    assert!(is_waiting(&mut writing));
    pair.lose_the_other();
    let reply = writing.await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.response.headers()["sessile-receipt"], "copies=1/2 degraded");
}

#[tokio::test]
async fn a_response_that_read_what_is_being_committed_waits_for_the_commit() {
    let mut pair = Pair::connected(usual());
    pair.begin();
    let mut writing = pair.writing("two");
    assert!(is_waiting(&mut writing));
    let mut reading = pair.reading();
    assert!(is_waiting(&mut reading));
    let idle = pair.visiting(|_| async { answer(()) });
    assert_eq!(idle.await.status, StatusCode::OK, "who did not look need not wait");
    let read = pair.answered(reading);
    assert_eq!(read.body, "\"two\"");
    assert_eq!(writing.await.status, StatusCode::OK);
    assert_eq!(pair.reading().await.body, "\"two\"", "a settled session is read at once");
}

#[tokio::test]
async fn a_commit_that_began_runs_to_its_end_though_the_client_hung_up() {
    let mut pair = Pair::connected(usual());
    let key = pair.begin();
    let mut writing = pair.writing("two");
    assert!(is_waiting(&mut writing));
    drop(writing);
    let two = codec::encode("two").unwrap().bytes;
    pair.carry_until(|pair| (pair.on_the_other(key) == Some(two.clone())).then_some(()));
}

#[tokio::test]
async fn without_a_lease_no_session_is_opened() {
    let mut pair = Pair::connected(usual());
    pair.begin();
    pair.stalled();
    let mut reading = pair.reading();
    assert!(is_waiting(&mut reading));
    pair.lose_the_other();
    assert_eq!(reading.await.body, "\"one\"");
}

#[tokio::test]
async fn without_a_lease_no_response_leaves_that_read_a_session() {
    let mut pair = Pair::connected(usual());
    pair.begin();
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let mut reading = pair.visiting(|session| async move {
        let value = session.get::<String>("n").unwrap();
        released.notified().await;
        answer(value)
    });
    assert!(is_waiting(&mut reading));
    pair.stalled();
    release.notify_one();
    assert!(is_waiting(&mut reading), "the lease is out");
    pair.lose_the_other();
    assert_eq!(reading.await.body, "\"one\"");
}

#[tokio::test]
async fn a_node_that_left_meanwhile_does_not_claim_that_it_did_nothing() {
    let mut pair = Pair::connected(usual());
    pair.begin();
    let mut writing = pair.writing("two");
    assert!(is_waiting(&mut writing));
    pair.tell(HERE, |node, now, effects| node.leave(now, effects));
    let reply = writing.await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.response.headers()["retry-after"], "1");
    assert!(!reply.response.headers().contains_key("sessile-unprocessed"));
}

#[tokio::test]
async fn who_waits_on_a_node_that_fails_is_answered_at_once() {
    let mut pair = Pair::connected(usual());
    pair.begin();
    let mut writing = pair.writing("two");
    let mut reading = pair.reading();
    assert!(is_waiting(&mut writing) && is_waiting(&mut reading));
    let key = SessionKey([9; 16]);
    let unknown = pair.site.host.clone();
    let mut asking = async move { unknown.open(key, sessile_core::Proof::Trusted).await.err() }.boxed();
    assert!((&mut asking).now_or_never().is_none(), "the other node is asked");
    pair.stalled();
    let mut at_gate = pair.reading();
    assert!(is_waiting(&mut at_gate));
    pair.fail();
    for (waiting, may_be_repeated) in [(writing, false), (reading, false), (at_gate, true)] {
        let reply = waiting.await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.response.headers().contains_key("sessile-unprocessed"), may_be_repeated);
    }
    assert_eq!(asking.await, Some(sessile_core::Absent::NoRoom));
    let later = pair.reading().await;
    assert_eq!((later.status, later.body.contains("node")), (StatusCode::SERVICE_UNAVAILABLE, false));
}

#[tokio::test]
async fn a_node_that_is_out_opens_nothing_though_it_asked_before() {
    let mut pair = Pair::connected(usual());
    let (host, key) = (pair.site.host.clone(), SessionKey([9; 16]));
    let mut asking = async move { host.open(key, sessile_core::Proof::Trusted).await.err() }.boxed();
    assert!((&mut asking).now_or_never().is_none(), "the other node is asked");
    pair.tell(HERE, |node, now, effects| node.leave(now, effects));
    assert_eq!(asking.await, Some(sessile_core::Absent::NoRoom), "nobody said that it is unknown");
    assert_eq!(pair.site.host.without_session(), sessile_node::host::NotServing::Left);
}
