//! Nodes in one process, with frames delivered at once and in order.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    AppId, Changes, Effect, Effects, Event, FieldName, Fields, FrameKind, FrameSink, Gate, Incarnation,
    Instant, Node, NotSent, Notice, Opening, PeerInfo, Proof, QuestionId, Receipt, Refusal, Secret,
    SessionKey, Settings, Ticket, Value,
};

pub(crate) const APP: AppId = AppId(7);
pub(crate) const SECRET: Secret = Secret([9; 16]);

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Instant,
    pub(crate) settled: Vec<(usize, Ticket, Receipt)>,
    pub(crate) events: Vec<(usize, Event)>,
    pub(crate) notices: Vec<(usize, Notice)>,
    /// All other effects.
    pub(crate) others: Vec<(usize, Effect)>,
    wires: VecDeque<(usize, usize, Bytes)>,
    /// Frames to and from a node that is cut off vanish.
    pub(crate) cut: Vec<usize>,
    /// Frames of such a kind from the first of these nodes to the second vanish.
    pub(crate) lost: Vec<(usize, usize, &'static str)>,
    /// Frames from the first of these nodes to the second are refused by their link.
    pub(crate) refusing: Vec<(usize, usize, NotSent)>,
    /// How many were.
    pub(crate) refused: usize,
    /// Processes that are stopped: they do nothing, and what comes for them waits.
    pub(crate) stopped: Vec<usize>,
    /// Who sent a frame of which kind.
    pub(crate) sent: Vec<(usize, &'static str)>,
    /// Nodes of a version that does not know frames of several copies.
    pub(crate) older: Vec<usize>,
    tickets: u64,
}

/// Frames of several copies, and a kind with a place that no version has.
const COPIES: u8 = 43;
const UNKNOWN: u8 = 49;

impl Cluster {
    pub(crate) fn start(count: u32) -> Self {
        Self::with(count, |_| {})
    }

    pub(crate) fn with(count: u32, adjust: impl Fn(&mut Settings)) -> Self {
        let now = Instant::ORIGIN;
        let nodes = (0..count).map(|number| node(number, now, &adjust)).collect();
        let mut cluster = Self {
            nodes,
            now,
            settled: Vec::new(),
            events: Vec::new(),
            notices: Vec::new(),
            others: Vec::new(),
            wires: VecDeque::new(),
            cut: Vec::new(),
            lost: Vec::new(),
            refusing: Vec::new(),
            refused: 0,
            stopped: Vec::new(),
            sent: Vec::new(),
            older: Vec::new(),
            tickets: 0,
        };
        for index in 0..cluster.nodes.len() {
            cluster.link(index);
        }
        cluster.run(Duration::from_secs(3));
        assert!((0..cluster.nodes.len()).all(|node| cluster.gate(node) == Gate::Open), "all serve");
        cluster
    }

    /// One more node, which can reach only `others`.
    pub(crate) fn add_linked_with(&mut self, others: &[usize]) {
        self.add(others, |_| {});
    }

    /// The same with settings of its own.
    pub(crate) fn add(&mut self, others: &[usize], adjust: impl Fn(&mut Settings)) {
        let index = self.nodes.len();
        self.nodes.push(node(index as u32, self.now, &adjust));
        self.link_with(index, others);
    }

    /// How many frames of that kind a node sent.
    pub(crate) fn frames(&self, from: usize, kind: &str) -> usize {
        self.sent.iter().filter(|sent| **sent == (from, kind)).count()
    }

    /// Links one node with all others, both ways, and ends its search.
    pub(crate) fn link(&mut self, index: usize) {
        let others: Vec<usize> = (0..self.nodes.len()).filter(|other| *other != index).collect();
        self.link_with(index, &others);
    }

    /// One more node, which can reach only `others` and has not ended its search.
    pub(crate) fn add_unsearched(&mut self, others: &[usize], adjust: impl Fn(&mut Settings)) {
        let index = self.nodes.len();
        self.nodes.push(node(index as u32, self.now, &adjust));
        self.connect(index, others);
    }

    fn link_with(&mut self, index: usize, others: &[usize]) {
        self.connect(index, others);
        self.act(index, |node, now, effects| node.searched(now, effects));
    }

    /// Links one node with others, both ways.
    pub(crate) fn connect(&mut self, index: usize, others: &[usize]) {
        for other in others.iter().copied() {
            for (from, to) in [(index, other), (other, index)] {
                let peer =
                    PeerInfo { incarnation: Incarnation(to as u32 + 1), name: format!("tc{:02}", to + 1) };
                self.act(from, |node, now, effects| node.link_up(&peer, now, effects));
            }
        }
    }

    pub(crate) fn act<R>(&mut self, index: usize, run: impl FnOnce(&Node, Instant, &mut Effects) -> R) -> R {
        let mut link = Link { from: index, refusing: &self.refusing, taken: Vec::new(), refused: 0 };
        let mut effects = Effects::new(&mut link);
        let result = run(&self.nodes[index], self.now, &mut effects);
        let decided = effects.into_decided();
        let Link { taken, refused, .. } = link;
        self.refused += refused;
        for (to, frame) in taken {
            self.sent.push((index, FrameKind::of(&frame).name()));
            self.wires.push_back((index, to.0 as usize - 1, frame));
        }
        for effect in decided {
            match effect {
                Effect::Settled { ticket, receipt } => self.settled.push((index, ticket, receipt)),
                Effect::Event(event) => self.events.push((index, event)),
                Effect::Notice { notice, .. } => self.notices.push((index, notice)),
                Effect::Undelivered { to, frame } => self.nodes[index].undelivered(to, frame),
                other => self.others.push((index, other)),
            }
        }
        result
    }

    /// What is on the way, which is lost: sender, receiver, frame.
    pub(crate) fn take_wires(&mut self) -> Vec<(usize, usize, Bytes)> {
        std::mem::take(&mut self.wires).into()
    }

    /// Delivers everything that is on the way.
    pub(crate) fn deliver(&mut self) {
        let mut waiting = VecDeque::new();
        while let Some((from, to, frame)) = self.wires.pop_front() {
            let is_lost = self.lost.contains(&(from, to, FrameKind::of(&frame).name()));
            if is_lost || self.cut.contains(&from) || self.cut.contains(&to) || to >= self.nodes.len() {
                continue;
            }
            if self.stopped.contains(&to) {
                waiting.push_back((from, to, frame));
                continue;
            }
            let incarnation = Incarnation(from as u32 + 1);
            let frame = if self.older.contains(&to) { unknown(&frame) } else { frame };
            self.act(to, |node, now, effects| {
                node.received(incarnation, &frame, now, effects).expect("our own frames are well formed");
                node.acknowledge(incarnation, effects);
            });
        }
        self.wires = waiting;
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.now = self.now.plus(Duration::from_millis(125));
            for index in 0..self.nodes.len() {
                if !self.stopped.contains(&index) {
                    self.act(index, |node, now, effects| node.tick(now, effects));
                }
            }
            self.deliver();
        }
    }

    pub(crate) fn gate(&self, index: usize) -> Gate {
        self.nodes[index].gate(self.now)
    }

    pub(crate) fn create(&mut self, index: usize, key: SessionKey) -> Ticket {
        let changes = Changes::create(APP, SECRET, Duration::from_secs(1800), None);
        self.commit(index, key, &changes).expect("created")
    }

    /// Commits with a ticket of its own.
    pub(crate) fn commit(
        &mut self,
        index: usize,
        key: SessionKey,
        changes: &Changes,
    ) -> Result<Ticket, Refusal> {
        let ticket = self.ticket();
        self.act(index, |node, now, effects| node.commit(key, changes, Some(ticket), now, effects))?;
        Ok(ticket)
    }

    /// Ends a session with a ticket of its own.
    pub(crate) fn end(&mut self, index: usize, key: SessionKey) -> Ticket {
        let ticket = self.ticket();
        self.act(index, |node, now, effects| node.end(key, Some(ticket), now, effects));
        ticket
    }

    /// A ticket that nobody has.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(crate) fn set(&mut self, index: usize, key: SessionKey, name: &str, value: &str) -> Ticket {
        let mut changes = Changes::new();
        changes.put(FieldName::attribute(name).expect("a valid name"), Some(Value::raw(value.to_owned())));
        self.commit(index, key, &changes).expect("committed")
    }

    pub(crate) fn get(&self, index: usize, key: SessionKey, name: &str) -> Option<String> {
        let fields = self.fields(index, key)?;
        Some(String::from_utf8(fields.get(name)?.bytes.to_vec()).expect("text"))
    }

    pub(crate) fn fields(&self, index: usize, key: SessionKey) -> Option<Fields> {
        self.nodes[index].peek(key).map(|(_, fields)| fields)
    }

    pub(crate) fn open(&mut self, index: usize, key: SessionKey) -> Opening {
        let (proof, question) = (Proof::Secret(SECRET), QuestionId(self.ticket().0));
        let opening = self.act(index, |node, now, effects| node.open(key, proof, question, now, effects));
        let Opening::Asking = opening else { return opening };
        self.deliver();
        self.act(index, |node, now, effects| node.open_answered(key, proof, question, now, effects))
    }

    pub(crate) fn receipt(&self, index: usize, ticket: Ticket) -> Option<Receipt> {
        self.settled
            .iter()
            .find(|(node, settled, _)| (*node, *settled) == (index, ticket))
            .map(|(_, _, receipt)| *receipt)
    }
}

/// The way out of one node during a call.
struct Link<'c> {
    from: usize,
    refusing: &'c [(usize, usize, NotSent)],
    taken: Vec<(Incarnation, Bytes)>,
    refused: usize,
}

impl FrameSink for Link<'_> {
    fn send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        let way = (self.from, to.0 as usize - 1);
        if let Some((.., cause)) = self.refusing.iter().find(|(from, to, _)| (*from, *to) == way) {
            self.refused += 1;
            return Err(*cause);
        }
        self.taken.push((to, frame));
        Ok(())
    }
}

/// The frame as a version takes it that does not know frames of several copies.
fn unknown(frame: &Bytes) -> Bytes {
    let mut frame = frame.to_vec();
    if frame[0] == COPIES {
        frame[0] = UNKNOWN;
    }
    frame.into()
}

/// A node that never has members.
pub(crate) fn alone(adjust: impl Fn(&mut Settings)) -> Node {
    Node::alone(settings(0, &adjust), Instant::ORIGIN)
}

fn node(number: u32, now: Instant, adjust: &impl Fn(&mut Settings)) -> Node {
    Node::new(settings(number, adjust), now)
}

fn settings(number: u32, adjust: &impl Fn(&mut Settings)) -> Settings {
    let mut settings = Settings::new(Incarnation(number + 1), format!("tc{:02}", number + 1));
    adjust(&mut settings);
    settings
}

pub(crate) fn key(number: u8) -> SessionKey {
    SessionKey([number; 16])
}
