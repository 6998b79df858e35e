//! Tests of services without files and without ports: nodes in this process, and a browser that keeps cookies
//! as real ones do.
//!
//! What a login must do to the cookie, as a test:
//!
//! ```
//! use axum::Router;
//! use axum::body::Body;
//! use axum::routing::{get, post};
//! use http::{Request, StatusCode};
//! use sessile::testing::{Browser, TestCluster};
//! use sessile::{Cluster, Session, SessionError};
//!
//! // The application.
//! async fn login(session: Session) -> Result<(), SessionError> {
//!     session.change_id()?;
//!     session.set_principal(Some("ada"), Some("form"))
//! }
//! async fn account(session: Session) -> Result<String, StatusCode> {
//!     session.principal().ok_or(StatusCode::UNAUTHORIZED)
//! }
//! async fn add(session: Session) -> Result<(), SessionError> {
//!     session.set("cart", &["umbrella"])
//! }
//! fn app(cluster: &Cluster) -> Router {
//!     Router::new()
//!         .route("/cart", post(add))
//!         .route("/login", post(login))
//!         .route("/account", get(account))
//!         .layer(cluster.session_layer())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // The test.
//! let mut cluster = TestCluster::start(2, app).await;
//! let mut browser = Browser::new();
//! let post = |path| Request::post(format!("https://shop.example{path}")).body(Body::empty()).unwrap();
//! let get = |path| Request::get(format!("https://shop.example{path}")).body(Body::empty()).unwrap();
//!
//! cluster.visit(0, &mut browser, post("/cart")).await;
//! let before_login = browser.clone();
//! cluster.visit(0, &mut browser, post("/login")).await;
//! cluster.kill(0); // as kill -9 does
//! assert_eq!(cluster.visit(1, &mut browser, get("/account")).await.status(), StatusCode::OK);
//!
//! // Whoever planted or stole the cookie from before the login is not logged in by it.
//! let mut thief = before_login;
//! assert_eq!(cluster.visit(1, &mut thief, get("/account")).await.status(), StatusCode::UNAUTHORIZED);
//! # }
//! ```

mod cluster;

pub use cluster::{TestCluster, session_layer};
pub use sessile_web::Browser;
