//! What the running request loaded: the base of what it changed.

use std::collections::BTreeMap;
use std::future::Future;

use parking_lot::Mutex;
use sessile_core::SessionKey;

use super::JsonMap;

/// Sessions that one request may load; of further ones a save replaces all attributes.
const MERGE_BASES_MAX: usize = 16;

tokio::task_local! {
    static MERGE_BASES: Mutex<BTreeMap<SessionKey, JsonMap>>;
}

/// Runs a request, and says whether it used a session. Within another request it is a part of that one.
pub(super) async fn scope<F: Future>(handling: F) -> (F::Output, bool) {
    let within = async {
        let output = handling.await;
        (output, MERGE_BASES.with(|merge_base| !merge_base.lock().is_empty()))
    };
    match MERGE_BASES.try_with(|_| ()) {
        Ok(()) => within.await,
        Err(_) => MERGE_BASES.scope(Mutex::default(), within).await,
    }
}

/// The request knows the session as `map` from now on.
pub(super) fn remember(key: SessionKey, map: &JsonMap) {
    // Outside of a request nothing is remembered: that is what the module's caller says.
    let _outside = MERGE_BASES.try_with(|merge_base| {
        let mut merge_base = merge_base.lock();
        if merge_base.len() < MERGE_BASES_MAX || merge_base.contains_key(&key) {
            merge_base.insert(key, map.clone());
        }
    });
}

/// As what the request knows the session; `None` when it did not load it, or is none.
pub(super) fn recall(key: SessionKey) -> Option<JsonMap> {
    MERGE_BASES.try_with(|merge_base| merge_base.lock().get(&key).cloned()).ok().flatten()
}
