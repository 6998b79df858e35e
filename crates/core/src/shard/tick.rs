//! The work of a shard that time demands.

use std::collections::BTreeSet;

use crate::shard::Shard;
use crate::{Effects, Incarnation, Instant};

/// Expiries of one shard about which members are asked at once. When more are due, the scan waits for
/// answers: questions about a million would fill memory, and requests and heartbeats would wait behind them.
const EXPIRIES_ASKED_MAX: usize = 128;

impl Shard {
    /// Retries, questions, comparisons and expiries. Gives the members whose acknowledgements are late.
    pub(crate) fn tick(&mut self, now: Instant, effects: &mut Effects) -> BTreeSet<Incarnation> {
        self.peers.iter_mut().for_each(|(_, stream)| stream.resume());
        self.give_up_early(now, effects);
        let late = self.resend_late(now, effects);
        self.repeat_questions(now, effects);
        self.retry_comparisons(now, effects);
        self.look_on(now, effects);
        self.expire(now, effects);
        self.speak_for_lost(effects);
        self.announce_uses(now, effects);
        self.forget_ends(now);
        if self.expiry.is_tidy_due(now) {
            self.table.give_back();
            self.catch_up_behind(now, effects);
            let Self { marks, peers, settings, .. } = self;
            marks.tidy(|member| member == settings.incarnation || peers.contains(member));
        }
        // An entry that got into a backlog in passing (the end of a session whose content was awaited) waits
        // no longer than this.
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

    /// Forgets ends that were remembered long enough, or that are too many, and that every member
    /// acknowledged (rule 7.6).
    pub(super) fn forget_ends(&mut self, now: Instant) {
        let Self { tombstones, peers, settings, .. } = self;
        let least = settings.timing.drop_time * 4;
        let keep = |end: &crate::tombstone::Tombstone| planted!(end.keep.max(least) => kept_for(settings, end, least));
        let mut due = tombstones.due(keep, now);
        if !planted!(settings, NEEDED_ENDS_FORGOTTEN) {
            peers.remove_lacking(&mut due);
        }
        tombstones.forget(&due);
    }
}
