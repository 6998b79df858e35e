//! The client's own connection, as the web server describes it.

use std::net::{IpAddr, SocketAddr};

/// In the extensions of each request. The web server showed the secret, so that it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The client's address; port 0 where the web server does not tell the port.
    pub client: SocketAddr,
    /// The address of the web server that the client connected to.
    pub server_address: Option<IpAddr>,
    /// The user that the web server authenticated. An application that relies on it must be reachable by AJP
    /// alone.
    pub user: Option<String>,
    /// How the web server authenticated the user, such as `Basic`.
    pub auth_type: Option<String>,
    /// The route that the web server followed, `jvm_route` of mod_jk.
    pub route: Option<String>,
    /// How mod_jk may use this node: `ACT` (active), `DIS` (no new sessions) or `STP` (stopped).
    pub activation: Option<String>,
    /// The client's TLS; `None` if it came without.
    pub tls: Option<ForwardedTls>,
}

/// The client's TLS, as the web server describes it. Each may be absent:
/// `SSLOptions +StdEnvVars +ExportCertData` has httpd send them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardedTls {
    /// The client's certificate, in PEM.
    pub certificate: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// The id of the TLS session.
    pub session: Option<String>,
    /// Bits of the cipher's key.
    pub key_bits: Option<u16>,
    /// The version of TLS, such as `TLSv1.3`.
    pub protocol: Option<String>,
}
