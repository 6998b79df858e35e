//! A listener on every node that mirrors the node's sessions from notices alone.

use std::collections::{BTreeMap, BTreeSet};

use sessile_core::{Instant, Node, Notice, Plant, SessionChange, SessionKey};

use crate::history::{HostId, Spoken};
use crate::world::World;

/// Sessions that are listed at once.
const LISTED: usize = 10_000;

/// Sessions with the names of their attributes.
type Names = BTreeMap<SessionKey, BTreeSet<Box<str>>>;

/// State of one process's listener, built from notices.
#[derive(Default)]
pub(crate) struct Listener {
    /// `None` until the process is ready for the first time.
    known: Option<Names>,
    /// Notices heard of each part of the sessions.
    heard: BTreeMap<u8, u64>,
}

impl World {
    /// Sessions present when a process becomes ready cause no notices.
    pub(super) fn listening_begins(&mut self, host: HostId) {
        let now = self.now();
        let Some(process) = &mut self.hosts[host] else { return };
        if process.listener.known.is_none() {
            process.listener.known = Some(names(&process.node, process.time(now)));
        }
    }

    pub(super) fn noticed(&mut self, host: HostId, shard: u8, sequence: u64, notice: Notice) {
        let Some(process) = &mut self.hosts[host] else { return };
        if matches!(notice.change, SessionChange::Ended { .. }) && !notice.remote {
            let (incarnation, key) = (process.incarnation, notice.key);
            self.history.spoken.push(Spoken { at: self.queue.now(), incarnation, key });
        }
        let words = format!("n{host}'s listener is told {notice:?}");
        if let Err(wrong) = process.listener.hear(shard, sequence, notice) {
            self.misheard(format!("{words}: {wrong}"));
        }
    }

    /// Every listener must equal its node's sessions.
    pub(super) fn question_listeners(&mut self) {
        let mut wrong = Vec::new();
        for (host, process) in self.hosts.iter().enumerate() {
            let Some(process) = process else { continue };
            let Some(known) = &process.listener.known else { continue };
            let held = names(&process.node, process.time(self.now()));
            let differs =
                |key: &&SessionKey| known.get(*key) != held.get(*key) && !process.node.is_swapped_out(**key);
            let differing: Vec<_> = known.keys().chain(held.keys()).filter(differs).collect();
            if let Some(key) = differing.first() {
                let (known, held) = (known.get(*key), held.get(*key));
                wrong.push(format!("n{host} holds {held:?} of {key}, its listener was told {known:?}"));
            }
        }
        wrong.into_iter().for_each(|words| self.misheard(words));
    }

    /// A planted bug must be caught by the promise that it breaks.
    fn misheard(&mut self, words: String) {
        if matches!(self.plant, Plant::NONE | Plant::NOTIFIED_TWICE) {
            self.alarm(words);
        }
    }
}

impl Listener {
    /// Whether its process was ready once: from then on changes cause notices.
    pub(crate) fn has_begun(&self) -> bool {
        self.known.is_some()
    }

    fn hear(&mut self, shard: u8, sequence: u64, notice: Notice) -> Result<(), &'static str> {
        let next = self.heard.entry(shard).or_default();
        if std::mem::replace(next, sequence + 1) != sequence {
            return Err("out of order");
        }
        let Some(known) = &mut self.known else { return Err("too early") };
        let (key, remote) = (notice.key, notice.remote);
        match notice.change {
            SessionChange::Created => match known.insert(key, BTreeSet::new()) {
                None => Ok(()),
                Some(_) => Err("it was there before"),
            },
            // An end may be reported again on behalf of a dead node.
            SessionChange::Ended { .. } => match known.remove(&key) {
                None if remote => Err("there was no such session"),
                _ => Ok(()),
            },
            change => {
                let names = known.get_mut(&key).ok_or("there is no such session")?;
                let fits = match change {
                    SessionChange::AttributeAdded { name } => names.insert(name),
                    SessionChange::AttributeReplaced { name } => names.contains(&name),
                    SessionChange::AttributeRemoved { name } => names.remove(&name),
                    _ => true,
                };
                if fits { Ok(()) } else { Err("that is not what was there before") }
            }
        }
    }
}

fn names(node: &Node, now: Instant) -> Names {
    let rows = node.sessions(None, LISTED, now).into_iter();
    let of = |key| {
        let (_, fields) = node.peek(key)?;
        Some((key, fields.attributes().map(|(name, _)| name.into()).collect()))
    };
    rows.filter_map(|row| of(row.key)).collect()
}
