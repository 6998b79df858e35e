//! The example's job and its streamed progress, on two nodes: what the example promises in its first lines.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[allow(dead_code, unreachable_pub, reason = "the example's own main is not run here")]
#[path = "../examples/jobs.rs"]
mod jobs;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::{COOKIE, SET_COOKIE};
use http_body_util::BodyExt as _;
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config};
use tower::ServiceExt as _;

/// Nothing listens there: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

/// Longest wait for any condition; far above what a working cluster needs.
const LIMIT: Duration = Duration::from_secs(60);

async fn node(name: &str, directory: &Path, known: &str, pace: Duration) -> (Cluster, Router) {
    let mut config = Config::default();
    config.node.name = name.to_owned();
    config.cluster.secret_file = directory.join("cluster.secret");
    config.receiver.listen = ([127, 0, 0, 1], 0).into();
    config.membership.kind = MembershipKind::Static;
    config.membership.members = vec![known.parse().unwrap()];
    config.membership.drop_time = Duration::from_secs(15);
    let cluster = Cluster::join(config).await.unwrap();
    let site = jobs::site(&cluster, pace);
    (cluster, site)
}

/// Two nodes with the example; a job takes `pace` for each of its hundred steps.
async fn pair(directory: &Path, pace: Duration) -> [(Cluster, Router); 2] {
    ClusterSecrets::load_or_create(&directory.join("cluster.secret")).unwrap();
    let one = node("tc01", directory, NOBODY, pace).await;
    let other = node("tc02", directory, &one.0.members()[0].address, pace).await;
    [one, other]
}

/// The cookie that the answer sets, if any, and its body while it arrives.
async fn send(site: &Router, method: &str, path: &str, cookie: &str) -> (Option<String>, Body) {
    let request = Request::builder().method(method).uri(path).header(COOKIE, cookie);
    let response = site.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let set = response.headers().get(SET_COOKIE).map(|set| set.to_str().unwrap());
    (set.map(|set| set.split(';').next().unwrap().to_owned()), response.into_body())
}

async fn whole(body: Body) -> String {
    let bytes = tokio::time::timeout(LIMIT, body.collect()).await.expect("an end in time").unwrap();
    String::from_utf8(bytes.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_job_on_one_node_is_followed_on_the_other_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let [(_one, here), (_other, there)] = pair(directory.path(), Duration::from_millis(1)).await;
    let cookie = send(&here, "POST", "/import", "").await.0.unwrap();
    let followed = whole(send(&there, "GET", "/progress", &cookie).await.1).await;
    assert!(followed.ends_with("100 %\n"), "{followed}");
}

#[tokio::test]
async fn a_logout_stops_the_job_on_the_other_node() {
    let directory = tempfile::tempdir().unwrap();
    let [(one, here), (other, there)] = pair(directory.path(), Duration::from_millis(500)).await;
    let cookie = send(&here, "POST", "/import", "").await.0.unwrap();
    let (_, mut progress) = send(&there, "GET", "/progress", &cookie).await;
    let first = progress.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.ends_with(b" %\n"));
    assert_eq!(whole(send(&there, "POST", "/logout", &cookie).await.1).await, "goodbye\n");
    let rest = whole(progress).await;
    assert!(rest.contains("has ended"), "{rest}");
    assert_eq!((one.session_count(), other.session_count()), (0, 0), "the job brought nothing back");
}
