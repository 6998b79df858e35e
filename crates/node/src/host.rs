//! The request side of the driver: what a request, or a job outside HTTP, does with the node.
//!
//! The node itself never waits. Here its answers become futures: for the gate, for the members that are asked
//! about an unknown session, for the receipt of a commit. Knows nothing of cookies or HTTP; `web` does.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile_core::{
    Absent, AppId, Changes, Closed, Effects, Fields, Gate, Incarnation, Node, NodeState, Opened, Opening,
    Proof, Receipt, Refusal, Secret, SessionKey,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::engine::Engine;
use super::persist::{Awaited, Found};
use super::tasks::Tasks;

// All that a session layer needs of the driver comes from here.
pub use super::engine::Running;
pub use super::local_values::{LocalChanges, LocalValues, Object};
pub use super::sending::{Busy, CommitPermit};
pub use sessile_group::{ClusterSecrets, SECRET_BYTES};

/// How often a request that found the gate stalled looks again, should nobody have told it.
const GATE_POLL: Duration = Duration::from_millis(50);

/// Why this node cannot take a request. It was not processed and may go to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServing {
    /// It has not got the state, or was removed and reconciles.
    #[error("this node is not ready: it is getting the sessions from the others")]
    NotReady,
    /// It has left.
    #[error("this node has left the cluster")]
    Left,
    /// Another process has its name.
    #[error("this node may not join: another process has its name")]
    Refused,
    /// A fault of the program left behind what nobody may answer from.
    #[error("this node has failed by a fault of the program and must be restarted")]
    Failed,
    /// The session is on another node or in the store, and cannot be had now.
    #[error("this node cannot get the session: it has no room for it, or the store does not answer")]
    NoRoom,
}

/// The sessions of this node, as requests use them. While it lives, so do the node's tasks.
pub struct SessionHost {
    engine: Arc<Engine>,
    _tasks: Arc<Tasks>,
}

impl SessionHost {
    /// The request side of `engine`, which `tasks` keep going.
    pub(crate) fn new(engine: Arc<Engine>, tasks: Arc<Tasks>) -> Self {
        Self { engine, _tasks: tasks }
    }

    /// Whether both are the same node's.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.engine, &other.engine)
    }

    /// Waits while the listeners are too far behind or the lease is out; then says whether this node serves.
    pub async fn admitted(&self) -> Result<(), NotServing> {
        self.engine.listeners.caught_up().await;
        let mut waited = false;
        loop {
            if self.engine.poison.is_poisoned() {
                return Err(NotServing::Failed);
            }
            let moved = self.engine.waiters.gate.notified();
            match self.engine.node.gate(self.engine.clock.now()) {
                Gate::Open => return Ok(()),
                Gate::Closed(closed) => return Err(closed.into()),
                Gate::Stalled => {
                    let waits = u64::from(!std::mem::replace(&mut waited, true));
                    self.engine.gate_waits.fetch_add(waits, Ordering::Relaxed);
                    // The lease is also renewed by time alone, so a missed notice costs one poll, not the
                    // request.
                    let _ = tokio::time::timeout(GATE_POLL, moved).await;
                }
            }
        }
    }

    /// A request runs until the guard is dropped.
    pub fn request(&self) -> Running {
        self.engine.request()
    }

    /// Opens a session, asking all members first when it is not known here.
    pub async fn open(
        self: &Arc<Self>,
        key: SessionKey,
        proof: Proof,
    ) -> Result<(OpenSession, Opened), Absent> {
        let mut answered = false;
        loop {
            match self.try_open(key, proof, answered) {
                Attempt::Open(opened) => return Ok((OpenSession::new(self, key), opened)),
                Attempt::Absent(Absent::Unknown) if self.look_up(key).await? == Found::Here => {
                    answered = false
                }
                Attempt::Absent(absent) => return Err(absent),
                Attempt::Asking(answer) => {
                    self.answered(key, answer).await?;
                    // What the members said holds while the lease does.
                    answered = self.engine.node.gate(self.engine.clock.now()) == Gate::Open;
                    if !answered {
                        self.admitted().await.map_err(|_| Absent::NoRoom)?;
                    }
                }
            }
        }
    }

    /// Reads a session without using it: its idle time goes on. Where this node would have to ask the others
    /// first, it is opened, and that is a use.
    pub async fn look(self: &Arc<Self>, key: SessionKey) -> Result<Opened, Absent> {
        if self.is_complete()
            && let Some((app, fields)) = self.engine.node.peek(key)
        {
            return Ok(Opened { key, app, fields });
        }
        self.open(key, Proof::Trusted).await.map(|(_, opened)| opened)
    }

    /// The fields of this node's own copy.
    pub fn copy(&self, key: SessionKey) -> Option<Fields> {
        self.engine.node.peek(key).map(|(_, fields)| fields)
    }

    /// Whether that secret opens the session here and now.
    pub fn admits(&self, key: SessionKey, secret: Secret) -> bool {
        self.copy(key).is_some_and(|fields| fields.admits(secret))
    }

    /// Whether the holder of that secret has no newer one, and is about to get none, as far as this node
    /// knows.
    pub fn is_settled_secret(&self, key: SessionKey, secret: Secret, quiet: Duration) -> bool {
        self.engine.node.is_settled_secret(key, secret, quiet, self.engine.clock.now())
    }

    /// Which of these secrets opens the session here; of several the newest.
    pub fn newest_admitted(
        &self,
        key: SessionKey,
        secrets: impl IntoIterator<Item = Secret>,
    ) -> Option<Secret> {
        self.copy(key)?.newest_admitted(secrets)
    }

    /// What a secret that was superseded less than `grace` ago still shows, and of which application.
    pub fn before_change(&self, key: SessionKey, secret: Secret, grace: Duration) -> Option<(AppId, Fields)> {
        self.engine.node.before_change(key, secret, grace, self.engine.clock.now())
    }

    /// How long this node has known that the session ended.
    pub fn ended_for(&self, key: SessionKey) -> Option<Duration> {
        self.engine.node.ended_for(key, self.engine.clock.now())
    }

    /// This process.
    pub fn incarnation(&self) -> Incarnation {
        self.engine.node.incarnation()
    }

    /// The processes that are members now, this one included.
    pub fn members(&self) -> Vec<Incarnation> {
        self.engine.node.members(self.engine.clock.now()).iter().map(|member| member.incarnation).collect()
    }

    /// Looks into the store for a session that no member knows.
    async fn look_up(&self, key: SessionKey) -> Result<Found, Absent> {
        let Some(persist) = self.engine.persist.get() else { return Ok(Found::Nowhere) };
        match persist.look_up(&self.engine, key).await {
            Found::Unavailable => Err(Absent::NoRoom),
            found => Ok(found),
        }
    }

    /// Waits for the members, or, within bounds, for content that comes from the store.
    async fn answered(&self, key: SessionKey, answer: oneshot::Receiver<()>) -> Result<(), Absent> {
        let answered = match self.engine.persist.get().filter(|_| self.engine.node.is_swapped_out(key)) {
            None => answer.await.is_ok(),
            Some(persist) => matches!(timeout(persist.patience(), answer).await, Ok(Ok(()))),
        };
        if answered { Ok(()) } else { Err(Absent::NoRoom) }
    }

    /// Why a session that may live cannot be had.
    pub fn without_session(&self) -> NotServing {
        if self.engine.poison.is_poisoned() {
            return NotServing::Failed;
        }
        match self.engine.node.gate(self.engine.clock.now()) {
            Gate::Closed(closed) => closed.into(),
            Gate::Open | Gate::Stalled => NotServing::NoRoom,
        }
    }

    fn try_open(&self, key: SessionKey, proof: Proof, answered: bool) -> Attempt {
        // What is here needs no question, and so no place among those who wait.
        let at_once = |node: &Node, now, effects: &mut Effects| node.open_at_once(key, proof, now, effects);
        match (!answered).then(|| self.engine.step(at_once)).flatten() {
            Some(Opening::Open(opened)) => Attempt::Open(opened),
            Some(Opening::Absent(absent)) => Attempt::Absent(absent),
            Some(Opening::Asking) | None => self.open_asking(key, proof, answered),
        }
    }

    fn open_asking(&self, key: SessionKey, proof: Proof, answered: bool) -> Attempt {
        let (question, answer) = self.engine.waiters.question();
        let opening = self.engine.step(|node, now, effects| match answered {
            false => node.open(key, proof, question, now, effects),
            true => node.open_answered(key, proof, question, now, effects),
        });
        if !matches!(opening, Opening::Asking) {
            self.engine.waiters.question_unasked(question);
        }
        match opening {
            Opening::Open(opened) => Attempt::Open(opened),
            Opening::Absent(absent) => Attempt::Absent(absent),
            Opening::Asking => Attempt::Asking(answer),
        }
    }

    /// Whether one more session would be accepted now.
    pub fn has_room(&self) -> bool {
        let room = self.engine.node.has_room();
        self.engine.refusals.fetch_add(u64::from(!room), Ordering::Relaxed);
        room
    }

    /// Waits until a commit on this session may begin, as `[sender]` says. Nothing happened when it is given
    /// up.
    pub async fn commit_permit(&self, key: SessionKey) -> Result<CommitPermit, Busy> {
        self.engine.sending.commit_permit(&self.engine, key).await
    }

    /// Commits `changes`. When this returns, the node and the senders hold the commit, and it runs to its end
    /// whether or not anybody waits for the settlement: that is why no task of its own is needed.
    pub fn commit(
        &self,
        key: SessionKey,
        changes: &Changes,
        commit_permit: CommitPermit,
    ) -> Result<Settlement, Refusal> {
        let mut changes = Cow::Borrowed(changes);
        if commit_permit.synchronous {
            changes.to_mut().wait_for_all();
        }
        self.engine.planted.write_more(&self.engine.node, key, &mut changes);
        let connection = commit_permit.connection();
        let (ticket, settled) = self.engine.waiters.commit(commit_permit.permit);
        let commit =
            |node: &Node, now, effects: &mut Effects| node.commit(key, &changes, Some(ticket), now, effects);
        self.engine.step_on(connection, commit).inspect_err(|refusal| {
            self.engine.waiters.commit_refused(ticket);
            self.engine.refusals.fetch_add(u64::from(*refusal != Refusal::Ended), Ordering::Relaxed);
        })?;
        Ok(Settlement::of(settled).and_saved(&self.engine, key))
    }

    /// The settlement waits for the store, too, be that configured or not.
    pub fn save_through(&self, settlement: &mut Settlement, key: SessionKey) {
        if let Saving::NotAwaited = settlement.saving {
            let persist = self.engine.persist.get();
            let awaited = persist.and_then(|persist| persist.awaited_on_request(&self.engine, key));
            settlement.saving = awaited.map_or(Saving::Impossible, Saving::Awaited);
        }
    }

    /// What the session has on this node only.
    pub fn local_values(&self, key: SessionKey) -> Option<Arc<LocalValues>> {
        self.engine.local_values.of(key)
    }

    /// Bytes of all attributes that stay on this node.
    pub fn local_bytes(&self) -> usize {
        self.engine.local_values.bytes()
    }

    /// Keeps on this node what stays on it, as long as the session is here.
    pub fn keep(&self, key: SessionKey, changes: LocalChanges) {
        if changes.is_empty() {
            return;
        }
        self.engine.local_values.change(key, changes);
        // An end that came before was told when there was nothing to forget.
        if !self.engine.node.holds(key) {
            self.engine.local_values.forget(key);
        }
    }

    /// A local value was asked for that is not on this node.
    pub fn count_missed_value(&self) {
        self.engine.local_values.count_missed();
    }

    /// A change in place was dropped.
    pub fn count_discarded(&self) {
        self.engine.discarded.fetch_add(1, Ordering::Relaxed);
    }

    /// A request got the answer of the first time.
    pub fn count_replayed(&self) {
        self.engine.replayed.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the session everywhere, for good, also when it is not known here. Needs nobody to wait either.
    pub fn end(&self, key: SessionKey) -> Settlement {
        let (ticket, settled) = self.engine.waiters.commit(None);
        self.engine.step(|node, now, effects| node.end(key, Some(ticket), now, effects));
        Settlement::of(settled).and_saved(&self.engine, key)
    }

    /// The same for a session that its bearer carries: members remember its end for `keep`.
    pub fn end_carried(&self, key: SessionKey, app: AppId, keep: Duration) -> Settlement {
        let (ticket, settled) = self.engine.waiters.commit(None);
        self.engine.step(|node, now, effects| node.end_carried(key, app, keep, Some(ticket), now, effects));
        Settlement::of(settled).and_saved(&self.engine, key)
    }

    /// Whether a session that no node holds was ended; a node that may lack ends asks the others.
    pub async fn has_ended(self: &Arc<Self>, key: SessionKey) -> bool {
        if self.is_complete() {
            return self.remembers_end(key);
        }
        matches!(self.open(key, Proof::Trusted).await, Err(Absent::Ended))
    }

    /// Whether this node knows that the session ended.
    pub fn remembers_end(&self, key: SessionKey) -> bool {
        self.engine.node.glance(key, self.engine.clock.now()).is_some_and(|glance| glance.ended)
    }

    /// Since 1970, by this node's wall clock.
    pub fn wall_time(&self) -> Duration {
        self.engine.clock.wall()
    }

    /// Whether what this node does not know is known to nobody.
    fn is_complete(&self) -> bool {
        matches!(self.engine.node.state(), NodeState::Ready | NodeState::Draining)
    }

    /// The sessions of these applications that this node wrote last.
    pub(crate) fn last_written_here(&self, apps: &[AppId]) -> Vec<SessionKey> {
        self.engine.node.last_written_here(apps)
    }

    /// Waits until the commit of this node on that session, which a reader may have seen, is settled.
    pub async fn settled(&self, key: SessionKey) {
        if self.engine.node.is_settled(key) {
            return;
        }
        let (ticket, settled) = self.engine.waiters.commit(None);
        if self.engine.node.await_settled(key, ticket) {
            Settlement::of(settled).receipt().await;
        } else {
            self.engine.waiters.commit_refused(ticket);
        }
    }
}

/// What one attempt to open a session gave.
enum Attempt {
    Open(Opened),
    Absent(Absent),
    /// The members were asked; to be tried again when they have answered.
    Asking(oneshot::Receiver<()>),
}

/// While this lives the session is in use, and does not expire.
pub struct OpenSession {
    host: Arc<SessionHost>,
    key: SessionKey,
}

impl OpenSession {
    fn new(host: &Arc<SessionHost>, key: SessionKey) -> Self {
        Self { host: Arc::clone(host), key }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let engine = &self.host.engine;
        engine.node.close(self.key, engine.clock.now());
    }
}

/// A commit on its way to everybody who must hold it.
#[must_use = "the response must wait for it"]
pub struct Settlement {
    settled: oneshot::Receiver<Receipt>,
    saving: Saving,
}

/// Whether the store must have it, too.
enum Saving {
    NotAwaited,
    Awaited(Awaited),
    /// It was asked for where nothing is stored.
    Impossible,
}

impl Settlement {
    fn of(settled: oneshot::Receiver<Receipt>) -> Self {
        Self { settled, saving: Saving::NotAwaited }
    }

    /// The same, until the store has it where it must.
    fn and_saved(self, engine: &Engine, key: SessionKey) -> Self {
        let awaited = engine.persist.get().and_then(|persist| persist.awaited(engine, key));
        Self { saving: awaited.map_or(Saving::NotAwaited, Saving::Awaited), ..self }
    }

    /// Waits until all who must hold the commit hold it, or were given up. `None`: this node failed
    /// meanwhile, and nobody can say.
    pub async fn receipt(self) -> Option<Receipt> {
        let receipt = self.settled.await.ok()?;
        let stored = match self.saving {
            Saving::NotAwaited => None,
            Saving::Awaited(saved) => Some(saved.done().await),
            Saving::Impossible => Some(false),
        };
        Some(Receipt { stored, ..receipt })
    }
}

impl From<Closed> for NotServing {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::NotReady => Self::NotReady,
            Closed::Left => Self::Left,
            Closed::Refused => Self::Refused,
        }
    }
}
