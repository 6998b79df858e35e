//! Why a node could not join, and what kept it from leaving cleanly.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use sessile_core::Incarnation;
use sessile_group::{GroupError, SecretError, StaticError};
use thiserror::Error;

use crate::store::OpenError;
use sessile_config::{ConfigError, HostPort, SettingError};

/// Why `Cluster::join` failed. Nothing of the node is left running.
#[derive(Error)]
pub enum JoinError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting of an application's sessions cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no secret to join with.
    #[error(
        "there is no cluster secret at {}; make one with `sessile secret new {}` and give every node the same \
         file, or write `insecure = true` in [cluster] to do without authentication and encryption",
        path.display(), path.display()
    )]
    NoSecret {
        /// Where it should be.
        path: PathBuf,
    },
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system gave no random number to name this process by.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The system gave no threads for `[receiver] workers`, or what ran on them failed.
    #[error("the threads of [receiver] workers cannot work: {0}; make it smaller or leave it out")]
    Threads(#[source] io::Error),
    /// A port is taken, or the membership cannot begin.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The user's own channel cannot begin.
    #[error("the channel given to `Cluster::builder` cannot begin: {0}")]
    Channel(#[source] io::Error),
    /// Both a channel and a membership were given.
    #[error(
        "`Cluster::builder` was given a channel and a membership, but a channel of your own finds its members itself: \
         leave out the membership, or the channel"
    )]
    MembershipUnused,
    /// The list of members cannot be used.
    #[error(transparent)]
    Members(#[from] StaticError),
    /// The names that a name server is to be asked for cannot be used.
    #[error("{0}; see `names` in [membership]")]
    Names(String),
    /// The way of finding members was not compiled in.
    #[error("`kind = \"{kind}\"` in [membership] needs the feature `{kind}` of the crate sessile")]
    MembershipNotBuilt {
        /// As it is written.
        kind: &'static str,
    },
    /// The address that others are to be told is unknown.
    #[error(
        "`advertise = \"{advertise}\"` in [receiver] leads nowhere: {source}; write an address that the other nodes can reach"
    )]
    Advertise {
        /// The value.
        advertise: HostPort,
        /// What the system said.
        source: io::Error,
    },
    /// A member has other settings or applications, and `strict` is set there or here.
    #[error(
        "this node does not join beside {member}: {about}; make them equal, or write `strict = false` in [cluster] of all nodes"
    )]
    Disagreement {
        /// The member.
        member: String,
        /// What differs, with both values.
        about: String,
    },
    /// Another live process has this node's name.
    #[error(
        "the name `{name}` is taken by another live process of this cluster{}; stop that one, or give this node \
         another `name` in [node]",
        whereabouts(*by, *address)
    )]
    NameTaken {
        /// The name of both.
        name: String,
        /// The other process.
        by: Incarnation,
        /// Where it listens for other members, if this node has met it.
        address: Option<SocketAddr>,
    },
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for JoinError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

fn whereabouts(incarnation: Incarnation, address: Option<SocketAddr>) -> String {
    match address {
        Some(address) => format!(" (incarnation {incarnation} at {address})"),
        None => format!(" (incarnation {incarnation})"),
    }
}

/// What was left when the time for `drain` was over.
#[derive(Clone, PartialEq, Eq, Error)]
pub struct DrainIncomplete {
    /// Requests that are still running.
    pub requests: usize,
    /// Members that lack something.
    pub backlogs: Vec<MemberBacklog>,
    /// Sessions that the store lacks in their newest version.
    pub unsaved: usize,
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for DrainIncomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// What one member lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberBacklog {
    /// The member's node name.
    pub member: String,
    /// Sessions whose copy or end it must still get.
    pub sessions: u64,
    /// Changes on their way that it has not acknowledged.
    pub unacknowledged: u64,
}

impl fmt::Display for DrainIncomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time to drain is over: {} requests still run", self.requests)?;
        if self.unsaved > 0 {
            write!(f, "; {} sessions are not in the store", self.unsaved)?;
        }
        for MemberBacklog { member, sessions, unacknowledged } in &self.backlogs {
            write!(f, "; {member} lacks {sessions} sessions and has not confirmed {unacknowledged} changes")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_listed() {
        let backlog = MemberBacklog { member: "tc02".to_owned(), sessions: 3, unacknowledged: 1 };
        assert_eq!(
            DrainIncomplete { requests: 2, backlogs: vec![backlog], unsaved: 4 }.to_string(),
            "the time to drain is over: 2 requests still run; 4 sessions are not in the store; tc02 lacks 3 sessions and has not confirmed 1 changes"
        );
    }

    #[test]
    fn a_taken_name_tells_whose_it_is() {
        let address = Some(([127, 0, 0, 1], 4001).into());
        let error = JoinError::NameTaken { name: "tc01".to_owned(), by: Incarnation(0xAB), address };
        let text = error.to_string();
        assert!(text.contains("`tc01`") && text.contains("000000ab at 127.0.0.1:4001"), "{text}");
    }
}
