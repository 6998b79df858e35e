//! `sessile stop|drain|resume|route|resync`: change a running node.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::admin_client::NodeArgument;
use crate::failure::Failure;
use crate::{output, runtime};

/// Longest wait for a comparison with all members.
const RESYNC_LIMIT: Duration = Duration::from_secs(60);
/// Time of a stop beyond the drain time: leaving the cluster, and ending sessions with `expire_on_stop`.
const LEAVE_TIME: Duration = Duration::from_secs(30);

/// Which node to stop.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    node: NodeArgument,
    /// Stop the node even if sessions go with it that are nowhere else
    #[arg(long)]
    force: bool,
}

/// The node that leaves or rejoins load balancing.
#[derive(Debug, Args)]
pub(crate) struct DrainOrResume {
    #[command(flatten)]
    node: NodeArgument,
}

/// The node whose route rewriting is switched.
#[derive(Debug, Args)]
pub(crate) struct Route {
    #[command(flatten)]
    node: NodeArgument,
    /// Whether the route in cookies of failed-over sessions is rewritten to this node
    #[arg(long, value_enum, value_name = "WORD")]
    rewrite: OnOff,
}

/// The node that compares its sessions with the others.
#[derive(Debug, Args)]
pub(crate) struct Resync {
    #[command(flatten)]
    node: NodeArgument,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

impl Stop {
    /// Exit code 3 if the node was not stopped because sessions would go with it, or if the drain time was
    /// over before everything had ended.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let at_most = client.config.node.drain_time + client.config.membership.drop_time + LEAVE_TIME;
        let path = if self.force { "/stop?force=true" } else { "/stop" };
        let outcome = runtime::run(async { Ok(client.post(path, at_most).await?) })?;
        let (name, only_here) = (&client.name, outcome["only_here"].as_u64().unwrap_or(0));
        if outcome["stopped"] == false {
            return Err(Failure::Unfinished(format!(
                "{name} was not stopped: {only_here} sessions would go with it, because no other member is ready that holds \
                 them, and there is no store; start another node and wait until it is ready, or stop with --force"
            )));
        }
        if outcome["drained"] == true {
            let words = match only_here {
                0 => format!("{name}: stopped; nothing was left to send"),
                _ => format!("{name}: stopped; {only_here} sessions went with it"),
            };
            let result = json!({ "node": name, "stopped": true, "drained": true, "only_here": only_here });
            return output::result(&result, &words);
        }
        let left = outcome["left"].as_str().unwrap_or("it did not report the remaining work");
        Err(Failure::Unfinished(format!("{} stopped, but {left}", client.name)))
    }
}

impl DrainOrResume {
    pub(crate) fn drain(self) -> Result<(), Failure> {
        self.post("/drain", false, "no longer offered to balancers; it keeps serving and replicating")
    }

    pub(crate) fn resume(self) -> Result<(), Failure> {
        self.post("/resume", true, "offered to balancers again")
    }

    fn post(self, path: &str, is_offered: bool, done: &str) -> Result<(), Failure> {
        let client = self.node.client()?;
        runtime::run(async { Ok(client.post(path, Duration::ZERO).await?) })?;
        let fields = json!({ "node": client.name, "offered": is_offered });
        output::result(&fields, &format!("{}: {done}", client.name))
    }
}

impl Route {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let (path, done) = match self.rewrite {
            OnOff::On => {
                ("/route?rewrite=true", "clients that failed over stay with the node that answers them")
            }
            OnOff::Off => ("/route?rewrite=false", "clients that failed over return when their node does"),
        };
        runtime::run(async { Ok(client.post(path, Duration::ZERO).await?) })?;
        let fields = json!({ "node": client.name, "rewrites_route": self.rewrite == OnOff::On });
        output::result(&fields, &format!("{}: {done}, until it restarts", client.name))
    }
}

impl Resync {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let found = runtime::run(async { Ok(client.post("/resync", RESYNC_LIMIT).await?) })?;
        let members: Vec<_> =
            found["members"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let with = if members.is_empty() { "no member: it is alone".to_owned() } else { members.join(", ") };
        let (sessions, repaired) = (&found["sessions"], &found["repaired"]);
        let fields =
            json!({ "node": client.name, "members": members, "sessions": sessions, "repaired": repaired });
        let words = format!("{}: {sessions} sessions compared with {with}; {repaired} repaired", client.name);
        output::result(&fields, &words)
    }
}
