//! A process's swap file: sessions that rest go there and come back when they are needed.

use std::collections::BTreeMap;

use bytes::Bytes;
use sessile_core::{
    Bounds, Fields, Incarnation, Instant, Mode, Node, Plant, Saveable, SessionKey, Settings, Survey, Timing,
};

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

    /// Looks at some sessions, and swaps out a few that nobody uses.
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
    Settings {
        incarnation: Incarnation(1),
        name: "reader".into(),
        timing: Timing::default(),
        bounds: Bounds::default(),
        copies: None,
        mode: Mode::Synchronous,
        stores: false,
        ack_set: std::sync::Arc::new(sessile_core::AllMembers),
        plant: Plant::None,
    }
}
