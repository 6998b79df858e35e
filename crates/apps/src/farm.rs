//! The farm: an archive deployed on one node runs on all nodes (Tomcat: `FarmWarDeployer`).
//!
//! [`Farm::start`] mounts the archives that this node kept, and its driver runs the state machine in
//! `protocol.rs`: an archive is prepared on every member before any member switches to it. `driver.rs` passes
//! events to the machine, `effect_runner.rs` runs its effects, with the files in `archive_store.rs`.
//! `watched_directory.rs` takes archives from the watched directory, `pages.rs` from operators.
//!
//! Must not know: manifests, components, sessions.

mod archive_ref;
mod archive_store;
mod catalog;
mod deploy_key;
mod deploy_timestamp;
mod driver;
mod effect_runner;
mod message;
mod pages;
mod protocol;
mod seal;
mod view;
mod watch;
mod watched_directory;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sessile::Cluster;
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot, watch as channel};

use crate::archive::ArchiveName;
use crate::directories::Directories;
use crate::site::{ApplicationBuilder, Site};
use archive_ref::Digest;
use archive_store::ArchiveStore;
pub use deploy_key::{DEPLOY_KEY_HEADER, DeployKey};
use driver::{Driver, DriverEvent, OperatorAnswer, OperatorRequest};
pub use pages::FarmPages;
pub(crate) use protocol::{DeployOutcome, NodeResult};
use view::FarmView;

/// Most queued requests of operators.
const REQUESTS_MAX: usize = 64;
/// Longest wait of a starting node to catch up, beyond the time of one deployment.
const CATCH_UP_SLACK: Duration = Duration::from_secs(10);

/// This node's member of the farm. Clones share one state; its driver ends with the node.
#[derive(Clone)]
pub struct Farm {
    events: mpsc::Sender<DriverEvent>,
    store: Arc<ArchiveStore>,
    view: channel::Receiver<Arc<FarmView>>,
    deploy_time: Duration,
    archive_bytes: u64,
    deploy_key: Option<DeployKey>,
}

impl Farm {
    /// Mounts the kept archives on `site` and joins the farm, as `[farm]` of the configuration says. Call it
    /// when the node is ready; paths mounted by the configuration are left alone. With a `deploy_key` every
    /// change needs the key, whether it comes from a request at this node or from another member.
    ///
    /// # Errors
    /// The catalog (`catalog.json` in `deploy_dir`) cannot be read; without the file the node takes the
    /// members' applications. An archive that cannot be prepared is logged and fetched again from a member.
    pub async fn start(
        cluster: Cluster,
        site: Site,
        builder: ApplicationBuilder,
        directories: &Directories,
        deploy_key: Option<DeployKey>,
    ) -> io::Result<Self> {
        let store = Arc::new(ArchiveStore::new(directories.deploy.clone(), directories.temp.clone()));
        let (events, inbox) = mpsc::channel(REQUESTS_MAX);
        let (shown, view) = channel::channel(Arc::default());
        let config = &cluster.config().farm;
        let (deploy_time, archive_bytes) = (config.deploy_time, config.max_archive_bytes as u64);
        let sealer = deploy_key.as_ref().map(DeployKey::sealer).unwrap_or_default();
        let archive_stored = Arc::clone(&store);
        let driver =
            Driver::start(cluster, site, builder, archive_stored, events.clone(), shown, sealer).await?;
        let running = tokio::spawn(driver.run(inbox));
        tokio::spawn(async move {
            if let Err(fault) = running.await {
                tracing::error!(%fault, "the farm of this node failed because of a bug; running applications continue. Restart the node");
            }
        });
        Ok(Self { events, store, view, deploy_time, archive_bytes, deploy_key })
    }

    /// Ready when this node has the members' applications and can serve; at the latest after the time limit
    /// of a deployment.
    pub async fn caught_up(&self) {
        let mut view = self.view.clone();
        let has_caught_up = view.wait_for(|view| view.caught_up);
        if tokio::time::timeout(self.deploy_time + CATCH_UP_SLACK, has_caught_up).await.is_err() {
            tracing::warn!(
                "this node serves without all applications of the members: they did not arrive in time"
            );
        }
    }

    /// Whether a request has the deploy key, if the farm needs one.
    fn may_change(&self, headers: &http::HeaderMap) -> bool {
        self.deploy_key.as_ref().is_none_or(|key| key.is_shown_in(headers))
    }

    /// Deploys the archive in `draft` on all nodes.
    async fn deploy(
        &self,
        name: ArchiveName,
        draft: NamedTempFile,
        digest: Digest,
        bytes: u64,
    ) -> Option<OperatorAnswer> {
        self.ask(|answer| OperatorRequest::Deploy { name, draft, digest, bytes, answer }).await
    }

    /// Removes the application at `path` on all nodes.
    async fn undeploy(&self, path: String) -> Option<OperatorAnswer> {
        self.ask(|answer| OperatorRequest::Undeploy { path, answer }).await
    }

    /// Deploys the previous application of `path` again on all nodes.
    async fn roll_back(&self, path: String) -> Option<OperatorAnswer> {
        self.ask(|answer| OperatorRequest::RollBack { path, answer }).await
    }

    /// `None` if the node leaves or its driver fails before it answers.
    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<OperatorAnswer>) -> OperatorRequest,
    ) -> Option<OperatorAnswer> {
        let (answer, answered) = oneshot::channel();
        self.events.send(DriverEvent::OperatorRequest(request(answer))).await.ok()?;
        answered.await.ok()
    }
}

/// The paths mounted by the configuration, at which the farm deploys nothing.
fn mounted_by(cluster: &Cluster) -> BTreeSet<String> {
    cluster.config().apps.iter().map(|app| app.path.clone()).collect()
}
