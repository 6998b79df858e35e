//! Generated requests, right and wrong ones, through this balancer, nginx and HAProxy to servers that record
//! what comes.
//!
//! What both others refuse, ours does not forward. What both forward alike, ours forwards alike or refuses.
//! What follows a request, or hides in its body, is a request of its own only where it is one for another
//! balancer as well. A request whose body breaks off counts as none: the node does not process it.
//!
//! 500 requests, or as many as `SESSILE_DIFFERENTIAL` says; `SESSILE_SEED` draws others.
//! `cargo test -p sessile-balancer --test differential`. Where nginx or HAProxy is not installed the test is
//! skipped, or fails where `SESSILE_REQUIRE_EXTERNAL` is set.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

mod generate;
mod recorder;
mod rival;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use generate::Generator;
use recorder::{Recorder, Seen};
use rival::Rival;

/// Requests where nobody says how many.
const REQUESTS: usize = 500;
/// Requests that are sent at once.
const AT_ONCE: usize = 32;
/// Most characters of a request that are shown when it fails.
const SHOWN: usize = 1_000;
/// How long more of an answer is waited for: to half a request there is none.
const SILENCE: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_others_refuse_is_never_forwarded_otherwise() {
    let (count, seed) = (number("SESSILE_DIFFERENTIAL", REQUESTS), number("SESSILE_SEED", 1));
    let recorders = [Recorder::start().await, Recorder::start().await, Recorder::start().await];
    let [ours, nginx, haproxy] = &recorders;
    let place = tempfile::tempdir().unwrap();
    let others = (Rival::nginx(nginx.address, place.path()), Rival::haproxy(haproxy.address, place.path()));
    let (Some(nginx), Some(haproxy)) = others else { return };
    nginx.serves().await;
    haproxy.serves().await;
    let addresses = [rival::ours(ours.address).await, nginx.address, haproxy.address];

    let requests: Vec<Vec<u8>> = {
        let mut generator = Generator::new(seed as u64);
        (0..count).map(|id| generator.request(id)).collect()
    };
    send_all(&requests, addresses).await;
    let mut wrong = 0;
    for (id, request) in requests.iter().enumerate() {
        let [ours, nginx, haproxy] = recorders.each_ref().map(|recorder| recorder.seen(id));
        if let Err(why) = judge(&ours, &nginx, &haproxy) {
            wrong += 1;
            let sent: String = request.escape_ascii().to_string().chars().take(SHOWN).collect();
            println!(
                "{why}\n  sent    {sent}\n  ours    {ours:?}\n  nginx   {nginx:?}\n  HAProxy {haproxy:?}"
            );
        }
    }
    let forwarded = |recorder: &Recorder| (0..count).filter(|id| recorder.seen(*id).is_forwarded()).count();
    let [ours, nginx, haproxy] = recorders.each_ref().map(forwarded);
    let told = format!("of {count} requests forwarded: ours {ours}, nginx {nginx}, HAProxy {haproxy}\n");
    // Not by the macros, whose words nobody sees when a test passes.
    let _ = std::io::stderr().write_all(told.as_bytes());
    assert!(ours > count / 10, "the honest ones are forwarded: {told}");
    assert!(ours < count, "some are wrong: {told}");
    assert_eq!(wrong, 0, "{told}seed {seed}");
}

/// The relation that must hold between the three.
fn judge(ours: &Seen, nginx: &Seen, haproxy: &Seen) -> Result<(), &'static str> {
    if ours.is_forwarded() && !nginx.is_forwarded() && !haproxy.is_forwarded() {
        return Err("both others refuse it");
    }
    if ours.hidden > nginx.hidden.max(haproxy.hidden) {
        return Err("what was hidden came out");
    }
    if ours.is_forwarded() && nginx.whole() == haproxy.whole() && ours.whole() != nginx.whole() {
        return Err("both others forward it alike, and otherwise");
    }
    Ok(())
}

async fn send_all(requests: &[Vec<u8>], addresses: [SocketAddr; 3]) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sending = JoinSet::new();
    for request in requests {
        for address in addresses {
            let (request, places) = (request.clone(), Arc::clone(&places));
            sending.spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                send(address, &request).await;
            });
        }
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap();
    }
}

/// Sends a request and reads what comes back to its end, or to a silence.
async fn send(address: SocketAddr, request: &[u8]) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // The other side may have seen enough before all is written.
    let _ = tcp.write_all(request).await;
    let mut part = [0; 4096];
    while let Ok(Ok(1..)) = timeout(SILENCE, tcp.read(&mut part)).await {}
}

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}
