//! The driver's part of the network: dialling, links that come up and break, frames that travel.

use std::time::Duration;

use bytes::Bytes;
use sessile_core::{Incarnation, PeerInfo, Position};

use crate::event::{Event, Frame, Inside};
use crate::history::HostId;
use crate::world::World;
use sessile_planted::next;

/// Between two rounds of dialling.
const DIAL_EVERY: Duration = Duration::from_millis(300);

impl World {
    /// Sends a frame over the link to `to`; without one it is lost.
    pub(super) fn send(&mut self, from: (Incarnation, HostId), to: Incarnation, bytes: Bytes) {
        let watching = self.is_watching(from.1);
        let bytes = match &self.hosts[from.1] {
            Some(process) if process.is_next => next::outgoing(&bytes, watching),
            _ => bytes,
        };
        self.trace.mix_bytes(&bytes);
        let Some(link) = self.network.carrier(from.0, to) else { return };
        let frame = Frame { from: from.0, to, link, bytes };
        if self.network.is_stalled(from.0, to) {
            return self.network.stall(frame);
        }
        self.launch(from.1, frame);
    }

    fn launch(&mut self, from: HostId, frame: Frame) {
        let to = (frame.to, self.former_host_of(frame.to));
        for arrival in self.network.arrivals(self.queue.now(), (frame.from, from), to) {
            self.queue.at(arrival, Event::Inside(frame.to, Inside::Frame(frame.clone())));
        }
    }

    /// Forwards frames that waited at cuts; frames that meet another cut wait again.
    pub(super) fn release(&mut self) {
        for frame in self.network.release() {
            self.launch(self.former_host_of(frame.from), frame);
        }
    }

    /// A frame arrives, unless it met a cut or was lost with its sender.
    pub(super) fn frame(&mut self, host: HostId, frame: Frame) {
        if self.lost.contains(&(frame.from, frame.to)) {
            return;
        }
        let sender = self.former_host_of(frame.from);
        if !self.network.reaches(sender, host) || self.network.is_stalled(frame.from, frame.to) {
            return self.network.stall(frame);
        }
        if self.network.is_choked(sender, host) && Position::of(&frame.bytes).is_some() {
            return;
        }
        let kind = frame.bytes.first_chunk().map_or(0, |kind| u16::from_le_bytes(*kind));
        self.say(format_args!("n{host} gets kind {kind} of n{sender}, {} bytes", frame.bytes.len()));
        let is_next = self.hosts[host].as_ref().is_some_and(|process| process.is_next);
        let understood = if is_next { next::incoming(&frame.bytes) } else { Some(frame.bytes.clone()) };
        let Some(bytes) = understood else { return };
        let Some((read, effects)) =
            self.call(host, |node, now, effects| node.received(frame.from, &bytes, now, effects))
        else {
            return;
        };
        if let Err(malformed) = read {
            self.alarm(format!("n{host} cannot read a frame of n{sender}: {malformed}"));
        }
        self.execute(host, effects);
        self.owe_ack(host, frame.from);
    }

    fn owe_ack(&mut self, host: HostId, from: Incarnation) {
        let Some(process) = &mut self.hosts[host] else { return };
        if process.acks_owed.insert(from) {
            let batch = self.rng.pick(&[0, 0, 100, 1_000]);
            self.queue.after(
                Duration::from_micros(batch),
                Event::Inside(process.incarnation, Inside::AckBatch(from)),
            );
        }
    }

    pub(super) fn ack_batch(&mut self, host: HostId, from: Incarnation) {
        let Some(process) = &mut self.hosts[host] else { return };
        process.acks_owed.remove(&from);
        self.drive(host, |node, _, effects| node.acknowledge(from, effects));
    }

    /// Dials every host that there is no link to; a refusal may prove that its process is gone.
    pub(super) fn dial(&mut self, host: HostId) {
        let Some(incarnation) = self.hosts[host].as_ref().map(|process| process.incarnation) else { return };
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            if !self.network.connects(host, other) {
                continue;
            }
            let round_trip = self.network.delay(host, other) + self.network.delay(other, host);
            let inside = match &self.hosts[other] {
                Some(peer) if self.network.is_linked(incarnation, peer.incarnation) => continue,
                Some(peer) => Inside::Connected(peer.incarnation),
                None => match self.hosts[host].as_ref().and_then(|process| process.known.get(&other)) {
                    Some(dead) if self.network.conditions().crash_proves => Inside::Refused(*dead),
                    _ => continue,
                },
            };
            self.queue.after(round_trip, Event::Inside(incarnation, inside));
        }
        let jitter = self.rng.millis(0, 100);
        self.queue.after(DIAL_EVERY + jitter, Event::Inside(incarnation, Inside::Dial));
    }

    /// A dialled process said HELLO, if it still can.
    pub(super) fn connected(&mut self, host: HostId, peer: Incarnation) {
        let Some(other) = self.host_of(peer) else { return };
        let (Some(process), Some(answerer)) = (&self.hosts[host], &self.hosts[other]) else { return };
        let incarnation = process.incarnation;
        let unwanted =
            process.barred.contains(&peer) || answerer.barred.contains(&incarnation) || answerer.paused;
        if unwanted || self.network.is_linked(incarnation, peer) || !self.network.connects(host, other) {
            return;
        }
        let former = process.known.get(&other).copied().filter(|former| *former != peer);
        if let Some(former) = former {
            self.break_link(host, former);
            if self.network.conditions().hello_proves {
                self.say(format_args!("n{host} knows by HELLO that {former} is gone"));
                self.drive(host, |node, now, effects| node.gone(former, now, effects));
            }
        }
        self.network.link(incarnation, peer);
        if let Some(process) = &mut self.hosts[host] {
            process.known.insert(other, peer);
        }
        self.say(format_args!("n{host} has a link to n{other} {peer}"));
        let name = self.hosts[other].as_ref().map_or_else(String::new, |process| process.name.clone());
        self.drive(host, |node, now, effects| {
            node.link_up(&PeerInfo { incarnation: peer, name }, now, effects)
        });
    }

    /// The outbound link broke. A dead process at its end is soon known as refused.
    pub(super) fn link_lost(&mut self, host: HostId, peer: Incarnation) {
        self.break_link(host, peer);
        let other = self.former_host_of(peer);
        let dead = self.host_of(peer).is_none();
        if dead && self.network.conditions().crash_proves && self.network.connects(host, other) {
            let Some(process) = &self.hosts[host] else { return };
            let refusal = self.network.delay(host, other) + self.network.delay(other, host);
            self.queue.after(refusal, Event::Inside(process.incarnation, Inside::Refused(peer)));
        }
    }

    fn break_link(&mut self, host: HostId, peer: Incarnation) {
        let Some(process) = &self.hosts[host] else { return };
        if self.network.unlink(process.incarnation, peer) {
            self.say(format_args!("n{host} lost its link to {peer}"));
            self.drive(host, |node, now, effects| node.link_down(peer, now, effects));
        }
    }

    /// The address of that process refuses connections.
    pub(super) fn refused(&mut self, host: HostId, dead: Incarnation) {
        let other = self.former_host_of(dead);
        if self.host_of(dead).is_some() || !self.network.connects(host, other) {
            return;
        }
        self.break_link(host, dead);
        let Some(process) = &mut self.hosts[host] else { return };
        if process.known.get(&other) == Some(&dead) {
            process.known.remove(&other);
        }
        self.say(format_args!("n{host} knows that {dead} is gone"));
        self.drive(host, |node, now, effects| node.gone(dead, now, effects));
    }

    /// The node bars that process: both links close and stay closed.
    pub(super) fn bar(&mut self, host: HostId, peer: Incarnation) {
        let Some(process) = &mut self.hosts[host] else { return };
        process.barred.insert(peer);
        let incarnation = process.incarnation;
        self.network.unlink(incarnation, peer);
        self.queue.after(Duration::from_millis(1), Event::Inside(peer, Inside::LinkLost(incarnation)));
        self.say(format_args!("n{host} bars {peer}"));
    }

    /// The initial search ends when every live process it can reach has a link, or after the drop time: a
    /// silent peer delays the search until then. Time in which the searcher was stopped does not count.
    pub(super) fn search(&mut self, host: HostId) {
        let Some(process) = &self.hosts[host] else { return };
        let incarnation = process.incarnation;
        let mut missing = false;
        for (other, peer) in self.hosts.iter().enumerate().filter(|(other, _)| *other != host) {
            match peer {
                Some(peer) if !self.network.is_linked(incarnation, peer.incarnation) => {
                    missing |= self.network.connects(host, other);
                }
                _ => {}
            }
        }
        let began =
            self.history.life(incarnation).map(crate::history::SimLife::runs_since).unwrap_or_default();
        if missing && self.now().since(began) < self.harder.timing.drop_time {
            let again = Duration::from_millis(100);
            return self.queue.after(again, Event::Inside(incarnation, Inside::Searched));
        }
        self.say(format_args!("n{host} has searched"));
        self.drive(host, |node, now, effects| node.searched(now, effects));
    }
}
