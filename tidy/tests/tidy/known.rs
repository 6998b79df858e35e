//! What is tolerated for now, each with the reason. An entry that is not needed any more fails.

use sessile_tidy::Known;
use sessile_tidy::checks::Circle;

/// Names in rooms that must not know them.
pub(crate) const ABSENCES: Known<'static> = Known { check: "absences", exceptions: &[] };

/// Files that name each other in a circle.
pub(crate) const CIRCLES: &[Circle<'static>] = &[
    Circle {
        files: &[
            "crates/apps/src/farm/effect_runner.rs",
            "crates/apps/src/farm/driver.rs",
            "crates/apps/src/farm/watched_directory.rs",
        ],
        reason: "the farm's driver and the two halves of its work share one queue",
    },
    Circle {
        files: &[
            "crates/apps/src/farm/catalog.rs",
            "crates/apps/src/farm/message.rs",
            "crates/apps/src/farm/seal.rs",
        ],
        reason: "a seal covers a message, and a message carries sealed deployments",
    },
    Circle {
        files: &[
            "crates/balancer/src/backend.rs",
            "crates/balancer/src/backend_connection.rs",
            "crates/balancer/src/body.rs",
            "crates/balancer/src/idle_connections.rs",
        ],
        reason: "a connection carries bodies, and a body gives its connection back to its node",
    },
    Circle {
        files: &[
            "crates/cli/src/bench/output_options.rs",
            "crates/cli/src/bench/report.rs",
            "crates/cli/src/bench/run_settings.rs",
        ],
        reason: "how a bench reports is a setting of the bench",
    },
    Circle {
        files: &[
            "crates/cli/src/failure.rs",
            "crates/cli/src/logging.rs",
            "crates/cli/src/output.rs",
            "crates/cli/src/report.rs",
        ],
        reason: "a failure is shown by the output, whose own failure it is",
    },
    Circle {
        files: &["crates/core/src/effect.rs", "crates/core/src/notice.rs"],
        reason: "a notice is an effect, and names an application and the reason of an end",
    },
    Circle {
        files: &["crates/core/src/fields/name.rs", "crates/core/src/fields/name_ref.rs"],
        reason: "a name lends itself, and what is lent is checked as a name",
    },
    Circle {
        files: &["crates/group/src/channel.rs", "crates/group/src/event.rs"],
        reason: "a channel gives events, and an event carries an incoming connection",
    },
    Circle {
        files: &[
            "crates/group/src/connection.rs",
            "crates/group/src/contact.rs",
            "crates/group/src/handshake.rs",
            "crates/group/src/hello.rs",
            "crates/group/src/inbound.rs",
            "crates/group/src/link.rs",
            "crates/group/src/group_state.rs",
        ],
        reason: "a connection knows its process, and a process its connections",
    },
    Circle {
        files: &["crates/group/src/error.rs", "crates/group/src/identity.rs"],
        reason: "a name that cannot travel is an error that says the limit",
    },
    Circle {
        files: &["crates/history/src/promises.rs", "crates/history/src/verdict.rs"],
        reason: "the verdict is the sum of the promises, and each promise adds to it",
    },
    Circle {
        files: &[
            "crates/node/src/engine.rs",
            "crates/node/src/persist.rs",
            "crates/node/src/sending.rs",
            "crates/node/src/tasks.rs",
        ],
        reason: "what sits around the engine calls it, and the engine tells it of effects",
    },
    Circle {
        files: &["crates/node/src/persist/loader.rs", "crates/node/src/persist/saver.rs"],
        reason: "a save that meets a newer version loads it",
    },
    Circle {
        files: &["crates/config/src/foreign.rs", "crates/config/src/read.rs"],
        reason: "the reader looks up keys of other programs, which are described in its own words",
    },
    Circle {
        files: &["crates/config/src/form/word.rs", "crates/config/src/table/session.rs"],
        reason: "a form writes a type that the table declares",
    },
    Circle {
        files: &[
            "crates/web/src/app.rs",
            "crates/web/src/commit_scope.rs",
            "crates/web/src/draft.rs",
            "crates/web/src/idempotency/ledger.rs",
            "crates/web/src/local.rs",
            "crates/web/src/session.rs",
            "crates/web/src/set_cookie.rs",
            "crates/web/src/settings.rs",
            "crates/web/src/state.rs",
        ],
        reason: "a session, its draft and its settings are one state in several files",
    },
    Circle {
        files: &["crates/web/src/detached.rs", "crates/web/src/detached_sessions.rs"],
        reason: "a session outside HTTP comes from the list that it goes back to",
    },
    Circle {
        files: &["crates/web/src/idempotency/keyed_request.rs", "crates/web/src/idempotency/note.rs"],
        reason: "a keyed request is compared with the note of an earlier one",
    },
    Circle {
        files: &["crates/store/src/error.rs", "crates/store/src/key.rs"],
        reason: "a key that cannot be read is an error that says its form",
    },
];

/// Names of several public types.
pub(crate) const TYPE_NAMES: &[(&str, &str)] = &[
    ("Cluster", "a table or value of the configuration is written with its module: `config::Cluster`"),
    ("Component", "two builds of one type: with the feature `wasm` and without"),
    ("ComponentHost", "two builds of one type: with the feature `wasm` and without"),
    ("Event", "of the core, and of the group: the group renames its own"),
    ("Farm", "a table or value of the configuration is written with its module: `config::Farm`"),
    ("Membership", "a table or value of the configuration is written with its module: `config::Membership`"),
    ("Message", "the frame, and what an application gets of it"),
    ("Node", "a table or value of the configuration is written with its module: `config::Node`"),
    ("SessileStore", "the store of each session library is called so by its users"),
    ("Session", "a table or value of the configuration is written with its module: `config::Session`"),
    ("Store", "a table or value of the configuration is written with its module: `config::Store`"),
];

/// Retired words that some crate still has in names.
pub(crate) const WORDS: Known<'static> = Known {
    check: "retired words",
    exceptions: &[
        ("crates/apps", "`visitor`", "the names of this crate are being changed"),
        ("crates/balancer", "`told`", "the names of this crate are being changed"),
        ("crates/cli", "`owed`", "the names of this crate are being changed"),
        ("crates/cli", "`stamp`", "the names of this crate are being changed"),
        ("crates/cli", "`told`", "the names of this crate are being changed"),
        ("crates/core", "`crowd`", "the names of this crate are being changed"),
        ("crates/core", "`told`", "the names of this crate are being changed"),
        ("crates/config", "`visitor`", "of configuration keys: the pattern of that name"),
        ("crates/sessile", "`boot`", "a key of the JSON of `/members`, beside `incarnation`"),
        ("crates/store", "`told`", "the names of this crate are being changed"),
        ("rig", "`crowd`", "the names of this crate are being changed"),
        ("rig", "`told`", "the names of this crate are being changed"),
        ("sim", "`owed`", "the names of this crate are being changed"),
        ("sim", "`owes`", "the names of this crate are being changed"),
        ("sim", "`told`", "the names of this crate are being changed"),
    ],
};

/// Long lines and files.
pub(crate) const LONG: Known<'static> = Known {
    check: "line lengths",
    exceptions: &[(
        "crates/core/tests/replication.rs",
        "the file has",
        "the owners of states get files of their own",
    )],
};
