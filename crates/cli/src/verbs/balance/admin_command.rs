//! Commands for a balancer that runs, given over its admin port.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sessile_balancer::{BackendConfig, BackendStatus};

use super::admin_port;
use crate::failure::Failure;
use crate::{balancer_file, output};

/// Longest wait for the balancer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const ANSWER_BOUND: u64 = 1024 * 1024;

/// What to do with a balancer that runs. Changes last until it ends.
#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Show the nodes: state, weight, what runs there, what was counted
    Nodes(BalancerFile),
    /// Take in a node; it gets clients once it is ready
    Add {
        /// The node's name, the route in the cookie
        name: String,
        /// `host:port` of its port for clients
        address: String,
        /// Its share of new clients, 0 to 1000
        #[arg(long, default_value_t = 1)]
        weight: u32,
        /// `host:port` where its health path is asked, if that is elsewhere
        #[arg(long, value_name = "ADDRESS")]
        health: Option<String>,
        /// Most requests that it gets at once; 0: no limit
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        max_requests: u32,
        #[command(flatten)]
        balancer: BalancerFile,
    },
    /// Take out a node: what runs there ends, its clients go to others
    Remove(BackendName),
    /// Change a node's share of new clients; with 0 it keeps those that it has
    Weight {
        /// The node
        name: String,
        /// 0 to 1000
        weight: u32,
        #[command(flatten)]
        balancer: BalancerFile,
    },
    /// Let a node run empty: it stays in the list and gets nothing new
    Drain(BackendName),
    /// End a drain
    Resume(BackendName),
    /// Have the balancer's file read again, as SIGHUP does; says what has changed
    Reload(BalancerFile),
    /// Print the token that the admin port wants, for `Authorization: Bearer TOKEN`
    Token(BalancerFile),
}

/// The balancer.
#[derive(Debug, Args)]
pub(super) struct BalancerFile {
    /// The balancer's file, whose `[balance] admin` names the port
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// A node of a balancer.
#[derive(Debug, Args)]
pub(super) struct BackendName {
    /// The node
    name: String,
    #[command(flatten)]
    balancer: BalancerFile,
}

impl AdminCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Nodes(balancer) => balancer.show_nodes(),
            Self::Add { name, address, weight, health, max_requests, balancer } => {
                let node =
                    BackendConfig { weight, health, max_requests, ..BackendConfig::new(name, address) };
                balancer.change("/nodes", Some(json!(node)))
            }
            Self::Remove(node) => node.change("remove"),
            Self::Weight { name, weight, balancer } => {
                balancer.change(&format!("/nodes/{name}/weight"), Some(json!({ "weight": weight })))
            }
            Self::Drain(node) => node.change("drain"),
            Self::Resume(node) => node.change("resume"),
            Self::Reload(balancer) => balancer.change("/reload", None),
            Self::Token(balancer) => {
                let config = balancer_file::load(&balancer.config)?;
                let token = admin_port::token(&config.balance.secret_file)?;
                output::result(&json!({ "token": token }), &token)
            }
        }
    }
}

impl BackendName {
    fn change(self, what: &str) -> Result<(), Failure> {
        self.balancer.change(&format!("/nodes/{}/{what}", self.name), None)
    }
}

impl BalancerFile {
    /// Shows the nodes, a line each.
    fn show_nodes(&self) -> Result<(), Failure> {
        let told = self.ask("GET", "/nodes", None)?;
        if output::is_json() {
            return output::print_verbatim(&told);
        }
        let nodes: Vec<BackendStatus> = serde_json::from_str(&told)
            .map_err(|error| Failure::Failed(format!("the balancer's answer makes no sense: {error}")))?;
        let mut text =
            row(["NODE", "ADDRESS", "STATE", "WEIGHT", "ACTIVE", "REQUESTS", "RETRIES", "FAILURES"]);
        for node in nodes {
            let failures = node.failures + node.failed_connects + node.unprocessed;
            let counts = [node.requests, node.retries, failures].map(|count| count.to_string());
            let [requests, retries, failures] = counts.each_ref().map(String::as_str);
            let (state, weight, active) =
                (node.state.to_string(), node.weight.to_string(), node.active.to_string());
            text += &row([&node.name, &node.address, &state, &weight, &active, requests, retries, failures]);
        }
        output::print(&text)
    }

    fn change(&self, path: &str, body: Option<Value>) -> Result<(), Failure> {
        let told = self.ask("POST", path, body)?;
        let answer = serde_json::from_str::<Value>(&told).unwrap_or_else(|_| json!({ "done": told }));
        output::result(&answer, answer["done"].as_str().unwrap_or(&told))
    }

    /// The body of the balancer's answer; its refusal is the error.
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<String, Failure> {
        let config = balancer_file::load(&self.config)?.balance;
        let Some(at) = config.admin else {
            return Err(Failure::Failed(format!(
                "{}: the balancer has no admin port: write admin = \"127.0.0.1:8081\" into [balance] and start it again",
                self.config.display()
            )));
        };
        let token = admin_port::token(&config.secret_file)?;
        let (status, text) = exchange(at, method, path, &token, body).map_err(|error| {
            Failure::Failed(format!("no answer from the balancer's admin port {at}: {error}; does it run?"))
        })?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        let why = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|told| Some(told["error"].as_str()?.to_owned()));
        Err(Failure::Failed(why.unwrap_or(format!("the balancer answers {status} {text}"))))
    }
}

fn row(cells: [&str; 8]) -> String {
    let [name, address, state, weight, active, requests, retries, failures] = cells;
    format!(
        "{name:<12} {address:<24} {state:<9} {weight:>6} {active:>7} {requests:>9} {retries:>8} {failures:>9}\n"
    )
}

/// One request on a connection of its own: status and body of the answer.
fn exchange(
    at: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: Option<Value>,
) -> io::Result<(u16, String)> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let mut tcp = TcpStream::connect_timeout(&at, PATIENCE)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(request.as_bytes())?;
    let mut answer = String::new();
    tcp.take(ANSWER_BOUND).read_to_string(&mut answer)?;
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "what answers there does not speak HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(no_http)?;
    Ok((status, body.to_owned()))
}
