//! The keys that a session remembers, as notes: sixteen slots for each node, so that two nodes never write to
//! one.
//!
//! A claim goes to all members before its request runs. Two nodes that claim one key at once cannot both miss
//! the other: each looks again when everybody has its own claim, and whoever sees another's gives way. Both
//! may; they try again a little later, not at the same moment.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Changes, FieldName, Fields, SessionKey};
use tokio::time::{Instant, sleep};

use super::key_locks::KeyLock;
use super::keyed_request::KeyedRequest;
use super::note::{Entry, Stage};
use super::stored_response::StoredResponse;
use crate::app::AppSessions;
use crate::error::SessionError;
use crate::session::random;
use sessile_node::host::{Busy, CommitPermit, Settlement};

/// Keys that a session remembers of each node; beyond, the oldest are forgotten.
const SLOTS: usize = 16;
/// Longest wait for whoever works on the same key.
const WAIT: Duration = Duration::from_secs(10);
/// How often it is looked for the answer of another node.
const POLL: Duration = Duration::from_millis(20);
/// Begins the names of the ledger's notes.
const PREFIX: &str = "once.";

/// The ledger of one session, as this node sees it.
#[derive(Clone)]
pub(super) struct Ledger {
    app: Arc<AppSessions>,
    session: SessionKey,
}

/// What a request finds.
pub(super) enum Entered {
    /// It is to be carried out.
    Claimed(KeyClaim),
    /// It was carried out, and answered so.
    Done(StoredResponse),
    /// The key is another request's.
    OtherRequest,
    /// Somebody works on it, for longer than anybody waits.
    Busy,
}

/// A key that a request works on, until its changes are settled or it was given up.
pub(crate) struct KeyClaim {
    claim: Claim,
    _turn: KeyLock,
}

/// What the session says of it. Dropping it takes it back, if it still stands: whatever became of the
/// request, also before all members had the claim, what was not carried out may be tried again.
struct Claim {
    ledger: Ledger,
    slot: FieldName,
    entry: Entry,
}

impl Ledger {
    pub(super) fn new(app: Arc<AppSessions>, session: SessionKey) -> Self {
        Self { app, session }
    }

    /// Claims the key, unless its request was carried out before, and waits where it is just being.
    pub(super) async fn enter(self, asked: KeyedRequest) -> Result<Entered, SessionError> {
        let deadline = Instant::now() + WAIT;
        let locked = (self.session, asked.key);
        let Some(turn) = self.app.controls.key_locks.take(locked, deadline).await else {
            return Ok(Entered::Busy);
        };
        loop {
            match self.other(asked).map(|entry| (entry.request == asked.request, entry.stage)) {
                Some((false, _)) => return Ok(Entered::OtherRequest),
                Some((true, Stage::Done(answer))) => return Ok(Entered::Done(answer)),
                Some((true, Stage::Running(_))) => sleep(POLL).await,
                None => match self.claim(asked).await? {
                    Some(claim) => return Ok(Entered::Claimed(KeyClaim { claim, _turn: turn })),
                    None => sleep(apart()).await,
                },
            }
            if Instant::now() > deadline {
                return Ok(Entered::Busy);
            }
        }
    }

    /// Tells all members that this node works on it; `None` when another one does, too.
    async fn claim(&self, asked: KeyedRequest) -> Result<Option<Claim>, SessionError> {
        let commit_permit =
            self.app.host.commit_permit(self.session).await.map_err(|Busy| SessionError::Busy)?;
        let (claim, settlement) = self.write_claim(asked, commit_permit)?;
        match settlement.receipt().await {
            None => Err(SessionError::OutcomeUnknown),
            Some(receipt) if receipt.ended => Err(SessionError::Ended),
            Some(_) => Ok(self.other(asked).is_none().then_some(claim)),
        }
    }

    fn write_claim(
        &self,
        asked: KeyedRequest,
        commit_permit: CommitPermit,
    ) -> Result<(Claim, Settlement), SessionError> {
        // Two requests with different keys must not choose one slot.
        let _choosing = self.app.controls.key_locks.choosing();
        let (slot, number) = self.free_slot().ok_or(SessionError::Busy)?;
        let entry = Entry::running(asked, number, self.app.host.incarnation());
        let mut changes = Changes::new();
        changes.put(slot.clone(), Some(entry.encode()));
        // In asynchronous mode, too: that another node can miss it is what it is for.
        changes.wait_for_all();
        let settlement = self.app.host.commit(self.session, &changes, commit_permit)?;
        Ok((Claim { ledger: self.clone(), slot, entry }, settlement))
    }

    /// The slot of this node that is free, or was used longest ago, and the number of its next entry.
    fn free_slot(&self) -> Option<(FieldName, u64)> {
        let entries = self.entries();
        let mut slots: Vec<_> = (0..SLOTS).map(|slot| (None, self.slot_name(slot))).collect();
        for (name, entry) in &entries {
            if let Some(slot) = slots.iter_mut().find(|(_, slot)| slot == name) {
                slot.0 = Some(entry);
            }
        }
        let number = slots.iter().filter_map(|(entry, _)| entry.map(|entry| entry.number + 1)).max();
        let free = slots.iter().filter(|(entry, _)| entry.is_none_or(|entry| !self.runs_here(entry)));
        let (_, slot) = free.min_by_key(|(entry, _)| entry.map(|entry| entry.number))?;
        Some((FieldName::note(slot).expect("a short name of visible characters"), number.unwrap_or(0)))
    }

    fn slot_name(&self, slot: usize) -> String {
        format!("{PREFIX}{}.{slot}", self.app.node_name)
    }

    /// What is known of the key, but for a claim of this node, whose turn it is: that it was carried out, or
    /// else that a member works on it.
    fn other(&self, asked: KeyedRequest) -> Option<Entry> {
        let members = self.app.host.members();
        let counts = move |entry: &Entry| match entry.runner() {
            None => true,
            Some(incarnation) => incarnation != self.app.host.incarnation() && members.contains(&incarnation),
        };
        let of_key =
            self.entries().into_iter().map(|(_, entry)| entry).filter(|entry| entry.key == asked.key);
        of_key.filter(counts).min_by_key(|entry| entry.runner().is_some())
    }

    fn runs_here(&self, entry: &Entry) -> bool {
        entry.runner() == Some(self.app.host.incarnation())
    }

    fn entries(&self) -> Vec<(String, Entry)> {
        let Some(fields) = self.app.host.copy(self.session) else { return Vec::new() };
        let decoded = |(name, value): (&str, _)| Some((name.to_owned(), Entry::decode(value)?));
        fields.notes().filter(|(name, _)| name.starts_with(PREFIX)).filter_map(decoded).collect()
    }
}

impl KeyClaim {
    pub(super) fn session(&self) -> SessionKey {
        self.claim.ledger.session
    }

    /// The note that it was carried out; to be committed with what the handler wrote.
    pub(super) fn done(&self, answer: StoredResponse) -> (FieldName, Entry) {
        let Claim { slot, entry, .. } = &self.claim;
        (slot.clone(), Entry { stage: Stage::Done(answer), ..entry.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Self { ledger: Ledger { app, session }, slot, entry } = self;
        let stands = |fields: Fields| {
            let value = fields.get(slot.as_str());
            value.is_some_and(|value| Entry::decode((&value).into()).as_ref() == Some(entry))
        };
        if !app.host.copy(*session).is_some_and(stands) {
            return;
        }
        let mut changes = Changes::new();
        changes.put(slot.clone(), None);
        // A session that ended, or a node that has no room, has no claims either: both end them.
        let _ = app.host.commit(*session, &changes, CommitPermit::default());
    }
}

/// A time that two nodes hardly choose both.
fn apart() -> Duration {
    Duration::from_millis(5 + u64::from(random()[0]) / 4)
}
