//! What happened: logged in the words that an operator looks for, told to listeners, and kept in a few
//! numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use sessile_core::{EndReason, Event, Incarnation, NotTaken, SessionKey};
use tokio::sync::broadcast;

/// Events that a slow listener may be behind; then it is told that it missed some.
const EVENTS_MAX: usize = 1024;
/// Members whose late acknowledgements are counted.
const LATE_MAX: usize = 1024;

/// The memory of one node's events.
pub(crate) struct EventLog {
    events: broadcast::Sender<Event>,
    facts: Mutex<Facts>,
    #[cfg(feature = "by_hand")]
    discards: bool,
}

#[derive(Default)]
struct Facts {
    names: BTreeMap<Incarnation, String>,
    transfer: Transfer,
    late_acks: BTreeMap<String, u64>,
}

/// The last state transfer to this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Times that the state was asked for.
    pub(crate) requested: u64,
    /// How many of them brought it.
    pub(crate) received: u64,
    /// How long the last one took.
    pub(crate) elapsed: Duration,
    /// How many sessions it brought.
    pub(crate) sessions: u64,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            events: broadcast::Sender::new(EVENTS_MAX),
            facts: Mutex::default(),
            #[cfg(feature = "by_hand")]
            discards: false,
        }
    }
}

impl EventLog {
    /// Throws all events away: with it the tests see that nothing but logs and counters depends on them.
    #[cfg(feature = "by_hand")]
    pub(crate) fn discarding() -> Self {
        Self { discards: true, ..Self::default() }
    }

    /// Everything that happens from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn transfer(&self) -> Transfer {
        self.facts.lock().transfer
    }

    /// How often a member acknowledged nothing for the ack timeout, by name.
    pub(crate) fn late_acks(&self) -> BTreeMap<String, u64> {
        self.facts.lock().late_acks.clone()
    }

    pub(crate) fn note(&self, event: Event) {
        #[cfg(feature = "by_hand")]
        if self.discards {
            return;
        }
        self.log(&event);
        if self.events.receiver_count() > 0 {
            // The last listener may have gone since.
            let _ = self.events.send(event);
        }
    }

    fn log(&self, event: &Event) {
        match event {
            Event::Created { key, remote, .. } => tracing::debug!(%key, remote, "session created"),
            Event::Replicated { key, from } => tracing::debug!(%key, %from, "session replicated"),
            Event::Ended { key, reason, remote, .. } => {
                let reason = match reason {
                    EndReason::Invalidated => "invalidated",
                    EndReason::Expired => "expired",
                };
                tracing::debug!(%key, reason, remote, "session ended");
            }
            Event::Revived { key, .. } => tracing::debug!(%key, "session revived from the store"),
            Event::NotTaken { key, by, cause } => self.log_not_taken(*key, *by, *cause),
            Event::AckLate { by, after } => self.log_late_ack(*by, *after),
            about_members => self.log_membership(about_members),
        }
    }

    fn log_not_taken(&self, key: Option<SessionKey>, by: Incarnation, cause: NotTaken) {
        let (member, cause_name) = (self.name(by), cause.name());
        let key = key.map(|key| key.to_string()).unwrap_or_default();
        match cause {
            NotTaken::TooLong => {
                tracing::error!(
                    key,
                    "{member} cannot get a copy of a session: it is longer than a frame may be"
                );
            }
            NotTaken::Full => tracing::warn!(key, "{member} has no room for a copy of a session"),
            _ => tracing::debug!(key, cause = cause_name, "not taken by {member}"),
        }
    }

    fn log_late_ack(&self, by: Incarnation, after: Duration) {
        let member = self.name(by);
        tracing::warn!(
            "no acknowledgement from {member} for {} ms: what is on the way is sent again",
            after.as_millis()
        );
        let late = &mut self.facts.lock().late_acks;
        if late.len() < LATE_MAX || late.contains_key(&member) {
            *late.entry(member).or_default() += 1;
        }
    }

    fn log_membership(&self, event: &Event) {
        match event {
            Event::MemberAdded { incarnation, name } => {
                self.facts.lock().names.insert(*incarnation, name.clone());
                tracing::info!(%incarnation, "member added {name}");
            }
            Event::MemberSuspected { incarnation, name } => {
                tracing::warn!(%incarnation, "member suspected {name}")
            }
            Event::MemberRemoved { incarnation, name, cause } => {
                tracing::info!(%incarnation, "member removed {name}: {cause}");
                self.facts.lock().names.remove(incarnation);
            }
            Event::StateRequested { from } => {
                self.facts.lock().transfer.requested += 1;
                tracing::info!("state requested from {}", self.name(*from));
            }
            Event::StateReceived { sessions, elapsed } => {
                let transfer = &mut self.facts.lock().transfer;
                transfer.received += 1;
                (transfer.sessions, transfer.elapsed) = (*sessions, *elapsed);
                tracing::info!("state received in {} ms, {sessions} sessions", elapsed.as_millis());
            }
            Event::TransferInterrupted { donor } => {
                tracing::warn!("state transfer from {} interrupted: asking another", self.name(*donor));
            }
            Event::Unreachable { incarnations } => {
                let incarnations: Vec<_> = incarnations.iter().map(ToString::to_string).collect();
                tracing::warn!(
                    "the others have members that this node cannot reach ({}): if membership is static, all nodes must be \
                     in [membership] members; otherwise look at the network between them",
                    incarnations.join(", ")
                );
            }
            Event::Founded => tracing::info!("nobody else is here: this node begins the cluster"),
            Event::BecameReady { complete: true } => tracing::info!("ready"),
            Event::BecameReady { complete: false } => {
                tracing::warn!("ready, incomplete: the transfer time passed before all sessions were here");
            }
            Event::SteppedOut { by } => {
                tracing::warn!("{} went on without this node: getting its sessions again", self.name(*by));
            }
            Event::NameTaken { by } => {
                tracing::error!(%by, "another live process has this node's name: this one serves no more");
            }
            Event::Created { .. }
            | Event::Replicated { .. }
            | Event::Ended { .. }
            | Event::Revived { .. }
            | Event::NotTaken { .. }
            | Event::AckLate { .. } => {}
        }
    }

    /// The name of a member, or what names its process.
    fn name(&self, incarnation: Incarnation) -> String {
        self.facts.lock().names.get(&incarnation).cloned().unwrap_or_else(|| incarnation.to_string())
    }
}
