//! Any bytes as a session from a store: refused, or here as a session that can be opened, written, saved and
//! ended.

use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    Changes, FieldName, Incarnation, Instant, Node, Opening, Proof, QuestionId, SessionKey, Settings,
    StoredSession, Value,
};

/// The body of the target `stored`.
pub(crate) fn stored(input: &[u8]) {
    let mut settings = Settings::new(Incarnation(1), "tc01");
    settings.stores = true;
    let (now, mut frames) = (Instant::after_origin(Duration::from_secs(10)), Vec::new());
    let mut effects = sessile_core::Effects::new(&mut frames);
    let node = Node::alone(settings, now);
    let content = Bytes::copy_from_slice(input);
    let key = StoredSession::read(&content).map_or(SessionKey([1; 16]), |session| {
        let announced =
            (session.key(), session.max_inactive(), session.principal(), session.attributes().count());
        announced.0
    });
    if node.restore(key, &content, Duration::from_secs(1), now, &mut effects).is_err() {
        return;
    }
    if let Opening::Open(_) = node.open(key, Proof::Trusted, QuestionId(1), now, &mut effects) {
        let mut changes = Changes::new();
        changes.put(FieldName::attribute("n").unwrap(), Some(Value::raw("1")));
        let _ = node.commit(key, &changes, None, now, &mut effects);
        node.close(key, now);
        let _ = node.saveable(key, now);
    }
    node.end(key, None, now, &mut effects);
    node.tick(now, &mut effects);
}
