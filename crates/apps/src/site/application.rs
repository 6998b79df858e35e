//! Turns an archive into an application that can be mounted: its files and its component.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode};
use sessile::config::App;
use sessile::config::SettingError;
use sessile::{Cluster, Config, ConfigError};
use tower::ServiceExt;

use crate::archive::{Archive, ArchiveError, ArchiveLimits, ArchiveName, Manifest};
use crate::component::{Component, ComponentError, ComponentHost};
use crate::statics::Statics;

use super::grants::{self, Granted, NotGranted};

/// Hex digits of a digest in entity tags.
const TAG_DIGITS: usize = 32;

/// Builds applications from archives. Clones share one state.
#[derive(Clone, Debug)]
pub struct ApplicationBuilder {
    temp: Arc<PathBuf>,
    bounds: ArchiveLimits,
    components: ComponentHost,
    node: Arc<Config>,
}

/// A mountable version of an application.
#[derive(Clone, Debug)]
pub struct Application {
    app: App,
    one_page: bool,
    files: Option<Statics>,
    component: Option<Component>,
    granted: Granted,
}

/// Why an archive cannot serve on this node.
#[derive(Debug, thiserror::Error)]
pub enum UnusableApplication {
    /// The archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its settings conflict with this node's configuration.
    #[error("its manifest does not go with this node: {0}")]
    Setting(String),
    /// Its manifest asks for more than this node grants.
    #[error("its manifest asks for more than this node grants: {}", joined(.0))]
    NotGranted(Vec<NotGranted>),
    /// Its component cannot run.
    #[error(transparent)]
    Component(#[from] ComponentError),
}

impl ApplicationBuilder {
    /// Archives are unpacked below `temp`, and components run on `components`.
    #[must_use]
    pub fn new(node: &Config, temp: PathBuf, components: ComponentHost) -> Self {
        let farm = &node.farm;
        let bounds = ArchiveLimits {
            unpacked_bytes: farm.max_unpacked_bytes as u64,
            files: usize::try_from(farm.max_files).unwrap_or(usize::MAX),
        };
        Self { temp: Arc::new(temp), bounds, components, node: Arc::new(node.clone()) }
    }

    /// Checks the archive in `file`, which is called `name`, unpacks it and compiles its component; nothing
    /// is mounted. `mounted` gives the mount path, the manifest overrides its other settings.
    ///
    /// # Errors
    /// [`UnusableApplication`]; no files are left.
    pub async fn prepare(
        &self,
        file: &Path,
        name: &ArchiveName,
        mounted: &App,
    ) -> Result<Application, UnusableApplication> {
        let (file, named, temp, bounds) =
            (file.to_owned(), name.clone(), Arc::clone(&self.temp), self.bounds);
        let opening = tokio::task::spawn_blocking(move || {
            let digest = digest_of(&file)?;
            Ok::<_, ArchiveError>((Archive::open(&file, &named, &temp, bounds)?, digest))
        });
        let (archive, digest) =
            opening.await.map_err(|fault| UnusableApplication::Setting(fault.to_string()))??;
        let app = archive.manifest.app(mounted, name.to_string().into());
        self.check(&app)?;
        let request = grants::Request { node: &self.node, mounted, app: &app };
        let mut settings = None;
        let mut component = None;
        if let Some(bytes) = archive.component {
            let asked = archive.manifest.component_settings();
            let granted = settings.insert(request.grant(asked).map_err(UnusableApplication::NotGranted)?);
            component = Some(self.components.prepare(bytes, granted).await?);
        }
        let granted = request.lines(settings.as_ref());
        let files =
            archive.files.map(|files| statics(&archive.manifest, Arc::new(files), &digest)).transpose()?;
        Ok(Application { app, one_page: archive.manifest.is_one_page(), files, component, granted })
    }

    /// Whether a node with only this application would start.
    fn check(&self, app: &App) -> Result<(), UnusableApplication> {
        let alone = Config { apps: vec![app.clone()], ..(*self.node).clone() };
        match alone.validate() {
            Ok(()) => Ok(()),
            Err(ConfigError::Invalid(findings)) => {
                let messages: Vec<_> = findings.list.into_iter().map(|finding| finding.message).collect();
                Err(UnusableApplication::Setting(messages.join("; ")))
            }
            Err(other) => Err(UnusableApplication::Setting(other.to_string())),
        }
    }
}

fn joined(refused: &[NotGranted]) -> String {
    let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
    refused.join("; ")
}

fn digest_of(file: &Path) -> Result<String, ArchiveError> {
    let failed = |source| ArchiveError::File { path: file.to_owned(), source };
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut std::fs::File::open(file).map_err(failed)?, &mut hasher).map_err(failed)?;
    Ok(hasher.finalize().to_hex()[..TAG_DIGITS].to_owned())
}

fn statics(
    manifest: &Manifest,
    unpacked: Arc<tempfile::TempDir>,
    digest: &str,
) -> Result<Statics, ArchiveError> {
    let place = unpacked.path().to_owned();
    let statics = Statics::of_version(&unpacked, manifest.files_dir(), digest, manifest.cache());
    statics.map_err(|source| ArchiveError::File { path: place, source })
}

/// The files below `root` as an application at `path`.
///
/// # Errors
/// The directory cannot be read.
pub fn directory(root: &Path, path: &str) -> std::io::Result<Router> {
    let files = Some(Statics::of_directory(root)?);
    Ok(ServedApplication { base: path.trim_end_matches('/').to_owned(), files, one_page: false, rest: None }
        .router())
}

impl Application {
    /// The application's router at its path, with the sessions of `cluster`.
    ///
    /// # Errors
    /// The session settings of its manifest are invalid.
    pub fn router(&self, cluster: &Cluster) -> Result<Router, SettingError> {
        let base = self.app.path.trim_end_matches('/').to_owned();
        let rest = match &self.component {
            Some(component) => Some(component.router(&base, cluster.app_layer(&self.app)?)),
            None => None,
        };
        Ok(ServedApplication { base, files: self.files.clone(), one_page: self.one_page, rest }.router())
    }

    /// Checks whether [`router`](Self::router) would succeed now.
    ///
    /// # Errors
    /// As [`router`](Self::router).
    pub fn check(&self, cluster: &Cluster) -> Result<(), SettingError> {
        if self.has_sessions() { cluster.check_app(&self.app) } else { Ok(()) }
    }

    /// What the node grants to it.
    #[must_use]
    pub fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Whether the application uses sessions.
    #[must_use]
    pub fn has_sessions(&self) -> bool {
        self.component.is_some()
    }
}

/// One version of an application, as it serves requests.
struct ServedApplication {
    /// The context path; empty at `/`.
    base: String,
    files: Option<Statics>,
    one_page: bool,
    /// Router for paths without a file.
    rest: Option<Router>,
}

impl ServedApplication {
    fn router(self) -> Router {
        Router::new().fallback(serve).with_state(Arc::new(self))
    }

    /// A static file, if the path names one; with a component, only for GET and HEAD.
    async fn file(&self, asked: &Parts) -> Option<Response> {
        let reads = asked.method == Method::GET || asked.method == Method::HEAD;
        let files = self.files.as_ref().filter(|_| reads || self.rest.is_none())?;
        let path = asked.uri.path().strip_prefix(&self.base)?;
        files.answer(&asked.method, &asked.uri, path, &asked.headers).await
    }

    /// The index page of a single-page application, for navigation requests.
    async fn page(&self, asked: &Parts) -> Option<Response> {
        let navigates = self.one_page && self.rest.is_none() && asked.method == Method::GET;
        self.files.as_ref().filter(|_| navigates)?.index(&asked.headers).await
    }
}

async fn serve(State(served): State<Arc<ServedApplication>>, request: Request) -> Response {
    let (asked, body) = request.into_parts();
    if let Some(file) = served.file(&asked).await {
        return file;
    }
    if let Some(page) = served.page(&asked).await {
        return page;
    }
    let Some(rest) = served.rest.clone() else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    match rest.oneshot(Request::from_parts(asked, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
