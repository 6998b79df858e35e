//! `Cluster` with its `Manager`, `Deployer` and `ClusterListener`.

use roxmltree::Node;

use super::{Element, Fate, lost, needless};
use crate::draft::Draft;
use crate::elements::class;
use crate::place::Place;
use crate::rule::{Given, Rule};
use crate::value::quoted;

const LOG: &str = "the option `--log debug` of `sessile serve`";
const METRICS: &str = "`/metrics` of the admin port always counts";
const EVENTS: &str = "a listener says where it is called, see docs/sessions.md";
const BLOCKS: &str = "sessions are always sent in blocks";
const DAY: u64 = 86_400_000;

pub(super) const ELEMENTS: &[Element] = &[
    Element {
        tag: "Cluster",
        classes: &["SimpleTcpCluster", ""],
        fate: Fate::ReadBy(cluster),
        attributes: &[
            ("clusterName", Rule::Name("cluster", "name")),
            ("name", Rule::Name("cluster", "name")),
            ("managerClassName", Rule::By(|draft, given| manager(draft, given.value, &given.place))),
            ("expireSessionsOnShutdown", Rule::Flag("session", "expire_on_stop")),
            ("useDirtyFlag", Rule::Flag("replication", "dirty_flag")),
            ("channelSendOptions", Rule::By(send_options)),
            ("channelStartOptions", Rule::Needless("what is started follows from the tables that are there")),
            ("notifyListenersOnReplication", Rule::Needless(EVENTS)),
            ("notifyLifecycleListenerOnFailure", Rule::Needless("the log and `/metrics` tell")),
            ("heartbeatBackgroundEnabled", Rule::Needless("heartbeats have a task of their own")),
            ("printToScreen", Rule::Needless(LOG)),
            ("clusterLogName", Rule::Needless(LOG)),
            ("doClusterLog", Rule::Needless(LOG)),
            ("clusterImplName", Rule::Silent),
            ("protocol", Rule::Silent),
            ("service", Rule::Silent),
        ],
    },
    lost("Cluster", &[], "another cluster than SimpleTcpCluster is Java code"),
    Element { tag: "Manager", classes: &[], fate: Fate::ReadBy(manager_element), attributes: MANAGER },
    needless(
        "ClusterListener",
        &[
            "ClusterSessionListener",
            "JvmRouteSessionIDBinderListener",
            "JvmRouteSessionIDBinderLifecycleListener",
        ],
        "it is always there",
    ),
    lost("ClusterListener", &[], "a listener is Java code: register one of yours, see docs/sessions.md"),
    Element {
        tag: "Deployer",
        classes: &[],
        fate: Fate::ReadBy(deployer),
        attributes: &[
            ("tempDir", Rule::Text("farm", "temp_dir")),
            ("deployDir", Rule::Text("farm", "deploy_dir")),
            ("watchDir", Rule::Text("farm", "watch_dir")),
            ("watchEnabled", Rule::Flag("farm", "watch")),
            ("maxValidTime", Rule::Seconds("farm", "deploy_time", 1_000, DAY)),
            ("processDeployFrequency", Rule::Needless("`interval` in [farm] says how often it is looked at")),
        ],
    },
];

/// Attributes of a manager; those of a cluster that begin with `manager.` are these as well.
pub(crate) const MANAGER: &[(&str, Rule)] = &[
    ("name", Rule::Silent),
    ("expireSessionsOnShutdown", Rule::Flag("session", "expire_on_stop")),
    ("useDirtyFlag", Rule::Flag("replication", "dirty_flag")),
    ("notifyListenersOnReplication", Rule::Needless(EVENTS)),
    ("notifySessionListenersOnReplication", Rule::Needless(EVENTS)),
    ("notifyContainerListenersOnReplication", Rule::Needless(EVENTS)),
    ("maxActiveSessions", Rule::By(max_active)),
    ("maxActive", Rule::By(max_active)),
    ("maxInactiveInterval", Rule::Seconds("session", "timeout", 1_000, 3_650 * DAY)),
    ("stateTransferTimeout", Rule::By(state_transfer_timeout)),
    ("sendAllSessions", Rule::Needless(BLOCKS)),
    ("sendAllSessionsSize", Rule::Needless(BLOCKS)),
    ("sendAllSessionsWaitTime", Rule::Needless(BLOCKS)),
    ("stateTimestampDrop", Rule::Needless("what a transfer meets is merged by its timestamps")),
    ("sessionAttributeNameFilter", Rule::Text("replication", "names")),
    ("sessionAttributeValueClassNameFilter", Rule::Lost("values have no Java class")),
    ("warnOnSessionAttributeFilterFailure", Rule::Needless("values have no Java class")),
    ("processExpiresFrequency", Rule::Needless("expired sessions are looked for all the time")),
    ("maxIdleBackup", Rule::By(max_idle_backup)),
    ("maxIdleSwap", Rule::By(max_idle_swap)),
    ("minIdleSwap", Rule::Needless("no session that a request has open is swapped out")),
    ("saveOnRestart", Rule::Needless("with a [store] a graceful stop saves, and a start brings back")),
    ("checkInterval", Rule::Needless("the store is cleaned once an hour")),
    ("mapSendOptions", Rule::Needless("`mode` in [sender] holds for everything")),
    ("rpcTimeout", Rule::Needless("`ack_timeout` in [sender]")),
    ("terminateOnStartFailure", Rule::Needless("a node that cannot start ends with exit code 1")),
    ("recordAllActions", Rule::Needless("an attribute that is set twice is sent once")),
    ("enableStatistics", Rule::Needless(METRICS)),
    ("doDebugThroughPut", Rule::Needless(METRICS)),
    ("pathname", Rule::Lost("for sessions that outlive a restart of all nodes add a [store]")),
    ("*", Rule::Needless("ids are 256 bits from the system's random numbers")),
];

fn cluster(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    if draft.has_cluster {
        draft.note("cluster", place, "Cluster", "a second cluster: a node is in one", true);
        return false;
    }
    draft.has_cluster = true;
    let class_name = node.attribute("className").unwrap_or_default();
    draft.is_tomcat_5 = class_name.contains(".catalina.cluster.");
    true
}

fn manager_element(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    match class(node) {
        // In a context it says that this application is not clustered, or nothing.
        "StandardManager" | "PersistentManager" | "" => {}
        _ => manager(draft, node.attribute("className").unwrap_or_default(), place),
    }
    true
}

/// Sets the manager by its class.
fn manager(draft: &mut Draft, class_name: &str, place: &Place) {
    let class = class_name.rsplit('.').next().unwrap_or_default();
    let manager = match class {
        "DeltaManager" => "delta",
        "SimpleTcpReplicationManager" => "full",
        "BackupManager" => {
            let why = "one backup is not available in this version: every member has a copy";
            draft.note("cluster", place, "Manager BackupManager", why, true);
            "delta"
        }
        "StandardManager" => "local",
        other => {
            let what = format!("Manager {other}");
            draft.note(
                "cluster",
                place,
                &what,
                "a manager of one's own is Java code: `delta` is in its place",
                true,
            );
            "delta"
        }
    };
    draft.set("cluster", "manager", quoted(manager), place, class);
}

/// Whether a response waits for the members: a number, or words since Tomcat 8.5.
fn send_options(draft: &mut Draft, given: &Given<'_>) {
    const ASYNCHRONOUS: u32 = 8;
    const WAITING: u32 = 2 | 4;
    let words = given.value.to_ascii_lowercase();
    let is_async = match given.value.trim().parse::<u32>() {
        Ok(options) if options & ASYNCHRONOUS != 0 => true,
        Ok(options) if options & WAITING != 0 => false,
        Ok(_) => true,
        Err(_) if words.contains("async") => true,
        Err(_) if words.contains("ack") => false,
        Err(_) => {
            let help = "it is a number such as 6 or 8, or words such as `async` or `sync_ack, use_ack`";
            draft.wrong(&given.place, "`channelSendOptions` says neither", help);
            return;
        }
    };
    let mode = if is_async { "async" } else { "pipelined" };
    draft.set("sender", "mode", quoted(mode), &given.place, "Cluster channelSendOptions");
}

fn max_active(draft: &mut Draft, given: &Given<'_>) {
    match given.number::<i64>(draft) {
        Some(most @ 1..) => {
            let most = most.min(1_000_000_000).to_string();
            draft.set("session", "max_active", most, &given.place, "Manager maxActiveSessions");
        }
        Some(_) => {
            let why = "there is always a bound, 1,000,000 where nothing is said: `max_active`";
            draft.note("session", &given.place, &given.what(), why, false);
        }
        None => {}
    }
}

fn state_transfer_timeout(draft: &mut Draft, given: &Given<'_>) {
    let Some(seconds) = given.number::<i64>(draft) else { return };
    let value = match u64::try_from(seconds) {
        Ok(seconds) => crate::value::time(seconds.clamp(1, DAY / 1_000) * 1_000),
        Err(_) => quoted("never"),
    };
    draft.set("cluster", "state_transfer_timeout", value, &given.place, "Manager stateTransferTimeout");
}

fn max_idle_backup(draft: &mut Draft, given: &Given<'_>) {
    let Some(seconds @ 0..) = given.number::<i64>(draft) else { return };
    draft.set("session", "save", quoted("idle"), &given.place, "Manager maxIdleBackup");
    let time = crate::value::time((seconds.clamp(1, 86_400) * 1_000).unsigned_abs());
    draft.set("session", "backup_idle", time, &given.place, "Manager maxIdleBackup");
}

fn max_idle_swap(draft: &mut Draft, given: &Given<'_>) {
    let Some(seconds @ 1..) = given.number::<i64>(draft) else { return };
    let time = crate::value::time((seconds.min(86_400) * 1_000).unsigned_abs());
    draft.set("session", "swap_idle", time, &given.place, "Manager maxIdleSwap");
}

fn deployer(draft: &mut Draft, _: Node<'_, '_>, place: &Place) -> bool {
    let why = "archives are .wasm or .zip: WARs do not run here, see docs/farm.md";
    draft.note("farm", place, "Deployer", why, true);
    true
}
