//! Error pages for strangers, and for operators.

use http::StatusCode;

use crate::setup::{Setup, get, post};

#[tokio::test]
async fn strangers_read_no_name_of_a_node_and_operators_read_all() {
    for (operators, told) in [("192.0.2.0/24", false), ("127.0.0.1/32", true)] {
        let setup =
            Setup::start(&[1, 1], |config| config.balance.operators = vec![operators.parse().unwrap()]).await;
        let request = post("/cut", "x").header("cookie", "sid=x.tc01").header("accept", "text/html,*/*");
        let answer = setup.send(request, "body").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(answer.head.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(answer.head.headers["cache-control"], "no-store");
        let reference = answer.head.headers["sessile-balancer-reference"].to_str().unwrap();
        assert!(answer.text.contains(reference) && answer.text.contains("may have been processed"));
        let whole = format!("{:?} {}", answer.head.headers, answer.text);
        assert_eq!(whole.contains("tc01: ") || whole.contains("127.0.0.1"), told, "{whole}");
        let right = "tc02: not tried, because the request was not sent again";
        assert_eq!(answer.detail().contains(right), told, "{}", answer.detail());
        assert!(!answer.detail().contains("weight"), "{}", answer.detail());
    }
}

#[tokio::test]
async fn the_page_of_the_site_is_shown() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("sorry.html");
    std::fs::write(&file, "<h1>Back soon</h1>{{reference}}").unwrap();
    let setup = Setup::start(&[1], |config| {
        config.balance.error_pages.insert("502".into(), file);
    })
    .await;
    let answer = setup.send(get("/cut"), "").await;
    let reference = answer.head.headers["sessile-balancer-reference"].to_str().unwrap();
    assert_eq!(answer.text, format!("<h1>Back soon</h1>{reference}"));
}

#[tokio::test]
async fn what_ends_one_node_is_not_sent_to_all() {
    let setup = Setup::start(&[1; 5], |config| config.balance.outlier.failures = 0).await;
    let answer = setup.send(get("/cut").header("x-id", "deadly"), "").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    let processed: usize = setup.nodes.iter().map(|node| node.log.processed("deadly")).sum();
    assert_eq!(processed, 3);
}

#[tokio::test]
async fn where_too_many_fail_they_are_not_sent_again() {
    let setup = Setup::start(&[1, 1], |config| {
        config.balance.retry_percent = 0;
        config.balance.outlier.failures = 0;
    })
    .await;
    let mut once = 0;
    for number in 0..110 {
        let id = number.to_string();
        setup.send(get("/cut").header("x-id", &id), "").await;
        once += usize::from(setup.nodes.iter().map(|node| node.log.processed(&id)).sum::<usize>() == 1);
    }
    assert!(once >= 10, "100 repeats are at hand when it starts, and none comes");
    assert_eq!(setup.monitor.balancer().retries_denied, once as u64);
}
