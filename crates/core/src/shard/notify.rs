//! Telling listeners what was applied: only while there are any, and in the order in which it happened here.

use crate::fields::{MAX_INACTIVE, PRINCIPAL};
use crate::session::Session;
use crate::shard::Shard;
use crate::tombstone::event_id;
use crate::{
    Effect, Effects, EndReason, FieldRef, Fields, Incarnation, Instant, Merge, NameRef, Notice,
    SessionChange, SessionKey,
};

/// An end that a member announced less than so many drop times before it was removed may not have reached that member's own
/// listeners: it is announced here in its position. Finding out that a process is dead takes up to one of them.
const LAST_WORDS: u32 = 2;

/// Changes of one session, collected while they are applied.
#[derive(Debug, Default)]
pub(super) struct Applied {
    wanted: bool,
    changes: Vec<(SessionChange, u64)>,
}

impl Applied {
    /// Merges a field, and notes what that did to the session.
    pub(super) fn merge(&mut self, fields: &mut Fields, write: FieldRef<'_>) -> Merge {
        if !self.wanted {
            return fields.merge_field(write);
        }
        let has_it = |fields: &Fields| fields.find(write.name).is_some_and(|field| field.value.is_some());
        let before = has_it(fields);
        let merge = fields.merge_field(write);
        if matches!(merge, Merge::Applied | Merge::Clash)
            && let Some(change) = change(write.name, before, has_it(fields))
        {
            self.changes.push((change, write.identity()));
        }
        merge
    }
}

/// What it means that a field of that name, which was there before or not, is there now or not.
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

impl Shard {
    /// Somebody listens, or nobody does any more.
    pub(crate) fn set_has_listeners(&mut self, announced: bool) {
        self.announced = announced;
    }

    /// Where changes are noted that are about to be applied.
    pub(super) fn applied(&self) -> Applied {
        Applied { wanted: self.announced, changes: Vec::new() }
    }

    /// Tells what was applied to a session that is here.
    pub(super) fn notify_applied(
        &mut self,
        key: SessionKey,
        applied: Applied,
        remote: bool,
        effects: &mut Effects,
    ) {
        if applied.changes.is_empty() {
            return;
        }
        let Some(app) = self.table.get(key).map(|session| session.app) else { return };
        for (change, field) in applied.changes {
            self.notify(Notice { key, app, change, event_id: event_id(key) ^ field, remote }, effects);
        }
    }

    /// Tells of a session that is new here, with what it has.
    pub(super) fn notify_created(&mut self, key: SessionKey, remote: bool, effects: &mut Effects) {
        if !self.announced {
            return;
        }
        let Some(session) = self.table.get(key) else { return };
        let app = session.app;
        let attributes = session.fields.all().filter(|field| !field.is_system() && field.value.is_some());
        let added = attributes.map(|field| {
            let change = SessionChange::AttributeAdded { name: field.name.to_text().into() };
            (change, event_id(key) ^ field.identity())
        });
        let changes: Vec<_> =
            std::iter::once((SessionChange::Created, !event_id(key))).chain(added).collect();
        for (change, event_id) in changes {
            self.notify(Notice { key, app, change, event_id, remote }, effects);
        }
    }

    /// Tells of the end of a session that was here.
    pub(super) fn notify_ended(
        &mut self,
        session: &Session,
        reason: EndReason,
        remote: bool,
        effects: &mut Effects,
    ) {
        let Session { key, app, .. } = *session;
        let change = SessionChange::Ended { reason };
        let notice = Notice { key, app, change, event_id: event_id(key), remote };
        planted!(self.settings, NOTIFIED_TWICE => notify(self, notice.clone(), effects));
        self.notify(notice, effects);
    }

    /// A member is taken for dead: whoever it announced of an end speaks for it now.
    pub(crate) fn speak_for(&mut self, dead: Incarnation, now: Instant, effects: &mut Effects) {
        if !self.announced {
            return;
        }
        let recent = self.settings.timing.drop_time * LAST_WORDS;
        let ends = self.tombstones.iter();
        let ends = ends.filter(|(_, end)| end.announced_by == Some(dead) && now.since(end.since) <= recent);
        let notices: Vec<Notice> = ends
            .map(|(key, end)| Notice {
                key: *key,
                app: end.app,
                change: SessionChange::Ended { reason: end.reason },
                event_id: event_id(*key),
                remote: false,
            })
            .collect();
        for notice in notices {
            self.notify(notice, effects);
        }
    }

    pub(crate) fn notify(&mut self, notice: Notice, effects: &mut Effects) {
        if self.announced {
            effects.push(Effect::Notice { shard: self.number, sequence: self.notices, notice });
            self.notices += 1;
        }
    }
}
