//! What the modes of the sender cost: two nodes in one process over loopback, with TLS.
//!
//! `cargo run --release -p sessile --example modes` prints, for each mode, how many changes of 1 KB are
//! committed in a second by 16 clients, and what one of them waits when four clients write 1 KB beside two
//! that write 100 KB.
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use axum::{Router, http};
use http::Request;
use http::header::{COOKIE, SET_COOKIE};
use sessile::config::{MembershipKind, Mode};
use sessile::{Cluster, ClusterSecrets, Config, Session, SessionError};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

const SMALL: usize = 1 << 10;
const LARGE: usize = 100 << 10;
/// How long each number is measured.
const MEASURED: Duration = Duration::from_secs(3);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let secret_file = directory.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&secret_file)?;
    println!("mode        1 KB commits/s | 1 KB beside 100 KB: p50, p99 (us) | 100 KB: p50 (us)");
    for mode in [Mode::Sync, Mode::Pooled, Mode::Pipelined, Mode::Async] {
        let mut config = Config::default();
        config.cluster.secret_file = secret_file.clone();
        config.membership.kind = MembershipKind::Static;
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.sender.mode = mode;
        let first = join(config.clone(), "tc01", "127.0.0.1:1").await?;
        let address = first.members()[0].address.clone();
        let second = join(config, "tc02", &address).await?;
        let app = Router::new().route("/{bytes}", get(write)).layer(first.session_layer());

        let alone = measure(&app, &[SMALL; 16]).await?;
        let beside = measure(&app, &[SMALL, SMALL, SMALL, SMALL, LARGE, LARGE]).await?;
        let of = |bytes| percentiles(&beside, bytes);
        let rate = alone.len() as f64 / MEASURED.as_secs_f64();
        let ((p50, p99), (large, _)) = (of(SMALL), of(LARGE));
        println!(
            "{:<11} {rate:>14.0} | {p50:>21} {p99:>8} | {large:>15}",
            format!("{mode:?}").to_lowercase()
        );
        second.leave().await;
        first.leave().await;
    }
    Ok(())
}

async fn join(mut config: Config, name: &str, known: &str) -> Result<Cluster, Failure> {
    config.node.name = name.to_owned();
    config.membership.members = vec![known.parse()?];
    Ok(Cluster::join(config).await?)
}

async fn write(session: Session, Path(bytes): Path<usize>) -> Result<(), SessionError> {
    // Another value each time, so that it travels.
    let round: u64 = session.get("round")?.unwrap_or_default();
    session.set("round", &(round + 1))?;
    session.set("value", &format!("{round:020}{}", "x".repeat(bytes.saturating_sub(20))))
}

/// Each client writes values of its size into a session of its own; gives what every change took.
async fn measure(app: &Router, clients: &[usize]) -> Result<Vec<(usize, Duration)>, Failure> {
    let mut running = JoinSet::new();
    for bytes in clients {
        running.spawn(client(app.clone(), *bytes));
    }
    let mut all = Vec::new();
    while let Some(times) = running.join_next().await {
        all.extend(times??);
    }
    Ok(all)
}

async fn client(app: Router, bytes: usize) -> Result<Vec<(usize, Duration)>, Failure> {
    let (mut cookie, mut times) = (None::<String>, Vec::new());
    let began = Instant::now();
    while began.elapsed() < MEASURED {
        let mut request = Request::get(format!("/{bytes}"));
        if let Some(cookie) = &cookie {
            request = request.header(COOKIE, cookie);
        }
        let sent = Instant::now();
        let response = app.clone().oneshot(request.body(Body::empty())?).await?;
        times.push((bytes, sent.elapsed()));
        if !response.status().is_success() {
            return Err(format!("{}", response.status()).into());
        }
        if let Some(set) = response.headers().get(SET_COOKIE) {
            cookie = set.to_str()?.split(';').next().map(str::to_owned);
        }
    }
    Ok(times)
}

/// The median and the 99th percentile in microseconds.
fn percentiles(times: &[(usize, Duration)], of: usize) -> (u128, u128) {
    let mut times: Vec<u128> =
        times.iter().filter(|(bytes, _)| *bytes == of).map(|(_, time)| time.as_micros()).collect();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    (at(50), at(99))
}
