//! `sessile serve`: runs one node, from its configuration until it leaves the cluster.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use sessile::admin::{AdminPort, StopOutcome, StopRequests, admin_tokens};
use sessile::{Cluster, Config};
use sessile_apps::component::ComponentHost;
use sessile_apps::directories::Directories;
use sessile_apps::farm::{DeployKey, Farm, FarmPages};
use sessile_apps::site::{ApplicationBuilder, Site};
use sessile_http_server::tls::TlsServer;
use sessile_http_server::{Door, Limits};
use tokio::net::TcpListener;

use crate::admin_socket::AdminSocket;
use crate::ajp::{AjpPort, AjpServer};
use crate::connection_report::ConnectionReport;
use crate::cores::Cores;
use crate::failure::Failure;
use crate::graceful_shutdown::GracefulShutdown;
use crate::hangup::Hangups;
use crate::node_factory::NodeFactory;
use crate::port::ReservedPort;
use crate::server::Server;
use crate::stop::StopRequest;
use crate::{applications, deploy_key, descriptors, https, logging, output, report, runtime, secret_file};

/// Longest wait until the client that requested the stop has read the result.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input ends, for programs that start a node and must not leave it behind
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

/// A node that serves.
struct RunningNode {
    cluster: Cluster,
    server: Server,
    ajp: Option<AjpServer>,
    shutdown: GracefulShutdown,
    /// The admin port closes last.
    admin: Option<AdminServer>,
    tls: Option<Arc<TlsServer>>,
    /// What became of connections.
    connections: ConnectionReport,
    /// Redirects clients of plain HTTP to HTTPS.
    _redirect: Option<Server>,
    /// Kept open while the node serves.
    _directories: Option<Directories>,
}

/// The served admin pages.
struct AdminServer {
    port: AdminPort,
    /// The admin port, where there is one.
    server: Option<Server>,
    socket: Option<AdminSocket>,
    /// Stop requests that come through the port.
    requests: StopRequests,
}

impl Serve {
    pub(crate) fn run(self, factory: &impl NodeFactory) -> Result<(), Failure> {
        let (config, warnings) = Config::check(&self.config)?;
        report::findings(&warnings);
        runtime::run_with_cores(|cores| serve(config, factory, cores, &self))
    }
}

/// Starts the node, waits for a stop request, and stops the node.
async fn serve(
    config: Config,
    factory: &impl NodeFactory,
    cores: Cores,
    verb: &Serve,
) -> Result<(), Failure> {
    let stop = if verb.stop_with_stdin { StopRequest::listen_with_stdin() } else { StopRequest::listen() };
    let stop = stop.map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let mut hangups = Hangups::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let drain_time = config.node.drain_time;
    let mut node = tokio::select! {
        started = start(config, factory, cores, &verb.config) => started?,
        // The node has not served yet, so there is nothing to drain.
        () = stop.requested() => return Ok(()),
    };
    let mut lost_lines = std::pin::pin!(logging::report_to(node.cluster.clone()));
    let mut counts = std::pin::pin!(node.connections.clone().report_to(node.cluster.clone()));
    let mut open_files = std::pin::pin!(descriptors::report_to(node.cluster.clone()));
    loop {
        tokio::select! {
            () = &mut lost_lines => {}
            () = &mut counts => {}
            () = &mut open_files => {}
            () = stop.requested() => break,
            () = hangups.next() => node.read_files_again(),
            () = node.asked_to_stop() => {
                tracing::info!("asked to stop at the admin port");
                break;
            }
        }
    }
    tokio::select! {
        done = node.stop(drain_time) => done,
        () = stop.forced() => Err(Failure::Unfinished("stopped at once: running requests were cut".to_owned())),
    }
}

/// Joins the cluster, then opens the HTTP port.
async fn start(
    config: Config,
    factory: &impl NodeFactory,
    cores: Cores,
    file: &Path,
) -> Result<RunningNode, Failure> {
    let began = Instant::now();
    applications::check(file, &config)?;
    let tls = https::certificates(Some(file), "http.tls", &config.http.tls, true)?;
    let http = ReservedPort::take("http", config.http.listen)?;
    let ajp = AjpPort::take(&config)?;
    let tokens = admin_tokens(&secret_file::for_node(&config)?, &config.cluster.name);
    let deploy_key = deploy_key::of_node(&config)?;
    let farm_pages = FarmPages::default();
    let admin = start_admin(&config, tokens, &farm_pages)?;
    let cluster = factory.builder(config).start().await;
    let cluster = cluster.map_err(|error| Failure::Failed(error.to_string()))?;
    if let Some(AdminServer { port, .. }) = &admin {
        // The admin port shows the progress of the state transfer.
        port.follow(cluster.clone());
    }
    cluster.ready().await.map_err(|error| Failure::Failed(error.to_string()))?;
    let site = Site::default();
    let directories =
        Directories::open(cluster.config()).map_err(|error| Failure::Failed(error.to_string()))?;
    let builder = directories.as_ref().map(|directories| builder(&cluster, directories)).transpose()?;
    applications::mount(&cluster, &site, builder.as_ref()).await?;
    let farm = start_farm(&cluster, &site, builder, directories.as_ref(), deploy_key).await?;
    farm_pages.follow(farm.clone(), cluster.config().apps.iter().map(|app| app.path.clone()).collect());
    if let Some(farm) = farm {
        // Until then the node would answer 404 for applications that other nodes serve.
        farm.caught_up().await;
    }
    let (shutdown, pages) = GracefulShutdown::of(applications::router(&site, cluster.config()));
    let more = factory.pages(cluster.clone()).await;
    let listener = http.open()?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    let (cores, pages) = (Arc::new(cores), pages.merge(sessile::admin::health(&cluster)).merge(more));
    let ajp = ajp.map(|ajp| ajp.serve(Arc::clone(&cores), &cluster, pages.clone())).transpose()?;
    let redirect = https::redirect(&cluster.config().http.tls, "http.tls", address.port())?;
    let door = door(&cluster.config().http, tls.clone());
    let connections = ConnectionReport::new(door.counts(), ajp.as_ref());
    let server = Server::start_on(cores, listener, door, pages);
    tell_ready(&cluster, address, tls.is_some(), began.elapsed());
    Ok(RunningNode {
        cluster,
        server,
        ajp,
        shutdown,
        admin,
        tls,
        connections,
        _redirect: redirect,
        _directories: directories,
    })
}

/// The door of the HTTP port.
fn door(http: &sessile::config::Http, tls: Option<Arc<TlsServer>>) -> Door {
    let trusted = http.trusted_proxies.clone();
    let connections = descriptors::connections(http.limits.connections);
    let limits = Limits { connections, ..http.limits.clone() };
    Door::new(limits, http.idle_timeout, trusted, http.proxy_protocol, tls, Arc::default())
}

/// The builder, which turns archives into applications.
fn builder(cluster: &Cluster, directories: &Directories) -> Result<ApplicationBuilder, Failure> {
    let components = ComponentHost::new(directories.compiled.clone());
    let components = components.map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(ApplicationBuilder::new(cluster.config(), directories.temp.clone(), components))
}

/// Starts the farm member if the configuration enables it.
async fn start_farm(
    cluster: &Cluster,
    site: &Site,
    builder: Option<ApplicationBuilder>,
    directories: Option<&Directories>,
    deploy_key: Option<DeployKey>,
) -> Result<Option<Farm>, Failure> {
    let (Some(builder), Some(directories)) = (builder, directories) else { return Ok(None) };
    if !cluster.config().farm.is_on() {
        return Ok(None);
    }
    let started = Farm::start(cluster.clone(), site.clone(), builder, directories, deploy_key).await;
    let place = directories.deploy.display();
    started
        .map(Some)
        .map_err(|error| Failure::Failed(format!("the deployed archives in {place} cannot be read: {error}")))
}

/// Logs address and members, and prints that the node is ready.
fn tell_ready(cluster: &Cluster, http: SocketAddr, is_tls: bool, after: Duration) {
    let (name, after) = (cluster.name(), after.as_millis());
    let (own, others): (Vec<_>, Vec<_>) = cluster.members().into_iter().partition(|member| member.is_self);
    let incarnation = own.first().map(|own| own.incarnation.to_string()).unwrap_or_default();
    let members: Vec<_> = others.into_iter().map(|member| member.name).collect();
    tracing::info!(incarnation, %http, members = members.join(" "), "{name} is ready in {after} ms");
    let scheme = if is_tls { "https" } else { "http" };
    output::announce(&format!("{name} {scheme}://{http} ready in {after} ms"));
}

/// The admin port and the socket open at once and report that the node is alive but not ready.
fn start_admin(
    config: &Config,
    tokens: Vec<String>,
    farm: &FarmPages,
) -> Result<Option<AdminServer>, Failure> {
    let listener =
        config.admin.listen.map(|listen| ReservedPort::take("admin", listen)?.open()).transpose()?;
    let address = listener.as_ref().map(TcpListener::local_addr).transpose();
    let address = address.map_err(|error| Failure::Failed(error.to_string()))?;
    if address.is_none() && config.admin.socket.is_none() {
        return Ok(None);
    }
    let port = AdminPort::new(config, tokens, address);
    let requests = port.stop_requests();
    let pages = port.router().merge(port.guarded(farm.router()));
    let socket = AdminSocket::open(config, pages.clone())?;
    let server = listener.map(|listener| Server::start(listener, pages));
    if let Some(address) = address {
        tracing::info!(admin = %address, "the admin port is open");
    }
    Ok(Some(AdminServer { port, server, socket, requests }))
}

impl AdminServer {
    /// Sends the result to the client that requested the stop, and closes the port.
    async fn tell(self, outcome: &Result<u64, Failure>) {
        self.requests.done(match outcome {
            Ok(only_here) => StopOutcome::with_sessions(*only_here),
            Err(failure) => StopOutcome::unfinished(failure.to_string()),
        });
        let port = async {
            if let Some(server) = self.server {
                server.stop(LAST_WORDS).await;
            }
        };
        let socket = async {
            if let Some(socket) = self.socket {
                socket.stop(LAST_WORDS).await;
            }
        };
        tokio::join!(port, socket);
    }
}

impl RunningNode {
    /// Ready when the admin port receives a stop request.
    async fn asked_to_stop(&mut self) {
        match &mut self.admin {
            Some(admin) => admin.requests.asked().await,
            None => std::future::pending().await,
        }
    }

    /// Same as `sessile secret reload`, also for a node without an admin port; and the certificates. An
    /// invalid file changes nothing.
    fn read_files_again(&self) {
        self.tls.iter().for_each(|tls| https::reload(tls));
        match self.cluster.reload_secrets() {
            Ok(secrets) => {
                let tokens = admin_tokens(&secrets, &self.cluster.config().cluster.name);
                self.admin.iter().for_each(|admin| admin.port.believe(tokens.clone()));
            }
            Err(error) => tracing::error!(%error, "SIGHUP: the secrets stay unchanged"),
        }
        self.ajp.iter().for_each(|ajp| ajp.read_secrets_again(self.cluster.config()));
    }

    /// Announces the drain, serves until balancers stop choosing the node, waits for running requests, sends
    /// the backlog to the other members, and leaves. After `at_most` the node leaves in any case.
    async fn stop(mut self, at_most: Duration) -> Result<(), Failure> {
        let admin = self.admin.take();
        let is_forced = admin.as_ref().is_some_and(|admin| admin.requests.is_forced());
        let outcome = match self.drain(at_most).await {
            Ok(only_here) if only_here > 0 && !is_forced => Err(Failure::Unfinished(format!(
                "{only_here} sessions went with this node: no other member held them, and there is no store"
            ))),
            outcome => outcome,
        };
        if let Some(admin) = admin {
            admin.tell(&outcome).await;
        }
        outcome.map(|_| ())
    }

    /// How many sessions went with the node.
    async fn drain(self, at_most: Duration) -> Result<u64, Failure> {
        let deadline = Instant::now() + at_most;
        let left = || deadline.saturating_duration_since(Instant::now());
        tracing::info!("stopping: this node is draining, within {at_most:?}");
        let requests = async {
            self.shutdown.begin(at_most / 2).await;
            let ajp = async {
                match self.ajp {
                    Some(ajp) => ajp.server.stop(left()).await,
                    None => 0,
                }
            };
            let (http, ajp) = tokio::join!(self.server.stop(left()), ajp);
            http + ajp
        };
        // While the port is open, new requests may add work to drain: drain again after the port is closed.
        let (_, busy) = tokio::join!(self.cluster.drain(at_most), requests);
        let drained = self.cluster.drain(left()).await;
        let only_here = self.cluster.only_here_within(left()).await;
        self.cluster.leave().await;
        match drained {
            Err(owed) => Err(Failure::Unfinished(owed.to_string())),
            Ok(()) if busy > 0 => {
                Err(Failure::Unfinished(format!("the drain time is over: {busy} connections are still busy")))
            }
            Ok(()) => Ok(only_here),
        }
    }
}
