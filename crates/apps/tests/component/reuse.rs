//! Instances: one for each request, or one that serves several, one after another.

use sessile_apps::component::ComponentSettings;

use crate::site::{Site, Visitor, settings};

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
async fn without_reuse_nothing_stays_in_memory() {
    let Some(site) = Site::of(settings()).await else { return };
    let mut visitor = Visitor::at(&site);
    for _ in 0..3 {
        assert_eq!(visitor.get("served").await, "1");
    }
}

/// One request after another: the instance is back before the next one, or a new one serves it.
async fn most_served(visitor: &mut Visitor, requests: u32) -> u32 {
    let mut most = 0;
    for _ in 0..requests {
        most = most.max(visitor.get("served").await.parse().unwrap());
    }
    most
}

#[tokio::test]
async fn an_instance_serves_as_many_as_it_may() {
    let Some(site) = Site::of(reusing(5)).await else { return };
    let most = most_served(&mut Visitor::at(&site), 100).await;
    assert!((2..=5).contains(&most), "{most}");
}

#[tokio::test]
async fn one_that_failed_serves_nobody() {
    let Some(site) = Site::of(reusing_one()).await else { return };
    let mut visitor = Visitor::at(&site);
    for fatal in ["trap", "write-and-trap"] {
        assert_eq!([visitor.get("served").await, visitor.get("served").await], ["1", "2"]);
        visitor.ask(fatal).await;
        assert_eq!(visitor.get("served").await, "1", "after {fatal}");
        visitor.ask("trap").await;
    }
}

#[tokio::test]
async fn requests_at_once_have_an_instance_each() {
    let Some(site) = Site::of(reusing(1_000)).await else { return };
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let mut visitor = Visitor::at(&site);
            tokio::spawn(async move { visitor.get("slow?ms=300").await })
        })
        .collect();
    for request in asked {
        assert_eq!(request.await.unwrap(), "slept");
    }
}

#[tokio::test]
async fn a_handle_of_an_earlier_visitor_opens_nothing() {
    let Some(site) = Site::of(reusing_one()).await else { return };
    let (mut visitor, mut other) = (Visitor::at(&site), Visitor::at(&site));
    assert_eq!(visitor.get("keep").await, "kept");
    assert_eq!(other.get("kept").await, "invalidated");
    assert_eq!(visitor.get("kept").await, "invalidated", "nor for the visitor whose session it was");
}
