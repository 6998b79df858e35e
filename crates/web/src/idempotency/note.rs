//! One note of the ledger: a key, and what became of its request.

use serde::{Deserialize, Serialize};
use sessile_core::{Incarnation, Value, ValueRef};

use super::keyed_request::KeyedRequest;
use super::stored_response::StoredResponse;
use crate::codec;

/// The first half of a BLAKE3 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Digest([u64; 2]);

impl Digest {
    /// Of parts, each with its length, so that none can pass for another.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let half = |from: usize| {
            let hash = hasher.finalize();
            let bytes = hash.as_bytes()[from..from + 8].try_into();
            u64::from_le_bytes(bytes.expect("eight of thirty-two bytes"))
        };
        Self([half(0), half(8)])
    }
}

/// What the session remembers of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: Digest,
    pub(super) request: Digest,
    /// Rises from entry to entry of one node: the lowest is the oldest.
    pub(super) number: u64,
    pub(super) stage: Stage,
}

/// How far the request came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// That process works on it, if it still lives.
    Running(u32),
    Done(StoredResponse),
}

impl Entry {
    pub(super) fn running(asked: KeyedRequest, number: u64, incarnation: Incarnation) -> Self {
        Self { key: asked.key, request: asked.request, number, stage: Stage::Running(incarnation.0) }
    }

    /// The process that claims to work on it.
    pub(super) fn runner(&self) -> Option<Incarnation> {
        match self.stage {
            Stage::Running(incarnation) => Some(Incarnation(incarnation)),
            Stage::Done(_) => None,
        }
    }

    pub(super) fn encode(&self) -> Value {
        codec::encode(self).expect("numbers, texts and bytes can be encoded")
    }

    /// `None` for what another version of the program noted.
    pub(super) fn decode(value: ValueRef<'_>) -> Option<Self> {
        codec::decode(&value.to_value()).ok()
    }
}
