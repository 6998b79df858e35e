//! The members other than the coordinator: preparations on this node.

use std::time::Duration;

use super::{Effect, FarmMember, Protocol};
use crate::farm::deploy_timestamp::DeployTimestamp;
use crate::farm::message::{DeployOrder, Message, REASON_MAX};
use crate::farm::seal::DeployStage;

/// Most simultaneous preparations; further ones are refused.
const PENDING_MAX: usize = 32;

/// A deployment that this node prepares.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) order: DeployOrder,
    /// The coordinator, or the member that announced the deployment.
    pub(super) from: FarmMember,
    /// The deployment is committed: this node switches as soon as it is prepared.
    pub(super) adopted: bool,
    is_prepared: bool,
    began: Duration,
}

impl Protocol {
    /// A coordinator offers an order.
    pub(super) fn offered(
        &mut self,
        from: &FarmMember,
        order: DeployOrder,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let (path, timestamp, holds) =
            (order.path.clone(), order.timestamp, self.catalog.timestamp(&order.path));
        if let Some(objection) = self.sealer.objection(&order, DeployStage::Offered) {
            let reason = objection.to_owned();
            return effects.push(Effect::send(from, Message::Refused { path, timestamp, reason }));
        }
        if timestamp == holds {
            effects.push(Effect::send(from, Message::Prepared { path, timestamp }));
        } else if timestamp < holds {
            let reason = "a later deployment is active on this node; deploy again to replace it".to_owned();
            effects.push(Effect::send(from, Message::Refused { path, timestamp, reason }));
        } else if let Some(pending) = self.pending.get(&(path.clone(), timestamp)) {
            if pending.is_prepared {
                effects.push(Effect::send(from, Message::Prepared { path, timestamp }));
            }
        } else {
            self.begin(from, order, false, now, effects);
        }
    }

    /// A member announces a current order.
    pub(super) fn learn(
        &mut self,
        from: &FarmMember,
        order: DeployOrder,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let key = (order.path.clone(), order.timestamp);
        let awaited = self.pending.iter().filter(|((at, _), pending)| *at == order.path && pending.adopted);
        let awaited = awaited.map(|((_, timestamp), _)| *timestamp).max().unwrap_or_default();
        if order.timestamp <= self.catalog.timestamp(&order.path).max(awaited)
            || self.unusable.contains_key(&key)
        {
            return;
        }
        self.adopt(from, order, now, effects);
    }

    /// The coordinator has committed this.
    pub(super) fn activate_order(
        &mut self,
        from: &FarmMember,
        order: DeployOrder,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let (path, timestamp) = (order.path.clone(), order.timestamp);
        self.runs_there(from, order.clone());
        if timestamp > self.catalog.timestamp(&path) {
            self.adopt(from, order, now, effects);
        }
        if timestamp <= self.catalog.timestamp(&path) {
            effects.push(Effect::send(from, Message::Active { path, timestamp }));
        }
    }

    /// Switches to a committed order, at once or when it is prepared; never to an order with an invalid seal.
    fn adopt(&mut self, from: &FarmMember, order: DeployOrder, now: Duration, effects: &mut Vec<Effect>) {
        if let Some(objection) = self.sealer.objection(&order, DeployStage::Held) {
            return self.note_unusable(order.path, order.timestamp, objection.to_owned());
        }
        match self.pending.get_mut(&(order.path.clone(), order.timestamp)) {
            Some(pending) if pending.is_prepared => self.switch(order, effects),
            Some(pending) => (pending.adopted, pending.order) = (true, order),
            None if order.archive.is_none() => self.switch(order, effects),
            None => self.begin(from, order, true, now, effects),
        }
    }

    fn begin(
        &mut self,
        from: &FarmMember,
        order: DeployOrder,
        adopted: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let (path, timestamp) = (order.path.clone(), order.timestamp);
        if let Some(reason) = self.why_not(&order) {
            if !adopted {
                effects.push(Effect::send(from, Message::Refused { path, timestamp, reason }));
            }
            return;
        }
        let archive = order.archive.clone();
        let is_prepared = archive.is_none();
        let pending = Pending { order, from: from.clone(), adopted, is_prepared, began: now };
        self.pending.insert((path.clone(), timestamp), pending);
        match archive {
            None => effects.push(Effect::send(from, Message::Prepared { path, timestamp })),
            Some(archive) if self.store.contains(&archive.digest) => {
                effects.push(Effect::Prepare { path, timestamp, archive });
            }
            Some(archive) => self.fetch(archive, from, now, effects),
        }
    }

    fn why_not(&self, order: &DeployOrder) -> Option<String> {
        let limit = self.settings.archive_bytes;
        let bytes = order.archive.as_ref().map_or(1, |archive| archive.bytes);
        if self.pending.len() >= PENDING_MAX {
            Some(format!("{PENDING_MAX} deployments are already being prepared on this node"))
        } else if bytes == 0 || bytes > limit {
            Some(format!("{bytes} bytes are not between 1 and the {limit} of [farm] max_archive_bytes here"))
        } else {
            None
        }
    }

    /// Processes the result of a pending preparation.
    pub(super) fn pending_prepared(
        &mut self,
        path: &str,
        timestamp: DeployTimestamp,
        result: Result<(), String>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.get_mut(&(path.to_owned(), timestamp)) else { return };
        if let Err(reason) = result {
            return self.refuse(path, timestamp, reason, effects);
        }
        pending.is_prepared = true;
        let (from, order) = (pending.from.clone(), pending.order.clone());
        if pending.adopted {
            self.activate_now(&from, order, now, effects);
        } else {
            effects.push(Effect::send(&from, Message::Prepared { path: path.to_owned(), timestamp }));
        }
    }

    fn activate_now(
        &mut self,
        from: &FarmMember,
        order: DeployOrder,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if order.timestamp > self.catalog.timestamp(&order.path) {
            self.activate_order(from, order, now, effects);
        } else {
            self.drop_pending(&order.path, order.timestamp, true, effects);
        }
    }

    /// Refuses an order that cannot run on this node: informs the coordinator or, if it is committed, this
    /// node's operators.
    pub(super) fn refuse(
        &mut self,
        path: &str,
        timestamp: DeployTimestamp,
        mut reason: String,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.get(&(path.to_owned(), timestamp)) else { return };
        let cut = reason.floor_char_boundary(REASON_MAX);
        reason.truncate(cut);
        if pending.adopted {
            self.note_unusable(path.to_owned(), timestamp, reason);
        } else {
            let refused = Message::Refused { path: path.to_owned(), timestamp, reason };
            effects.push(Effect::send(&pending.from.clone(), refused));
        }
        self.drop_pending(path, timestamp, true, effects);
    }

    fn note_unusable(&mut self, path: String, timestamp: DeployTimestamp, reason: String) {
        self.unusable.retain(|(at, _), _| *at != path);
        self.unusable.insert((path, timestamp), reason);
    }

    /// The coordinator has given up the deployment.
    pub(super) fn aborted(&mut self, path: &str, timestamp: DeployTimestamp, effects: &mut Vec<Effect>) {
        self.drop_pending(path, timestamp, true, effects);
    }

    /// Removes a pending order; with `discard` also its preparation (without, the node has just switched to
    /// it).
    pub(super) fn drop_pending(
        &mut self,
        path: &str,
        timestamp: DeployTimestamp,
        discard: bool,
        effects: &mut Vec<Effect>,
    ) {
        let Some(pending) = self.pending.remove(&(path.to_owned(), timestamp)) else { return };
        if discard {
            effects.push(Effect::Discard { path: path.to_owned(), timestamp });
        }
        if let Some(archive) = pending.order.archive {
            self.drop_unwanted_fetch(archive.digest, effects);
        }
    }

    /// Uncommitted orders of a coordinator that left are dropped; if one was committed, the catalogs announce
    /// it.
    pub(super) fn member_left(&mut self, member: &FarmMember, now: Duration, effects: &mut Vec<Effect>) {
        let lost = self.pending.iter().filter(|(_, pending)| pending.from == *member && !pending.adopted);
        for (path, timestamp) in lost.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.drop_pending(&path, timestamp, true, effects);
        }
        self.fetches_without(member, now, effects);
        self.deployments_without(member, now, effects);
    }

    /// Pending orders time out: the coordinator has given up by then.
    pub(super) fn tick_pending(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let deploy_time = self.settings.deploy_time;
        let old = self.pending.iter().filter(|(_, pending)| now >= pending.began + deploy_time);
        for ((path, timestamp), adopted) in
            old.map(|(key, old)| (key.clone(), old.adopted)).collect::<Vec<_>>()
        {
            if adopted {
                // Members that run it announce it again.
                self.drop_pending(&path, timestamp, true, effects);
            } else {
                self.refuse(
                    &path,
                    timestamp,
                    format!("it was not prepared on this node within {deploy_time:?}"),
                    effects,
                );
            }
        }
    }
}
