//! `sessile serve`: one node, from its configuration to its leaving.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use sessile::{AdminPort, Cluster, Config, Outcome, StopRequests, admin_tokens};
use sessile_apps::component::ComponentHost;
use sessile_apps::directories::Directories;
use sessile_apps::farm::{DeployKey, Farm, FarmPages};
use sessile_apps::site::{Site, Workshop};

use crate::ajp::{AjpPort, AjpServer};
use crate::cores::Cores;
use crate::failure::Failure;
use crate::farewell::Farewell;
use crate::hangup::Hangups;
use crate::making::Making;
use crate::port::ReservedPort;
use crate::server::{Door, Server};
use crate::stop::StopWish;
use crate::{applications, deploy_key, output, report, runtime, secret_file};

/// Longest wait until whoever asked for a stop has heard how it ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which node to run.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input ends: for whoever starts a node and must not leave it behind
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

/// A node that serves.
struct Node {
    cluster: Cluster,
    server: Server,
    ajp: Option<AjpServer>,
    farewell: Farewell,
    /// Answers to the last.
    admin: Option<Admin>,
    /// Its own while it serves.
    _directories: Option<Directories>,
}

/// The admin port, being served.
struct Admin {
    port: AdminPort,
    server: Server,
    /// Who asks at the port for a stop.
    requests: StopRequests,
}

impl Serve {
    pub(crate) fn run(self, making: &impl Making) -> Result<(), Failure> {
        let (config, warnings) = Config::check(&self.config)?;
        report::findings(&warnings);
        runtime::run_with_cores(|cores| serve(config, making, cores, self.stop_with_stdin))
    }
}

/// Starts the node, waits for the wish to stop, and stops it.
async fn serve(
    config: Config,
    making: &impl Making,
    cores: Cores,
    stop_with_stdin: bool,
) -> Result<(), Failure> {
    let stop = if stop_with_stdin { StopWish::listen_with_stdin() } else { StopWish::listen() };
    let stop = stop.map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let mut hangups = Hangups::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let drain_time = config.node.drain_time;
    let mut node = tokio::select! {
        started = start(config, making, cores) => started?,
        // It served nobody yet and owes nothing.
        () = stop.asked() => return Ok(()),
    };
    loop {
        tokio::select! {
            () = stop.asked() => break,
            () = hangups.next() => node.read_secrets_again(),
            () = node.asked_to_stop() => {
                tracing::info!("asked to stop at the admin port");
                break;
            }
        }
    }
    tokio::select! {
        done = node.stop(drain_time) => done,
        () = stop.insisted() => Err(Failure::Unfinished("stopped at once: running requests were cut".to_owned())),
    }
}

/// Joins the cluster; then, and not before, the port of the applications opens.
async fn start(config: Config, making: &impl Making, cores: Cores) -> Result<Node, Failure> {
    let began = Instant::now();
    let http = ReservedPort::take("http", config.http.listen)?;
    let ajp = AjpPort::take(&config)?;
    let tokens = admin_tokens(&secret_file::for_node(&config)?, &config.cluster.name);
    let deploy_key = deploy_key::of_node(&config)?;
    let farm_pages = FarmPages::default();
    let admin = start_admin(&config, tokens, &farm_pages)?;
    let cluster = making.builder(config).start().await;
    let cluster = cluster.map_err(|error| Failure::Failed(error.to_string()))?;
    if let Some(Admin { port, .. }) = &admin {
        // Operators see the transfer while it goes on.
        port.follow(cluster.clone());
    }
    cluster.ready().await.map_err(|error| Failure::Failed(error.to_string()))?;
    let site = Site::default();
    let directories =
        Directories::open(cluster.config()).map_err(|error| Failure::Failed(error.to_string()))?;
    let workshop = directories.as_ref().map(|directories| workshop(&cluster, directories)).transpose()?;
    applications::mount(&cluster, &site, workshop.as_ref()).await?;
    let farm = start_farm(&cluster, &site, workshop, directories.as_ref(), deploy_key).await?;
    farm_pages.follow(farm.clone(), cluster.config().apps.iter().map(|app| app.path.clone()).collect());
    if let Some(farm) = farm {
        // Before that it would answer 404 where others answer.
        farm.caught_up().await;
    }
    let (farewell, pages) = Farewell::of(site.router());
    let more = making.pages(cluster.clone()).await;
    let listener = http.open()?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    let (cores, pages) = (Arc::new(cores), pages.merge(sessile::health(&cluster)).merge(more));
    let ajp = ajp.map(|ajp| ajp.serve(Arc::clone(&cores), &cluster, pages.clone())).transpose()?;
    let server = Server::start_on(cores, listener, Door::Http, pages);
    tell_ready(&cluster, address, began.elapsed())?;
    Ok(Node { cluster, server, ajp, farewell, admin, _directories: directories })
}

/// Where archives become applications of this node.
fn workshop(cluster: &Cluster, directories: &Directories) -> Result<Workshop, Failure> {
    let components = ComponentHost::new(directories.compiled.clone());
    let components = components.map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(Workshop::new(cluster.config(), directories.temp.clone(), components))
}

/// This node's part in the farm, where its configuration has one.
async fn start_farm(
    cluster: &Cluster,
    site: &Site,
    workshop: Option<Workshop>,
    directories: Option<&Directories>,
    deploy_key: Option<DeployKey>,
) -> Result<Option<Farm>, Failure> {
    let (Some(workshop), Some(directories)) = (workshop, directories) else { return Ok(None) };
    if !cluster.config().farm.is_on() {
        return Ok(None);
    }
    let started = Farm::start(cluster.clone(), site.clone(), workshop, directories, deploy_key).await;
    let place = directories.deploy.display();
    started
        .map(Some)
        .map_err(|error| Failure::Failed(format!("what is deployed in {place} cannot be read: {error}")))
}

/// Tells the log who serves where with whom, and whoever started the node that it does.
fn tell_ready(cluster: &Cluster, http: SocketAddr, after: Duration) -> Result<(), Failure> {
    let (name, after) = (cluster.name(), after.as_millis());
    let (own, others): (Vec<_>, Vec<_>) = cluster.members().into_iter().partition(|member| member.is_self);
    let boot = own.first().map(|own| own.boot.to_string()).unwrap_or_default();
    let members: Vec<_> = others.into_iter().map(|member| member.name).collect();
    tracing::info!(boot, %http, members = members.join(" "), "{name} is ready in {after} ms");
    output::print(&format!("{name} http://{http} ready in {after} ms"))
}

/// The admin port answers at once: that the node is alive, and that it is not ready yet.
fn start_admin(config: &Config, tokens: Vec<String>, farm: &FarmPages) -> Result<Option<Admin>, Failure> {
    let Some(listen) = config.admin.listen else { return Ok(None) };
    let listener = ReservedPort::take("admin", listen)?.open()?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    let port = AdminPort::new(tokens, address);
    let requests = port.stop_requests();
    let server = Server::start(listener, port.router().merge(port.guarded(farm.router())));
    tracing::info!(admin = %address, "the admin port is open");
    Ok(Some(Admin { port, server, requests }))
}

impl Admin {
    /// Tells whoever asked for the stop how it ended, and closes the port.
    async fn tell(self, outcome: &Result<(), Failure>) {
        self.requests.done(match outcome {
            Ok(()) => Outcome::drained(),
            Err(failure) => Outcome::unfinished(failure.to_string()),
        });
        self.server.stop(LAST_WORDS).await;
    }
}

impl Node {
    /// Ready once somebody asked for a stop at the admin port.
    async fn asked_to_stop(&mut self) {
        match &mut self.admin {
            Some(admin) => admin.requests.asked().await,
            None => std::future::pending().await,
        }
    }

    /// As `sessile secret reload`, also for a node without an admin port. A file that cannot be used changes nothing.
    fn read_secrets_again(&self) {
        match self.cluster.reload_secrets() {
            Ok(secrets) => {
                let tokens = admin_tokens(&secrets, &self.cluster.config().cluster.name);
                self.admin.iter().for_each(|admin| admin.port.believe(tokens.clone()));
            }
            Err(error) => tracing::error!(%error, "SIGHUP: the secrets stay as they were"),
        }
        self.ajp.iter().for_each(|ajp| ajp.read_secrets_again(self.cluster.config()));
    }

    /// Says that it is about to leave, serves until nobody chooses it any more, lets running requests end, pays what
    /// it owes to the other members, and leaves. All of that within `at_most`; then it leaves all the same.
    async fn stop(mut self, at_most: Duration) -> Result<(), Failure> {
        let admin = self.admin.take();
        let outcome = self.drain(at_most).await;
        if let Some(admin) = admin {
            admin.tell(&outcome).await;
        }
        outcome
    }

    async fn drain(self, at_most: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + at_most;
        let left = || deadline.saturating_duration_since(Instant::now());
        tracing::info!("stopping: this node is draining, within {at_most:?}");
        let requests = async {
            self.farewell.said(at_most / 2).await;
            let ajp = async {
                match self.ajp {
                    Some(ajp) => ajp.server.stop(left()).await,
                    None => 0,
                }
            };
            let (http, ajp) = tokio::join!(self.server.stop(left()), ajp);
            http + ajp
        };
        // What the cluster waits for may come again while the port is open: it is asked once more when it is closed.
        let (_, busy) = tokio::join!(self.cluster.drain(at_most), requests);
        let drained = self.cluster.drain(left()).await;
        self.cluster.leave().await;
        match drained {
            Err(owed) => Err(Failure::Unfinished(owed.to_string())),
            Ok(()) if busy > 0 => Err(Failure::Unfinished(format!(
                "the time to drain is over: {busy} connections are still busy"
            ))),
            Ok(()) => Ok(()),
        }
    }
}
