//! A changed file takes effect while the balancer runs, and nothing else changes.

use std::sync::atomic::Ordering::SeqCst;

use http::StatusCode;
use sessile_balancer::{BackendConfig, BalancerConfig};

use crate::setup::{Setup, get, sticky, until};

fn config_of(setup: &Setup) -> BalancerConfig {
    let mut config = BalancerConfig::default();
    let node = |status: sessile_balancer::BackendStatus| BackendConfig::new(status.name, status.address);
    config.nodes = setup.status().into_iter().map(node).collect();
    config.balance.listen = "127.0.0.1:0".into();
    config.balance.health_interval = std::time::Duration::from_millis(20);
    config.balance.operators = vec!["127.0.0.0/8".parse().unwrap()];
    config
}

#[tokio::test]
async fn a_reload_changes_what_has_changed_and_keeps_everything_else() {
    let setup = Setup::pair().await;
    let log = &setup.nodes[0].log;
    let slow = setup.send(sticky("/slow", "tc01"), "");
    let story = async {
        until(|| log.slow.load(SeqCst) == 1).await;
        let mut config = config_of(&setup);
        config.balance.cookie = "JSESSIONID".into();
        config.balance.listen = "127.0.0.1:1".into();
        config.balance.limits.headers = 20;
        config.nodes[1].weight = 3;
        let reloaded = setup.control.reload(&config).unwrap();
        let summary = "changed tc02; in force: cookie, limits.headers; only after a restart: listen";
        assert_eq!(reloaded.summary(), summary);
        let fields: String = (0..30).map(|number| format!("x-{number}: 1\r\n")).collect();
        let request = format!("GET /who HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n");
        let first = setup.raw(request.as_bytes()).await;
        assert!(
            first.starts_with("HTTP/1.1 431 "),
            "the first new connection goes by the new limits: {first}"
        );
        let by_cookie = get("/who").header("cookie", "JSESSIONID=x.tc02");
        assert_eq!(setup.send(by_cookie, "").await.text, "tc02");
        let status = setup.status();
        assert_eq!((status[0].active, status[0].requests, status[1].weight), (1, 1, 3));
        assert_eq!(setup.control.reload(&config).unwrap().changed, Vec::<String>::new());
        log.go_on.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, story);
    assert_eq!((slow.status, slow.text.as_str()), (StatusCode::OK, "tc01"));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing() {
    let setup = Setup::pair().await;
    let mut config = config_of(&setup);
    config.balance.cookie = "JSESSIONID".into();
    config.nodes.pop();
    config.balance.error_pages.insert("503".into(), "/nowhere/503.html".into());
    let error = setup.control.reload(&config).unwrap_err().to_string();
    assert!(error.contains("/nowhere/503.html"), "{error}");
    assert_eq!(setup.status().len(), 2);
    assert_eq!(setup.send(sticky("/who", "tc02"), "").await.text, "tc02");
}
