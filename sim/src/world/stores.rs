//! The store of each process: what it takes and gives back, when it is out of order, what it loses.

use std::time::Duration;

use sessile_core::SessionKey;

use crate::event::{Event, Inside};
use crate::harder::Draw;
use crate::history::HostId;
use crate::world::World;

impl World {
    /// Some sessions at rest are swapped out.
    pub(super) fn swap_some(&mut self, host: HostId) {
        let now = self.now();
        if self.harder.store_works_at(now).is_some() {
            return;
        }
        let Some(process) = &mut self.hosts[host] else { return };
        let has_begun = process.listener.has_begun();
        let now = process.time(now);
        if let Some(swap) = process.swap.as_mut().filter(|_| has_begun) {
            swap.swap_some(&process.node, now);
        }
    }

    /// The content of a session came from the swap file.
    pub(super) fn fetched(&mut self, host: HostId, key: SessionKey) {
        if let Some(works_at) = self.harder.store_works_at(self.now()) {
            let Some(process) = &self.hosts[host] else { return };
            return self.queue.at(works_at, Event::Inside(process.incarnation, Inside::Fetched(key)));
        }
        if self.is_held_elsewhere(host, key) && self.harder.loses_record() {
            return self.lose_record(host, key);
        }
        let swap = self.hosts[host].as_mut().and_then(|process| process.swap.as_mut());
        let content = swap.and_then(|swap| swap.take(key)).expect("only what was swapped out is fetched");
        self.drive(host, |node, now, effects| {
            let restored = node.restore(key, &content, Duration::ZERO, now, effects);
            restored.expect("the swap file gives back what it was given");
        });
    }

    /// Whether another process that serves has this session in memory: then one store may lose it.
    fn is_held_elsewhere(&self, host: HostId, key: SessionKey) -> bool {
        let others = self.hosts.iter().enumerate().filter(|(other, _)| *other != host);
        self.harder.has(Draw::LossyStore)
            && others
                .filter_map(|(_, process)| process.as_ref())
                .any(|other| other.is_well() && other.node.holds(key))
    }

    /// The store has lost what is wanted of it.
    fn lose_record(&mut self, host: HostId, key: SessionKey) {
        self.say(format_args!("n{host}'s store has lost {key}"));
        self.counters.lost_records += 1;
        if let Some(swap) = self.hosts[host].as_mut().and_then(|process| process.swap.as_mut()) {
            drop(swap.take(key));
        }
        self.drive(host, |node, now, effects| node.lost(key, now, effects));
    }
}
