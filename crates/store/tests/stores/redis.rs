//! Valkey or Redis with a real server: the suite, and failures of the server.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sessile_store::{Key, RedisOptions, RedisStore, Store, conformance};

use crate::harness::{RedisFixture, Server, again_once_it_is_back, live, sealed, skip};

fn server(extra: &[&str]) -> Option<(Server, RedisOptions)> {
    let server = Server::redis(extra);
    if server.is_none() {
        skip("Valkey or Redis");
    }
    server.map(|server| {
        let options = RedisOptions::new(format!("redis://127.0.0.1:{}/0", server.port));
        (server, options)
    })
}

#[tokio::test]
async fn the_redis_store_conforms() {
    let Some((_server, options)) = server(&[]) else { return };
    conformance::check(&RedisFixture::new(options.clone())).await;
    let other = RedisOptions { urls: vec![options.urls[0].replace("/0", "/1")], ..options };
    conformance::check(&sealed(RedisFixture::new(other))).await;
}

#[tokio::test]
async fn the_redis_store_conforms_on_a_cluster() {
    let Some((_server, options)) = server(&["cluster-enabled yes"]) else { return };
    let client = ::redis::Client::open(options.urls[0].as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut slots = ::redis::cmd("CLUSTER");
    slots.arg("ADDSLOTSRANGE").arg(0).arg(16383);
    slots.query_async::<()>(&mut connection).await.unwrap();
    loop {
        let told: String = ::redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.unwrap();
        if told.contains("cluster_state:ok") {
            break;
        }
        tokio::task::yield_now().await;
    }
    let options = RedisOptions { cluster: true, ..options };
    conformance::check(&RedisFixture::new(options)).await;
}

#[tokio::test]
async fn a_restarted_server_is_used_again() {
    let Some((mut server, options)) = server(&[]) else { return };
    let store = RedisStore::open(RedisOptions { timeout: Duration::from_secs(5), ..options }).unwrap();
    assert!(store.save(vec![live(1, 1)]).await.unwrap()[0].is_saved());
    server.kill();
    let error = store.save(vec![live(1, 2)]).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    server.start();
    again_once_it_is_back(&store).await;
}

#[tokio::test]
async fn a_full_server_is_reported_and_works_again_with_room() {
    let Some((_server, options)) = server(&["maxmemory-policy noeviction"]) else { return };
    let client = ::redis::Client::open(options.urls[0].as_str()).unwrap();
    let store = RedisStore::open(options).unwrap();
    store.save(vec![live(1, 1)]).await.unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut limit = async |bytes: u64| {
        let mut set = ::redis::cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(bytes).query_async::<()>(&mut connection).await.unwrap();
    };
    limit(1).await;
    let error = store.save(vec![live(2, 1)]).await.unwrap_err();
    assert!(matches!(error, sessile_store::StoreError::Full { .. }), "{error:?}");
    assert_eq!(store.load(Key::from(1)).await.unwrap(), Some(live(1, 1)), "what was there stays");
    limit(0).await;
    assert!(store.save(vec![live(2, 1)]).await.unwrap()[0].is_saved());
}

#[tokio::test]
async fn a_store_opens_while_its_server_is_down() {
    let options = RedisOptions {
        timeout: Duration::from_secs(2),
        ..RedisOptions::new("redis://sessile:hidden@127.0.0.1:1/0")
    };
    let store = RedisStore::open(options).unwrap();
    let error = store.load(Key::from(1)).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?} {store:?}").contains("hidden"), "the password is not shown");
}

#[tokio::test]
async fn the_redis_store_conforms_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let [ca, certificate, key] = ["ca.pem", "server.pem", "server.key"].map(|name| folder.path().join(name));
    issue(&ca, &certificate, &key);
    let tls_port = crate::harness::free_port();
    let lines = [
        format!("tls-port {tls_port}"),
        format!("tls-cert-file {}", certificate.display()),
        format!("tls-key-file {}", key.display()),
        format!("tls-ca-cert-file {}", ca.display()),
    ];
    let Some((_server, options)) = server(&lines.each_ref().map(String::as_str)) else { return };
    let url = format!("rediss://localhost:{tls_port}/0");
    let trusting = RedisOptions {
        urls: vec![url.clone()],
        ca_file: Some(ca.clone()),
        client_certificate: Some((certificate.clone(), key.clone())),
        ..options.clone()
    };
    conformance::check(&RedisFixture::new(trusting)).await;
    let distrusting = RedisOptions { urls: vec![url], timeout: Duration::from_secs(3), ..options };
    let error = RedisStore::open(distrusting).unwrap().load(Key::from(1)).await.unwrap_err();
    assert!(
        error.to_string().contains("certificate"),
        "a server with an unknown authority is refused: {error}"
    );
}

/// A certificate authority, and a certificate of it for both ends.
fn issue(ca: &Path, certificate: &Path, key: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Else both have the same name, and the certificate is taken for one that signed itself.
    params.distinguished_name.push(DnType::CommonName, "the authority of this test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(ca, params.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::from_params(&params, &ca_key);
    let own_key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&own_key, &issuer).unwrap();
    std::fs::write(certificate, own.pem()).unwrap();
    std::fs::write(key, own_key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused_and_not_shown() {
    for url in ["postgres://sessile:hidden@127.0.0.1/db", "127.0.0.1:hidden", ""] {
        let error = RedisStore::open(RedisOptions::new(url)).unwrap_err().to_string();
        assert!(error.contains("as in redis://") && !error.contains("hidden"), "{error}");
    }
}
