//! What the ledger needs of a request's session.

use std::sync::Arc;

use sessile_core::SessionKey;

use super::ledger::KeyClaim;
use super::stored_response::StoredResponse;
use crate::app::AppSessions;
use crate::draft::DraftState;
use crate::session::Session;

impl Session {
    /// The session that the request came with, where the request may write to it and nodes hold it: what a
    /// cookie carries is seen by nobody who gets the cookie from before.
    pub(super) fn ledgered(&self) -> Option<(Arc<AppSessions>, SessionKey)> {
        match self.writable().ok()?.draft.state() {
            DraftState::Held(identity) if !self.is_client_side() => {
                Some((Arc::clone(self.app()), identity.key))
            }
            _ => None,
        }
    }

    /// Keeps the key for this request until it is over; from now on reads see what others wrote until now.
    pub(super) fn keep_claim(&self, claim: KeyClaim) {
        if let Some(fields) = self.app().host.copy(claim.session()) {
            self.reopen(fields);
        }
        self.used().claim = Some(claim);
    }

    /// Whether the handler wrote to the session.
    pub(super) fn wrote(&self) -> bool {
        self.used().draft.writes_any()
    }

    /// Notes the answer with what the handler wrote. Where it ended the session, there is nothing to note it
    /// in.
    pub(super) fn note_done(&self, answer: StoredResponse) {
        let Ok(mut state) = self.writable() else { return };
        let Some((session, (slot, entry))) =
            state.claim.as_ref().map(|claim| (claim.session(), claim.done(answer)))
        else {
            return;
        };
        if state.draft.key() == Some(session) {
            state.draft.note(slot, entry.encode());
        }
    }

    /// A request was answered as the first time.
    pub(super) fn count_replayed(&self) {
        self.app().statistics.count_replayed();
        self.app().host.count_replayed();
    }
}
