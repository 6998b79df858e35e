//! A process's swap file: resting sessions are swapped out and fetched when needed.

use std::collections::BTreeMap;

use bytes::Bytes;
use sessile_core::{Fields, Incarnation, Instant, Node, Saveable, SessionKey, Settings, Survey};

use crate::rng::Rng;

/// Sessions that are swapped out when a survey finds them at rest, of 1,000.
const SWAPPED: u32 = 60;

/// What one process has swapped out. It dies with the process.
pub(crate) struct SwapFile {
    saved: BTreeMap<SessionKey, Bytes>,
    survey: Survey,
    rng: Rng,
    /// How often a session was swapped out.
    pub(crate) swaps: u64,
}

impl SwapFile {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { saved: BTreeMap::new(), survey: Survey::default(), rng, swaps: 0 }
    }

    /// Surveys some sessions, and swaps out a few unused ones.
    pub(crate) fn swap_some(&mut self, node: &Node, now: Instant) {
        let (residents, next) = node.survey(self.survey, now);
        self.survey = next.unwrap_or_default();
        for resident in residents {
            if !self.rng.chance(SWAPPED) {
                continue;
            }
            let Some(Saveable::Live { version, content, .. }) = node.saveable(resident.key, now) else {
                continue;
            };
            if node.swap_out(resident.key, version) {
                self.saved.insert(resident.key, content);
                self.swaps += 1;
            }
        }
    }

    /// What was saved of a session, for the node that needs it.
    pub(crate) fn take(&mut self, key: SessionKey) -> Option<Bytes> {
        self.saved.remove(&key)
    }

    /// What a session that was swapped out holds, without bringing it back.
    pub(crate) fn peek(&self, key: SessionKey) -> Option<Fields> {
        let reader = Node::alone(reader_settings(), Instant::ORIGIN);
        let mut frames = Vec::new();
        let mut effects = sessile_core::Effects::new(&mut frames);
        reader
            .restore(key, self.saved.get(&key)?, std::time::Duration::ZERO, Instant::ORIGIN, &mut effects)
            .ok()?;
        reader.peek(key).map(|(_, fields)| fields)
    }
}

fn reader_settings() -> Settings {
    Settings::new(Incarnation(1), "reader")
}
