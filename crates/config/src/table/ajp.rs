//! `[ajp]`: the port that serves applications to Apache httpd, by AJP/1.3.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::form::{Address, File, Optional, Size};
use crate::keys::{Table, Visitor};

/// `[ajp]` (Tomcat: a `Connector` with `protocol="AJP/1.3"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ajp {
    /// Where `sessile serve` listens; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// The file with the secret that the web server shows with each request.
    pub secret_file: Option<PathBuf>,
    /// Most bytes of a packet, 8 to 64 KiB; the web server must have the same.
    pub packet_size: usize,
}

impl Default for Ajp {
    fn default() -> Self {
        Self { listen: None, secret_file: None, packet_size: 8 << 10 }
    }
}

impl Table for Ajp {
    const NAME: &'static str = "ajp";
    const MEANING: &'static str = "the port that serves applications to mod_jk and mod_proxy_ajp";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key("listen", Optional(Address), &mut self.listen, "for AJP/1.3; a port is enough");
        let secret = "what the web server must show; see `sessile secret new`";
        visitor.key("secret_file", Optional(File), &mut self.secret_file, secret);
        let size = Size(8 << 10..=64 << 10);
        visitor.key("packet_size", size, &mut self.packet_size, "as max_packet_size of mod_jk");
    }
}
