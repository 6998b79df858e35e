//! The balancer's file: described by the balancer's crate, read with the errors of a node's file.

use std::path::Path;

use sessile::ConfigError;
use sessile::config::{Refused, load_toml};
use sessile_balancer::BalancerConfig;

/// Whether the file is meant for a balancer: a node's has neither `[balance]` nor a list of nodes.
pub(crate) fn is_one(path: &Path) -> bool {
    let tables = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<toml::Table>().ok());
    tables.is_some_and(|tables| {
        tables.contains_key("balance") || tables.get("node").is_some_and(toml::Value::is_array)
    })
}

/// Reads the file of a balancer. Paths in it are relative to it.
pub(crate) fn load(path: &Path) -> Result<BalancerConfig, ConfigError> {
    let mut config = read(path)?;
    if let Some(place) = path.parent() {
        config.balance.secret_file = place.join(config.balance.secret_file);
        config.balance.resolve_tls(place);
    }
    Ok(config)
}

/// Reads the file as it is written.
pub(crate) fn read(path: &Path) -> Result<BalancerConfig, ConfigError> {
    load_toml(path, |config: &BalancerConfig| {
        let refused = |error: sessile_balancer::BalancerConfigError| Refused {
            key: error.key().to_owned(),
            message: error.to_string(),
        };
        config.validate().map_err(refused)
    })
}

/// Every key with the value in force.
pub(crate) fn effective_toml(config: &BalancerConfig) -> String {
    toml::to_string(config).expect("tables of numbers, texts and lists are TOML")
}
