//! The command line of a balancer: `--config FILE`, or Pen's `-r -a -f -d localhost:8080 server:port …`.
//!
//! Pen carries bytes, sticks a client by its address unless told `-r`, and goes to the background unless told
//! `-f`. So does this where the listening address stands on the command line; where only a file does, the
//! file decides.

use std::path::{Path, PathBuf};

use clap::Args;
use sessile_balancer::{BackendConfig, BalancerConfig, Protocol};

use crate::balancer_file;
use crate::failure::Failure;

/// What to run.
#[derive(Debug, Args)]
pub(super) struct CommandLine {
    /// The balancer's file: `[balance]` and one `[[node]]` for every node. SIGHUP has it read again
    #[arg(long, value_name = "FILE", required_unless_present = "listen")]
    pub(super) config: Option<PathBuf>,
    /// Round robin; else a client stays on its node, known by its address or, with --http, by its cookie
    #[arg(short = 'r', requires = "listen")]
    round_robin: bool,
    /// Write the traffic to the log, in ASCII. That shows cookies and passwords
    #[arg(short = 'a')]
    pub(super) ascii: bool,
    /// Stay in the foreground; else an address on the command line sends the program to the background
    #[arg(short = 'f')]
    foreground: bool,
    /// Log at level `debug`
    #[arg(short = 'd')]
    pub(super) debug: bool,
    /// Balance HTTP requests instead of TCP connections
    #[arg(long, requires = "listen", conflicts_with = "config")]
    http: bool,
    /// Balance datagrams instead of TCP connections
    #[arg(short = 'U', requires = "listen", conflicts_with_all = ["config", "http"])]
    udp: bool,
    /// Where clients connect: `host:port`
    #[arg(value_name = "LISTEN")]
    listen: Option<String>,
    /// The nodes: `host:port`, `NAME=host:port`, or the file of a node, as `tc01.toml`. Left out, all files
    /// of nodes in this directory
    #[arg(value_name = "SERVER", conflicts_with = "config")]
    servers: Vec<String>,
}

impl CommandLine {
    /// Whether Pen would go to the background.
    pub(super) fn detaches(&self) -> bool {
        self.listen.is_some() && !self.foreground
    }

    /// What the file and the command line say together.
    pub(super) fn configuration(&self) -> Result<BalancerConfig, Failure> {
        let mut config = match &self.config {
            Some(file) => balancer_file::load(file)?,
            None => self.nodes()?,
        };
        if let Some(listen) = &self.listen {
            config.balance.listen.clone_from(listen);
            config.balance.sticky = !self.round_robin;
            config.validate().map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(config)
    }

    fn nodes(&self) -> Result<BalancerConfig, Failure> {
        let files;
        let servers = match &self.servers[..] {
            [] => {
                files = files_of_nodes(Path::new("."))?;
                &files[..]
            }
            servers => servers,
        };
        let mut config = BalancerConfig::default();
        config.balance.protocol = match (self.http, self.udp) {
            (true, _) => Protocol::Http,
            (_, true) => Protocol::Udp,
            _ => Protocol::Tcp,
        };
        let mut health_paths = Vec::new();
        for server in servers {
            if server.ends_with(".toml") {
                let (node, health_path) = of_file(Path::new(server))?;
                config.nodes.push(node);
                health_paths.push(health_path);
            } else {
                config.nodes.push(self.of_text(server, config.nodes.len() + 1)?);
            }
        }
        health_paths.dedup();
        match &mut health_paths[..] {
            [] => {}
            [one] => config.balance.health_path = std::mem::take(one),
            several => {
                let message = format!("the nodes have different health paths: {}", several.join(", "));
                return Err(Failure::Usage(message));
            }
        }
        Ok(config)
    }

    /// A node from `host:port` or `NAME=host:port`; one without a name is called by its number.
    fn of_text(&self, server: &str, number: usize) -> Result<BackendConfig, Failure> {
        let (name, address) = match server.split_once('=') {
            Some((name, address)) => (name.to_owned(), address),
            None if self.http && !self.round_robin => {
                return Err(Failure::Usage(format!(
                    "{server}: with --http a client's cookie names its node: write NAME={server}, or -r for round robin"
                )));
            }
            None => (format!("s{number}"), server),
        };
        Ok(BackendConfig::new(name, address))
    }
}

/// A node by its configuration, and its health path. Its readiness is asked in TCP too.
fn of_file(file: &Path) -> Result<(BackendConfig, String), Failure> {
    let config = sessile::Config::load(file)?;
    if config.http.tls.is_on() {
        let file = file.display();
        return Err(Failure::Usage(format!(
            "{file}: this node serves HTTPS: give the balancer a file by --config, with [balance.node_tls]"
        )));
    }
    let mut listen = config.http.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let (name, address) = (config.node.name, listen.to_string());
    let node = BackendConfig { health: Some(address.clone()), ..BackendConfig::new(name, address) };
    Ok((node, config.http.health_path))
}

/// The files in a directory that have a table `[node]`, in the order of their names.
fn files_of_nodes(place: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error| Failure::Failed(format!("the files of nodes in this directory: {error}"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let text = if is_toml { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let tables = text.parse::<toml::Table>().unwrap_or_default();
        if tables.get("node").is_some_and(toml::Value::is_table) {
            files.push(path.strip_prefix(place).unwrap_or(&path).display().to_string());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::Usage(
            "no servers: name them (`host:port`, or the file of a node, as tc01.toml), run this where the files of the \
             nodes are, or give the balancer's file by --config"
                .to_owned(),
        ));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        line: CommandLine,
    }

    fn line(text: &str) -> CommandLine {
        Program::try_parse_from(["balance"].into_iter().chain(text.split_whitespace())).unwrap().line
    }

    fn refusal(text: &str) -> String {
        match Program::try_parse_from(["balance"].into_iter().chain(text.split_whitespace())) {
            Err(error) => error.to_string(),
            Ok(Program { line }) => match line.configuration() {
                Err(Failure::Usage(error)) => error,
                other => panic!("{other:?}"),
            },
        }
    }

    #[test]
    fn the_line_of_the_article_means_what_pen_means() {
        let pen = line("-r -a -f -d localhost:8080 localhost:9080 localhost:10080");
        assert!(pen.ascii && pen.debug && !pen.detaches());
        let config = pen.configuration().unwrap();
        assert_eq!((config.balance.protocol, config.balance.sticky), (Protocol::Tcp, false));
        assert_eq!(config.balance.listen, "localhost:8080");
        let addresses: Vec<_> = config.nodes.iter().map(|node| node.address.as_str()).collect();
        assert_eq!(addresses, ["localhost:9080", "localhost:10080"]);

        let plain = line("localhost:8080 a:1 b:2");
        assert!(plain.detaches() && !plain.ascii && !plain.debug);
        assert!(plain.configuration().unwrap().balance.sticky);
        assert!(line("-rafd localhost:8080 a:1").ascii);
    }

    #[test]
    fn http_wants_names_unless_it_goes_round() {
        assert!(refusal("-f --http localhost:8080 localhost:9080").contains("NAME=localhost:9080"));
        let config = line("-f --http localhost:8080 tc01=localhost:9080").configuration().unwrap();
        assert_eq!((config.balance.protocol, config.nodes[0].name.as_str()), (Protocol::Http, "tc01"));
        assert!(line("-r --http localhost:8080 localhost:9080").configuration().is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        assert!(refusal("8080 a:1").contains("host:port"));
        assert!(refusal("localhost:8080 nowhere").contains("\"nowhere\": write host:port"));
        assert!(refusal("localhost:8080 x=a:1 x=b:2").contains("two nodes have this name"));
        assert!(refusal("-r --config lb.toml").contains("LISTEN"));
        assert!(refusal("-x localhost:8080 a:1").contains("-x"));
        assert!(refusal("").contains("--config"));
        assert!(
            refusal("localhost:8080").contains("no servers"),
            "this crate's directory has no files of nodes"
        );
    }
}
