//! The environment of a guest beside its requests.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use parking_lot::Mutex;
use sessile::config::Network;
use sessile_apps::component::ComponentSettings;

use crate::site::{Site, TestClient, settings};

#[tokio::test]
async fn only_listed_hosts_can_be_called() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async {
        axum::serve(listener, Router::new().route("/", get(|| async { "here" }))).await
    });
    let call = format!("call?authority={authority}");
    let Some(site) = Site::of(settings()).await else { return };
    assert_eq!(TestClient::at(&site).get(&call).await, "denied");
    let listed = ComponentSettings { egress: vec![authority.parse().unwrap()], ..settings() };
    let Some(site) = Site::of(listed.clone()).await else { return };
    assert_eq!(TestClient::at(&site).get(&call).await, "denied", "loopback is not the internet");
    let private_networks = vec![Network::new([127, 0, 0, 1].into(), 32).unwrap()];
    let Some(site) = Site::of(ComponentSettings { private_networks, ..listed }).await else { return };
    assert_eq!(TestClient::at(&site).get(&call).await, "called 200");
    server.abort();
}

#[tokio::test]
async fn the_environment_comes_from_the_settings() {
    let env = BTreeMap::from([("GREETING".to_owned(), "hi".to_owned())]);
    let Some(site) = Site::of(ComponentSettings { env, ..settings() }).await else { return };
    assert_eq!(TestClient::at(&site).get("env").await, "GREETING=hi PATH=");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn guest_output_is_logged_with_its_path() {
    let Some(site) = Site::of(settings()).await else { return };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    assert_eq!(TestClient::at(&site).get("print").await, "printed");
    let lines_are_there = || {
        let log = String::from_utf8(log.0.lock().clone()).unwrap();
        log.contains("the guest says hello") && log.contains("and complains") && log.contains("app=/app")
    };
    let logged = async {
        while !lines_are_there() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::site::LIMIT, logged).await.expect("it is logged");
}
