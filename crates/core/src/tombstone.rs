//! The end of a session, remembered for as long as anything could bring it back.

use std::time::Duration;

use crate::marks::Birth;
use crate::session::{Session, millis};
use crate::wire::End;
use crate::{AppId, EndReason, Incarnation, Instant, SessionKey};

/// How long the end of a session that this node never knew is remembered.
pub(crate) const UNKNOWN_KEPT_FOR: Duration = Duration::from_secs(30 * 60);

/// The end of a session that members held is remembered for at most this long, whatever its idle time was:
/// birth marks serve after it.
const KEPT_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// No end is remembered for longer.
const EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// An ended session. Beats every timestamp; an expiry yields to a use that it did not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tombstone {
    pub(crate) app: AppId,
    pub(crate) birth: Birth,
    pub(crate) reason: EndReason,
    /// The newest use that the ending node knew.
    pub(crate) touch: u32,
    pub(crate) clock: u64,
    pub(crate) since: Instant,
    pub(crate) keep: Duration,
    /// The member that announced it, if it ended a copy that was here.
    pub(crate) announced_by: Option<Incarnation>,
}

impl Tombstone {
    pub(crate) fn of(session: &Session, reason: EndReason, now: Instant) -> Self {
        Self {
            app: session.app,
            birth: session.birth(),
            reason,
            touch: session.touch,
            clock: session.clock,
            since: now,
            keep: session.max_inactive().min(KEPT_AT_MOST),
            announced_by: None,
        }
    }

    /// For a session that is not known here. Rule 7.3.
    pub(crate) fn unknown(birth: Birth, now: Instant) -> Self {
        Self {
            app: AppId::default(),
            birth,
            reason: EndReason::Invalidated,
            touch: 0,
            clock: 0,
            since: now,
            keep: UNKNOWN_KEPT_FOR,
            announced_by: None,
        }
    }

    /// For a session that no member holds, because its bearer carries it: no birth mark serves after this.
    /// Rule 7.7.
    pub(crate) fn carried(app: AppId, keep: Duration, now: Instant) -> Self {
        Self { app, keep: keep.min(EVER), ..Self::unknown(Birth::default(), now) }
    }

    pub(crate) fn from_wire(end: &End, now: Instant) -> Self {
        Self {
            app: AppId(end.app),
            birth: Birth { incarnation: Incarnation(end.birth_incarnation), number: end.birth_number },
            reason: if end.expired { EndReason::Expired } else { EndReason::Invalidated },
            touch: end.touch,
            clock: end.clock,
            since: now,
            keep: Duration::from_millis(end.keep_ms).min(EVER),
            announced_by: None,
        }
    }

    pub(crate) fn to_wire(self, key: SessionKey) -> End {
        End {
            key: key.0,
            app: self.app.0,
            birth_incarnation: self.birth.incarnation.0,
            birth_number: self.birth.number,
            expired: self.reason == EndReason::Expired,
            touch: self.touch,
            keep_ms: millis(self.keep),
            clock: self.clock,
        }
    }

    /// Of two ends of one session, the one that counts: an invalidation, then the newer use. What each of
    /// them dropped is gone: a copy that outlives both has the writes of both. Rule 7.18.
    pub(crate) fn merge(self, other: Self) -> Self {
        let rank = |end: &Self| (end.reason == EndReason::Invalidated, end.touch, end.birth.number);
        let (winner, loser) = if rank(&other) > rank(&self) { (other, self) } else { (self, other) };
        Self {
            clock: winner.clock.max(loser.clock),
            keep: winner.keep.max(loser.keep),
            since: winner.since.min(loser.since),
            ..winner
        }
    }

    pub(crate) fn is_expiry(&self) -> bool {
        self.reason == EndReason::Expired
    }

    /// Whether a copy with this clock and touch outlives the end. One that lacks writes which were dropped
    /// with the end does not: it was used where nobody was answered from it, and would bring back a part of
    /// the session. Rule 7.17.
    pub(crate) fn yields_to(&self, clock: u64, touch: u32) -> bool {
        self.is_expiry() && touch > self.touch && clock >= self.clock
    }
}

/// The same number on every node for the end of one session.
pub(crate) fn event_id(key: SessionKey) -> u64 {
    let key = key.as_u128();
    ((key as u64) ^ ((key >> 64) as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
