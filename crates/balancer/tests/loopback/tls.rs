//! TLS towards clients and towards nodes.

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use sessile_balancer::{BackendState, BalancerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{Certificates, client, connect};
use crate::setup::{Setup, until};

const REQUEST: &[u8] = b"GET /echo HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";

async fn get(setup: &Setup, trusted: &std::path::Path, name: &str) -> std::io::Result<String> {
    let mut tls = connect(setup.address, name, client(trusted, None, &[])).await?;
    tls.write_all(REQUEST).await?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn each_name_has_its_certificate_and_nodes_hear_of_https() {
    let certificates = Certificates::new();
    let (shop, other) =
        (certificates.issue("shop", &["shop.example"]), certificates.issue("other", &["*.other.example"]));
    let setup = Setup::start(&[1], |config| {
        config.balance.tls.certificates = vec![shop.clone(), other.clone()];
        config.balance.tls.hsts = Some("max-age=60".into());
    })
    .await;
    let answer = get(&setup, &shop, "shop.example").await.unwrap();
    assert!(answer.contains("x-forwarded-proto: https\n") && answer.contains("proto=https"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=60\r\n"), "{answer}");
    assert!(get(&setup, &other, "a.other.example").await.is_ok());
    assert!(get(&setup, &other, "shop.example").await.is_err(), "the certificate is that of the name");
}

#[tokio::test]
async fn plain_http_is_told_where_it_is() {
    let certificates = Certificates::new();
    let setup = Setup::start(&[1], |config| certificates.serve(config)).await;
    let answer = setup.raw(REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
}

#[tokio::test]
async fn renewed_certificates_are_shown_to_new_connections_and_old_ones_go_on() {
    let certificates = Certificates::new();
    let old = certificates.issue("shop", &["shop.example"]);
    let mut config = BalancerConfig::default();
    let setup = Setup::start(&[1], |starting| {
        starting.balance.tls.certificates = vec![old.clone()];
        config = starting.clone();
    })
    .await;
    let tls = connect(setup.address, "shop.example", client(&old, None, &["h2"])).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, driver) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(tls)).await.unwrap();
    tokio::spawn(driver);
    let trusts_old = client(&old, None, &[]);
    let request = || Request::get("https://shop.example/who").body(Empty::<bytes::Bytes>::new()).unwrap();
    assert!(sender.send_request(request()).await.unwrap().status().is_success());

    std::fs::write(old.join("privkey.pem"), "broken").unwrap();
    assert!(setup.control.reload(&config).unwrap_err().to_string().contains("privkey.pem"));
    assert!(connect(setup.address, "shop.example", trusts_old.clone()).await.is_ok(), "it changed nothing");

    certificates.issue("shop", &["shop.example"]);
    config.balance.tls.redirect = Some("127.0.0.1:1".parse().unwrap());
    let reloaded = setup.control.reload(&config).unwrap();
    assert_eq!(reloaded.at_next_start, ["tls.redirect"], "its port is opened at the start");
    assert!(!reloaded.changed.iter().any(|key| key.starts_with("tls")), "{reloaded:?}");
    assert!(connect(setup.address, "shop.example", trusts_old).await.is_err(), "the new one is shown");
    until(|| setup.monitor.balancer().connections_failed == 1).await;
    assert!(get(&setup, &old, "shop.example").await.is_ok());
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "tc01");
}

#[tokio::test]
async fn clients_without_a_certificate_of_the_authority_are_refused() {
    let certificates = Certificates::new();
    let [server, known, unknown] =
        ["server", "known", "unknown"].map(|name| certificates.issue(name, &["shop.example"]));
    let setup = Setup::start(&[1], |config| {
        config.balance.tls.certificates = vec![server.clone()];
        config.balance.tls.client_ca = Some(known.join("fullchain.pem"));
    })
    .await;
    for (own, welcome) in [(Some(&known), true), (Some(&unknown), false), (None, false)] {
        let client = client(&server, own.map(|own| own.as_path()), &[]);
        let mut tls = connect(setup.address, "shop.example", client).await.unwrap();
        let mut answer = String::new();
        let answered = tls.write_all(REQUEST).await.is_ok() && tls.read_to_string(&mut answer).await.is_ok();
        assert_eq!(answered && answer.starts_with("HTTP/1.1 200"), welcome, "{answer}");
    }
}

#[tokio::test]
async fn nodes_are_reached_by_mutual_tls() {
    let certificates = Certificates::new();
    let node = certificates.issue("node", &["node.example"]);
    let own = certificates.issue("balancer", &["balancer"]);
    // A second balancer stands for a node that speaks TLS and wants the first one's certificate.
    let inner = Setup::start(&[1], |config| {
        config.balance.tls.certificates = vec![node.clone()];
        config.balance.tls.client_ca = Some(own.join("fullchain.pem"));
    })
    .await;
    let address = inner.address.to_string();
    let outer = |shown: Option<std::path::PathBuf>| {
        let (address, node) = (address.clone(), node.clone());
        Setup::start(&[1], move |config| {
            config.nodes[0].address = address;
            config.balance.health_path = "/who".into();
            config.balance.node_tls = Some(sessile_balancer::BackendTls {
                ca: node.join("fullchain.pem"),
                certificate: shown,
                key: None,
                name: Some("node.example".into()),
            });
        })
    };
    let known = outer(Some(own)).await;
    for _ in 0..3 {
        let answer = known.send(crate::setup::get("/who"), "").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "tc01"));
    }
    let unknown = outer(None).await;
    unknown.sees(0, BackendState::Down).await;
}
