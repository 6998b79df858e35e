//! Tells one member's owner who is there, event by event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::pipe::{Pipe, Reader};
use super::{Hub, Members};
use crate::event::Event;

/// How long after the end of a pipe another one to the same member is made.
const MEET_AGAIN: Duration = Duration::from_millis(100);

/// What one member was told, and what it is to be told.
#[derive(Debug)]
pub(super) struct Keeper {
    own: u32,
    hub: Arc<Hub>,
    events: mpsc::Sender<Event>,
    /// Pipes to others that were told as up.
    up: BTreeMap<u32, Arc<Pipe>>,
    /// Pipes from others that were handed over.
    heard: BTreeMap<u32, Arc<Pipe>>,
    /// Members that were told as down, and neither as up nor as gone since.
    down: BTreeSet<u32>,
    meet_again: BTreeMap<u32, Instant>,
}

impl Keeper {
    pub(super) fn new(own: u32, hub: Arc<Hub>, events: mpsc::Sender<Event>) -> Self {
        Self {
            own,
            hub,
            events,
            up: BTreeMap::new(),
            heard: BTreeMap::new(),
            down: BTreeSet::new(),
            meet_again: BTreeMap::new(),
        }
    }

    /// Runs until the member departs, or its owner wants no more events.
    pub(super) async fn run(mut self) {
        let mut changes = self.hub.changes.subscribe();
        if self.tell().await.is_err() {
            return;
        }
        let reached = self.up.keys().copied().collect();
        let searched = Event::Searched { reached, silent: Vec::new(), strangers: Vec::new() };
        if self.events.send(searched).await.is_err() {
            return;
        }
        loop {
            let due = self.meet_again.values().min().copied();
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            if self.tell().await.is_err() {
                return;
            }
        }
    }

    /// Tells everything that changed.
    async fn tell(&mut self) -> Result<(), mpsc::error::SendError<Event>> {
        while let Some(event) = self.next_event() {
            self.events.send(event).await?;
        }
        Ok(())
    }

    fn next_event(&mut self) -> Option<Event> {
        let hub = Arc::clone(&self.hub);
        let mut members = hub.state.lock();
        let now = Instant::now();
        self.meet_again.retain(|incarnation, due| *due > now && members.present.contains_key(incarnation));
        self.clear(&mut members);
        self.lost(&mut members, now)
            .or_else(|| self.gone(&members))
            .or_else(|| self.met(&mut members))
            .or_else(|| self.called(&members))
    }

    /// Forgets pipes whose sender is no more and that were handed over.
    fn clear(&mut self, members: &mut Members) {
        let Members { present, pipes } = members;
        pipes.retain(|(from, to), pipe| {
            *to != self.own
                || present.contains_key(from)
                || !self.heard.contains_key(from) && !pipe.is_ended()
        });
        self.heard.retain(|from, _| present.contains_key(from));
    }

    /// A pipe to another member has ended.
    fn lost(&mut self, members: &mut Members, now: Instant) -> Option<Event> {
        while let Some((incarnation, pipe)) = self.up.iter().find(|(_, pipe)| !pipe.is_open()) {
            let (incarnation, forgotten) = (*incarnation, pipe.was_ended_by(self.own));
            self.up.remove(&incarnation);
            members.pipes.remove(&(self.own, incarnation));
            self.meet_again.insert(incarnation, now + MEET_AGAIN);
            if !forgotten {
                self.down.insert(incarnation);
                return Some(Event::Down { incarnation });
            }
        }
        None
    }

    fn gone(&mut self, members: &Members) -> Option<Event> {
        let incarnation = *self.down.iter().find(|incarnation| !members.present.contains_key(incarnation))?;
        self.down.remove(&incarnation);
        Some(Event::Gone { incarnation })
    }

    /// Somebody is there to whom no pipe leads.
    fn met(&mut self, members: &mut Members) -> Option<Event> {
        let own = members.present.get(&self.own)?.clone();
        let is_new = |incarnation: &u32| {
            *incarnation != self.own
                && !self.up.contains_key(incarnation)
                && !self.meet_again.contains_key(incarnation)
        };
        let (incarnation, peer) = members.present.iter().find(|(incarnation, _)| is_new(incarnation))?;
        let (incarnation, peer) = (*incarnation, peer.clone());
        let pipe = Arc::new(Pipe::new(own, incarnation));
        members.pipes.insert((self.own, incarnation), Arc::clone(&pipe));
        self.up.insert(incarnation, pipe);
        self.down.remove(&incarnation);
        // The other one's keeper is to hand over its end.
        self.hub.changes.send_modify(|changes| *changes += 1);
        Some(Event::Up(peer))
    }

    /// Another member has made a pipe to this one.
    fn called(&mut self, members: &Members) -> Option<Event> {
        let to_own = members.pipes.iter().filter(|((_, to), pipe)| *to == self.own && !pipe.is_ended());
        let is_new =
            |from: u32, pipe: &Arc<Pipe>| self.heard.get(&from).is_none_or(|heard| !Arc::ptr_eq(heard, pipe));
        let mut fresh = to_own.filter(|((from, _), pipe)| is_new(*from, pipe));
        let (from, pipe) = fresh.next().map(|((from, _), pipe)| (*from, Arc::clone(pipe)))?;
        self.heard.insert(from, Arc::clone(&pipe));
        Some(Event::Inbound(Box::new(Reader { pipe, own: self.own, hub: Arc::clone(&self.hub) })))
    }
}
