//! Nodes of one test, in one process and without sockets.

use std::time::Duration;

use sessile::seams::InProcess;
use sessile::{Cluster, ClusterBuilder, ClusterSecrets, Config};
use tempfile::TempDir;

/// Longest wait for any condition.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What all nodes of one test share.
pub(crate) struct Town {
    directory: TempDir,
    pub(crate) network: InProcess,
}

impl Town {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        ClusterSecrets::load_or_create(&directory.path().join("cluster.secret")).unwrap();
        Self { directory, network: InProcess::default() }
    }

    pub(crate) fn config(&self, name: &str) -> Config {
        let mut config = Config::default();
        config.node.name = name.to_owned();
        config.cluster.secret_file = self.directory.path().join("cluster.secret");
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.drop_time = Duration::from_secs(15);
        config
    }

    pub(crate) fn builder(&self, name: &str) -> ClusterBuilder {
        let network = self.network.clone();
        Cluster::builder(self.config(name)).channel(move |identity| network.join(identity))
    }

    /// A member that sees `members`, itself included.
    pub(crate) async fn node(&self, name: &str, members: usize) -> Cluster {
        let cluster = self.builder(name).join().await.unwrap();
        until("all members", || cluster.members().len() == members).await;
        cluster
    }
}

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
