//! TLS of a port, as `[http.tls]` of a node or `[balance.tls]` of a balancer describes it: certificates,
//! their renewal, and the port that sends clients to HTTPS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use sessile::ConfigError;
use sessile::config::{Refused, load_toml};
use sessile_http_server::tls::{TlsError, TlsServer};
use sessile_http_server::{HttpsRedirect, TlsConfig};

use crate::failure::Failure;
use crate::port::ReservedPort;
use crate::server::Server;

/// How often the files of certificates are looked at.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// Reads the certificates, if there are some, and follows their files from now on. Errors point into `file`.
pub(crate) fn certificates(
    file: Option<&Path>,
    table: &str,
    config: &TlsConfig,
    is_http: bool,
) -> Result<Option<Arc<TlsServer>>, Failure> {
    if !config.is_on() {
        return Ok(None);
    }
    let tls = TlsServer::load(config.clone(), is_http).map_err(|error| explain(file, table, &error))?;
    let tls = Arc::new(tls);
    tokio::spawn(follow(Arc::clone(&tls)));
    Ok(Some(tls))
}

/// Reads the files again and again: what they hold counts, not their times, so that renewed symlinks and
/// copies with old times are seen.
async fn follow(tls: Arc<TlsServer>) {
    let mut last_error = None;
    loop {
        tokio::time::sleep(RENEWAL_PAUSE).await;
        let reading = Arc::clone(&tls);
        // A panic has told of itself.
        let Ok(read) = tokio::task::spawn_blocking(move || reading.reload()).await else { continue };
        if let Err(error) = &read
            && last_error.as_ref() != Some(error)
        {
            tracing::error!(key = error.key, %error, "the certificates stay as they are");
        }
        last_error = read.err();
    }
}

/// Checks that the certificates can be used, as `config check` does.
pub(crate) fn check(file: &Path, config: &TlsConfig, table: &str) -> Result<(), ConfigError> {
    if !config.is_on() {
        return Ok(());
    }
    let Err(error) = TlsServer::load(config.clone(), true) else { return Ok(()) };
    load_toml(file, |_: &toml::Table| Err(refused(table, &error))).map(drop)
}

fn refused(table: &str, error: &TlsError) -> Refused {
    let key = format!("{table}.{}", error.key);
    Refused { message: format!("{key}: {error}"), key }
}

/// The error with the place of its key in the file.
pub(crate) fn explain(file: Option<&Path>, table: &str, error: &TlsError) -> Failure {
    let refused = refused(table, error);
    let message = refused.message.clone();
    match file.map(|file| load_toml(file, |_: &toml::Table| Err(refused))) {
        Some(Err(error)) => error.into(),
        _ => Failure::Failed(message),
    }
}

/// Reads the files again, because somebody asked for it.
pub(crate) fn reload(tls: &TlsServer) {
    match tls.reload() {
        Ok(true) => {}
        Ok(false) => tracing::info!("SIGHUP: the certificates are the same"),
        Err(error) => tracing::error!(key = error.key, %error, "SIGHUP: the certificates stay as they were"),
    }
}

/// Opens the port for plain HTTP, if there shall be one. `port` is that of HTTPS.
pub(crate) fn redirect(
    config: &TlsConfig,
    table: &'static str,
    port: u16,
) -> Result<Option<Server>, Failure> {
    let Some(listen) = config.redirect else { return Ok(None) };
    let listener = ReservedPort::take_key(table, "redirect", listen)?.open()?;
    let port = config.redirect_port.unwrap_or(port);
    let redirect = HttpsRedirect::new(port, config.acme_webroot.clone());
    let answer = move |request: Request| {
        let redirect = redirect.clone();
        async move { redirect.answer(&request.into_parts().0).await.map(Body::new) }
    };
    tracing::info!(redirect = %listen, port, "clients of plain HTTP are sent to HTTPS");
    Ok(Some(Server::start(listener, Router::new().fallback(answer))))
}
