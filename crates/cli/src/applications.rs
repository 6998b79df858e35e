//! The applications that a node's configuration mounts.

use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Redirect};
use http::Method;
use sessile::config::{App, Builtin, Refused, load_toml};
use sessile::{Cluster, Config, ConfigError};
use sessile_apps::archive::ArchiveName;
use sessile_apps::clusterapp;
use sessile_apps::site::{ApplicationBuilder, Site, directory};
use tower_service::Service;

use crate::failure::Failure;

/// Checks that the archives and directories of all applications are there: a node that lacks one does not
/// join first. Errors point into `file`.
pub(crate) fn check(file: &Path, config: &Config) -> Result<(), ConfigError> {
    let Some(refused) = config.apps.iter().enumerate().find_map(|(number, app)| missing(number, app)) else {
        return Ok(());
    };
    load_toml(file, |_: &toml::Table| Err(refused)).map(drop)
}

/// What an application lacks.
fn missing(number: usize, app: &App) -> Option<Refused> {
    let (key, path, what) = match app {
        App { file: Some(file), .. } => ("file", file, "archive"),
        App { directory: Some(directory), .. } => ("directory", directory, "directory"),
        _ => return None,
    };
    let problem = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() == (what == "directory") => return None,
        Ok(_) => format!("it is no {what}"),
        Err(error) => error.to_string(),
    };
    let (at, path) = (&app.path, path.display());
    let message =
        format!("the application at {at} has no {what} {path}: {problem}; put it there, or mend `{key}`");
    Some(Refused { key: format!("app[{number}].{key}"), message })
}

/// Mounts all of them.
pub(crate) async fn mount(
    cluster: &Cluster,
    site: &Site,
    builder: Option<&ApplicationBuilder>,
) -> Result<(), Failure> {
    for app in &cluster.config().apps {
        let wrong = |problem: String| Failure::Failed(format!("the application at {}: {problem}", app.path));
        let router = match app {
            App { builtin: Some(Builtin::Clusterapp), .. } => {
                let layer = cluster.app_layer(app).map_err(|error| wrong(error.to_string()))?;
                clusterapp::router(cluster, app, layer)
            }
            App { directory: Some(root), .. } => directory(root, &app.path)
                .map_err(|error| wrong(format!("the directory {}: {error}", root.display())))?,
            App { file: Some(file), .. } => {
                let name = name_of(file).map_err(wrong)?;
                let builder = builder.expect("a node with an archive has directories");
                let prepared = builder.prepare(file, &name, app).await;
                let application = prepared.map_err(|error| wrong(format!("{}: {error}", file.display())))?;
                application.router(cluster).map_err(|error| wrong(error.to_string()))?
            }
            App { builtin: None, directory: None, file: None, .. } => {
                return Err(wrong("it has no `builtin`, `file` or `directory`".to_owned()));
            }
        };
        // The path was free, so nothing is replaced.
        let _ = site.mount(&app.path, router);
    }
    Ok(())
}

/// Passes requests to their applications. `/` leads to the sample, while no application is mounted there.
pub(crate) fn router(site: &Site, config: &Config) -> Router {
    let Some(sample) = config.apps.iter().find(|app| app.builtin == Some(Builtin::Clusterapp)) else {
        return site.router();
    };
    let (site, page) = (site.clone(), format!("{}/", sample.path.trim_end_matches('/')));
    let root = site.clone();
    let start = move |request: Request| async move {
        if root.has("/") || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return root.router().call(request).await;
        }
        Ok(Redirect::to(&page).into_response())
    };
    Router::new()
        .route_service("/", tower::service_fn(move |request| start.clone()(request)))
        .fallback_service(site)
}

/// The archive name from the file name; the mount path comes from the configuration.
fn name_of(file: &Path) -> Result<ArchiveName, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.parse().map_err(|error: sessile_apps::archive::ArchiveError| error.to_string())
}
