//! Addresses to listen at, which Tomcat writes as two attributes.

use crate::place::Place;

/// The host and the port of one listener.
#[derive(Debug, Default, Clone)]
pub(crate) struct Listen {
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) place: Option<Place>,
    /// The element that it comes from.
    pub(crate) from: String,
}

/// The listeners of a node.
#[derive(Debug, Default)]
pub(crate) struct Listens {
    pub(crate) http: Option<Listen>,
    pub(crate) ajp: Option<Listen>,
    pub(crate) receiver: Listen,
}

impl Listen {
    /// `"IP:PORT"`, where the address is one or says every address; else the reason why it is not carried
    /// over.
    pub(crate) fn written(&self, every: &str, usual_port: u16) -> (String, Option<String>) {
        let port = self.port.unwrap_or(usual_port);
        let (host, problem) = match self.address.as_deref() {
            None | Some("" | "auto" | "0.0.0.0" | "::") => (every.to_owned(), None),
            Some("localhost") => ("127.0.0.1".to_owned(), None),
            Some(address) if address.parse::<std::net::IpAddr>().is_ok() => (address.to_owned(), None),
            Some(name) => {
                let problem = format!("the address {name} is a name: write its IP address into `listen`");
                (every.to_owned(), Some(problem))
            }
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        (format!("\"{host}:{port}\""), problem)
    }
}
