//! The balancer's admin port, as `[balance] admin` names it, and the token that it wants.

use std::path::Path;

use sessile::ClusterSecrets;
use sessile::admin::admin_token;
use sessile_balancer::{BalanceConfig, Balancer, BalancerAdmin, Reload};
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::logging;
use crate::secret_file;
use crate::server::Server;

/// What the token is derived for; in a node's token the cluster's name stands here.
const PURPOSE: &str = "balancer";

/// Opens the port, if there shall be one. The secret is made when it is missing.
pub(super) async fn open(
    config: &BalanceConfig,
    balancer: &Balancer,
    reload: Option<Reload>,
) -> Result<Option<Server>, Failure> {
    let Some(listen) = config.admin else { return Ok(None) };
    let secrets = ClusterSecrets::load_or_create(&config.secret_file);
    let secrets = secrets.map_err(|error| Failure::Failed(format!("[balance] secret_file: {error}")))?;
    let token = admin_token(&secrets, PURPOSE);
    let remedy = "choose another port, or stop the program that has it";
    let failed = |error| Failure::Failed(format!("[balance] admin = \"{listen}\": {error}; {remedy}"));
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (monitor, control) = (balancer.monitor(), balancer.control());
    let port = BalancerAdmin::new(token, address, monitor, control, reload, logging::lines_lost);
    tracing::info!(admin = %address, "the admin port is open");
    Ok(Some(Server::start(listener, port.router())))
}

/// The token of a balancer that has been started with this secret.
pub(super) fn token(secret_file: &Path) -> Result<String, Failure> {
    if !secret_file.exists() {
        let file = secret_file.display();
        return Err(Failure::Failed(format!(
            "{file} is missing: the balancer makes it when it starts; does it run?"
        )));
    }
    Ok(admin_token(&secret_file::load(secret_file)?, PURPOSE))
}
