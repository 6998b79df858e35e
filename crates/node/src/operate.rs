//! What an operator does with a node that runs, beside stopping it; the admin port is the way in.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile_core::Incarnation;
use sessile_group::ClusterSecrets;
use tokio::time::{Instant, sleep};

use super::{ClusterNode, JoinError};
use crate::pressure;

/// How often a node that compares looks whether it is done.
const COMPARING_POLL: Duration = Duration::from_millis(10);

/// What a comparison with all members found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// The names of the members that this node compared with.
    pub members: Vec<String>,
    /// Sessions that this node held when it was over.
    pub sessions: u64,
    /// Sessions that were different or lacking on one side, and were sent; 0 on a healthy cluster without
    /// traffic. What changes while it is compared is among them.
    pub repaired: u64,
}

/// Why a comparison was not done.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResyncError {
    /// The node gets the state, or has left.
    #[error("this node is not complete itself: it gets the sessions from the others, or has left")]
    NotComplete,
    /// Members did not answer in time; the comparison goes on.
    #[error("no end after {at_most:?}: still comparing with {}", members.join(", "))]
    Late {
        /// How long it was waited.
        at_most: Duration,
        /// With whom it is not over.
        members: Vec<String>,
    },
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for ResyncError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The last state transfer to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferView {
    /// How many sessions it brought.
    pub sessions: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl ClusterNode {
    /// Tells balancers whether they may choose this node. While it is not offered its health path answers
    /// 503; it goes on serving what comes, and replicating. Unlike [`drain`](Self::drain) this can be undone.
    pub fn offer(&self, offered: bool) {
        self.inner.is_offered.store(offered, Ordering::Relaxed);
        tracing::info!(
            "{}",
            if offered { "offered to balancers again" } else { "not offered to balancers any more" }
        );
    }

    /// Whether [`offer`](Self::offer) lets balancers choose this node.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.inner.is_offered.load(Ordering::Relaxed)
    }

    /// Compares all sessions with every member, as after the loss of one, and sends what differs. Alone it
    /// finds nobody and nothing.
    ///
    /// # Errors
    /// This node is not complete itself, or it was not over after `at_most`.
    pub async fn resync(&self, at_most: Duration) -> Result<Resync, ResyncError> {
        let engine = &self.inner.shared;
        if !matches!(self.state(), sessile_core::NodeState::Ready | sessile_core::NodeState::Draining) {
            return Err(ResyncError::NotComplete);
        }
        let before = engine.node.counters().repaired;
        let members = engine.step(|node, now, effects| node.compare_again(now, effects));
        let names = self.names_of(&members);
        let until = Instant::now() + at_most;
        loop {
            let left: Vec<Incarnation> = engine
                .node
                .comparing()
                .into_iter()
                .filter(|incarnation| members.contains(incarnation))
                .collect();
            if left.is_empty() {
                break;
            }
            if Instant::now() >= until {
                return Err(ResyncError::Late { at_most, members: self.names_of(&left) });
            }
            sleep(COMPARING_POLL).await;
        }
        let repaired = engine.node.counters().repaired.saturating_sub(before);
        let resync = Resync { members: names, sessions: engine.node.session_count(None), repaired };
        tracing::info!(members = resync.members.join(" "), "compared all sessions: {repaired} repaired");
        Ok(resync)
    }

    fn names_of(&self, incarnations: &[Incarnation]) -> Vec<String> {
        let members = self.members();
        let name = |incarnation: &Incarnation| {
            let found = members.iter().find(|member| member.incarnation == *incarnation);
            found.map_or_else(|| incarnation.to_string(), |member| member.name.clone())
        };
        incarnations.iter().map(name).collect()
    }

    /// Reads the secret file again. New links use the first secret from now on, all of the file are believed;
    /// links that are up stay. Gives what was read.
    ///
    /// # Errors
    /// The file cannot be used; everything stays as it was.
    pub fn reload_link_secrets(&self) -> Result<ClusterSecrets, JoinError> {
        let config = self.config();
        let secrets = ClusterSecrets::load(&config.cluster.secret_file)?;
        if config.cluster.insecure {
            return Ok(secrets);
        }
        if let Some(sender) = &self.inner.shared.frame_sender {
            sender.channel.renew_secrets(&secrets)?;
        }
        *self.inner.secrets.lock() = Some(secrets.clone());
        tracing::info!(secrets = secrets.ids().join(" "), "the secrets were read again");
        Ok(secrets)
    }

    /// What names the secrets in use without showing them, the active one first.
    #[must_use]
    pub fn secret_ids(&self) -> Vec<String> {
        self.secrets().as_ref().map(ClusterSecrets::ids).unwrap_or_default()
    }

    /// The secrets in use; `None` where the configuration does without.
    #[must_use]
    pub fn secrets(&self) -> Option<ClusterSecrets> {
        self.inner.secrets.lock().clone()
    }

    /// What an operator should mend: settings that members disagree about, an address that others cannot
    /// reach, addresses where strangers answer or nobody does, lists of members that lack one, and what
    /// [parts beside the sessions](Self::report) say.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.store().and_then(|store| store.problem).into_iter().collect();
        warnings.extend(self.inner.parts.warnings());
        warnings.extend(self.engines().flat_map(|engine| pressure::warnings(engine)));
        let (Some(settings_check), Some(sender)) =
            (&self.inner.settings_check, &self.inner.shared.frame_sender)
        else {
            return warnings;
        };
        let members: Vec<Incarnation> = self.members().into_iter().map(|member| member.incarnation).collect();
        let counters = sender.channel.counters();
        warnings.extend(self.inner.shared.silent.lock().iter().map(silent_warning));
        warnings.extend(
            counters
                .strangers
                .iter()
                .map(|(address, cause)| settings_check.stranger_warning(*address, *cause)),
        );
        let peers = counters.peers.into_iter();
        let peers = peers.filter(|peer| members.contains(&Incarnation(peer.peer.incarnation)));
        warnings.extend(peers.flat_map(|peer| settings_check.warnings_about(&peer.peer)));
        warnings.sort();
        warnings
    }

    /// Bytes that wait for members, and how long the oldest of them has waited.
    #[must_use]
    pub fn queued(&self) -> (usize, Duration) {
        let Some(sender) = &self.inner.shared.frame_sender else { return (0, Duration::ZERO) };
        let peers = sender.channel.counters().peers;
        let bytes = peers.iter().map(|peer| peer.queued.bytes).sum();
        (bytes, peers.iter().map(|peer| peer.queued.age).max().unwrap_or_default())
    }

    /// The last state transfer to this node, if it got one.
    #[must_use]
    pub fn last_transfer(&self) -> Option<TransferView> {
        let transfer = self.inner.shared.event_log.transfer();
        (transfer.received > 0)
            .then_some(TransferView { sessions: transfer.sessions, elapsed: transfer.elapsed })
    }
}

fn silent_warning(address: &SocketAddr) -> String {
    format!(
        "somebody at {address} accepts connections or announces itself and does not answer: it may be a member that is \
         stopped or overloaded and holds sessions; mend or end that process, or take the address out of [membership]"
    )
}
