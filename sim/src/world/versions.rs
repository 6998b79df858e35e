//! Processes of the next version beside those of today's.

use crate::event::{Event, Inside};
use crate::history::HostId;
use crate::world::World;
use sessile_planted::next;

impl World {
    /// Whether a process of the next version watches: a state unknown to the current version.
    pub(super) fn is_watching(&self, host: HostId) -> bool {
        self.hosts[host].as_ref().is_some_and(|process| process.watches_until > self.now())
    }

    /// A process of the next version is ready, and watches for a while before it serves.
    pub(super) fn watch(&mut self, host: HostId) {
        let time = match &self.hosts[host] {
            Some(process) if process.is_next => self.rng.millis(0, 3_000),
            _ => return,
        };
        let until = self.now().plus(time);
        let Some(process) = &mut self.hosts[host] else { return };
        process.watches_until = until;
        self.queue.at(until, Event::Inside(process.incarnation, Inside::GateMoved));
    }

    /// Members of the next version send all others a frame that may be unknown to them.
    pub(super) fn greet(&mut self, host: HostId) {
        let Some(process) = self.hosts[host].as_ref().filter(|process| process.is_next) else { return };
        let (incarnation, now) = (process.incarnation, process.time(self.now()));
        let others: Vec<_> =
            process.node.members(now).iter().filter(|row| !row.is_self).map(|row| row.incarnation).collect();
        for other in others {
            self.send((incarnation, host), other, next::greeting());
        }
    }
}
