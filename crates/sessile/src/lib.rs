//! (being written)

mod admin_token;
pub mod config;

pub use admin_token::admin_token;
pub use config::{Config, ConfigError};
pub use sessile_group::{ClusterSecrets, SecretError};
