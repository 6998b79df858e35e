//! Notices to listeners, in the order of the changes on this node (rules 7.22 and 7.23).
//!
//! Notices are made only while somebody listens. All notices of one shard are numbered without a gap. Must
//! not know who listens.

use crate::fields::{MAX_INACTIVE, PRINCIPAL};
use crate::session::Session;
use crate::tombstone::{Tombstone, event_id};
use crate::{
    AppId, Effect, Effects, EndReason, FieldRef, Fields, Merge, NameRef, Notice, SessionChange, SessionKey,
};

/// The changes of one session, noted while they are applied.
#[derive(Debug, Default)]
pub(crate) struct AppliedChanges {
    wanted: bool,
    changes: Vec<(SessionChange, u64)>,
    /// What the fingerprint of the fields has changed by.
    fingerprint: u64,
}

impl AppliedChanges {
    /// Merges a field, and notes what that did to the session.
    pub(crate) fn merge(&mut self, fields: &mut Fields, write: FieldRef<'_>) -> Merge {
        if !self.wanted {
            return self.merge_counted(fields, write);
        }
        let has_it = |fields: &Fields| fields.find(write.name).is_some_and(|field| field.value.is_some());
        let before = has_it(fields);
        let merge = self.merge_counted(fields, write);
        if matches!(merge, Merge::Applied | Merge::Clash)
            && let Some(change) = change(write.name, before, has_it(fields))
        {
            self.changes.push((change, write.identity()));
        }
        merge
    }

    fn merge_counted(&mut self, fields: &mut Fields, write: FieldRef<'_>) -> Merge {
        let (merge, change) = fields.merge_counted(write);
        self.fingerprint = self.fingerprint.wrapping_add(change);
        merge
    }

    /// What the fingerprint of the session's fields has changed by, for
    /// [`Table::update`](crate::table::Table::update).
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// The change of a field, from its presence before and now.
fn change(name: NameRef<'_>, before: bool, now: bool) -> Option<SessionChange> {
    match (before, now) {
        _ if name == PRINCIPAL => Some(SessionChange::PrincipalChanged),
        _ if name == MAX_INACTIVE => Some(SessionChange::MaxInactiveChanged),
        (false, true) if name.is_secret() => Some(SessionChange::IdChanged),
        _ if name.is_system() => None,
        (false, true) => Some(SessionChange::AttributeAdded { name: name.to_text().into() }),
        (true, true) => Some(SessionChange::AttributeReplaced { name: name.to_text().into() }),
        (true, false) => Some(SessionChange::AttributeRemoved { name: name.to_text().into() }),
        (false, false) => None,
    }
}

/// The notices of one shard.
#[derive(Debug)]
pub(crate) struct Notices {
    shard: u8,
    wanted: bool,
    /// Notices made so far.
    count: u64,
}

impl Notices {
    pub(crate) fn new(shard: u8) -> Self {
        Self { shard, wanted: false, count: 0 }
    }

    /// Somebody listens, or nobody does any more.
    pub(crate) fn set_wanted(&mut self, wanted: bool) {
        self.wanted = wanted;
    }

    /// Where changes are noted that are about to be applied.
    pub(crate) fn begin(&self) -> AppliedChanges {
        AppliedChanges { wanted: self.wanted, ..AppliedChanges::default() }
    }

    /// A session was changed here, or by another member.
    pub(crate) fn changed(
        &mut self,
        key: SessionKey,
        app: AppId,
        applied: AppliedChanges,
        remote: bool,
        effects: &mut Effects,
    ) {
        for (change, field) in applied.changes {
            self.push(Notice { key, app, change, event_id: event_id(key) ^ field, remote }, effects);
        }
    }

    /// A session is new here, with what it has.
    pub(crate) fn created(&mut self, session: &Session, remote: bool, effects: &mut Effects) {
        if !self.wanted {
            return;
        }
        let Session { key, app, .. } = *session;
        let created = (SessionChange::Created, !event_id(key));
        let attributes = session.fields.all().filter(|field| !field.is_system() && field.value.is_some());
        let added = attributes.map(|field| {
            let change = SessionChange::AttributeAdded { name: field.name.to_text().into() };
            (change, event_id(key) ^ field.identity())
        });
        for (change, event_id) in std::iter::once(created).chain(added) {
            self.push(Notice { key, app, change, event_id, remote }, effects);
        }
    }

    /// A session that was here has ended.
    pub(crate) fn ended(
        &mut self,
        session: &Session,
        reason: EndReason,
        remote: bool,
        effects: &mut Effects,
    ) {
        let Session { key, app, .. } = *session;
        let change = SessionChange::Ended { reason };
        self.push(Notice { key, app, change, event_id: event_id(key), remote }, effects);
    }

    /// A member that announced this end has died: the end is notified here in its place (rule 7.23).
    pub(crate) fn ended_for(&mut self, key: SessionKey, end: &Tombstone, effects: &mut Effects) {
        let change = SessionChange::Ended { reason: end.reason };
        self.push(Notice { key, app: end.app, change, event_id: event_id(key), remote: false }, effects);
    }

    fn push(&mut self, notice: Notice, effects: &mut Effects) {
        if self.wanted {
            effects.push(Effect::Notice { shard: self.shard, sequence: self.count, notice });
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Birth;
    use crate::{Incarnation, Instant, Timestamp, Value, ValueRef};

    const KEY: SessionKey = SessionKey([1; 16]);

    fn session() -> Session {
        Session::new(KEY, AppId(6), Birth::default(), Instant::ORIGIN)
    }

    fn write(
        notices: &mut Notices,
        session: &mut Session,
        counter: u64,
        value: Option<&str>,
    ) -> Vec<(u64, SessionChange)> {
        let mut applied = notices.begin();
        let value = value.map(|value| Value::raw(value.to_owned()));
        let timestamp = Timestamp::new(counter, Incarnation(1));
        let write = FieldRef { name: "a".into(), timestamp, value: value.as_ref().map(ValueRef::from) };
        applied.merge(&mut session.fields, write);
        seen(|effects| notices.changed(KEY, session.app, applied, false, effects))
    }

    fn seen(act: impl FnOnce(&mut Effects)) -> Vec<(u64, SessionChange)> {
        let mut frames = Vec::new();
        let mut effects = Effects::new(&mut frames);
        act(&mut effects);
        let notices = effects.into_decided().into_iter().map(|effect| match effect {
            Effect::Notice { sequence, notice, .. } => (sequence, notice.change),
            other => panic!("{other:?}"),
        });
        notices.collect()
    }

    #[test]
    fn a_write_that_changes_nothing_is_no_notice() {
        let (mut notices, mut session) = (Notices::new(3), session());
        notices.set_wanted(true);
        let name = || "a".into();
        let added = write(&mut notices, &mut session, 5, Some("x"));
        assert_eq!(added, [(0, SessionChange::AttributeAdded { name: name() })]);
        assert_eq!(write(&mut notices, &mut session, 4, Some("y")), [], "an older one");
        let replaced = write(&mut notices, &mut session, 6, Some("y"));
        assert_eq!(replaced, [(1, SessionChange::AttributeReplaced { name: name() })]);
        let removed = write(&mut notices, &mut session, 7, None);
        assert_eq!(removed, [(2, SessionChange::AttributeRemoved { name: name() })]);
        assert_eq!(write(&mut notices, &mut session, 8, None), [], "it was gone before");
    }

    #[test]
    fn nothing_is_made_or_numbered_while_nobody_listens() {
        let (mut notices, mut session) = (Notices::new(3), session());
        assert_eq!(write(&mut notices, &mut session, 5, Some("x")), []);
        let unheard = seen(|effects| {
            notices.created(&session, true, effects);
            notices.ended(&session, EndReason::Expired, true, effects);
        });
        assert_eq!(unheard, []);
        notices.set_wanted(true);
        let changes = [SessionChange::Created, SessionChange::AttributeAdded { name: "a".into() }];
        let heard = seen(|effects| notices.created(&session, true, effects));
        assert_eq!(heard, [0, 1].into_iter().zip(changes).collect::<Vec<_>>());
    }
}
