//! Nothing is planted: what everybody gets who does not turn on the feature `planted`.

use std::borrow::Cow;

use sessile_core::{Changes, Node, SessionKey, Settings};
use sessile_group::{Channel, Event};
use tokio::sync::mpsc::Receiver;

/// Nothing.
#[derive(Default)]
pub(crate) struct Planted {}

impl Planted {
    pub(super) fn plant_bug(&self, _: &mut Settings) {}

    pub(super) fn around(
        &mut self,
        channel: Box<dyn Channel>,
        events: Receiver<Event>,
    ) -> (Box<dyn Channel>, Receiver<Event>) {
        (channel, events)
    }

    pub(super) fn write_more(&self, _: &Node, _: SessionKey, _: &mut Cow<'_, Changes>) {}
}
