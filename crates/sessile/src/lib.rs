//! Replicated HTTP sessions in memory: sessions that stay when servers go.

mod admin;
mod admin_token;
mod cluster;
pub mod config;
mod web;

pub use admin::{AdminPort, health};
pub use admin_token::admin_token;
pub use cluster::{AppView, Cluster, MemberView, SessionView};
pub use config::{Config, ConfigError};
pub use sessile_core::{Receipt, SessionKey};
pub use sessile_group::{ClusterSecrets, SecretError};
pub use web::{
    Network, NoSessionLayer, NotANetwork, OnEnded, PathFilter, SameSite, Secure, Session, SessionError,
    SessionLayer, SessionService, SessionSettings, SettingError, Statistics,
};
