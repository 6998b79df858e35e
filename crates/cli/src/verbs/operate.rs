//! `sessile stop|drain|resume|route|resync`: what is changed on a node that runs.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::admin_client::NodeArgument;
use crate::failure::Failure;
use crate::{output, runtime};

/// Longest wait for a comparison with all members.
const RESYNC_LIMIT: Duration = Duration::from_secs(60);
/// What a stop takes beyond the time to drain: saying goodbye, and ending sessions where `expire_on_stop` says so.
const FAREWELL: Duration = Duration::from_secs(30);

/// Which node to stop.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    node: NodeArgument,
}

/// Which node balancers should not choose, or choose again.
#[derive(Debug, Args)]
pub(crate) struct DrainOrResume {
    #[command(flatten)]
    node: NodeArgument,
}

/// Whose switch to turn.
#[derive(Debug, Args)]
pub(crate) struct Route {
    #[command(flatten)]
    node: NodeArgument,
    /// Whether cookies of sessions that come from another node are made to name this one
    #[arg(long, value_enum, value_name = "WORD")]
    rewrite: OnOff,
}

/// Which node is to compare with the others.
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
    /// Exit code 3 when the time to drain ended before everything had.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let at_most = client.config.node.drain_time + client.config.membership.drop_time + FAREWELL;
        let outcome = runtime::run(async { Ok(client.post("/stop", at_most).await?) })?;
        if outcome["drained"] == true {
            return output::print(&format!("{}: stopped; no session depends on it", client.name));
        }
        let left = outcome["left"].as_str().unwrap_or("it did not say what was left");
        Err(Failure::Unfinished(format!("{} stopped, but {left}", client.name)))
    }
}

impl DrainOrResume {
    pub(crate) fn drain(self) -> Result<(), Failure> {
        self.post("/drain", "not offered to balancers any more; it goes on serving and replicating")
    }

    pub(crate) fn resume(self) -> Result<(), Failure> {
        self.post("/resume", "offered to balancers again")
    }

    fn post(self, path: &str, done: &str) -> Result<(), Failure> {
        let client = self.node.client()?;
        runtime::run(async { Ok(client.post(path, Duration::ZERO).await?) })?;
        output::print(&format!("{}: {done}", client.name))
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
        output::print(&format!("{}: {done}, until it restarts", client.name))
    }
}

impl Resync {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let found = runtime::run(async { Ok(client.post("/resync", RESYNC_LIMIT).await?) })?;
        let members: Vec<_> =
            found["members"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let with = if members.is_empty() { "nobody: it is alone".to_owned() } else { members.join(", ") };
        let (sessions, repaired) = (&found["sessions"], &found["repaired"]);
        output::print(&format!(
            "{}: {sessions} sessions compared with {with}; {repaired} repaired",
            client.name
        ))
    }
}
