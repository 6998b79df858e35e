//! Settings of one component.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use sessile::config::Network;

use super::error::ComponentError;
use super::limits::GuestLimits;

/// The largest allowed `reuse`.
const MAX_REUSE: u32 = 1_000_000;

/// Settings of one component. Default: an instance for each request, no outgoing calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSettings {
    /// Resource limits.
    pub limits: GuestLimits,
    /// Number of requests that one instance serves before it is dropped; 1 to 1,000,000. With more than 1 the
    /// component's memory is kept between requests of different clients.
    pub reuse: u32,
    /// Requests with the same session cookie run one at a time on a node, each from its opening to its
    /// commit. A request waits at most `request_time`, and at most `queue` of them wait.
    pub serialize: bool,
    /// Hosts that it may call over HTTP.
    pub egress: Vec<EgressTarget>,
    /// Loopback, link-local, private and reserved networks that it may reach. Without any, a listed host
    /// whose name leads there is not called.
    pub private_networks: Vec<Network>,
    /// Whether it may set the principal of its sessions.
    pub principals: bool,
    /// Its complete environment.
    pub env: BTreeMap<String, String>,
}

/// A host and a port that a component may call: `api.example:443`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EgressTarget {
    /// The host as a URI names it, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Default for ComponentSettings {
    fn default() -> Self {
        Self {
            limits: GuestLimits::default(),
            reuse: 1,
            serialize: false,
            egress: Vec::new(),
            private_networks: Vec::new(),
            principals: true,
            env: BTreeMap::new(),
        }
    }
}

impl ComponentSettings {
    /// Refuses values out of range, by key.
    ///
    /// # Errors
    /// [`ComponentError::Setting`].
    pub fn check(&self) -> Result<(), ComponentError> {
        if !(1..=MAX_REUSE).contains(&self.reuse) {
            return Err(ComponentError::Setting { key: "reuse", problem: "must be 1 to 1000000".to_owned() });
        }
        self.limits.check()
    }
}

impl FromStr for EgressTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) if is_host(host) && port > 0 => {
                Ok(Self { host: host.to_ascii_lowercase(), port })
            }
            _ => Err(format!("`{text}` is not a host and port; write `api.example:443`")),
        }
    }
}

/// Whether the text is a valid host of a URI.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'[' | b']' | b':')
        })
}

impl TryFrom<String> for EgressTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for EgressTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_parsed() {
        for text in ["api.example:443", "127.0.0.1:80", "[::1]:8080"] {
            assert_eq!(text.parse::<EgressTarget>().unwrap().to_string(), text);
        }
        assert_eq!("API.example:443".parse::<EgressTarget>().unwrap().host, "api.example");
        for wrong in ["api.example", ":80", "http://api.example:80", "a:0", "a:65536", "a b:80"] {
            assert!(wrong.parse::<EgressTarget>().unwrap_err().contains("api.example:443"), "{wrong}");
        }
    }

    #[test]
    fn a_reuse_of_zero_is_refused() {
        assert!(ComponentSettings::default().check().is_ok());
        let wrong = ComponentSettings { reuse: 0, ..ComponentSettings::default() };
        assert_eq!(wrong.check().unwrap_err().to_string(), "reuse: must be 1 to 1000000");
    }
}
