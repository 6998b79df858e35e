//! TLS of a port, as `[http.tls]` of a node or `[balance.tls]` of a balancer describes it: certificates, their
//! renewal, and the port that sends clients to HTTPS.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use sessile::config::{Refused, load_toml};
use sessile_http_server::tls::{TlsError, TlsServer};
use sessile_http_server::{HttpsRedirect, TlsConfig};

use crate::failure::Failure;
use crate::port::ReservedPort;
use crate::server::Server;

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
    tokio::spawn(Arc::clone(&tls).follow());
    Ok(Some(tls))
}

/// The error with the place of its key in the file.
pub(crate) fn explain(file: Option<&Path>, table: &str, error: &TlsError) -> Failure {
    let key = format!("{table}.{}", error.key);
    let message = format!("{key}: {error}");
    let refused = Refused { key, message: message.clone() };
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
