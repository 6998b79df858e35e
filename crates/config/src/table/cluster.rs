//! `[cluster]`: the node's cluster and its replication manager.

use std::path::PathBuf;
use std::time::Duration;

use super::{DAY, SECOND};
use crate::form::{File, Flag, Name, Number, OneOf, Optional, TimeOrNever};
use crate::keys::{Table, Visitor};

/// `[cluster]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The name of the cluster; nodes of another name are strangers.
    pub name: String,
    /// The replication manager.
    pub manager: Manager,
    /// The file with the cluster's secret, as an absolute path or relative to the working directory.
    pub secret_file: PathBuf,
    /// Whether cluster traffic goes unauthenticated and in the clear.
    pub insecure: bool,
    /// How many complete copies a receipt asks for, the writer's own included; `None`: one on each member.
    pub copies: Option<u32>,
    /// Whether a node that disagrees with a member about settings or applications does not join.
    pub strict: bool,
    /// How long a starting node waits for the sessions of the others; `None`: for ever.
    pub state_transfer_timeout: Option<Duration>,
}

/// The replication manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// The whole session, to every member.
    Full,
    /// The changed attributes, to every member.
    Delta,
    /// Nothing: sessions stay on their node.
    Local,
}

impl Manager {
    /// How it is written.
    pub(super) const WORDS: OneOf<Self> = OneOf {
        built: &[("full", Self::Full), ("delta", Self::Delta), ("local", Self::Local)],
        later: &["backup"],
    };
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: "sample".to_owned(),
            manager: Manager::Delta,
            secret_file: PathBuf::from("cluster.secret"),
            insecure: false,
            copies: None,
            strict: false,
            state_transfer_timeout: Some(Duration::from_secs(60)),
        }
    }
}

impl Table for Cluster {
    const NAME: &'static str = "cluster";
    const MEANING: &'static str = "which cluster the node belongs to and what is copied to whom";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let wait = TimeOrNever(SECOND..=DAY);
        visitor.key("name", Name, &mut self.name, "nodes of another name are strangers");
        let manager = &mut self.manager;
        visitor.key("manager", Manager::WORDS, manager, "what is copied to all: full | delta | local");
        visitor.key(
            "secret_file",
            File,
            &mut self.secret_file,
            "relative to this file; see `sessile secret new`",
        );
        visitor.key("insecure", Flag, &mut self.insecure, "true: no encryption, anybody can join");
        let copies = &mut self.copies;
        visitor.key(
            "copies",
            Optional(Number::within(1..=64)),
            copies,
            "wanted in a receipt; else one a member",
        );
        let strict = &mut self.strict;
        visitor.key(
            "strict",
            Flag,
            strict,
            "true: who disagrees about settings or applications does not join",
        );
        let timeout = &mut self.state_transfer_timeout;
        visitor.key("state_transfer_timeout", wait, timeout, "then start without all sessions; or \"never\"");
        visitor.later("group", "groups of nodes within one cluster");
    }
}
