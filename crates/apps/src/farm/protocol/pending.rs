//! The side of everybody but the coordinator: what is being prepared here.

use std::time::Duration;

use super::{Effect, Member, Protocol};
use crate::farm::message::{Message, Order, REASON_MAX};
use crate::farm::seal::Stage;
use crate::farm::stamp::Stamp;

/// Most deployments that are prepared at once; further ones are refused.
const PENDING_MAX: usize = 32;

/// A deployment that this node prepares.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) order: Order,
    /// Who coordinates it, or told that it runs there.
    pub(super) from: Member,
    /// It holds elsewhere: as soon as it is prepared, this node switches.
    pub(super) adopted: bool,
    is_prepared: bool,
    began: Duration,
}

impl Protocol {
    /// A coordinator wants this to be prepared.
    pub(super) fn offered(&mut self, from: &Member, order: Order, now: Duration, effects: &mut Vec<Effect>) {
        let (path, stamp, holds) = (order.path.clone(), order.stamp, self.catalog.stamp(&order.path));
        if let Some(objection) = self.sealer.objection(&order, Stage::Offered) {
            let reason = objection.to_owned();
            return effects.push(Effect::send(from, Message::Refused { path, stamp, reason }));
        }
        if stamp == holds {
            effects.push(Effect::send(from, Message::Prepared { path, stamp }));
        } else if stamp < holds {
            let reason = "a later deployment is active here; deploy again to replace it".to_owned();
            effects.push(Effect::send(from, Message::Refused { path, stamp, reason }));
        } else if let Some(pending) = self.pending.get(&(path.clone(), stamp)) {
            if pending.is_prepared {
                effects.push(Effect::send(from, Message::Prepared { path, stamp }));
            }
        } else {
            self.begin(from, order, false, now, effects);
        }
    }

    /// A member tells what holds there.
    pub(super) fn learn(&mut self, from: &Member, order: Order, now: Duration, effects: &mut Vec<Effect>) {
        let key = (order.path.clone(), order.stamp);
        let awaited = self.pending.iter().filter(|((at, _), pending)| *at == order.path && pending.adopted);
        let awaited = awaited.map(|((_, stamp), _)| *stamp).max().unwrap_or_default();
        if order.stamp <= self.catalog.stamp(&order.path).max(awaited) || self.unusable.contains_key(&key) {
            return;
        }
        self.adopt(from, order, now, effects);
    }

    /// The coordinator has committed this.
    pub(super) fn activate_order(
        &mut self,
        from: &Member,
        order: Order,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let (path, stamp) = (order.path.clone(), order.stamp);
        if stamp > self.catalog.stamp(&path) {
            self.adopt(from, order, now, effects);
        }
        if stamp <= self.catalog.stamp(&path) {
            effects.push(Effect::send(from, Message::Active { path, stamp }));
        }
    }

    /// Switches to what holds elsewhere, at once or when it is prepared; what is not believed to hold never.
    fn adopt(&mut self, from: &Member, order: Order, now: Duration, effects: &mut Vec<Effect>) {
        if let Some(objection) = self.sealer.objection(&order, Stage::Held) {
            return self.note_unusable(order.path, order.stamp, objection.to_owned());
        }
        match self.pending.get_mut(&(order.path.clone(), order.stamp)) {
            Some(pending) if pending.is_prepared => self.switch(order, effects),
            Some(pending) => (pending.adopted, pending.order) = (true, order),
            None if order.archive.is_none() => self.switch(order, effects),
            None => self.begin(from, order, true, now, effects),
        }
    }

    fn begin(
        &mut self,
        from: &Member,
        order: Order,
        adopted: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let (path, stamp) = (order.path.clone(), order.stamp);
        if let Some(reason) = self.why_not(&order) {
            if !adopted {
                effects.push(Effect::send(from, Message::Refused { path, stamp, reason }));
            }
            return;
        }
        let archive = order.archive.clone();
        let is_prepared = archive.is_none();
        let pending = Pending { order, from: from.clone(), adopted, is_prepared, began: now };
        self.pending.insert((path.clone(), stamp), pending);
        match archive {
            None => effects.push(Effect::send(from, Message::Prepared { path, stamp })),
            Some(archive) if self.shelf.contains(&archive.digest) => {
                effects.push(Effect::Prepare { path, stamp, archive });
            }
            Some(archive) => self.fetch(archive, from, now, effects),
        }
    }

    fn why_not(&self, order: &Order) -> Option<String> {
        let limit = self.settings.archive_bytes;
        let bytes = order.archive.as_ref().map_or(1, |archive| archive.bytes);
        if self.pending.len() >= PENDING_MAX {
            Some(format!("{PENDING_MAX} deployments are being prepared here already"))
        } else if bytes == 0 || bytes > limit {
            Some(format!("{bytes} bytes are not between 1 and the {limit} of [farm] max_archive_bytes here"))
        } else {
            None
        }
    }

    /// What was pending is prepared, or cannot run here.
    pub(super) fn pending_prepared(
        &mut self,
        path: &str,
        stamp: Stamp,
        result: Result<(), String>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.get_mut(&(path.to_owned(), stamp)) else { return };
        if let Err(reason) = result {
            return self.refuse(path, stamp, reason, effects);
        }
        pending.is_prepared = true;
        let (from, order) = (pending.from.clone(), pending.order.clone());
        if pending.adopted {
            self.activate_now(&from, order, now, effects);
        } else {
            effects.push(Effect::send(&from, Message::Prepared { path: path.to_owned(), stamp }));
        }
    }

    fn activate_now(&mut self, from: &Member, order: Order, now: Duration, effects: &mut Vec<Effect>) {
        if order.stamp > self.catalog.stamp(&order.path) {
            self.activate_order(from, order, now, effects);
        } else {
            self.drop_pending(&order.path, order.stamp, true, effects);
        }
    }

    /// It cannot run here: its coordinator is told, or, where it holds already, the operators of this node.
    pub(super) fn refuse(&mut self, path: &str, stamp: Stamp, mut reason: String, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.get(&(path.to_owned(), stamp)) else { return };
        let cut = reason.floor_char_boundary(REASON_MAX);
        reason.truncate(cut);
        if pending.adopted {
            self.note_unusable(path.to_owned(), stamp, reason);
        } else {
            let refused = Message::Refused { path: path.to_owned(), stamp, reason };
            effects.push(Effect::send(&pending.from.clone(), refused));
        }
        self.drop_pending(path, stamp, true, effects);
    }

    fn note_unusable(&mut self, path: String, stamp: Stamp, reason: String) {
        self.unusable.retain(|(at, _), _| *at != path);
        self.unusable.insert((path, stamp), reason);
    }

    /// The coordinator has given it up.
    pub(super) fn aborted(&mut self, path: &str, stamp: Stamp, effects: &mut Vec<Effect>) {
        self.drop_pending(path, stamp, true, effects);
    }

    /// Forgets it; with `discard` also what was prepared of it, which else has just been switched to.
    pub(super) fn drop_pending(
        &mut self,
        path: &str,
        stamp: Stamp,
        discard: bool,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.remove(&(path.to_owned(), stamp)) else { return };
        if discard {
            effects.push(Effect::Discard { path: path.to_owned(), stamp });
        }
        if let Some(archive) = pending.order.archive {
            self.drop_unwanted_fetch(archive.digest, effects);
        }
    }

    /// What a coordinator that left had not committed is forgotten; should it have been, the catalogs tell.
    pub(super) fn member_left(&mut self, member: &Member, now: Duration, effects: &mut Vec<Effect>) {
        let lost = self.pending.iter().filter(|(_, pending)| pending.from == *member && !pending.adopted);
        for (path, stamp) in lost.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.drop_pending(&path, stamp, true, effects);
        }
        self.fetches_without(member, now, effects);
        self.deployments_without(member, now, effects);
    }

    /// Nobody waits for ever: the coordinator has given up by then.
    pub(super) fn tick_pending(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let deploy_time = self.settings.deploy_time;
        let old = self.pending.iter().filter(|(_, pending)| now >= pending.began + deploy_time);
        for ((path, stamp), adopted) in old.map(|(key, old)| (key.clone(), old.adopted)).collect::<Vec<_>>() {
            if adopted {
                // Whoever runs it tells of it again.
                self.drop_pending(&path, stamp, true, effects);
            } else {
                self.refuse(
                    &path,
                    stamp,
                    format!("it was not prepared here within {deploy_time:?}"),
                    effects,
                );
            }
        }
    }
}
