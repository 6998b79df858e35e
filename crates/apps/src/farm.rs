//! The farm: what is deployed on one node runs on all of them (Tomcat: `FarmWarDeployer`).
//!
//! [`Farm::start`] mounts what this node kept, and its driver does what the state machine in `protocol.rs` decides:
//! an archive is prepared on every member and only then does any of them switch. `driver.rs` tells it what happens,
//! `carrying.rs` does what it wants, with the files in `shelf.rs`; `watching.rs` takes archives from the watched
//! directory, `pages.rs` takes them from operators.
//!
//! Must not know: what a manifest says, how a component runs, sessions.

mod archived;
mod carrying;
mod catalog;
mod deploy_key;
mod driver;
mod message;
mod pages;
mod protocol;
mod seal;
mod shelf;
mod stamp;
mod view;
mod watch;
mod watching;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sessile::Cluster;
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot, watch as channel};

use crate::archive::ArchiveName;
use crate::directories::Directories;
use crate::site::{Site, Workshop};
use archived::Digest;
pub use deploy_key::{DEPLOY_KEY_HEADER, DeployKey};
use driver::{Driver, Event, Wish};
pub use pages::FarmPages;
pub(crate) use protocol::{NodeResult, Outcome};
use shelf::Shelf;
use view::View;

/// Wishes of operators that wait for the driver.
const WISHES_MAX: usize = 64;
/// Longest wait of a starting node for what the members have, beyond the time of one deployment.
const CATCH_UP_SLACK: Duration = Duration::from_secs(10);

/// This node's part in the farm. Clones are the same one; its driver ends with the node.
#[derive(Clone)]
pub struct Farm {
    events: mpsc::Sender<Event>,
    shelf: Arc<Shelf>,
    view: channel::Receiver<Arc<View>>,
    deploy_time: Duration,
    archive_bytes: u64,
    deploy_key: Option<DeployKey>,
}

impl Farm {
    /// Mounts on `site` what this node kept, and begins to take part, as `[farm]` of the configuration says. To be called
    /// when the node is ready; what the configuration mounts itself is left alone. With a `deploy_key` nothing is changed
    /// without it, neither by requests at this node nor by other members.
    ///
    /// # Errors
    /// The catalog (`catalog.json` in `deploy_dir`) cannot be read; without it the node has what the members have. An archive that cannot be prepared any more is logged, and had again from a member.
    pub async fn start(
        cluster: Cluster,
        site: Site,
        workshop: Workshop,
        directories: &Directories,
        deploy_key: Option<DeployKey>,
    ) -> io::Result<Self> {
        let shelf = Arc::new(Shelf::new(directories.deploy.clone(), directories.temp.clone()));
        let (events, inbox) = mpsc::channel(WISHES_MAX);
        let (shown, view) = channel::channel(Arc::default());
        let config = &cluster.config().farm;
        let (deploy_time, archive_bytes) = (config.deploy_time, config.max_archive_bytes as u64);
        let sealer = deploy_key.as_ref().map(DeployKey::sealer).unwrap_or_default();
        let shelved = Arc::clone(&shelf);
        let driver = Driver::start(cluster, site, workshop, shelved, events.clone(), shown, sealer).await?;
        let running = tokio::spawn(driver.run(inbox));
        tokio::spawn(async move {
            if let Err(fault) = running.await {
                tracing::error!(%fault, "the farm of this node has failed by a fault of the program; what runs goes on. Restart the node");
            }
        });
        Ok(Self { events, shelf, view, deploy_time, archive_bytes, deploy_key })
    }

    /// Ready when this node has what the members have, so that it can be given requests; at the latest when a
    /// deployment would have been given up.
    pub async fn caught_up(&self) {
        let mut view = self.view.clone();
        let has_caught_up = view.wait_for(|view| view.caught_up);
        if tokio::time::timeout(self.deploy_time + CATCH_UP_SLACK, has_caught_up).await.is_err() {
            tracing::warn!(
                "this node serves without all applications of the members: they could not be had in time"
            );
        }
    }

    /// Whether a request shows the deploy key, where one is wanted.
    fn may_change(&self, headers: &http::HeaderMap) -> bool {
        self.deploy_key.as_ref().is_none_or(|key| key.is_shown_in(headers))
    }

    /// Deploys what is in `draft`, everywhere.
    async fn deploy(
        &self,
        name: ArchiveName,
        draft: NamedTempFile,
        digest: Digest,
        bytes: u64,
    ) -> Option<Outcome> {
        self.ask(|answer| Wish::Deploy { name, draft, digest, bytes, answer }).await
    }

    /// Removes what is at `path`, everywhere.
    async fn undeploy(&self, path: String) -> Option<Outcome> {
        self.ask(|answer| Wish::Undeploy { path, answer }).await
    }

    /// Deploys again what ran at `path` before, everywhere.
    async fn roll_back(&self, path: String) -> Option<Outcome> {
        self.ask(|answer| Wish::RollBack { path, answer }).await
    }

    /// `None` when the node leaves, or its driver fails, before there is an answer.
    async fn ask(&self, wish: impl FnOnce(oneshot::Sender<Outcome>) -> Wish) -> Option<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.events.send(Event::Wish(wish(answer))).await.ok()?;
        answered.await.ok()
    }
}

/// The paths that the configuration mounts, where the farm deploys nothing.
fn mounted_by(cluster: &Cluster) -> BTreeSet<String> {
    cluster.config().apps.iter().map(|app| app.path.clone()).collect()
}
