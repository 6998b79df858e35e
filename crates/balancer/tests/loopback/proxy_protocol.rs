//! The PROXY protocol, in and out.

use sessile_http_server::proxy_protocol::ProxyProtocol;

use crate::setup::Setup;

const GET: &str = "GET /echo HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

async fn expecting(trusted: &str) -> Setup {
    let trusted = trusted.parse().unwrap();
    Setup::start(&[1], |config| {
        config.balance.trusted_proxies = vec![trusted];
        config.balance.proxy_protocol = true;
    })
    .await
}

#[tokio::test]
async fn a_trusted_proxy_names_its_client() {
    let setup = expecting("127.0.0.0/8").await;
    let answer = setup.raw(format!("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n{GET}").as_bytes()).await;
    assert!(answer.contains("x-forwarded-for: 203.0.113.9\n"), "{answer}");
    // The client is a stranger: what it says of others is not believed.
    let claims = GET.replace("host:", "x-forwarded-for: 6.6.6.6\r\nhost:");
    let answer = setup.raw(format!("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n{claims}").as_bytes()).await;
    assert!(answer.contains("x-forwarded-for: 203.0.113.9\n"), "{answer}");
    assert_eq!(setup.raw(GET.as_bytes()).await, "", "one that names none is not let in");
}

#[tokio::test]
async fn a_stranger_names_nobody() {
    let setup = expecting("192.0.2.0/24").await;
    let answer = setup.raw(format!("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n{GET}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(setup.raw(GET.as_bytes()).await.contains("x-forwarded-for: 127.0.0.1\n"));
}

#[tokio::test]
async fn nodes_are_told_of_the_client() {
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        // A balancer that expects the header stands for the node.
        let inner = expecting("127.0.0.0/8").await;
        let address = inner.address.to_string();
        let outer = Setup::start(&[1], move |config| {
            config.nodes[0].address = address;
            config.nodes[0].proxy_protocol = Some(version);
            config.balance.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
            config.balance.proxy_protocol = true;
        })
        .await;
        outer.sees(0, sessile_balancer::BackendState::Up).await;
        for client in ["203.0.113.9", "203.0.113.10"] {
            let answer =
                outer.raw(format!("PROXY TCP4 {client} 192.0.2.1 4711 80\r\n{GET}").as_bytes()).await;
            assert!(answer.contains(&format!("x-forwarded-for: {client}\n")), "{answer}");
        }
    }
}
