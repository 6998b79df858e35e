//! (temporary) Stands in for the node until it lands.
#![allow(missing_docs, clippy::unwrap_used)]
use crate::*;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppId(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AskId(pub u64);
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    pub copies: u32,
    pub wanted: u32,
    pub ended: bool,
    pub unconfirmed_for: Option<Duration>,
}
impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.ended {
            return f.write_str("ended");
        }
        write!(f, "copies={}/{}", self.copies, self.wanted)
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    Joining,
    Removed,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    Stalled,
    Closed(Closed),
}
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    Secret(Secret),
    Trusted,
}
#[derive(Clone, Debug)]
pub struct Opened {
    pub key: SessionKey,
    pub app: AppId,
    pub fields: Fields,
    pub max_inactive: Duration,
    pub principal: Option<String>,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    Unknown,
    Ended,
    WrongSecret,
}
#[derive(Clone, Debug)]
pub enum Opening {
    Open(Opened),
    Asking(AskId),
    Absent(Absent),
}
#[derive(Clone, Debug)]
pub struct Create {
    pub app: AppId,
    pub secret: Secret,
    pub max_inactive: Duration,
    pub absolute: Option<Duration>,
}
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub create: Option<Create>,
    pub fields: Vec<(FieldName, Option<Value>)>,
    pub max_inactive: Option<Duration>,
    pub principal: Option<Option<String>>,
    pub add_secret: Option<Secret>,
    pub end_secret: Option<Secret>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Ended,
    Full,
    AttributeTooLarge { name: String, bytes: usize, max: usize },
    SessionTooLarge { bytes: usize, max: usize },
}
#[derive(Clone, Debug)]
pub enum Effect {
    Send { to: Boot, frame: bytes::Bytes },
    Settled { ticket: Ticket, receipt: Receipt },
    Answered { ask: AskId },
    GateMoved,
}
struct Held {
    app: AppId,
    secrets: Vec<Secret>,
    fields: Fields,
    max_inactive: Duration,
    principal: Option<String>,
}
#[derive(Default)]
struct Table {
    live: HashMap<SessionKey, Option<Held>>,
    next: u64,
}
pub struct Node(Mutex<Table>);
impl Node {
    pub fn alone(_now: Instant) -> Self {
        Self(Mutex::default())
    }
    pub fn gate(&self, _now: Instant) -> Gate {
        Gate::Open
    }
    pub fn open(&self, key: SessionKey, proof: Proof, _now: Instant, _fx: &mut Vec<Effect>) -> Opening {
        let t = self.0.lock();
        match t.live.get(&key) {
            None => Opening::Absent(Absent::Unknown),
            Some(None) => Opening::Absent(Absent::Ended),
            Some(Some(h)) => match proof {
                Proof::Secret(s) if !h.secrets.contains(&s) => Opening::Absent(Absent::WrongSecret),
                _ => Opening::Open(Opened { key, app: h.app, fields: h.fields.clone(), max_inactive: h.max_inactive, principal: h.principal.clone() }),
            },
        }
    }
    pub fn open_answered(&self, _: AskId, k: SessionKey, p: Proof, n: Instant, fx: &mut Vec<Effect>) -> Opening {
        self.open(k, p, n, fx)
    }
    pub fn close(&self, _key: SessionKey, _now: Instant) {}
    pub fn has_room(&self, _app: AppId) -> bool {
        true
    }
    pub fn commit(&self, key: SessionKey, c: Changes, _: Instant, fx: &mut Vec<Effect>) -> Result<Ticket, Refusal> {
        let mut t = self.0.lock();
        if let Some(create) = c.create {
            t.live.insert(
                key,
                Some(Held {
                    app: create.app,
                    secrets: vec![create.secret],
                    fields: Fields::default(), max_inactive: create.max_inactive, principal: None
                }),
            );
        }
        let Some(Some(h)) = t.live.get_mut(&key) else { return Err(Refusal::Ended) };
        let stamp = Stamp::new(h.fields.highest_counter() + 1, Boot(1));
        for (n, v) in c.fields {
            h.fields.merge(n.as_str(), stamp, v.as_ref());
        }
        h.max_inactive = c.max_inactive.unwrap_or(h.max_inactive);
        if let Some(p) = c.principal {
            h.principal = p;
        }
        h.secrets.extend(c.add_secret);
        h.secrets.retain(|s| Some(*s) != c.end_secret);
        t.next += 1;
        let ticket = Ticket(t.next);
        fx.push(Effect::Settled { ticket, receipt: Receipt { copies: 1, wanted: 1, ..Receipt::default() } });
        Ok(ticket)
    }
    pub fn end(&self, key: SessionKey, _: Instant, fx: &mut Vec<Effect>) -> Option<Ticket> {
        let mut t = self.0.lock();
        t.live.insert(key, None);
        t.next += 1;
        let ticket = Ticket(t.next);
        fx.push(Effect::Settled { ticket, receipt: Receipt { copies: 1, wanted: 1, ..Receipt::default() } });
        Some(ticket)
    }
    pub fn unsettled(&self, _: SessionKey) -> Option<Ticket> {
        None
    }
}
