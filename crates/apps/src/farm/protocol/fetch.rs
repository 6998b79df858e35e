//! Fetches an archive from another member piece by piece: a window of pieces is requested, and each arrival
//! requests the next. A missing piece is requested again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{Effect, FarmMember, Protocol};
use crate::farm::archive_ref::{ArchiveRef, Digest};
use crate::farm::message::Message;

/// Most outstanding pieces.
const WINDOW: usize = 8;
/// Timeout after which a piece is requested again.
const PIECE_TIME: Duration = Duration::from_secs(2);
/// The largest piece that is sent.
const PIECE_MAX: u32 = 512 << 10;

/// An archive that is being fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    archive: ArchiveRef,
    source: FarmMember,
    /// The first byte that was not requested yet.
    next: u64,
    /// Outstanding pieces by their first byte: length, and time of the request.
    awaited: BTreeMap<u64, (u32, Duration)>,
}

impl Protocol {
    /// Begins to fetch an archive, unless a fetch is running already.
    pub(super) fn fetch(
        &mut self,
        archive: ArchiveRef,
        source: &FarmMember,
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

    /// A member requests a part of an archive.
    pub(super) fn asked(
        &self,
        to: &FarmMember,
        digest: Digest,
        from: u64,
        bytes: u32,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(if self.store.contains(&digest) {
            Effect::SendPiece { to: to.clone(), digest, from, bytes: bytes.min(PIECE_MAX) }
        } else {
            Effect::send(to, Message::Missing { digest })
        });
    }

    /// A piece with a correct checksum arrived.
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

    /// The fetch ended: the archive is in the store, or it is damaged or cannot be written.
    pub(crate) fn fetched(&mut self, digest: Digest, result: Result<(), String>, effects: &mut Vec<Effect>) {
        self.fetches.remove(&digest);
        let waiting = self.pending.iter().filter(|(_, pending)| {
            pending.order.archive.as_ref().is_some_and(|archive| archive.digest == digest)
        });
        let waiting: Vec<_> = waiting.map(|(_, pending)| pending.order.clone()).collect();
        match result {
            Ok(()) => drop(self.store.insert(digest)),
            // A full disk must not keep a partial archive.
            Err(_) => effects.push(Effect::Drop { digest }),
        }
        for order in waiting {
            match (&result, order.archive) {
                (Ok(()), Some(archive)) => {
                    effects.push(Effect::Prepare { path: order.path, timestamp: order.timestamp, archive });
                }
                (Err(reason), _) => self.refuse(&order.path, order.timestamp, reason.clone(), effects),
                (Ok(()), None) => {}
            }
        }
    }

    /// The asked member does not have the archive any more.
    pub(super) fn missing_there(
        &mut self,
        from: &FarmMember,
        digest: Digest,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.fetches.get(&digest).is_some_and(|fetch| fetch.source == *from) {
            self.ask_another(digest, now, effects);
        }
    }

    pub(super) fn fetches_without(&mut self, member: &FarmMember, now: Duration, effects: &mut Vec<Effect>) {
        let lost = self.fetches.iter().filter(|(_, fetch)| fetch.source == *member);
        for digest in lost.map(|(digest, _)| *digest).collect::<Vec<_>>() {
            self.ask_another(digest, now, effects);
        }
    }

    /// Continues with another member that runs the archive; without one the dependent preparations fail.
    fn ask_another(&mut self, digest: Digest, now: Duration, effects: &mut Vec<Effect>) {
        let Some(fetch) = self.fetches.get_mut(&digest) else { return };
        let runs_it = |peer: &super::FarmPeer| {
            let mut listed = peer.catalog.iter().flat_map(BTreeMap::values);
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

    /// A committed deployment is retried when a catalog announces it again; an offered one is refused.
    fn give_up_fetch(&mut self, digest: Digest, effects: &mut Vec<Effect>) {
        self.fetches.remove(&digest);
        let waiting = self.pending.iter().filter(|(_, pending)| {
            pending.order.archive.as_ref().is_some_and(|archive| archive.digest == digest)
        });
        let waiting: Vec<_> =
            waiting.map(|((path, timestamp), pending)| (path.clone(), *timestamp, pending.adopted)).collect();
        for (path, timestamp, adopted) in waiting {
            if adopted {
                self.drop_pending(&path, timestamp, true, effects);
            } else {
                self.refuse(&path, timestamp, "no member has the archive any more".to_owned(), effects);
            }
        }
    }

    /// Drops an unneeded fetch and its pieces.
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

    /// Requests missing pieces again.
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
