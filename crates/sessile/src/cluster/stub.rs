#![allow(missing_docs)]
use std::sync::Arc; use std::time::Duration;
use sessile_core::{AppId, Boot, Bounds, Fields, Mode, Node, Plant, SessionKey, Settings, Standing, Timing};
use super::{clock::Clock, executor::Executor, host::SessionHost, waiters::Waiters};
use crate::{Config, SessionLayer, SessionSettings, config::App};
#[derive(Clone)] pub struct Cluster { node: Arc<Node>, clock: Clock, host: Arc<SessionHost>, config: Arc<Config> }
pub struct AppView { node: Arc<Node>, app: AppId }
pub struct MemberView { pub name: String, pub boot: Boot, pub address: String, pub state: &'static str, pub age: Duration, pub is_self: bool }
pub struct SessionView { pub key: SessionKey, pub app: String, pub attributes: usize, pub bytes: usize, pub idle: Duration, pub copies: u32 }
#[derive(Debug)] pub struct JoinError;
impl Cluster {
    pub async fn join(config: Config) -> Result<Cluster, JoinError> {
        let clock = Clock::start();
        let waiters = Arc::new(Waiters::default());
        let executor = Arc::new(Executor::new(Arc::clone(&waiters)));
        let bounds = Bounds { max_active: config.session.max_active as u64, max_attribute_bytes: 1<<20, max_session_bytes: 4<<20, max_table_bytes: 1 << 30 };
        let timing = Timing { heartbeat: Duration::from_millis(500), drop_time: Duration::from_secs(3), ack_timeout: Duration::from_secs(1), transfer_timeout: None };
        let settings = Settings { boot: Boot(1), name: "tc01".into(), timing, bounds, copies: None, mode: Mode::Synchronous, plant: Plant::None };
        let node = Arc::new(Node::alone(settings, clock.now()));
        let host = Arc::new(SessionHost::new(Arc::clone(&node), clock, executor, waiters));
        Ok(Self { node, clock, host, config: Arc::new(config) })
    }
    pub fn app_layer(&self, app: &App) -> SessionLayer {
        let settings = SessionSettings { path: app.path.clone(), max_attribute_bytes: app.session.max_attribute_bytes as usize, max_session_bytes: app.session.max_session_bytes as usize, ..SessionSettings::default() };
        SessionLayer::new(Arc::clone(&self.host), AppId::of_path(&app.path), "tc01", [7; 32], settings).unwrap()
    }
    pub fn name(&self) -> &str { &self.config.node.name }
    pub fn config(&self) -> &Config { &self.config }
    pub fn standing(&self) -> Standing { self.node.standing() }
    pub fn sessions(&self, _: Option<SessionKey>, _: usize) -> Vec<SessionView> { Vec::new() }
    pub fn metrics(&self) -> String { String::new() }
    pub fn is_ready(&self) -> bool { true }
    pub fn members(&self) -> Vec<MemberView> { self.node.members(self.clock.now()).into_iter().map(|m| MemberView { name: m.name, boot: m.boot, address: String::new(), state: "ready", age: m.age, is_self: m.is_self }).collect() }
    pub fn look(&self, path: &str) -> AppView { AppView { node: Arc::clone(&self.node), app: AppId::of_path(path) } }
}
impl AppView {
    pub fn peek(&self, key: SessionKey) -> Option<Fields> { self.node.peek(key).filter(|(app, _)| *app == self.app).map(|(_, f)| f) }
    pub fn sessions(&self) -> u64 { self.node.session_count(Some(self.app)) }
}
