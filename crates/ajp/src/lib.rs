//! AJP/1.3 for tower services: the protocol in which Apache httpd (mod_jk, mod_proxy_ajp) passes requests to
//! Tomcat.
//!
//! [`Connector::serve`] reads forward-requests from one connection, calls a [`tower_service::Service`] with
//! [`http::Request`]s, and writes the responses back. What the web server says about the client's own
//! connection is in the extensions of each request: [`Forwarded`].
//!
//! A peer that has the [`Secrets`] is believed: it says who the client is and whether it came by TLS. A
//! request without the secret reaches no service (CVE-2020-1938). AJP is not encrypted: keep it on loopback
//! or inside a tunnel.
//!
//! Source: "The Apache Tomcat Connectors - AJP Protocol Reference"; where that is silent, what mod_jk 1.2 and
//! httpd 2.4 send. Next: `connection.rs` runs a connection; `forward_request.rs` decodes; `response.rs`
//! encodes.
//!
//! This crate knows no session, no cookie and no cluster, and opens no port.

mod attribute;
mod body;
mod connection;
mod connector;
mod error;
mod exchange;
mod forward_request;
mod forwarded;
mod header_names;
mod method;
mod packet;
mod payload;
mod response;
mod secret;
mod target;

pub use body::{AjpRequestBody, BodyError};
pub use connector::{Connector, PacketSize};
pub use error::ConnectionError;
pub use forwarded::{Forwarded, ForwardedTls};
pub use secret::{SecretFileError, Secrets};
