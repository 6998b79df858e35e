//! A shop with a login and a cart that stay when its server goes.
//!
//! Start two of it, each with its own configuration, and use either:
//!
//! ```sh
//! cargo run --example cart -- tc01.toml
//! cargo run --example cart -- tc02.toml
//! curl -c jar -b jar localhost:9080/login -d 'name=ada&password=lovelace'
//! curl -c jar -b jar localhost:9080/cart -d 'item=umbrella'
//! curl -c jar -b jar localhost:10080/cart     # the same cart, also after the first one was killed
//! curl -c jar -b jar localhost:9080/checkout -d '' -H 'Idempotency-Key: 1'      # repeat it anywhere: one order
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;

use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use sessile::{Cluster, Config, IdempotencyLayer, Session, SessionError};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::load(std::env::args().nth(1).as_deref().unwrap_or("tc01.toml"))?;
    let (listen, drain_time) = (config.http.listen, config.node.drain_time);
    // Returns when the sessions of the other nodes are here: only then the port opens.
    let cluster = Cluster::join(config).await?;
    let (here, leaving) = (cluster.clone(), cluster.clone());
    let health = async move || match here.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let drained = async move {
        let _ = tokio::signal::ctrl_c().await;
        if let Err(left) = leaving.drain(drain_time).await {
            tracing::warn!("{left}");
        }
    };
    let shop = shop().layer(cluster.session_layer()).route("/.sessile/ready", get(health));
    let listener = TcpListener::bind(listen).await?;
    let service = shop.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(drained).await?;
    cluster.leave().await;
    Ok(())
}

/// The shop. Nothing in it knows that there is a cluster.
pub fn shop() -> Router {
    Router::new()
        .route("/checkout", post(checkout))
        .layer(IdempotencyLayer::new())
        .route("/cart", get(show).post(add))
        .route("/login", post(login))
        .route("/logout", post(logout))
}

type Cart = BTreeMap<String, u32>;

#[derive(Deserialize)]
struct Line {
    item: String,
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

async fn show(session: Session) -> Result<Response, SessionError> {
    let cart: Cart = session.get("cart")?.unwrap_or_default();
    Ok(Json((session.principal(), cart)).into_response())
}

async fn add(session: Session, Form(line): Form<Line>) -> Result<Response, SessionError> {
    let mut cart: Cart = session.get("cart")?.unwrap_or_default();
    *cart.entry(line.item).or_default() += 1;
    session.set("cart", &cart)?;
    Ok(Json(cart).into_response())
}

/// Sent twice, under one key, it is carried out once: the second one gets the answer of the first.
async fn checkout(session: Session) -> Result<Response, SessionError> {
    let cart: Cart = session.get("cart")?.unwrap_or_default();
    if cart.is_empty() {
        return Ok((StatusCode::CONFLICT, "your cart is empty\n").into_response());
    }
    session.remove("cart")?;
    let order = session.get::<u32>("orders")?.unwrap_or_default() + 1;
    session.set("orders", &order)?;
    Ok(format!("order {order}: {} things\n", cart.values().sum::<u32>()).into_response())
}

async fn login(session: Session, Form(given): Form<Credentials>) -> Result<Response, SessionError> {
    // A real shop compares hashes.
    if (given.name.as_str(), given.password.as_str()) != ("ada", "lovelace") {
        return Ok((StatusCode::UNAUTHORIZED, "who are you?\n").into_response());
    }
    // What was put into the cart before stays in it; the cookie from before opens nothing any more.
    session.change_id()?;
    session.set_principal(Some(&given.name), Some("FORM"))?;
    Ok("welcome\n".into_response())
}

async fn logout(session: Session) -> Result<Response, SessionError> {
    session.invalidate()?;
    Ok("goodbye\n".into_response())
}
