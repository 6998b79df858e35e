//! Creation of the node that `sessile serve` runs.

use std::pin::Pin;

use axum::Router;
use sessile::{Cluster, ClusterBuilder, Config};

/// The future of [`NodeFactory::pages`].
pub type ExtraPages<'a> = Pin<Box<dyn Future<Output = Router> + Send + 'a>>;

/// Parts of a node beyond its configuration.
pub trait NodeFactory: Sync {
    /// The builder of the node's cluster.
    fn builder(&self, config: Config) -> ClusterBuilder {
        Cluster::builder(config)
    }

    /// Routes beside those of the applications. Called when the node is ready; the HTTP port opens when the
    /// future is ready.
    fn pages(&self, cluster: Cluster) -> ExtraPages<'_> {
        drop(cluster);
        Box::pin(std::future::ready(Router::new()))
    }
}

/// A node with its configuration only.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsConfigured;

impl NodeFactory for AsConfigured {}
