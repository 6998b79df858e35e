//! What this project's test hosts plant into a node: a deliberate bug of the core, or another version of the
//! protocol.
//!
//! Compiled only with the feature `planted`; without it this module is `unplanted.rs`. Must not know what is
//! planted.

use std::borrow::Cow;

use sessile_core::{Changes, Fields, Node, Plant, SessionKey, Settings};
use sessile_group::{Channel, Event, OpenChannel};
use tokio::sync::mpsc::Receiver;

/// Puts something between the node and its channel; called once, within the runtime.
type AroundChannel = Box<dyn FnOnce(OpenChannel) -> OpenChannel + Send + Sync>;

/// Adds to what a request commits; told what the node's copy of the session holds so far.
type WithCommit = Box<dyn Fn(Option<&Fields>, &mut Changes) + Send + Sync>;

/// What is planted into a node.
#[derive(Default)]
pub struct Planted {
    bug: Plant,
    around: Option<AroundChannel>,
    commit: Option<WithCommit>,
}

impl Planted {
    /// A bug of the core.
    #[must_use]
    pub fn with_bug(self, bug: Plant) -> Self {
        Self { bug, ..self }
    }

    /// What sits between the node and its channel, and what each commit carries beside the request's changes.
    #[must_use]
    pub fn with_version(
        self,
        around: impl FnOnce(OpenChannel) -> OpenChannel + Send + Sync + 'static,
        commit: impl Fn(Option<&Fields>, &mut Changes) + Send + Sync + 'static,
    ) -> Self {
        Self { around: Some(Box::new(around)), commit: Some(Box::new(commit)), ..self }
    }

    pub(super) fn plant_bug(&self, settings: &mut Settings) {
        settings.plant(self.bug);
    }

    pub(super) fn around(&mut self, channel: Box<dyn Channel>, events: Receiver<Event>) -> OpenChannel {
        match self.around.take() {
            Some(around) => around((channel, events)),
            None => (channel, events),
        }
    }

    pub(super) fn write_more(&self, node: &Node, key: SessionKey, changes: &mut Cow<'_, Changes>) {
        if let Some(commit) = &self.commit {
            let held = node.peek(key).map(|(_, fields)| fields);
            commit(held.as_ref(), changes.to_mut());
        }
    }
}
