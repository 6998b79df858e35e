//! A cluster with parts of the user's own.

use std::io;
use std::sync::Arc;

use sessile_config::Config;
use sessile_core::AckSet;
use sessile_group::{Identity, Membership, OpenChannel};
#[cfg(feature = "planted")]
use sessile_node::Planted;
use sessile_node::store::Store;
use sessile_node::{JoinError, Seams};

use super::Cluster;

/// A cluster about to be joined, some of whose parts your own code may fill: see [`seams`](crate::seams).
///
/// What is not given here comes from the configuration, so `Cluster::builder(config).join()` is
/// [`Cluster::join`]. With manager `local` there are no other members, and none of these parts is used.
///
/// ```
/// use sessile::seams::InProcess;
/// use sessile::{Cluster, ClusterSecrets, Config};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let secret_file = directory.path().join("cluster.secret");
/// # ClusterSecrets::load_or_create(&secret_file)?;
/// let network = InProcess::default();
/// let mut nodes = Vec::new();
/// for name in ["tc01", "tc02"] {
///     let mut config = Config::default();
///     config.node.name = name.to_owned();
///     config.cluster.secret_file = secret_file.clone(); // for the cookies; this channel leaves no process
///     let network = network.clone();
///     nodes.push(Cluster::builder(config).channel(move |identity| network.join(identity)).join().await?);
/// }
/// assert_eq!(nodes[1].members().len(), 2);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing before `start` or `join`"]
pub struct ClusterBuilder {
    config: Config,
    seams: Seams,
}

impl ClusterBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self { config, seams: Seams::default() }
    }

    /// Finds the others in this way; `[membership] kind` and the keys that belong to it are not used.
    /// `frequency`, `drop_time` and `trust_refused` still are.
    pub fn membership(mut self, membership: impl Membership + 'static) -> Self {
        self.seams.membership = Some(Box::new(membership));
        self
    }

    /// Carries frames over the channel that `open` begins, within the runtime and once, for the process that
    /// it is given. Its address is `[receiver] advertise`, or else `listen`; nothing listens there. A channel
    /// finds its members itself and guards them itself: `[membership] kind`, `[receiver]`, and the part of
    /// `[sender]` that is about connections are not used.
    pub fn channel(
        mut self,
        open: impl FnOnce(Identity) -> io::Result<OpenChannel> + Send + 'static,
    ) -> Self {
        self.seams.channel = Some(Box::new(open));
        self
    }

    /// Lets responses wait for the members that `ack_set` names. Give every node the same one.
    pub fn ack_set(mut self, ack_set: impl AckSet + 'static) -> Self {
        self.seams.ack_set = Arc::new(ack_set);
        self
    }

    /// Keeps sessions in `store`; `[store]` still says when, but its `kind` and what belongs to it are not
    /// used. Every node saves what it holds, so nodes may have one store together or one each.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.seams.store = Some(store);
        self
    }

    /// Plants this into the node.
    #[cfg(feature = "planted")]
    pub fn planted(mut self, planted: Planted) -> Self {
        self.seams.plant(planted);
        self
    }

    /// As [`Cluster::start`].
    ///
    /// # Errors
    /// Nothing of the node is left running, and [`JoinError`] says what to do.
    pub async fn start(self) -> Result<Cluster, JoinError> {
        Cluster::begin(self.config, self.seams).await
    }

    /// As [`Cluster::join`].
    ///
    /// # Errors
    /// Nothing of the node is left running, and [`JoinError`] says what to do.
    pub async fn join(self) -> Result<Cluster, JoinError> {
        let cluster = self.start().await?;
        match cluster.ready().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.leave().await;
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for ClusterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterBuilder")
            .field("node", &self.config.node.name)
            .field("own_membership", &self.seams.membership.is_some())
            .field("own_channel", &self.seams.channel.is_some())
            .field("ack_set", &self.seams.ack_set)
            .field("own_store", &self.seams.store)
            .finish_non_exhaustive()
    }
}
