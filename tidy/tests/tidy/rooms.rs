//! What the code of each room must not name: the invariants of ARCHITECTURE.md that are about names.

use sessile_tidy::checks::Absence;

/// Nothing is excepted, nothing is free.
const EVERYWHERE: Absence<'static> =
    Absence { invariant: "", folders: &[], except: &[], names: &[], free: &[], remedy: "" };

/// Clocks, sockets, tasks, files and randomness: what makes a run impossible to repeat.
const WORLD: &[&str] = &[
    "tokio",
    "std::net",
    "std::fs",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "SystemTime",
    "getrandom",
    "rand",
    "tracing",
];

/// Invariant by invariant.
pub(crate) const ABSENCES: &[Absence<'static>] = &[
    Absence {
        invariant: "A1",
        folders: &["crates/core/src"],
        names: WORLD,
        remedy: "let the driver tell it, and give back an effect",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A1",
        folders: &["crates/core/src"],
        names: &["~cookie", "http", "axum", "hyper", "tower"],
        remedy: "the session layer knows it",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A2",
        folders: &["crates/core/src/shard.rs", "crates/core/src/shard"],
        names: &["Roster", "crate::roster", "NodeState", "Gate"],
        remedy: "leave an outcome that the node takes to the roster",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A3",
        folders: &["crates/core/src/roster.rs", "crates/core/src/roster"],
        names: &["Shard", "Table", "SessionKey", "crate::session", "Fields", "Tombstone"],
        remedy: "give the shards an order",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A4",
        folders: &["crates/core/src/wire.rs", "crates/core/src/wire"],
        names: &["Roster", "crate::shard", "Table", "PeerStream", "crate::node", "Settings"],
        free: &["crate::shard::SHARDS"],
        remedy: "decide it where frames are made",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A8",
        folders: &["crates/group/src"],
        names: &["sessile_core", "Session", "SessionKey", "NodeState", "Lease", "lease"],
        remedy: "carry bytes, and let the owner judge them",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A11",
        folders: &["crates/store/src"],
        names: &["sessile_core", "sessile_group", "~attribute"],
        remedy: "a record is opaque content",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A14",
        folders: &["crates/web/src"],
        names: &["sessile_node::", "sessile_group"],
        free: &["sessile_node::host"],
        remedy: "ask the session host for it",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A15",
        folders: &["crates/node/src"],
        names: &["~cookie", "http", "axum", "hyper", "tower", "tower_layer", "tower_service"],
        remedy: "the session layer knows it",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A20",
        folders: &["crates/apps/src/clusterapp"],
        names: &["Cluster", "ClusterBuilder", "sessile_core", "sessile_group"],
        remedy: "an application has its session and its view",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A21",
        folders: &["crates/apps/src/farm/protocol.rs", "crates/apps/src/farm/protocol"],
        names: &["tokio", "std::net", "std::fs", "std::thread", "std::time::SystemTime", "tracing"],
        remedy: "let the farm's driver tell it, and give back an effect",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A25",
        folders: &["crates", "planted", "rig", "sim", "tidy"],
        except: &["crates/apps/src/component/running.rs", "crates/apps/src/component/running"],
        names: &["wasmtime", "wasmtime_wasi", "wasmtime_wasi_http"],
        remedy: "ask the component for it",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A26",
        folders: &["crates", "planted", "rig", "sim", "tidy"],
        except: &["crates/apps/src/component/running/native_code.rs"],
        names: &["unsafe"],
        remedy: "use what is safe, or a library that hides it",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A29",
        folders: &["crates/balancer/src"],
        names: &["sessile", "sessile_core", "sessile_group", "SessionKey", "ClusterSecrets"],
        remedy: "ask the node over HTTP, as any other balancer would",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A29",
        folders: &["crates/balancer/src/choice.rs"],
        names: WORLD,
        remedy: "let the caller tell it",
        ..EVERYWHERE
    },
    Absence {
        invariant: "A31",
        folders: &["crates/history/src"],
        names: WORLD,
        remedy: "let whoever writes the history tell it",
        ..EVERYWHERE
    },
];
