//! Commits and ends that members have not confirmed, and the order in which their responses may go.
//!
//! * A commit settles when no awaited member is left, by confirmation or because it is waited for no longer
//!   (rule 2.13).
//! * Commits on one session settle in the order in which they were made: a response that read both waits only
//!   for the later one (rules 2.15 and 2.16).
//! * Each ticket settles exactly once.
//!
//! Must not know what was committed, nor how it is sent.

use std::collections::BTreeMap;

use crate::{Effect, Effects, Incarnation, Receipt, SessionKey, Ticket};

/// The acknowledgements that a commit or an end waits for.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) key: SessionKey,
    /// It is the session's end itself: another end does not settle it, everybody has to know of one.
    pub(crate) is_end: bool,
    /// The members that have not confirmed it.
    pub(crate) members: Vec<Incarnation>,
    /// Members that get the commit although nobody waits for them (rule 2.17).
    pub(crate) exempt: u32,
}

#[derive(Debug)]
struct Pending {
    awaited: Awaited,
    /// Copies that are known to hold it, this node's included.
    copies: u32,
    /// The session had ended elsewhere.
    ended: bool,
    /// The commits before and after it on the same session, while these are pending.
    earlier: Option<Ticket>,
    later: Option<Ticket>,
    /// Others who wait for it: responses that read what it wrote.
    readers: Vec<Ticket>,
}

impl Pending {
    fn new(awaited: Awaited, earlier: Option<Ticket>) -> Self {
        Self { awaited, copies: 1, ended: false, earlier, later: None, readers: Vec::new() }
    }
}

/// The unsettled commits of one shard.
#[derive(Debug)]
pub(crate) struct Settling {
    pending: BTreeMap<Ticket, Pending>,
    /// The newest unsettled commit of each session.
    newest: BTreeMap<SessionKey, Ticket>,
    /// Copies that a commit needs to be whole: a number that is configured, or the size of the cluster.
    configured: Option<u32>,
    cluster: u32,
}

impl Settling {
    /// `configured`: how many copies a commit needs; `None`: one on every member.
    pub(crate) fn new(configured: Option<u32>) -> Self {
        Self { pending: BTreeMap::new(), newest: BTreeMap::new(), configured, cluster: 1 }
    }

    /// The cluster has this size, members that were lost included.
    pub(crate) fn set_cluster(&mut self, size: u32) {
        self.cluster = size;
    }

    /// Copies that a session needs.
    pub(crate) fn wanted(&self) -> u32 {
        self.wanted_without(0)
    }

    /// The newest unsettled commit of a session.
    pub(crate) fn newest(&self, key: SessionKey) -> Option<Ticket> {
        self.newest.get(&key).copied()
    }

    /// Whether the newest unsettled commit of a session waits for this member.
    pub(crate) fn awaits(&self, key: SessionKey, member: Incarnation) -> bool {
        let newest = self.newest.get(&key).and_then(|ticket| self.pending.get(ticket));
        newest.is_some_and(|pending| pending.awaited.members.contains(&member))
    }

    /// The receipt of a commit that only this node holds so far.
    pub(crate) fn first_receipt(&self, exempt: u32) -> Receipt {
        Receipt { copies: 1, wanted: self.wanted_without(exempt), ..Receipt::default() }
    }

    /// From now on a commit waits for members. It comes after the newest one on the same session.
    pub(crate) fn begin(&mut self, ticket: Ticket, awaited: Awaited) {
        let earlier = self.newest.insert(awaited.key, ticket);
        if let Some(before) = earlier.and_then(|earlier| self.pending.get_mut(&earlier)) {
            before.later = Some(ticket);
        }
        self.pending.insert(ticket, Pending::new(awaited, earlier));
    }

    /// A response waits for this commit; false if it is settled.
    pub(crate) fn add_reader(&mut self, ticket: Ticket, reader: Ticket) -> bool {
        self.pending.get_mut(&ticket).map(|pending| pending.readers.push(reader)).is_some()
    }

    /// A member has the commit.
    pub(crate) fn confirm(&mut self, ticket: Ticket, by: Incarnation, effects: &mut Effects) {
        if let Some(pending) = self.pending.get_mut(&ticket)
            && pending.awaited.members.contains(&by)
        {
            pending.copies += 1;
            self.give_up(ticket, by, effects);
        }
    }

    /// A commit no longer waits for this member.
    pub(crate) fn give_up(&mut self, ticket: Ticket, member: Incarnation, effects: &mut Effects) {
        let Some(pending) = self.pending.get_mut(&ticket) else { return };
        pending.awaited.members.retain(|awaited| *awaited != member);
        if self.may_settle(ticket) {
            self.settle(ticket, effects);
        }
    }

    /// No commit waits for this member any longer.
    pub(crate) fn give_up_all(&mut self, member: Incarnation, effects: &mut Effects) {
        let tickets: Vec<Ticket> = self.pending.keys().copied().collect();
        tickets.into_iter().for_each(|ticket| self.give_up(ticket, member, effects));
    }

    /// The member refused the commit because the session has ended there (rule 7.4).
    pub(crate) fn overtaken(&mut self, ticket: Ticket, by: Incarnation, effects: &mut Effects) {
        if let Some(pending) = self.pending.get_mut(&ticket) {
            pending.ended = true;
        }
        self.give_up(ticket, by, effects);
    }

    /// The session has ended here: its commits are dropped and say so (rule 7.4).
    pub(crate) fn drop_commits(&mut self, key: SessionKey, effects: &mut Effects) {
        let pending = |ticket: Ticket| self.pending.get(&ticket).map(|pending| (ticket, pending));
        let newest = self.newest.get(&key).and_then(|newest| pending(*newest));
        let chain = std::iter::successors(newest, |(_, later)| later.earlier.and_then(pending));
        let dropped = chain.filter(|(_, pending)| !pending.awaited.is_end);
        let tickets: Vec<Ticket> = dropped.map(|(ticket, _)| ticket).collect();
        for ticket in tickets.into_iter().rev() {
            if let Some(pending) = self.pending.get_mut(&ticket) {
                pending.ended = true;
            }
            self.settle(ticket, effects);
        }
    }

    /// Nobody is awaited any more, and no earlier commit on the session is pending.
    fn may_settle(&self, ticket: Ticket) -> bool {
        self.pending.get(&ticket).is_some_and(|pending| {
            let is_first = pending.earlier.is_none_or(|earlier| !self.pending.contains_key(&earlier));
            pending.awaited.members.is_empty() && is_first
        })
    }

    /// Settles a commit, and then the later ones on the same session that waited for nothing else.
    fn settle(&mut self, ticket: Ticket, effects: &mut Effects) {
        let mut next = Some(ticket);
        while let Some(ticket) = next {
            let Some(Pending { awaited, copies, ended, later, readers, .. }) = self.pending.remove(&ticket)
            else {
                return;
            };
            if self.newest.get(&awaited.key) == Some(&ticket) {
                self.newest.remove(&awaited.key);
            }
            let receipt = Receipt { copies, ended, ..self.first_receipt(awaited.exempt) };
            notify_settled(ticket, receipt, effects);
            readers.into_iter().for_each(|reader| notify_settled(reader, receipt, effects));
            next = later.filter(|later| self.may_settle(*later));
        }
    }

    /// Copies that a commit needs from which `exempt` members were left out. A lost member counts as awaited
    /// until it is back: which set it would have been in is not known (rule 2.18).
    fn wanted_without(&self, exempt: u32) -> u32 {
        self.configured.unwrap_or(self.cluster.saturating_sub(exempt).max(1))
    }
}

/// Tells whoever waits with this ticket, if anybody does.
pub(crate) fn notify_settled(ticket: Ticket, receipt: Receipt, effects: &mut Effects) {
    if ticket.is_attended() {
        effects.push(Effect::Settled { ticket, receipt });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey([1; 16]);
    const MEMBERS: [Incarnation; 2] = [Incarnation(2), Incarnation(3)];

    fn three() -> Settling {
        let mut settling = Settling::new(None);
        settling.set_cluster(3);
        settling
    }

    fn begin(settling: &mut Settling, ticket: u64, is_end: bool) {
        settling.begin(Ticket(ticket), Awaited { key: KEY, is_end, members: MEMBERS.to_vec(), exempt: 0 });
    }

    /// The tickets that settle meanwhile: ticket, copies, and whether the session had ended.
    fn settled(act: impl FnOnce(&mut Effects)) -> Vec<(u64, u32, bool)> {
        let mut frames = Vec::new();
        let mut effects = Effects::new(&mut frames);
        act(&mut effects);
        let settled = effects.into_decided().into_iter().map(|effect| match effect {
            Effect::Settled { ticket, receipt } => (ticket.0, receipt.copies, receipt.ended),
            other => panic!("{other:?}"),
        });
        settled.collect()
    }

    #[test]
    fn a_commit_settles_with_its_last_member_and_only_once() {
        let mut settling = three();
        begin(&mut settling, 1, false);
        let once_each = settled(|effects| {
            settling.confirm(Ticket(1), MEMBERS[0], effects);
            settling.confirm(Ticket(1), MEMBERS[0], effects);
        });
        assert_eq!(once_each, []);
        assert_eq!(settled(|effects| settling.confirm(Ticket(1), MEMBERS[1], effects)), [(1, 3, false)]);
        assert_eq!(settled(|effects| settling.give_up(Ticket(1), MEMBERS[1], effects)), []);
        assert_eq!(settling.newest(KEY), None);
    }

    #[test]
    fn commits_on_a_session_settle_in_their_order() {
        let mut settling = three();
        begin(&mut settling, 1, false);
        begin(&mut settling, 2, false);
        assert_eq!(settling.newest(KEY), Some(Ticket(2)));
        let early = settled(|effects| {
            settling.confirm(Ticket(2), MEMBERS[0], effects);
            settling.confirm(Ticket(2), MEMBERS[1], effects);
            settling.confirm(Ticket(1), MEMBERS[0], effects);
        });
        assert_eq!(early, [], "the first one still waits");
        let both = settled(|effects| settling.give_up_all(MEMBERS[1], effects));
        assert_eq!(both, [(1, 2, false), (2, 3, false)]);
    }

    #[test]
    fn an_end_drops_commits_and_waits_for_its_own_members() {
        let mut settling = three();
        begin(&mut settling, 1, false);
        begin(&mut settling, 2, true);
        assert_eq!(settled(|effects| settling.drop_commits(KEY, effects)), [(1, 1, true)]);
        let confirmed =
            settled(|effects| MEMBERS.iter().for_each(|by| settling.confirm(Ticket(2), *by, effects)));
        assert_eq!(confirmed, [(2, 3, false)]);
    }

    #[test]
    fn readers_settle_with_the_commit_that_they_read() {
        let mut settling = three();
        settling.begin(
            Ticket::unattended(1),
            Awaited { key: KEY, is_end: false, members: MEMBERS.to_vec(), exempt: 0 },
        );
        let newest = settling.newest(KEY).unwrap();
        assert!(settling.add_reader(newest, Ticket(7)) && settling.add_reader(newest, Ticket(8)));
        let outcome =
            settled(|effects| MEMBERS.iter().for_each(|member| settling.give_up(newest, *member, effects)));
        assert_eq!(outcome, [(7, 1, false), (8, 1, false)], "nobody waits with the ticket of the commit");
        assert!(!settling.add_reader(newest, Ticket(9)), "it is settled");
    }

    #[test]
    fn a_receipt_wants_every_member_that_was_not_exempt() {
        let mut settling = three();
        assert_eq!((settling.wanted(), settling.first_receipt(1).wanted), (3, 2));
        assert_eq!(settling.first_receipt(9).wanted, 1, "its own copy at least");
        settling = Settling::new(Some(2));
        settling.set_cluster(5);
        assert_eq!((settling.wanted(), settling.first_receipt(1).wanted), (2, 2), "as configured");
    }
}
