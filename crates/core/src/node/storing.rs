//! The calls of a driver with a store: save sessions, swap their content out, bring it back.

use std::time::Duration;

use bytes::Bytes;

use crate::key::SHARDS;
use crate::node::Node;
use crate::session::millis;
use crate::shard::Restored;
use crate::tombstone::Tombstone;
use crate::wire::{self, Malformed};
use crate::{AppId, Effects, Fields, Instant, SessionKey, Version};

/// Sessions that one step of a survey looks at, so that a shard's lock is never held for long.
const SURVEY_STEPS: usize = 256;

/// One session as it is to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saveable {
    /// It lives.
    Live {
        /// Its application.
        app: AppId,
        /// Which version this is.
        version: Version,
        /// How long it may stay idle from now on.
        idle_left: Duration,
        /// How long nobody may use it in all.
        max_inactive: Duration,
        /// All of it, for [`Node::restore`].
        content: Bytes,
    },
    /// It ended.
    Ended {
        /// Its application.
        app: AppId,
        /// Nobody used it for its idle time, and a use that the ending node did not know may still undo that.
        expired: bool,
        /// How long the end has to be remembered at least.
        keep: Duration,
    },
}

/// The facts about a session that need no look at its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Its application.
    pub app: AppId,
    /// Since its last use; zero while it is used, and when it has ended.
    pub idle: Duration,
    /// It ended.
    pub ended: bool,
    /// It changed while its content was in the store: it cannot be saved before that is brought back.
    pub partial: bool,
}

/// A session that is in memory, for choosing what to save or to swap out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The session.
    pub key: SessionKey,
    /// Its application.
    pub app: AppId,
    /// Since its last use; zero while it is used.
    pub idle: Duration,
    /// Bytes of its copy in memory, roughly.
    pub bytes: usize,
}

/// How far a survey has come. The default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    shard: usize,
    slot: u32,
}

impl Node {
    /// The session as it is to be saved now; `None` when it is not in memory and has not ended either.
    pub fn saveable(&self, key: SessionKey, now: Instant) -> Option<Saveable> {
        let shard = self.shard(key).lock();
        if let Some(end) = shard.end_of(key) {
            return Some(Saveable::Ended { app: end.app, expired: end.is_expiry(), keep: end.keep });
        }
        let session = shard.table().get(key)?;
        Some(Saveable::Live {
            app: session.app,
            version: session.version(),
            idle_left: session.max_inactive().saturating_sub(session.idle(now)),
            max_inactive: session.max_inactive(),
            content: wire::encode_saved(&session.snapshot(now)),
        })
    }

    /// A session that lives here, in memory or not, or whose end is remembered.
    pub fn glance(&self, key: SessionKey, now: Instant) -> Option<Glance> {
        let shard = self.shard(key).lock();
        if let Some(end) = shard.end_of(key) {
            return Some(Glance { app: end.app, idle: Duration::ZERO, ended: true, partial: false });
        }
        let session = shard.known(key)?;
        let partial = shard.arrived(key).is_some();
        Some(Glance { app: session.app, idle: session.idle(now), ended: false, partial })
    }

    /// The version of a session that is in memory.
    pub fn version(&self, key: SessionKey) -> Option<Version> {
        self.shard(key).lock().table().get(key).map(crate::session::Session::version)
    }

    /// Drops the content of a session that is stored in exactly this version; the session lives on. False
    /// while it is used, while some member may not have it yet, or when it has changed since: then nothing
    /// was dropped.
    pub fn swap_out(&self, key: SessionKey, version: Version) -> bool {
        self.shard(key).lock().swap_out(key, version)
    }

    /// Brings content that [`saveable`](Self::saveable) gave, `stored_for` ago: after `Effect::Fetch`, or for
    /// a session that no member knows. The caller bounds `stored_for`, because its wall clock may be wrong:
    /// what it says never ends a session by itself, an eighth of the idle time is left at least.
    ///
    /// # Errors
    /// [`Malformed`]: these bytes are no session, or another one. Say [`lost`](Self::lost) if it was fetched.
    pub fn restore(
        &self,
        key: SessionKey,
        content: &Bytes,
        stored_for: Duration,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<Restored, Malformed> {
        let mut saved = wire::decode_saved(content)?;
        if saved.key != key.0 {
            return Err(Malformed::OutOfRange { kind: wire::SAVED, what: "the session's key" });
        }
        saved.idle_ms = saved.idle_ms.saturating_add(millis(stored_for));
        saved.age_ms = saved.age_ms.saturating_add(millis(stored_for));
        Ok(self.shard(key).lock().restore(key, &saved, content, now, effects))
    }

    /// A session that its bearer carries ended before this node started, and that is still to be remembered
    /// for `keep`.
    pub fn remember_end(&self, key: SessionKey, app: AppId, keep: Duration, now: Instant) {
        self.shard(key).lock().remember_end(key, Tombstone::carried(app, keep, now));
    }

    /// The content that was fetched is not in the store, or cannot be read. Whoever waits for it gets what
    /// other members have.
    pub fn lost(&self, key: SessionKey, now: Instant, effects: &mut Effects) {
        self.shard(key).lock().lost(key, now, effects);
    }

    /// The next sessions in memory; and where to go on, `None` at the end. What comes or goes meanwhile may
    /// or may not be seen.
    pub fn survey(&self, from: Survey, now: Instant) -> (Vec<Resident>, Option<Survey>) {
        let Some(shard) = self.shards.get(from.shard) else { return (Vec::new(), None) };
        let shard = shard.lock();
        let (slots, to) = (shard.table().slots(), from.slot.saturating_add(SURVEY_STEPS as u32));
        let sessions = (from.slot..to.min(slots)).filter_map(|slot| shard.table().slot(slot));
        let residents = sessions.map(|session| Resident {
            key: session.key,
            app: session.app,
            idle: session.idle(now),
            bytes: session.footprint(),
        });
        let next =
            if to < slots { Survey { slot: to, ..from } } else { Survey { shard: from.shard + 1, slot: 0 } };
        (residents.collect(), (next.shard < SHARDS).then_some(next))
    }

    /// A copy that a member sent of a session whose own content is still in the store. It may lack what is
    /// there.
    pub fn arrived(&self, key: SessionKey) -> Option<Fields> {
        self.shard(key).lock().arrived(key).map(|session| session.fields.clone())
    }

    /// Whether the content of this session is in the store, or some of it.
    pub fn is_swapped_out(&self, key: SessionKey) -> bool {
        self.shard(key).lock().is_swapped_out(key)
    }

    /// Sessions whose content is only in the store.
    pub fn swapped_out(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().swapped_out() as u64).sum()
    }
}
