//! Getting an archive from another member, piece by piece: a few are asked for at once, and each that comes asks for the
//! next. What does not come is asked for again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{Effect, Member, Protocol};
use crate::farm::archived::{Archived, Digest};
use crate::farm::message::Message;

/// Pieces that are asked for and have not come.
const WINDOW: usize = 8;
/// A piece that has not come by then is asked for again.
const PIECE_TIME: Duration = Duration::from_secs(2);
/// The largest piece that is sent to anybody.
const PIECE_MAX: u32 = 512 << 10;

/// An archive on its way here.
#[derive(Debug)]
pub(super) struct Fetch {
    archive: Archived,
    source: Member,
    /// The first byte that was never asked for.
    next: u64,
    /// By their first byte: how many, and when they were asked for.
    awaited: BTreeMap<u64, (u32, Duration)>,
}

impl Protocol {
    /// Begins to get an archive; one that is on its way already is waited for.
    pub(super) fn fetch(
        &mut self,
        archive: Archived,
        source: &Member,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let digest = archive.digest;
        self.fetches.entry(digest).or_insert_with(|| Fetch {
            archive,
            source: source.clone(),
            next: 0,
            awaited: BTreeMap::new(),
        });
        self.ask_for_more(digest, now, effects);
    }

    /// A member wants a part of an archive.
    pub(super) fn asked(
        &self,
        to: &Member,
        digest: Digest,
        from: u64,
        bytes: u32,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(if self.shelf.contains(&digest) {
            Effect::SendPiece { to: to.clone(), digest, from, bytes: bytes.min(PIECE_MAX) }
        } else {
            Effect::send(to, Message::Missing { digest })
        });
    }

    /// A part came that is what its sender read.
    pub(super) fn piece(
        &mut self,
        digest: Digest,
        from: u64,
        bytes: Bytes,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(fetch) = self.fetches.get_mut(&digest) else { return };
        let is_awaited = fetch.awaited.get(&from).is_some_and(|(length, _)| *length as usize == bytes.len());
        if !is_awaited {
            return;
        }
        fetch.awaited.remove(&from);
        effects.push(Effect::Write { digest, from, bytes });
        if fetch.awaited.is_empty() && fetch.next == fetch.archive.bytes {
            effects.push(Effect::Finish { digest });
        } else {
            self.ask_for_more(digest, now, effects);
        }
    }

    /// An archive is on the shelf, or what came is not what its digest says, or cannot be written.
    pub(crate) fn fetched(&mut self, digest: Digest, result: Result<(), String>, effects: &mut Vec<Effect>) {
        self.fetches.remove(&digest);
        let waiting = self.pending.iter().filter(|(_, pending)| {
            pending.order.archive.as_ref().is_some_and(|archive| archive.digest == digest)
        });
        let waiting: Vec<_> = waiting.map(|(_, pending)| pending.order.clone()).collect();
        match result {
            Ok(()) => drop(self.shelf.insert(digest)),
            // A disk that is full must not keep half of it.
            Err(_) => effects.push(Effect::Drop { digest }),
        }
        for order in waiting {
            match (&result, order.archive) {
                (Ok(()), Some(archive)) => {
                    effects.push(Effect::Prepare { path: order.path, stamp: order.stamp, archive });
                }
                (Err(reason), _) => self.refuse(&order.path, order.stamp, reason.clone(), effects),
                (Ok(()), None) => {}
            }
        }
    }

    /// Who was asked does not have it any more.
    pub(super) fn missing_there(
        &mut self,
        from: &Member,
        digest: Digest,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.fetches.get(&digest).is_some_and(|fetch| fetch.source == *from) {
            self.ask_another(digest, now, effects);
        }
    }

    pub(super) fn fetches_without(&mut self, member: &Member, now: Duration, effects: &mut Vec<Effect>) {
        let lost = self.fetches.iter().filter(|(_, fetch)| fetch.source == *member);
        for digest in lost.map(|(digest, _)| *digest).collect::<Vec<_>>() {
            self.ask_another(digest, now, effects);
        }
    }

    /// Goes on with another member that runs it; where there is none, whoever needed it is told.
    fn ask_another(&mut self, digest: Digest, now: Duration, effects: &mut Vec<Effect>) {
        let Some(fetch) = self.fetches.get_mut(&digest) else { return };
        let runs_it = |peer: &super::Peer| {
            let mut listed = peer.told.iter().flat_map(BTreeMap::values);
            listed.any(|listed| listed.archive.as_ref().is_some_and(|archive| archive.digest == digest))
        };
        let other = self.peers.iter().find(|(member, peer)| **member != fetch.source && runs_it(peer));
        let Some((other, _)) = other else {
            effects.push(Effect::Drop { digest });
            self.give_up_fetch(digest, effects);
            return;
        };
        fetch.source = other.clone();
        for (_, asked) in fetch.awaited.values_mut() {
            *asked = now.saturating_sub(PIECE_TIME);
        }
        self.tick_fetches(now, effects);
    }

    /// What holds elsewhere is tried again when somebody tells of it again; what was offered is refused.
    fn give_up_fetch(&mut self, digest: Digest, effects: &mut Vec<Effect>) {
        self.fetches.remove(&digest);
        let waiting = self.pending.iter().filter(|(_, pending)| {
            pending.order.archive.as_ref().is_some_and(|archive| archive.digest == digest)
        });
        let waiting: Vec<_> =
            waiting.map(|((path, stamp), pending)| (path.clone(), *stamp, pending.adopted)).collect();
        for (path, stamp, adopted) in waiting {
            if adopted {
                self.drop_pending(&path, stamp, true, effects);
            } else {
                self.refuse(&path, stamp, "no member has the archive any more".to_owned(), effects);
            }
        }
    }

    /// Nobody needs it: what came of it goes.
    pub(super) fn drop_unwanted_fetch(&mut self, digest: Digest, effects: &mut Vec<Effect>) {
        let mut needed = self.pending.values().filter_map(|pending| pending.order.archive.as_ref());
        if !needed.any(|archive| archive.digest == digest) && self.fetches.remove(&digest).is_some() {
            effects.push(Effect::Drop { digest });
        }
    }

    fn ask_for_more(&mut self, digest: Digest, now: Duration, effects: &mut Vec<Effect>) {
        let piece_bytes = self.settings.piece_bytes;
        let Some(fetch) = self.fetches.get_mut(&digest) else { return };
        while fetch.awaited.len() < WINDOW && fetch.next < fetch.archive.bytes {
            let left = fetch.archive.bytes - fetch.next;
            let bytes = u32::try_from(left).unwrap_or(u32::MAX).min(piece_bytes);
            fetch.awaited.insert(fetch.next, (bytes, now));
            effects.push(Effect::send(&fetch.source, Message::Ask { digest, from: fetch.next, bytes }));
            fetch.next += u64::from(bytes);
        }
    }

    /// Asks again for what has not come.
    pub(super) fn tick_fetches(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for (digest, fetch) in &mut self.fetches {
            for (from, (bytes, asked)) in &mut fetch.awaited {
                if now >= *asked + PIECE_TIME {
                    *asked = now;
                    let ask = Message::Ask { digest: *digest, from: *from, bytes: *bytes };
                    effects.push(Effect::send(&fetch.source, ask));
                }
            }
        }
    }
}
