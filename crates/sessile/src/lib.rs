//! Replicated HTTP sessions in memory: sessions that stay when servers go.

mod admin;
mod admin_token;
mod cluster;
pub mod config;
mod web;

pub use admin::{AdminPort, health};
pub use admin_token::admin_token;
pub use cluster::{AppView, Cluster, DrainIncomplete, JoinError, MemberView, OwedTo, SessionView};
pub use config::{Config, ConfigError};
pub use sessile_core::{
    AppId, Boot, EndReason, Event, Fields, Receipt, Removal, SessionKey, Standing, Value,
};
pub use sessile_group::{ClusterSecrets, SecretError};
pub use web::{
    NoSessionLayer, Session, SessionError, SessionLayer, SessionService, SettingError, Statistics,
};
