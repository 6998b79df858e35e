//! Jobs beside the requests: what they write is as safe, and as final when it ends.

use http::StatusCode;
use sessile::{DetachedSession, NotServing, SessionError, SessionKey};

use crate::harness::{Browser, LIMIT, Node, Town};

/// Makes a session on `node`, and gives its key.
async fn session(node: &Node, browser: &mut Browser) -> SessionKey {
    browser.ok(node, "/set/x/1").await;
    node.cluster.sessions(None, 1)[0].key
}

fn text(session: &DetachedSession, name: &str) -> Option<String> {
    session.get(name).unwrap()
}

#[tokio::test]
async fn a_job_on_one_node_and_a_browser_on_the_other_see_what_each_wrote() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let key = session(&a, &mut browser).await;
    let job = b.cluster.session(key).await.unwrap();
    assert_eq!((job.key(), text(&job, "x").as_deref()), (key, Some("1")));
    for round in 0..20 {
        job.set("progress", &round.to_string()).unwrap();
        job.set("copy", &round.to_string()).unwrap();
        let receipt = job.commit().await.unwrap().unwrap();
        assert_eq!((receipt.copies, receipt.wanted), (2, 2));
        assert_eq!(browser.ok(&a, "/get/progress").await, round.to_string());
        assert_eq!(browser.ok(&a, "/get/copy").await, round.to_string());
        browser.ok(&a, &format!("/set/x/{round}")).await;
        job.set("uncommitted", "yes").unwrap();
        job.refresh().await.unwrap();
        assert_eq!(text(&job, "x"), Some(round.to_string()));
        assert_eq!(text(&job, "uncommitted").as_deref(), Some("yes"), "it stays on top");
    }
}

#[tokio::test]
async fn a_job_learns_that_its_session_ended_and_brings_nothing_back() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let key = session(&a, &mut browser).await;
    let job = b.cluster.session(key).await.unwrap();
    browser.ok(&a, "/logout").await;
    job.set("x", "late").unwrap();
    assert_eq!(job.commit().await, Err(SessionError::Ended));
    assert_eq!(job.set("x", "later"), Err(SessionError::Ended));
    assert_eq!(job.refresh().await, Err(SessionError::Ended));
    for node in [&a, &b] {
        assert_eq!(node.cluster.session(key).await.unwrap_err(), SessionError::Ended);
        assert_eq!(node.cluster.session_count(), 0);
    }
    assert_eq!(
        a.cluster.session(SessionKey([7; 16])).await.unwrap_err().status(),
        StatusCode::NOT_FOUND,
        "every member was asked"
    );
}

#[tokio::test]
async fn a_job_ends_a_session_for_its_browser() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let key = session(&a, &mut browser).await;
    let job = b.cluster.session(key).await.unwrap();
    assert_eq!(job.invalidate().await.unwrap().copies, 2);
    for node in [&a, &b] {
        assert_eq!(browser.clone().ok(node, "/get/x").await, "");
    }
}

#[tokio::test]
async fn a_job_goes_on_when_the_other_node_is_killed() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let key = session(&a, &mut browser).await;
    let doomed = a.cluster.session(key).await.unwrap();
    let job = b.cluster.session(key).await.unwrap();
    doomed.set("last", "words").unwrap();
    doomed.commit().await.unwrap();
    drop((doomed, a));
    job.set("x", "alone").unwrap();
    let receipt = tokio::time::timeout(LIMIT, job.commit()).await.unwrap().unwrap().unwrap();
    assert_eq!((receipt.copies, receipt.is_degraded()), (1, true));
    assert_eq!(text(&job, "last").as_deref(), Some("words"), "a commit shows what others wrote, too");
    assert_eq!(browser.ok(&b, "/get/x").await, "alone");
}

#[tokio::test]
async fn a_job_commits_while_its_node_drains_and_not_after_it_left() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let key = session(&a, &mut browser).await;
    let job = a.cluster.session(key).await.unwrap();
    a.cluster.drain(LIMIT).await.unwrap();
    job.set("x", "draining").unwrap();
    assert_eq!(job.commit().await.unwrap().unwrap().copies, 2);
    a.cluster.leave().await;
    job.set("x", "gone").unwrap();
    assert_eq!(job.commit().await, Err(SessionError::NotServing(NotServing::Left)));
    assert_eq!(a.cluster.session(key).await.unwrap_err(), SessionError::NotServing(NotServing::Left));
    assert_eq!(browser.ok(&b, "/get/x").await, "draining");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_and_requests_write_different_attributes_at_once() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    let key = session(&a, &mut browser).await;
    let job = b.cluster.session(key).await.unwrap();
    let work = tokio::spawn(async move {
        for round in 0..50 {
            job.set("job", &round.to_string()).unwrap();
            job.commit().await.unwrap();
        }
    });
    for round in 0..50 {
        browser.ok(if round % 2 == 0 { &a } else { &b }, &format!("/set/x/{round}")).await;
    }
    work.await.unwrap();
    for node in [&a, &b] {
        assert_eq!(
            (browser.ok(node, "/get/x").await, browser.ok(node, "/get/job").await),
            ("49".into(), "49".into())
        );
    }
}
