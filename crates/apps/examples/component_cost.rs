//! What a component costs: a counter in the session, by native code, by a guest with an instance for each
//! request, and by one whose instances are reused, in turn and in one run.
//!
//! ```sh
//! cargo run --manifest-path samples/builder/Cargo.toml -- probe shop
//! cargo run --release -p sessile-apps --features wasm --example component_cost
//! ```

#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http_body_util::BodyExt as _;
use sessile::config::{App, Manager};
use sessile::{Cluster, Config, Session, SessionError};
use sessile_apps::component::{ComponentHost, ComponentSettings};
use tower::ServiceExt as _;

/// Clients at once.
const CLIENTS: usize = 16;
/// How long each is measured, twice, in turn.
const TIME: Duration = Duration::from_secs(3);
const ROUNDS: usize = 2;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One way to serve.
struct Way {
    name: &'static str,
    router: Router,
    path: &'static str,
    /// Milliseconds of every request.
    took: Vec<f64>,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut config = Config::default();
    config.cluster.manager = Manager::Local;
    config.cluster.insecure = true;
    let cluster = Cluster::join(config.clone()).await?;
    let app = App::with_session(config.session.clone());
    let layer = || cluster.app_layer(&app);
    let place = std::env::temp_dir().join("sessile-component-cost");
    let host = ComponentHost::new(place)?;
    let mut ways =
        vec![Way::new("native handler", Router::new().route("/count", get(count)).layer(layer()?), "/count")];
    for (name, guest, path, reuse) in [
        ("C component", "probe", "/count", 1),
        ("C component, reuse = 1000", "probe", "/count", 1_000),
        ("Rust component (shop page)", "shop", "/", 1),
        ("Rust component (shop page), reuse = 1000", "shop", "/", 1_000),
    ] {
        let wasm = fs::read(format!("target/guests/{guest}.wasm"))?;
        let settings = ComponentSettings { reuse, ..ComponentSettings::default() };
        let component = host.prepare(wasm.into(), &settings).await?;
        ways.push(Way::new(name, component.router("/", layer()?), path));
    }
    for _ in 0..ROUNDS {
        for way in &mut ways {
            way.measure().await?;
        }
    }
    tell(&mut ways);
    Ok(())
}

async fn count(session: Session) -> Result<String, SessionError> {
    let count = session.get::<u64>("count")?.unwrap_or_default() + 1;
    session.set("count", &count)?;
    Ok(count.to_string())
}

impl Way {
    fn new(name: &'static str, router: Router, path: &'static str) -> Self {
        Self { name, router, path, took: Vec::new() }
    }

    async fn measure(&mut self) -> Outcome<()> {
        let until = Instant::now() + TIME;
        let clients = (0..CLIENTS).map(|_| tokio::spawn(client(self.router.clone(), self.path, until)));
        for client in clients.collect::<Vec<_>>() {
            self.took.extend(client.await??);
        }
        Ok(())
    }

    fn rate(&self) -> f64 {
        self.took.len() as f64 / (TIME.as_secs_f64() * ROUNDS as f64)
    }
}

/// A browser that asks again and again with its cookie.
async fn client(router: Router, path: &'static str, until: Instant) -> Outcome<Vec<f64>> {
    let (mut took, mut cookie) = (Vec::new(), None);
    while Instant::now() < until {
        let began = Instant::now();
        let mut request = Request::get(path).header(HOST, "shop.example").body(Body::empty())?;
        if let Some(cookie) = &cookie {
            request.headers_mut().insert(COOKIE, http::HeaderValue::clone(cookie));
        }
        let (head, body) = router.clone().oneshot(request).await?.into_parts();
        body.collect().await?;
        if !head.status.is_success() {
            return Err(format!("{path}: {}", head.status).into());
        }
        if let Some(set) = head.headers.get(SET_COOKIE) {
            cookie = set.to_str()?.split(';').next().map(TryInto::try_into).transpose()?;
        }
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

fn tell(ways: &mut [Way]) {
    let native = ways[0].rate();
    println!("{:<42} {:>9} {:>8} {:>8}  ratio", "", "req/s", "p50 ms", "p99 ms");
    for way in ways {
        way.took.sort_by(f64::total_cmp);
        let at = |share: f64| way.took[(way.took.len() as f64 * share) as usize];
        let (p50, p99, rate) = (at(0.5), at(0.99), way.rate());
        println!("{:<42} {rate:>9.0} {p50:>8.3} {p99:>8.3}  1/{:.1}", way.name, native / rate);
    }
}
