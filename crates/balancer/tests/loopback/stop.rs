//! Starting with errors that say what to do, and stopping in order.

use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use sessile_balancer::{BackendConfig, Balancer, BalancerConfig, Stopped};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::setup::{Setup, sticky, until};

#[tokio::test]
async fn a_stop_lets_running_requests_end_and_closes_websockets() {
    let mut setup = Setup::pair().await;
    let upgrade = sticky("/ws", "tc01").header("connection", "upgrade").header("upgrade", "websocket");
    let response = setup.open(upgrade, Full::<Bytes>::default()).await;
    let mut websocket = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let (stop, log) = (setup.stop.clone(), setup.nodes[1].log.clone());
    let slow = async {
        let slow = setup.send(sticky("/slow", "tc02"), "");
        let stopping = async {
            until(|| log.slow.load(SeqCst) == 1).await;
            stop.notify_one();
            // The port closes while the request still runs.
            while TcpStream::connect(setup.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
            log.go_on.notify_one();
        };
        tokio::join!(slow, stopping).0
    };
    assert_eq!(slow.await.text, "tc02");
    assert_eq!((&mut setup.running).await.unwrap(), Stopped { unfinished: 0 });
    assert!(matches!(websocket.read(&mut [0]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_port_that_is_taken_and_a_wrong_value_are_clear_errors() {
    let setup = Setup::pair().await;
    let mut config = BalancerConfig::default();
    assert!(Balancer::bind(config.clone()).await.unwrap_err().to_string().contains("[[node]]"));
    config.nodes.push(BackendConfig::new("tc01", "127.0.0.1:1"));
    for (listen, remedy) in [
        (setup.address.to_string(), "another port"),
        ("no-such-host.invalid:8080".into(), "the host is unknown"),
        ("192.0.2.1:8080".into(), "write an address of this machine"),
    ] {
        config.balance.listen = listen.clone();
        let error = Balancer::bind(config.clone()).await.unwrap_err().to_string();
        assert!(error.contains(&listen) && error.contains(remedy), "{error}");
    }
}
