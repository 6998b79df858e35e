//! The door for clients, the same at a node (`sessile serve`) and at the balancer: TLS, HTTP/1.1 and HTTP/2,
//! limits of time and size, the PROXY protocol, and who is believed about a client.
//!
//! The crate knows neither sessions nor nodes: it turns a TCP connection into requests, and ends what takes
//! too long, sends too much, or comes too often. Without the feature `server` it holds only the types of the
//! configuration ([`Limits`], [`TlsConfig`], [`Network`]), which need no HTTP engine.
//!
//! Where to go next: [`Door`] accepts one connection (`proxy_protocol`, then TLS) and serves its requests
//! ([`Door::serve`]). `guarded_stream` holds the time limits of a connection, `request_body` those of a body,
//! `response_body` those of an answer, `frame_guard` the rate of HTTP/2 frames; [`ConnectionTable`] says
//! which connection is admitted. [`tls::TlsServer`] reads certificates and reads them again, [`forwarded`]
//! decides which `X-Forwarded-*` headers pass.

pub mod duration;
mod limits;
mod network;
pub mod size;
mod tls_config;

#[cfg(feature = "server")]
mod connection_counts;
#[cfg(feature = "server")]
mod connection_state;
#[cfg(feature = "server")]
mod connection_table;
#[cfg(feature = "server")]
mod door;
#[cfg(feature = "server")]
mod early_response;
#[cfg(feature = "server")]
pub mod forwarded;
#[cfg(feature = "server")]
mod frame_guard;
#[cfg(feature = "server")]
mod guarded_stream;
#[cfg(feature = "server")]
mod http_connection;
#[cfg(feature = "server")]
pub mod proxy_protocol;
#[cfg(feature = "server")]
mod redirect;
#[cfg(feature = "server")]
mod request_body;
#[cfg(feature = "server")]
mod response_body;
#[cfg(feature = "server")]
mod stall_timer;
#[cfg(feature = "server")]
pub mod tls;
#[cfg(feature = "server")]
mod transport;

pub use limits::{
    BODY_RATES, CONNECTIONS, H2_CONTROL_RATES, H2_STREAMS, HEAD_SIZES, HEADER_COUNTS, LimitError, Limits,
    TIMES,
};
pub use network::{Network, NetworkError};
pub use tls_config::TlsConfig;

#[cfg(feature = "server")]
pub use connection_counts::{ConnectionCounts, ConnectionNumbers};
#[cfg(feature = "server")]
pub use connection_state::RequestInFlight;
#[cfg(feature = "server")]
pub use connection_table::{Admission, Admitted, ConnectionTable};
#[cfg(feature = "server")]
pub use door::{Door, DoorError, Entered};
#[cfg(feature = "server")]
pub use early_response::EarlyResponses;
#[cfg(feature = "server")]
pub use forwarded::ClientInfo;
#[cfg(feature = "server")]
pub use redirect::HttpsRedirect;
#[cfg(feature = "server")]
pub use request_body::{RequestBody, RequestBodyError};
#[cfg(feature = "server")]
pub use response_body::ResponseBody;
#[cfg(feature = "server")]
pub use transport::Transport;
