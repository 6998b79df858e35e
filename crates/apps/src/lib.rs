//! (being written)
#![allow(missing_docs)]
pub mod clusterapp {
    pub fn router(_: &sessile::Cluster, _: &sessile::config::App, _: u8) -> axum::Router {
        unimplemented!()
    }
}
