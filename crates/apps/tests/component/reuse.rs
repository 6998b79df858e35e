//! Instances: one for each request, or one that serves several, one after another.

use sessile_apps::component::ComponentSettings;

use crate::site::{Site, TestClient, settings};

fn reusing(reuse: u32) -> ComponentSettings {
    ComponentSettings { reuse, ..settings() }
}

/// With a single instance: each request waits until the one before has given it back.
fn reusing_one() -> ComponentSettings {
    let mut settings = reusing(1_000);
    settings.limits.concurrency = 1;
    settings
}

#[tokio::test]
async fn without_reuse_no_memory_is_kept() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut client = TestClient::at(&site);
    for _ in 0..3 {
        assert_eq!(client.get("served").await, "1");
    }
}

/// One request after another: the instance is back before the next one, or a new one serves it.
async fn most_served(client: &mut TestClient, requests: u32) -> u32 {
    let mut most = 0;
    for _ in 0..requests {
        most = most.max(client.get("served").await.parse().unwrap());
    }
    most
}

#[tokio::test]
async fn an_instance_serves_up_to_its_reuse() {
    let Some(site) = Site::of(reusing(5)).await else { return };
    let most = most_served(&mut TestClient::at(&site), 100).await;
    assert!((2..=5).contains(&most), "{most}");
}

#[tokio::test]
async fn a_failed_instance_is_not_reused() {
    let Some(site) = Site::of(reusing_one()).await else { return };
    let mut client = TestClient::at(&site);
    for fatal in ["trap", "write-and-trap"] {
        assert_eq!([client.get("served").await, client.get("served").await], ["1", "2"]);
        client.ask(fatal).await;
        assert_eq!(client.get("served").await, "1", "after {fatal}");
        client.ask("trap").await;
    }
}

#[tokio::test]
async fn concurrent_requests_have_separate_instances() {
    let Some(site) = Site::of(reusing(1_000)).await else { return };
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let mut client = TestClient::at(&site);
            tokio::spawn(async move { client.get("slow?ms=300").await })
        })
        .collect();
    for request in asked {
        assert_eq!(request.await.unwrap(), "slept");
    }
}

#[tokio::test]
async fn a_handle_of_an_earlier_request_is_invalid() {
    let Some(site) = Site::of(reusing_one()).await else { return };
    let (mut client, mut other) = (TestClient::at(&site), TestClient::at(&site));
    assert_eq!(client.get("keep").await, "kept");
    assert_eq!(other.get("kept").await, "invalidated");
    assert_eq!(client.get("kept").await, "invalidated", "nor for the client whose session it was");
}
