//! How the node of `sessile serve` is made.

use std::pin::Pin;

use axum::Router;
use sessile::{Cluster, ClusterBuilder, Config};

/// The future of [`NodeFactory::pages`].
pub type ExtraPages<'a> = Pin<Box<dyn Future<Output = Router> + Send + 'a>>;

/// What a node is beyond its configuration.
pub trait NodeFactory: Sync {
    /// The cluster that the node joins.
    fn builder(&self, config: Config) -> ClusterBuilder {
        Cluster::builder(config)
    }

    /// Pages beside those of the applications. Asked for when the node is ready; it serves nobody until they are there.
    fn pages(&self, cluster: Cluster) -> ExtraPages<'_> {
        drop(cluster);
        Box::pin(std::future::ready(Router::new()))
    }
}

/// Nothing beyond.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsConfigured;

impl NodeFactory for AsConfigured {}
