//! The configurations that the documentation shows.

use std::net::SocketAddr;

use crate::harness::Setup;

const PAGE: &str = include_str!("../../../../docs/balancers.md");

/// The block of this language, with the addresses of the nodes and of the balancer in place of those that are
/// printed.
pub(crate) fn block(language: &str, setup: &Setup, balancer: SocketAddr) -> String {
    block_with(language, &http(setup, balancer))
}

/// The block of this language, with these texts in place of those that are printed.
pub(crate) fn block_with(language: &str, printed: &[(&str, String)]) -> String {
    let (_, rest) = PAGE.split_once(&format!("\n```{language}\n")).expect("the page has such a block");
    let (text, _) = rest.split_once("\n```").expect("the block ends");
    instead(text, printed)
}

/// The line of the page that starts this program, as words.
pub(crate) fn command(program: &str, setup: &Setup, balancer: SocketAddr) -> Vec<String> {
    let line = PAGE.lines().find(|line| line.starts_with(&format!("{program} ")));
    let line = instead(line.expect("the page has such a line"), &http(setup, balancer));
    line.split_whitespace().skip(1).map(str::to_owned).collect()
}

fn http(setup: &Setup, balancer: SocketAddr) -> [(&'static str, String); 3] {
    [
        ("127.0.0.1:10080", setup.ports("tc02").http.to_string()),
        ("127.0.0.1:9080", setup.ports("tc01").http.to_string()),
        ("127.0.0.1:8080", balancer.to_string()),
    ]
}

fn instead(text: &str, printed: &[(&str, String)]) -> String {
    printed.iter().fold(text.to_owned(), |text, (printed, real)| {
        assert!(text.contains(printed), "{printed} is not in\n{text}");
        text.replace(printed, real)
    })
}
