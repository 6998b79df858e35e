//! Records the operations of all clients and the events of the cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;
use sessile_history::{
    Action, Agreement, Division, History, Holding, Life, Micros, Operation, OperationId, OperationOutcome,
    ProcessId, SessionId, SessionRecord,
};

use super::event::DrillEvent;
use super::target::UNNAMED;

/// The recorder. Clones share one state.
#[derive(Clone)]
pub(super) struct HistoryRecorder {
    began: Instant,
    inner: Arc<Mutex<RecorderState>>,
    end: LoadEnd,
}

/// A request to end the load.
#[derive(Debug, Clone, Default)]
pub(super) struct LoadEnd(Arc<AtomicBool>);

#[derive(Default)]
struct RecorderState {
    history: History,
    /// The last partition is healed.
    healed: bool,
    /// Counts the events of the cluster.
    epoch: u64,
    events: Vec<(Micros, DrillEvent)>,
}

/// An event that names an unknown node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no node `{0}`")]
pub(super) struct NoSuchNode(String);

impl HistoryRecorder {
    /// A recorder for a cluster of these nodes, which all run.
    pub(super) fn new(nodes: &[String], asynchronous: bool) -> Self {
        let life = |node| Life { process: node as ProcessId, node, from: 0, to: None, pauses: Vec::new() };
        let lives = (0..nodes.len()).map(life).collect();
        let history = History { asynchronous, nodes: nodes.to_vec(), lives, ..History::default() };
        let inner = RecorderState { history, ..RecorderState::default() };
        Self { began: Instant::now(), inner: Arc::new(Mutex::new(inner)), end: LoadEnd::default() }
    }

    pub(super) fn end_of_load(&self) -> LoadEnd {
        self.end.clone()
    }

    pub(super) fn now(&self) -> Micros {
        Micros::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    /// Number of operations, including running ones.
    pub(super) fn operations(&self) -> usize {
        self.inner.lock().history.operations.len()
    }

    /// A client is about to create a session with this canary.
    pub(super) fn creating(&self, client: u32, canary: u64) -> (SessionId, OperationId) {
        let mut inner = self.inner.lock();
        let (session, created_by) = (inner.history.sessions.len(), inner.history.operations.len());
        let key = format!("(session {session}, not answered)");
        inner.history.sessions.push(SessionRecord { key, canary, created_by, ended_at: None });
        let create = Operation::new(client, session, Action::Create, self.now());
        inner.history.operations.push(create);
        (session, created_by)
    }

    /// Records the key of a created session.
    pub(super) fn made(&self, session: SessionId, key: &str) {
        key.clone_into(&mut self.inner.lock().history.sessions[session].key);
    }

    /// A client is about to send an operation.
    pub(super) fn sending(&self, client: u32, session: SessionId, action: Action) -> OperationId {
        let mut inner = self.inner.lock();
        let operation = Operation::new(client, session, action, self.now());
        inner.history.operations.push(operation);
        inner.history.operations.len() - 1
    }

    /// Records the result of an operation, and the answering node.
    pub(super) fn ended(&self, id: OperationId, node: Option<&str>, fill: impl FnOnce(&mut Operation)) {
        let mut inner = self.inner.lock();
        let ended = self.now();
        let began = inner.history.operations[id].began;
        // If the node was restarted meanwhile, the answering process is unknown.
        let life = node.and_then(|name| inner.life(name)).filter(|life| life.from <= began);
        let process = life.map(|life| life.process);
        let operation = &mut inner.history.operations[id];
        (operation.ended, operation.process) = (Some(ended), process);
        fill(operation);
    }

    /// Records an event before it is caused, or after it is undone.
    pub(super) fn note(&self, event: DrillEvent) -> Result<(), NoSuchNode> {
        let mut inner = self.inner.lock();
        let now = self.now();
        inner.epoch += 1;
        match &event {
            DrillEvent::Killed(node) => inner.life_mut(node)?.to = Some(now),
            DrillEvent::Started(node) => inner.born(node, now)?,
            DrillEvent::Stopped(node) => inner.life_mut(node)?.pauses.push((now, None)),
            DrillEvent::Resumed(node) => {
                if let Some(pause) = inner.life_mut(node)?.pauses.last_mut() {
                    pause.1 = Some(now);
                }
            }
            DrillEvent::Cut(sides) => inner.cut(sides.as_deref(), now)?,
            DrillEvent::Healed => inner.healed = true,
            DrillEvent::Note(_) => {}
        }
        inner.events.push((now, event));
        Ok(())
    }

    /// Number of running processes and the epoch; `None` while a process is stopped or a partition exists.
    pub(super) fn undisturbed(&self) -> Option<(usize, u64)> {
        let inner = self.inner.lock();
        let stopped = |life: &Life| life.to.is_none() && life.pauses.iter().any(|(_, end)| end.is_none());
        let is_cut = !inner.healed && inner.history.divisions.last().is_some_and(|cut| cut.to.is_none());
        let is_calm = !is_cut && !inner.history.lives.iter().any(stopped);
        is_calm.then(|| (inner.living().len(), inner.epoch))
    }

    /// All nodes agreed during this time, if no event followed since `epoch`.
    pub(super) fn agreement(&self, from: Micros, to: Micros, epoch: u64) {
        let mut inner = self.inner.lock();
        if inner.epoch != epoch {
            return;
        }
        let processes = inner.living();
        if let Some(division) = inner.history.divisions.last_mut() {
            division.to.get_or_insert(to);
        }
        match inner
            .history
            .agreements
            .last_mut()
            .filter(|last| last.to >= from && last.processes == processes)
        {
            Some(last) => last.to = to,
            None => inner.history.agreements.push(Agreement { from, to, processes }),
        }
    }

    /// Whether all nodes agreed since the last event.
    pub(super) fn is_calm(&self) -> bool {
        let inner = self.inner.lock();
        let disturbed = inner.events.last().map_or(0, |(at, _)| *at);
        inner.history.agreements.last().is_some_and(|agreement| agreement.from >= disturbed)
    }

    /// The current process of a node.
    pub(super) fn process(&self, node: &str) -> Option<ProcessId> {
        self.inner.lock().life(node).map(|life| life.process)
    }

    /// The sessions that each process held at the end.
    pub(super) fn hold(&self, holdings: Vec<Holding>) {
        self.inner.lock().history.holdings = holdings;
    }

    /// Numbers of acknowledged and of unknown operations; running operations count as neither.
    pub(super) fn counts(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        let count = |outcome| {
            let over = inner.history.operations.iter().filter(|operation| operation.ended.is_some());
            over.filter(|operation| operation.outcome == outcome).count()
        };
        (count(OperationOutcome::Ok), count(OperationOutcome::Unknown))
    }

    /// Reads the history and the events.
    pub(super) fn look<T>(&self, at: impl FnOnce(&History, &[(Micros, DrillEvent)]) -> T) -> T {
        let inner = self.inner.lock();
        at(&inner.history, &inner.events)
    }
}

impl RecorderState {
    fn node(&self, name: &str) -> Option<usize> {
        let is_whole = self.history.nodes == [UNNAMED];
        self.history.nodes.iter().position(|node| is_whole || node == name)
    }

    fn life(&self, name: &str) -> Option<&Life> {
        let node = self.node(name)?;
        self.history.lives.iter().rev().find(|life| life.node == node)
    }

    fn life_mut(&mut self, name: &str) -> Result<&mut Life, NoSuchNode> {
        let node = self.node(name).ok_or_else(|| NoSuchNode(name.to_owned()))?;
        let life = self.history.lives.iter_mut().rev().find(|life| life.node == node);
        life.ok_or_else(|| NoSuchNode(name.to_owned()))
    }

    fn born(&mut self, name: &str, from: Micros) -> Result<(), NoSuchNode> {
        let node = self.node(name).ok_or_else(|| NoSuchNode(name.to_owned()))?;
        let process = self.history.lives.len() as ProcessId;
        self.history.lives.push(Life { process, node, from, to: None, pauses: Vec::new() });
        Ok(())
    }

    fn cut(&mut self, sides: Option<&[Vec<String>]>, now: Micros) -> Result<(), NoSuchNode> {
        let sides = sides.map(|sides| self.sides(sides)).transpose()?;
        self.healed = false;
        match self.history.divisions.last_mut().filter(|division| division.to.is_none()) {
            Some(division) if division.sides != sides => division.sides = None,
            Some(_) => {}
            None => self.history.divisions.push(Division { from: now, to: None, sides }),
        }
        Ok(())
    }

    /// The side of each node; an unnamed node is alone on its side.
    fn sides(&self, named: &[Vec<String>]) -> Result<Vec<u8>, NoSuchNode> {
        let known = |name: &&String| self.node(name).is_none();
        if let Some(stranger) = named.iter().flatten().find(known) {
            return Err(NoSuchNode(stranger.clone()));
        }
        let side = |(node, name): (usize, &String)| {
            let side = named.iter().position(|side| side.contains(name)).unwrap_or(named.len() + node);
            u8::try_from(side).unwrap_or(u8::MAX)
        };
        Ok(self.history.nodes.iter().enumerate().map(side).collect())
    }

    fn living(&self) -> Vec<ProcessId> {
        let living = self.history.lives.iter().filter(|life| life.to.is_none());
        living.map(|life| life.process).collect()
    }
}

impl LoadEnd {
    pub(super) fn request(&self) {
        self.0.store(true, Relaxed);
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> HistoryRecorder {
        HistoryRecorder::new(&["tc01", "tc02", "tc03"].map(str::to_owned), false)
    }

    fn tell(recorder: &HistoryRecorder, line: &str) {
        recorder.note(line.parse().expect("an event")).expect("its nodes are there");
    }

    #[test]
    fn a_restarted_node_is_a_new_process() {
        let recorder = recorder();
        tell(&recorder, "killed tc02");
        assert_eq!(recorder.undisturbed(), Some((2, 1)));
        tell(&recorder, "started tc02");
        assert_eq!((recorder.process("tc02"), recorder.undisturbed()), (Some(3), Some((3, 2))));
        tell(&recorder, "stopped tc02");
        assert_eq!(recorder.undisturbed(), None);
        tell(&recorder, "resumed tc02");
        let pauses = recorder.look(|history, _| history.lives[3].pauses.clone());
        assert!(matches!(pauses[..], [(from, Some(to))] if from <= to));
    }

    #[test]
    fn a_division_lasts_until_all_nodes_agree() {
        let recorder = recorder();
        tell(&recorder, "cut tc01,tc03");
        assert_eq!(recorder.undisturbed(), None);
        tell(&recorder, "healed");
        let epoch = recorder.undisturbed().expect("nothing is cut").1;
        assert!(!recorder.is_calm());
        recorder.agreement(recorder.now(), recorder.now(), epoch - 1);
        assert!(!recorder.is_calm(), "what was seen before the heal says nothing");
        recorder.agreement(recorder.now(), recorder.now(), epoch);
        assert!(recorder.is_calm());
        let divisions = recorder.look(|history, _| history.divisions.clone());
        assert_eq!(divisions[0].sides, Some(vec![0, 2, 0]));
        assert!(divisions[0].to.is_some());
    }

    #[test]
    fn a_second_cut_before_agreement_leaves_no_sides() {
        let recorder = recorder();
        tell(&recorder, "cut tc01 tc02,tc03");
        tell(&recorder, "healed");
        tell(&recorder, "cut tc01,tc02 tc03");
        let divisions = recorder.look(|history, _| history.divisions.clone());
        assert_eq!((divisions.len(), divisions[0].sides.clone()), (1, None));
        assert!(recorder.note("killed tc09".parse().expect("an event")).is_err());
    }

    #[test]
    fn the_answering_process_is_unknown_after_a_restart() {
        let recorder = recorder();
        let (_, id) = recorder.creating(0, 1);
        std::thread::sleep(std::time::Duration::from_millis(2));
        tell(&recorder, "killed tc01");
        tell(&recorder, "started tc01");
        recorder.ended(id, Some("tc01"), |_| {});
        assert_eq!(recorder.look(|history, _| history.operations[id].process), None);
    }
}
