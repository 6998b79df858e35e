//! Apache httpd in front of a service: large bodies both ways, streams, responses without a body, and what is
//! refused; once with mod_jk and once with mod_proxy_ajp. Where they are not installed the tests are skipped
//! in words; with `SESSILE_REQUIRE_EXTERNAL` set that is a failure.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod client;
#[path = "../peer/mod.rs"]
mod peer;
mod service;
mod web_server;

use client::{ask, ask_http_11, first_bytes};
use web_server::{Module, WebServer};

/// More than fits into many packets.
const LARGE: usize = 8 << 20;

/// Runs for both modules, one after the other.
fn behind_each(packet_size: usize, test: impl Fn(&WebServer)) {
    for module in [Module::Jk, Module::ProxyAjp] {
        if let Some(server) = WebServer::start(module, packet_size) {
            test(&server);
        }
    }
}

#[test]
fn bodies_of_every_size_go_both_ways() {
    behind_each(8_192, |server| {
        for size in [0, 1, 8_184, 8_185, 8_186, 8_187, 16_372, LARGE] {
            let body = vec![b'x'; size];
            let counted = ask(server, "POST", "/count", &[("content-length", size.to_string())], &body);
            assert_eq!((counted.status, counted.text()), (200, size.to_string()), "{server:?}");
            let sent = ask(server, "GET", &format!("/send?{size}"), &[], b"");
            assert_eq!((sent.status, sent.body.len()), (200, size), "{server:?}");
            assert!(server.tells_length(sent.header("content-length"), size), "{server:?}");
        }
        let streamed = ask(server, "GET", &format!("/stream?{LARGE}"), &[], b"");
        assert_eq!((streamed.status, streamed.body.len()), (200, LARGE), "{server:?}");
    });
}

#[test]
fn a_body_of_unknown_length_arrives() {
    behind_each(8_192, |server| {
        for size in [1, 8_186, 100_000, LARGE] {
            let mut chunks = Vec::new();
            for part in vec![b'y'; size].chunks(5_000) {
                chunks.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                chunks.extend_from_slice(part);
                chunks.extend_from_slice(b"\r\n");
            }
            chunks.extend_from_slice(b"0\r\n\r\n");
            let counted =
                ask_http_11(server, "POST", "/count", &[("transfer-encoding", "chunked".into())], &chunks);
            assert_eq!((counted.status, counted.text()), (200, size.to_string()), "{server:?}");
        }
    });
}

#[test]
fn a_body_that_is_not_read_does_no_harm() {
    behind_each(8_192, |server| {
        for _ in 0..3 {
            let body = vec![b'x'; 20_000];
            let refused = ask(server, "POST", "/unread", &[("content-length", "20000".into())], &body);
            assert_eq!((refused.status, refused.text().as_str()), (413, "no"), "{server:?}");
            assert_eq!(ask(server, "GET", "/send?5", &[], b"").text(), "zzzzz", "{server:?}");
        }
    });
}

#[test]
fn large_packets_carry_large_heads() {
    behind_each(65_536, |server| {
        let large = "v".repeat(30_000);
        let told = ask(server, "GET", "/header", &[("x-large", large.clone())], b"");
        // httpd itself takes 8190 bytes of a header line, unless it is told otherwise, as here.
        assert_eq!((told.status, told.text()), (200, "30000".to_owned()), "{server:?}");
        assert_eq!(told.header("x-large"), Some(large.as_str()), "{server:?}");
        let counted =
            ask(server, "POST", "/count", &[("content-length", LARGE.to_string())], &vec![b'x'; LARGE]);
        assert_eq!(counted.text(), LARGE.to_string(), "{server:?}");
    });
}

#[test]
fn a_head_that_is_too_large_is_an_error_and_the_next_request_is_served() {
    behind_each(8_192, |server| {
        assert_eq!(ask(server, "GET", "/large-head", &[], b"").status, 500, "{server:?}");
        assert_eq!(ask(server, "GET", "/send?5", &[], b"").text(), "zzzzz", "{server:?}");
    });
}

#[test]
fn responses_without_a_body_have_none() {
    behind_each(8_192, |server| {
        for status in [204, 304] {
            let answer = ask(server, "GET", &format!("/status?{status}"), &[], b"");
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{server:?}");
            assert_eq!(answer.header("etag"), Some("\"1\""), "{server:?}");
        }
        let head = ask(server, "HEAD", "/send?500", &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{server:?}");
        assert!(server.tells_length(head.header("content-length"), 500), "{server:?}");
        assert_eq!(ask(server, "GET", "/send?5", &[], b"").text(), "zzzzz", "{server:?}");
    });
}

#[test]
fn methods_paths_and_the_client_arrive() {
    behind_each(8_192, |server| {
        let told =
            ask(server, "PATCH", "/tell/a%20b;c=1?q=%C3%BC&r", &[("cookie", "sid=abc.tc01".into())], b"")
                .text();
        let (_, at) = (server, server.at.to_string());
        assert!(told.contains(&format!("PATCH http://{at}/tell/a%20b;c=1?q=%C3%BC&r")), "{server:?}: {told}");
        assert!(
            told.contains("client: 127.0.0.1:") && !told.contains("client: 127.0.0.1:0"),
            "{server:?}: {told}"
        );
        assert!(told.contains("tls: None") && told.contains("sid=abc.tc01"), "{server:?}: {told}");
    });
}

#[test]
fn what_an_application_sends_goes_on_at_once() {
    behind_each(8_192, |server| {
        // The application sends no more until it is asked for another thing.
        assert_eq!(first_bytes(server, "/hang", b"first"), "first", "{server:?}");
        assert_eq!(ask(server, "GET", "/go-on", &[], b"").status, 200, "{server:?}");
    });
}

#[test]
fn a_response_that_breaks_off_is_not_taken_for_complete() {
    behind_each(8_192, |server| {
        let answer = ask_http_11(server, "GET", "/break", &[], b"");
        assert!(!answer.is_complete, "{server:?}: {answer:?}");
        assert_eq!(ask(server, "GET", "/send?5", &[], b"").text(), "zzzzz", "{server:?}");
    });
}

#[test]
fn a_web_server_without_the_secret_or_with_attributes_of_its_own_is_refused() {
    for module in [Module::Jk, Module::ProxyAjp] {
        let Some(server) = WebServer::start_with(module, 8_192, "another-secret-of-the-tests", "") else {
            continue;
        };
        assert_eq!(ask(&server, "GET", "/send?5", &[], b"").status, 403, "{server:?}");
        let set = match module {
            Module::Jk => "SetEnvIf Request_URI . OWN=1\nJkEnvVar OWN",
            Module::ProxyAjp => "SetEnvIf Request_URI . AJP_javax.servlet.include.path_info=/WEB-INF/web.xml",
        };
        let Some(server) = WebServer::start_with(module, 8_192, peer::SECRET, set) else { continue };
        assert_eq!(ask(&server, "GET", "/send?5", &[], b"").status, 403, "{server:?}");
    }
}
