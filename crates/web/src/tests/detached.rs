//! Callers outside HTTP: what is a use of a session, and what a handler's job may rely on.

use std::time::Duration;

use sessile_core::SessionKey;

use super::*;
use crate::{DetachedSession, SessionError};

/// A little less than two thirds of the idle time that is configured.
const A_WHILE: Duration = Duration::from_secs(19 * 60);

impl Site {
    async fn make(&mut self) -> SessionKey {
        let reply = self
            .visit(async |session| {
                session.set("n", "one").unwrap();
                answer(session.key().unwrap().to_string())
            })
            .await;
        SessionKey::parse(&serde_json::from_str::<String>(&reply.body).unwrap()).unwrap()
    }

    async fn open(&self, key: SessionKey) -> DetachedSession {
        self.layer.sessions().open(key).await.unwrap()
    }

    fn pass(&self, time: Duration) {
        self.engine.advance(time);
    }
}

#[tokio::test]
async fn holding_a_session_is_no_use_of_it() {
    let mut site = Site::new();
    let key = site.make().await;
    let held = site.open(key).await;
    site.pass(2 * A_WHILE);
    assert_eq!(site.layer.sessions().open(key).await.unwrap_err(), SessionError::Ended);
    assert_eq!(held.commit().await, Err(SessionError::Ended));
}

#[tokio::test]
async fn opening_refreshing_and_committing_are_uses() {
    let mut site = Site::new();
    let key = site.make().await;
    site.pass(A_WHILE);
    let held = site.open(key).await;
    site.pass(A_WHILE);
    held.refresh().await.unwrap();
    site.pass(A_WHILE);
    held.set("n", "two").unwrap();
    held.commit().await.unwrap();
    site.pass(A_WHILE);
    assert_eq!(site.text("n").await.as_deref(), Some("two"));
}

#[tokio::test]
async fn looking_is_no_use() {
    let mut site = Site::new();
    let key = site.make().await;
    site.pass(A_WHILE);
    let seen = site.layer.sessions().look(key).await.unwrap();
    assert_eq!(seen.get::<String>("n").unwrap().as_deref(), Some("one"));
    site.pass(A_WHILE);
    assert_eq!(site.layer.sessions().open(key).await.unwrap_err(), SessionError::Ended);
}

#[tokio::test]
async fn what_is_not_committed_is_dropped_and_what_is_refused_stays_written() {
    let mut site = Site::with(sessions(|session| session.max_session_bytes = 1 << 30));
    let key = site.make().await;
    let held = site.open(key).await;
    held.set("n", "dropped").unwrap();
    drop(held);
    let held = site.open(key).await;
    assert_eq!(held.get::<String>("n").unwrap().as_deref(), Some("one"));
    // The layer's bound is large here; the node's own is not.
    for part in 0..5 {
        held.set_bytes(&format!("part{part}"), vec![0; 1 << 20]).unwrap();
    }
    assert!(matches!(held.commit().await, Err(SessionError::SessionTooLarge { .. })));
    held.remove("part0").unwrap();
    held.remove("part1").unwrap();
    assert!(held.commit().await.unwrap().is_some());
    assert_eq!(held.commit().await, Ok(None), "nothing was written since");
    assert_eq!(held.names(), ["n", "part2", "part3", "part4"]);
}

#[tokio::test]
async fn without_a_cookie_there_is_no_change_of_id_and_no_new_session() {
    let mut site = Site::new();
    let key = site.make().await;
    let held = site.open(key).await;
    assert_eq!(held.change_id(), Err(SessionError::NoCookie));
    held.invalidate().await.unwrap();
    assert_eq!(held.set("n", "two"), Err(SessionError::Ended));
    assert_eq!(held.commit().await, Err(SessionError::Ended));
    assert_eq!(held.refresh().await, Err(SessionError::Ended));
    assert_eq!(site.engine.node().session_count(None), 0);
}

#[tokio::test]
async fn the_session_of_another_application_is_unknown() {
    let mut site = Site::new();
    let key = site.make().await;
    let mut bank = usual();
    bank.path = "/bank".to_owned();
    let bank = layer(&site.host, "tc01", bank).sessions();
    assert_eq!(bank.open(key).await.unwrap_err(), SessionError::Unknown);
    assert_eq!(bank.look(key).await.unwrap_err(), SessionError::Unknown);
    assert_eq!(bank.open(SessionKey([9; 16])).await.unwrap_err(), SessionError::Unknown);
}

#[tokio::test]
async fn a_job_that_a_handler_starts_finds_the_session_that_the_handler_made() {
    let mut site = Site::new();
    let sessions = site.layer.sessions();
    let (started, job) = tokio::sync::oneshot::channel();
    let started = std::sync::Arc::new(parking_lot::Mutex::new(Some(started)));
    site.visit(async move |session| {
        session.set("n", "one").unwrap();
        let begun = session.clone();
        let job = tokio::spawn(async move {
            let receipt = begun.settled().await.unwrap();
            assert_eq!((receipt.copies, begun.set("n", "late")), (1, Err(SessionError::Committed)));
            let session = sessions.open(begun.key().unwrap()).await.unwrap();
            session.get::<String>("n").unwrap()
        });
        started.lock().take().unwrap().send(job).unwrap();
        answer(())
    })
    .await;
    assert_eq!(job.await.unwrap().await.unwrap().as_deref(), Some("one"));
}
