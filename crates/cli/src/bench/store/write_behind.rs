//! Cost of write-behind for a request: two pairs of nodes get the same requests in turns, and one pair has a
//! store.
//!
//! The nodes run in this process and replicate over loopback; a request begins at the session layer.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, StatusCode};
use sessile::config::{MembershipKind, StoreKind};
use sessile::{Cluster, ClusterSecrets, Config, Session, SessionError};
use tokio::time::sleep;
use tower_service::Service;

use crate::failure::Failure;

/// Sessions written in turn.
const SESSIONS: usize = 256;
/// Longest wait until the store has saved everything.
const SAVING_LIMIT: Duration = Duration::from_secs(60);
/// Interval of the polls for that.
const LOOK: Duration = Duration::from_millis(5);

/// Length and number of the rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestPlan {
    pub(super) bytes: usize,
    /// To each pair, in turns.
    pub(super) rounds: usize,
    pub(super) round: Duration,
}

/// The findings.
pub(super) struct WriteBehindCost {
    pub(super) requests: usize,
    /// The median request time.
    pub(super) without: Duration,
    pub(super) with: Duration,
}

impl WriteBehindCost {
    /// Ratio of the medians; 1.00 means that a store costs nothing.
    pub(super) fn ratio(&self) -> f64 {
        self.with.as_secs_f64() / self.without.as_secs_f64()
    }
}

/// Sends the requests.
pub(super) async fn measure(plan: RequestPlan, folder: &Path) -> Result<WriteBehindCost, Failure> {
    ClusterSecrets::create(&folder.join("cluster.secret")).map_err(|error| failed(&error))?;
    let mut without = NodePair::start(folder, "without", None).await?;
    let mut with = NodePair::start(folder, "with", Some(StoreKind::File)).await?;
    let body = Bytes::from(vec![0x5a; plan.bytes]);
    // The first requests create the sessions and warm up.
    without.warm(&body).await?;
    with.warm(&body).await?;
    let (mut times_without, mut times_with) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        for store in [round % 2 == 0, round % 2 == 1] {
            let (pair, times) =
                if store { (&mut with, &mut times_with) } else { (&mut without, &mut times_without) };
            pair.send_for(plan.round, &body, times).await?;
            with.all_saved().await?;
        }
    }
    let requests = times_without.len() + times_with.len();
    let found = WriteBehindCost { requests, without: median(times_without), with: median(times_with) };
    without.stop().await;
    with.stop().await;
    Ok(found)
}

/// Two nodes; the first one receives the requests.
struct NodePair {
    nodes: Vec<Cluster>,
    app: Router,
    cookies: Vec<HeaderValue>,
}

impl NodePair {
    async fn start(folder: &Path, name: &str, store: Option<StoreKind>) -> Result<Self, Failure> {
        let mut nodes: Vec<Cluster> = Vec::new();
        for number in [1, 2] {
            let mut config = Config::default();
            config.node.name = format!("{name}{number}");
            config.cluster.name = name.to_owned();
            config.cluster.secret_file = folder.join("cluster.secret");
            config.receiver.listen = ([127, 0, 0, 1], 0).into();
            config.membership.kind = MembershipKind::Static;
            // A static list needs a member; no server listens at this placeholder.
            let known = nodes.first().map_or("127.0.0.1:1".to_owned(), address);
            config.membership.members = vec![known.parse().map_err(|error| failed(&error))?];
            config.store.kind = store;
            config.store.path = Some(folder.join(format!("{name}{number}.sessions")));
            nodes.push(Cluster::join(config).await.map_err(|error| failed(&error))?);
        }
        let app = Router::new().route("/", post(write)).layer(nodes[0].session_layer());
        Ok(Self { nodes, app, cookies: Vec::new() })
    }

    async fn warm(&mut self, body: &Bytes) -> Result<(), Failure> {
        for _ in 0..SESSIONS {
            let cookie = self.send(None, body).await?;
            self.cookies.push(cookie.ok_or_else(|| failed(&"a request created no session"))?);
        }
        self.all_saved().await
    }

    /// Sends sequential requests for `length` and records their durations.
    async fn send_for(
        &mut self,
        length: Duration,
        body: &Bytes,
        times: &mut Vec<Duration>,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        while begun.elapsed() < length {
            let cookie = self.cookies[times.len() % SESSIONS].clone();
            let sent = Instant::now();
            self.send(Some(cookie), body).await?;
            times.push(sent.elapsed());
        }
        Ok(())
    }

    /// Sends one request; returns the cookie that the response sets.
    async fn send(
        &mut self,
        cookie: Option<HeaderValue>,
        body: &Bytes,
    ) -> Result<Option<HeaderValue>, Failure> {
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = http::Method::POST;
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie);
        }
        let response = match self.app.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status() != StatusCode::OK {
            return Err(failed(&format!("a request was answered {}", response.status())));
        }
        let set = response.headers().get(SET_COOKIE).map(HeaderValue::as_bytes);
        let value = set.and_then(|set| set.split(|byte| *byte == b';').next());
        value.map(HeaderValue::from_bytes).transpose().map_err(|error| failed(&error))
    }

    /// Waits until the store is idle, so that one round does not burden the next.
    async fn all_saved(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        while self.nodes.iter().filter_map(|node| node.store()).any(|store| store.unsaved > 0) {
            if begun.elapsed() > SAVING_LIMIT {
                return Err(failed(&"the store did not finish its queued saves in time"));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn stop(self) {
        for node in self.nodes.iter().rev() {
            node.leave().await;
        }
    }
}

async fn write(session: Session, body: Bytes) -> Result<(), SessionError> {
    session.set_bytes("cart", body)
}

fn address(node: &Cluster) -> String {
    node.members().first().map(|member| member.address.clone()).unwrap_or_default()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn failed(why: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("the measurement of write-behind failed: {why}"))
}
