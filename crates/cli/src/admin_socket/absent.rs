//! On a system without Unix sockets operators use the admin port.

use std::time::Duration;

use axum::Router;
use sessile::Config;

use crate::failure::Failure;

/// There is none.
#[derive(Debug)]
pub(crate) enum AdminSocket {}

impl AdminSocket {
    pub(crate) fn open(config: &Config, _pages: Router) -> Result<Option<Self>, Failure> {
        match &config.admin.socket {
            None => Ok(None),
            Some(_) => Err(Failure::Failed(
                "this system has no Unix sockets: take `socket` out of [admin]".to_owned(),
            )),
        }
    }

    pub(crate) async fn stop(self, _at_most: Duration) {
        match self {}
    }
}
