//! The keys of `[balance]` for clients: limits, TLS, and the proxies before it.

use std::path::Path;

use super::{BalanceConfig, BalancerConfigError};

impl BalanceConfig {
    /// Makes the paths that concern TLS relative to a directory.
    pub fn resolve_tls(&mut self, directory: &Path) {
        self.tls.resolve(directory);
        self.node_tls.iter_mut().for_each(|tls| tls.resolve(directory));
    }

    pub(super) fn validate_front(&self) -> Result<(), BalancerConfigError> {
        self.limits.validate().map_err(|error| BalancerConfigError {
            key: format!("balance.limits.{}", error.key),
            value: error.value,
            problem: error.problem,
        })?;
        self.tls.validate().map_err(|(key, problem)| BalancerConfigError {
            key: format!("balance.tls.{key}"),
            value: "…".to_owned(),
            problem,
        })?;
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            let problem = "without trusted_proxies nobody is believed: list the proxies, as [\"10.0.0.5\"]";
            return Err(BalancerConfigError::new("balance.proxy_protocol", true, problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::BalancerConfig;

    #[test]
    fn every_wrong_value_names_its_key() {
        for (text, key) in [
            ("limits = { head_timeout = \"1ms\" }", "balance.limits.head_timeout"),
            ("limits = { headers = 1 }", "balance.limits.headers"),
            ("tls = { hsts = \"max-age=1\" }", "balance.tls.hsts"),
            ("proxy_protocol = true", "balance.proxy_protocol"),
        ] {
            let node = "[[node]]\nname = \"a\"\naddress = \"a:1\"";
            let config: BalancerConfig = toml::from_str(&format!("[balance]\n{text}\n{node}")).unwrap();
            assert_eq!(config.validate().unwrap_err().key(), key);
        }
    }
}
