//! Words that the field's own have replaced, and what is said instead; ARCHITECTURE.md, "Words", has their
//! meaning.

/// Retired words, as parts of names in code.
pub(crate) const RETIRED: &[(&str, &str)] = &[
    ("boot", "incarnation"),
    ("stamp", "timestamp, or the version of a record"),
    ("lane", "peer stream in the core, connection in the group"),
    ("owed", "in the backlog"),
    ("owes", "needs copy"),
    ("debt", "backlog"),
    ("told", "notified on this node, announced to members"),
    ("untold", "unannounced"),
    ("telling", "notifying, announcing, reporting"),
    ("journal", "event log"),
    ("fx", "effects"),
    ("standing", "node state, draft state"),
    ("donates", "is complete"),
    ("farewell", "graceful stop"),
    ("manner", "run settings"),
    ("crew", "client pool"),
    ("crowd", "bulk of sessions"),
    ("visitor", "load client; of configuration keys it is the pattern of that name"),
    ("shelf", "archive store"),
    ("extent", "commit scope"),
    ("passage", "commit permit, proxied request"),
    ("loans", "borrows"),
    ("standpoint", "settings check"),
    ("grumble", "rate-limited warning"),
    ("halt", "stop"),
];
