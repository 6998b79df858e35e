//! The AJP port of a node: the same applications as at its HTTP port, for mod_jk and mod_proxy_ajp.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use sessile::{Cluster, Config};
use sessile_ajp::{AjpRequestBody, ConnectionError, Connector, Forwarded, PacketSize, Secrets};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tower::ServiceExt as _;

use crate::cores::Cores;
use crate::failure::Failure;
use crate::port::ReservedPort;
use crate::server::{Server, stop_said};

/// Connections that are served at once; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 10_000;
/// Pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The AJP port, taken and not yet open.
#[derive(Debug)]
pub(crate) struct AjpPort {
    reserved: ReservedPort,
    secrets: Secrets,
    packet_size: PacketSize,
}

/// The AJP port, being served.
#[derive(Debug)]
pub(crate) struct AjpServer {
    pub(crate) server: Server,
    /// Connections that were ended for their peer's fault.
    pub(crate) refused: Arc<AtomicU64>,
    secrets: Secrets,
}

/// What all connections of the port need.
#[derive(Clone)]
struct Service {
    connector: Connector,
    router: Router,
    refused: Arc<AtomicU64>,
}

impl AjpPort {
    /// Takes the port and reads the secret, where the configuration has such a port.
    pub(crate) fn take(config: &Config) -> Result<Option<Self>, Failure> {
        let (Some(listen), Some(file)) = (config.ajp.listen, &config.ajp.secret_file) else {
            return Ok(None);
        };
        let secrets = Secrets::load(file).map_err(|error| {
            let remedy = if file.exists() { "" } else { "; make it with: sessile secret new " };
            let path = if file.exists() { String::new() } else { file.display().to_string() };
            Failure::Failed(format!("[ajp] {error}{remedy}{path}"))
        })?;
        let packet_size = PacketSize::new(config.ajp.packet_size).unwrap_or(PacketSize::DEFAULT);
        Ok(Some(Self { reserved: ReservedPort::take("ajp", listen)?, secrets, packet_size }))
    }

    /// Opens it for `router`.
    pub(crate) fn serve(
        self,
        cores: Arc<Cores>,
        cluster: &Cluster,
        router: Router,
    ) -> Result<AjpServer, Failure> {
        let listener: TcpListener = self.reserved.open()?;
        let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
        let asked = cluster.clone();
        let connector = Connector::new(self.secrets.clone(), self.packet_size, move || asked.is_ready());
        let refused = Arc::new(AtomicU64::new(0));
        let service = Service { connector, router, refused: Arc::clone(&refused) };
        let server = Server::accepting(cores, |cores, stop| accept(cores, listener, service, stop));
        tracing::info!(ajp = %address, "the AJP port is open");
        Ok(AjpServer { server, refused, secrets: self.secrets })
    }
}

impl AjpServer {
    /// Reads the secret file again. One that cannot be used changes nothing.
    pub(crate) fn read_secrets_again(&self, config: &Config) {
        let Some(file) = &config.ajp.secret_file else { return };
        if let Err(error) = self.secrets.reload(file) {
            tracing::error!(%error, "SIGHUP: the AJP secret stays as it was");
        }
    }
}

/// Accepts connections until the server stops, each once there is room for it.
async fn accept(cores: Arc<Cores>, listener: TcpListener, service: Service, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let next = async {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return None };
            listener
                .accept()
                .await
                .inspect_err(log_refused_accept)
                .ok()
                .map(|(tcp, peer)| (tcp, peer, permit))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = stop_said(&mut stop) => return,
        };
        let Some((tcp, peer, permit)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (service, stop) = (service.clone(), stop.clone());
        cores.spawn(tcp, peer, move |tcp| async move {
            serve(service, tcp, peer, stop).await;
            drop(permit);
        });
    }
}

fn log_refused_accept(cause: &std::io::Error) {
    tracing::warn!(%cause, "an AJP connection could not be accepted");
}

/// Serves one connection to its end. Its requests carry the address of the client that the web server names.
async fn serve(service: Service, tcp: TcpStream, peer: SocketAddr, mut stop: watch::Receiver<bool>) {
    let Service { connector, router, refused } = service;
    let applications = router.map_request(|mut request: Request<AjpRequestBody>| {
        let client = request.extensions().get::<Forwarded>().map(|forwarded| forwarded.client);
        if let Some(client) = client {
            request.extensions_mut().insert(ConnectInfo(client));
        }
        request
    });
    if let Err(cause) = tcp.set_nodelay(true) {
        // The failed option costs speed, not correctness.
        tracing::debug!(%peer, %cause, "a socket option was refused");
    }
    match connector.serve(tcp, applications, stop_said(&mut stop)).await {
        Ok(()) => {}
        Err(error @ (ConnectionError::Io(_) | ConnectionError::Silent | ConnectionError::Stuck)) => {
            tracing::debug!(%peer, %error, "an AJP connection ended");
        }
        Err(error) => {
            let refused = refused.fetch_add(1, Relaxed) + 1;
            // The first, the second, the fourth and so on: whoever has no secret does not fill the log
            // either.
            if refused.is_power_of_two() {
                tracing::warn!(%peer, %error, refused, "an AJP connection was ended");
            } else {
                tracing::debug!(%peer, %error, refused, "an AJP connection was ended");
            }
        }
    }
}
