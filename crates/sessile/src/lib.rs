//! (being written)

mod admin;
mod admin_token;
mod cluster;
pub mod config;

pub use admin::{AdminPort, health};
pub use admin_token::admin_token;
pub use cluster::{Cluster, MemberView, SessionView};
pub use config::{Config, ConfigError};
pub use sessile_group::{ClusterSecrets, SecretError};
