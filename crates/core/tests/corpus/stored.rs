//! Any bytes as a session from a store: refused, or here as a session that can be opened, written, saved and ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    Boot, Bounds, Changes, Everybody, FieldName, Instant, Mode, Node, Opening, Plant, Proof, SessionKey,
    Settings, StoredSession, Timing, Value,
};

/// The body of the target `stored`.
pub(crate) fn stored(input: &[u8]) {
    let settings = Settings {
        boot: Boot(1),
        name: "tc01".into(),
        timing: Timing::default(),
        bounds: Bounds::default(),
        copies: None,
        mode: Mode::Synchronous,
        stores: true,
        placement: Arc::new(Everybody),
        plant: Plant::None,
    };
    let (now, mut fx) = (Instant::after_origin(Duration::from_secs(10)), Vec::new());
    let node = Node::alone(settings, now);
    let content = Bytes::copy_from_slice(input);
    let key = StoredSession::read(&content).map_or(SessionKey([1; 16]), |session| {
        let told = (session.key(), session.max_inactive(), session.principal(), session.attributes().count());
        told.0
    });
    if node.restore(key, &content, Duration::from_secs(1), now, &mut fx).is_err() {
        return;
    }
    if let Opening::Open(_) = node.open(key, Proof::Trusted, now, &mut fx) {
        let mut changes = Changes::new();
        changes.put(FieldName::attribute("n").unwrap(), Some(Value::raw("1")));
        let _ = node.commit(key, &changes, now, &mut fx);
        node.close(key, now);
        let _ = node.saveable(key, now);
    }
    node.end(key, now, &mut fx);
    node.tick(now, &mut fx);
}
