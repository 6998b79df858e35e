//! Where the admin pages of a node are, and what its operators have to show: both follow from the node's
//! configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use sessile::Config;
use sessile::admin::admin_tokens;
use sessile_apps::farm::DeployKey;

use crate::failure::Failure;
use crate::secret_file;

/// Where a node's admin pages are, and the tokens that it may have.
#[derive(Clone, Debug)]
pub(crate) struct AdminClient {
    /// The node's name.
    pub(crate) name: String,
    pub(crate) config: Config,
    /// The admin port.
    pub(super) address: Option<SocketAddr>,
    /// The socket for operators of the node's machine.
    pub(super) socket: Option<PathBuf>,
    pub(super) tokens: Vec<String>,
    /// Sent with every request if the configuration has one.
    pub(super) deploy_key: Option<DeployKey>,
}

/// Why an admin request failed.
#[derive(Debug)]
pub(crate) enum AdminError {
    NotRunning(String),
    Failed(String),
}

impl From<AdminError> for Failure {
    fn from(none: AdminError) -> Self {
        match none {
            AdminError::NotRunning(words) | AdminError::Failed(words) => Self::Failed(words),
        }
    }
}

impl AdminClient {
    /// The client of the node that `file` configures.
    pub(crate) fn of(file: &Path) -> Result<Self, Failure> {
        let (config, _) = Config::check(file)?;
        let (name, shown) = (config.node.name.clone(), file.display());
        let socket = config.admin_socket();
        if socket.is_none() {
            let remedy =
                format!("add for example\n\n    [admin]\n    listen = 9005\n\nto {shown} and restart it");
            return Err(Failure::Failed(format!("{name} has no admin port: {remedy}")));
        }
        // The system chose the port of a node that names port 0; its socket is known all the same.
        let address = config.admin.listen.filter(|listen| listen.port() != 0).map(reachable);
        let secrets = secret_file::load(&config.cluster.secret_file)?;
        let tokens = admin_tokens(&secrets, &config.cluster.name);
        Ok(Self { name, address, socket, tokens, config, deploy_key: None })
    }

    /// The same client, which sends the deploy key too.
    pub(crate) fn with_deploy_key(self, deploy_key: Option<DeployKey>) -> Self {
        Self { deploy_key, ..self }
    }

    /// Where the node is looked for.
    fn place(&self) -> String {
        let socket = self.socket.iter().map(|path| format!("socket {}", path.display()));
        let port = self.address.iter().map(|address| format!("admin port {address}"));
        socket.chain(port).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn not_running(&self, error: Option<&std::io::Error>) -> AdminError {
        let (name, place) = (&self.name, self.place());
        let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
        AdminError::NotRunning(format!("{name} is not running: nobody listens at its {place}{error}"))
    }

    /// Whoever listens does not prove that it is the node.
    pub(super) fn unproven(&self) -> AdminError {
        let (name, file) = (&self.name, self.config.cluster.secret_file.display());
        self.failed(format!(
            "whoever listens there does not prove that it is {name} and has the secret in {file}, so nothing confidential was \
             sent: another program listens, or the node runs with another secret or [cluster] name"
        ))
    }

    pub(super) fn failed(&self, words: String) -> AdminError {
        AdminError::Failed(format!("{} ({}): {words}", self.name, self.place()))
    }
}

/// The address to connect to where a node listens at `listen`.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
