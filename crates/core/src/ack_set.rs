//! The members that a response waits for: the seam for a rule of the user's own.
//!
//! Every member gets every change, whatever a ack_set says. It only decides for whose acknowledgement the
//! commit waits in the synchronous modes. Must not know the protocol; called by `shard/commit.rs`, and only
//! there.

use std::fmt::Debug;

use crate::{AppId, Incarnation, SessionKey};

/// A session that is about to be committed, as a ack_set sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedSession {
    /// Which one: random bytes, the same for life and on every node.
    pub key: SessionKey,
    /// Its application.
    pub app: AppId,
}

/// A process in the view, as a ack_set sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The process.
    pub incarnation: Incarnation,
    /// Its node name. What else a ack_set must know of a node (its zone, its size) it derives from that.
    pub name: String,
}

/// The answer of a ack_set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckMembers {
    /// Every member.
    AllMembers,
    /// These of the others. A incarnation that is none of them is ignored.
    Only(Vec<Incarnation>),
}

/// Decides which members a response waits for in the synchronous modes.
///
/// **What it changes.** A commit settles when the awaited members have acknowledged it; the others get the
/// same change at the same time, in the same order, and are repaired alike, but no response waits for them.
/// The receipt counts the awaited copies and the writer's own. So the promises about acknowledged writes (C1)
/// and about the next read (C4) hold at the writer and at the awaited members only. A request at another
/// member may read a state that is a moment old, and what it writes over such a state may lose against the
/// newer write that it did not see. Final logouts (C2), merging (C3) and convergence (C5) hold on every
/// member: ends of sessions and changes of a session's id wait for everybody, whatever the ack_set says.
///
/// **What it does not change.** A member that is stopped or cut off still delays requests until it is given
/// up, at most the drop time, also if it is not awaited: without that, a logout could not be final.
///
/// **What it must keep.** The answer depends on the arguments alone: no clock, no random number, no I/O.
/// Every node of the cluster has the same ack_set. It is called once for each commit, under a lock of one
/// slice of the sessions, so it must be quick, and it must neither block nor panic.
/// `sessile_core::conformance::ack_set` checks what can be checked.
///
/// ```
/// use sessile_core::{AckMembers, Candidate, CommittedSession, AckSet};
///
/// /// Waits for the members in the writer's zone: the part of a node's name before the dash.
/// #[derive(Debug)]
/// struct Zones;
///
/// impl AckSet for Zones {
///     fn awaited(&self, _session: CommittedSession, own: &Candidate, others: &[Candidate]) -> AckMembers {
///         let zone = |node: &Candidate| node.name.split('-').next().map(str::to_owned);
///         let near = others.iter().filter(|other| zone(other) == zone(own));
///         AckMembers::Only(near.map(|other| other.incarnation).collect())
///     }
/// }
/// sessile_core::conformance::ack_set(&Zones, &["fra-1", "fra-2", "nyc-1"]);
/// ```
pub trait AckSet: Debug + Send + Sync {
    /// Which of `others`, the other members in the order of their incarnations, must have acknowledged a
    /// change of `session` before the response of this node, `own`, may go. A member that has just joined and
    /// is not among `others` yet is awaited. Rule 2.17.
    fn awaited(&self, session: CommittedSession, own: &Candidate, others: &[Candidate]) -> AckMembers;
}

/// The default: a response waits for every member.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllMembers;

impl AckSet for AllMembers {
    fn awaited(&self, _session: CommittedSession, _own: &Candidate, _others: &[Candidate]) -> AckMembers {
        AckMembers::AllMembers
    }
}
