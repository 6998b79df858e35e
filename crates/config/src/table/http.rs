//! `[http]`, `[http.limits]`, `[http.tls]`: where clients reach the node, and what they may take.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use sessile_http_server::{
    BODY_RATES, CONNECTIONS, H2_CONTROL_RATES, H2_STREAMS, HEAD_SIZES, HEADER_COUNTS, TIMES,
};

use super::DAY;
use crate::form::{Address, Cidr, File, Flag, List, Number, Optional, Size, Text, Time, UrlPath};
use crate::keys::{Table, Visitor};
use crate::{HttpLimits, HttpTls, Network};

/// `[http]`: the port that serves applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where `sessile serve` listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The path that answers 200 while the node is ready and 503 otherwise.
    pub health_path: String,
    /// The proxies whose `X-Forwarded-*` and `Forwarded` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether a connection of a trusted proxy begins with a header of the PROXY protocol, version 1 or 2.
    pub proxy_protocol: bool,
    /// How long no byte may pass on a connection after it switched protocols (websockets).
    pub idle_timeout: Duration,
    /// Bounds of time and size.
    pub limits: HttpLimits,
    /// Certificates; without any, the port speaks plain HTTP.
    pub tls: HttpTls,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9080)),
            health_path: "/.sessile/ready".to_owned(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            idle_timeout: Duration::from_secs(3_600),
            limits: HttpLimits::of_node(),
            tls: HttpTls::default(),
        }
    }
}

impl Table for Http {
    const NAME: &'static str = "http";
    const MEANING: &'static str = "the port that serves applications";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key("listen", Address, &mut self.listen, "where applications are served");
        visitor.key("health_path", UrlPath, &mut self.health_path, "200 while ready, 503 otherwise");
        let proxies = &mut self.trusted_proxies;
        visitor.key("trusted_proxies", List(Cidr), proxies, "whose X-Forwarded-* and Forwarded are believed");
        visitor.key(
            "proxy_protocol",
            Flag,
            &mut self.proxy_protocol,
            "connections of trusted proxies begin with a PROXY header",
        );
        visitor.key("idle_timeout", Time(100..=DAY), &mut self.idle_timeout, "a silent websocket is closed");
    }
}

/// Milliseconds.
fn millis(bounds: &RangeInclusive<Duration>) -> RangeInclusive<u64> {
    let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    millis(bounds.start())..=millis(bounds.end())
}

impl Table for HttpLimits {
    const NAME: &'static str = "http.limits";
    const MEANING: &'static str = "what clients may take";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let time = || Time(millis(&TIMES));
        let count = Number::within(CONNECTIONS);
        visitor.key("head_timeout", time(), &mut self.head_timeout, "from a head's first byte to its last");
        visitor.key("keep_alive", time(), &mut self.keep_alive, "until the next request of a connection");
        visitor.key("body_idle", time(), &mut self.body_idle, "without a byte of a request's body");
        visitor.key("body_rate", Size(BODY_RATES), &mut self.body_rate, "a second, after 10s; 0B: none");
        visitor.key("answer_timeout", time(), &mut self.answer_timeout, "until the head of the answer");
        visitor.key("write_timeout", time(), &mut self.write_timeout, "in which a client takes no byte");
        visitor.key("head_size", Size(HEAD_SIZES), &mut self.head_size, "of a request's head");
        visitor.key("headers", Number::within(HEADER_COUNTS), &mut self.headers, "of a request");
        visitor.key("connections", count, &mut self.connections, "idle ones of the fullest source go first");
        let per_source = &mut self.connections_per_source;
        let meaning = "an IPv4 address, an IPv6 /64; trusted proxies: any number";
        visitor.key("connections_per_source", Number::within(CONNECTIONS), per_source, meaning);
        visitor.key("h2_streams", Number::within(H2_STREAMS), &mut self.h2_streams, "at once, a connection");
        let rate = &mut self.h2_control_rate;
        visitor.key("h2_control_rate", Number::within(H2_CONTROL_RATES), rate, "empty frames a second");
    }
}

impl Table for HttpTls {
    const NAME: &'static str = "http.tls";
    const MEANING: &'static str = "certificates; without any, plain HTTP";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let certificates = &mut self.certificates;
        visitor.key("certificates", List(File), certificates, "PEM files, or directories of an ACME client");
        visitor.key("keys", List(File), &mut self.keys, "their keys, if not in or beside the same file");
        visitor.key("client_ca", Optional(File), &mut self.client_ca, "who signs certificates of clients");
        visitor.key("redirect", Optional(Address), &mut self.redirect, "plain HTTP, sent to HTTPS");
        let port = Optional(Number::within(1..=u16::MAX));
        visitor.key("redirect_port", port, &mut self.redirect_port, "of HTTPS, if not that of `listen`");
        visitor.key(
            "acme_webroot",
            Optional(File),
            &mut self.acme_webroot,
            "challenges, served at `redirect`",
        );
        visitor.key("hsts", Optional(Text), &mut self.hsts, "Strict-Transport-Security of every answer");
    }
}
