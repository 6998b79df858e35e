//! What a shard does because time passed.

use std::collections::BTreeSet;

use crate::shard::Shard;
use crate::{Effects, Incarnation, Instant};

/// Expiries of one shard about which members are asked at once. When more are due, the scan waits for answers: questions
/// about a million would fill memory, and requests and heartbeats would wait behind them.
const EXPIRIES_ASKED_MAX: usize = 128;

impl Shard {
    /// Retries, questions, comparisons and expiries. Gives the members whose acknowledgements are late.
    pub(crate) fn tick(&mut self, now: Instant, effects: &mut Effects) -> BTreeSet<Incarnation> {
        self.peers.iter_mut().for_each(|(_, stream)| stream.resume());
        self.give_up_early(now, effects);
        let late = self.resend_late(now, effects);
        self.repeat_questions(now, effects);
        self.retry_comparisons(now, effects);
        self.expire(now, effects);
        if self.expiry.is_tidy_due(now) {
            self.table.give_back();
            self.forget_ends(now);
        }
        // What got into a backlog in passing, as the end of a session whose content was awaited, waits no longer than this.
        self.pump_all(now, effects);
        late
    }

    fn expire(&mut self, now: Instant, effects: &mut Effects) {
        let asked_max = planted!(EXPIRIES_ASKED_MAX => limit("expiries asked about", EXPIRIES_ASKED_MAX, self.questions.expiries()));
        let asked = || asked_max.saturating_sub(self.questions.expiries());
        let most = if self.peers.is_empty() { usize::MAX } else { asked() };
        for key in self.expiry.scan(&mut self.table, &self.stubs, most, now) {
            self.ask_expiry(key, now, effects);
        }
    }

    /// Forgets the ends that were remembered long enough and that every member acknowledged (rule 7.6).
    fn forget_ends(&mut self, now: Instant) {
        let Self { tombstones, peers, settings, .. } = self;
        let least = settings.timing.drop_time * 4;
        let keep = |end: &crate::tombstone::Tombstone| planted!(end.keep.max(least) => kept_for(settings, end, least));
        tombstones.forget(keep, |key| peers.lack(key), now);
    }
}
