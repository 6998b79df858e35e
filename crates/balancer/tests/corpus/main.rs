//! Replays the inputs that fuzzing found interesting. The bodies are those of the fuzz targets.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod header_rules;
mod http;
mod http2;
mod proxy_header;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn requests() {
    replay("request", http::request);
}

#[test]
fn responses() {
    replay("response", http::response);
}

#[test]
fn http2_connections() {
    replay("http2", http2::http2);
}

#[test]
fn proxy_headers() {
    replay("proxy_header", proxy_header::proxy_header);
}

#[test]
fn header_rules_of_the_door() {
    replay("header_rules", header_rules::header_rules);
}
