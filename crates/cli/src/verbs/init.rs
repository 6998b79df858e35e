//! `sessile init`: writes a cluster that is ready to run: two nodes, a balancer and the secret.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sessile::ClusterSecrets;

use crate::failure::Failure;
use crate::output;
use crate::sample_ports::{BASES, NAMES, NodePorts, SamplePorts};

/// The file of a node, and that of the balancer; `@…@` stands for a name or an address.
const NODE: &str = include_str!("init/node.toml");
const BALANCER: &str = include_str!("init/lb.toml");
/// The file with the secret, as the node files name it.
const SECRET: &str = "cluster.secret";
/// Where the comments behind the values stand.
const COMMENT_COLUMN: usize = 36;

/// Where to write which cluster.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The directory; it is created if it is missing
    #[arg(value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// The first of seven ports: balancer, then HTTP, replication and admin of tc01 and of tc02. Without it:
    /// 8080, 9080, 4001, 9005, 10080, 4002, 10005
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(BASES))]
    port_base: Option<u16>,
}

impl Init {
    /// Writes all files, or none if one of them is there already.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let files = files(SamplePorts::new(self.port_base));
        let names = files.iter().map(|(name, _)| name.as_str()).chain([SECRET]);
        let present: Vec<_> =
            names.map(|name| self.directory.join(name)).filter(|path| path.exists()).collect();
        if !present.is_empty() {
            let listed: Vec<_> = present.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::Failed(format!(
                "nothing was written, because init overwrites nothing: {} exists; name another directory",
                listed.join(", ")
            )));
        }
        std::fs::create_dir_all(&self.directory).map_err(|error| cannot_write(&self.directory, &error))?;
        for (name, text) in &files {
            write_new(&self.directory.join(name), text)?;
        }
        let secret = self.directory.join(SECRET);
        ClusterSecrets::create(&secret).map_err(|error| Failure::Failed(error.to_string()))?;
        let ports = SamplePorts::new(self.port_base);
        let fields = json!({
            "directory": self.directory,
            "files": files.iter().map(|(name, _)| name.as_str()).chain([SECRET]).collect::<Vec<_>>(),
            "page": page(ports),
        });
        output::result(&fields, &next_steps(&self.directory, ports))
    }
}

/// Names and texts of the configuration files.
fn files(ports: SamplePorts) -> Vec<(String, String)> {
    let nodes = NAMES.iter().zip(ports.nodes).map(|(name, node)| {
        let NodePorts { http, receiver, admin } = node;
        let own =
            [("name", (*name).to_owned()), ("http", http.to_string()), ("receiver", receiver.to_string())];
        let text = filled(NODE, own.into_iter().chain([("admin", admin.to_string())]));
        (format!("{name}.toml"), aligned(&with_addresses(&text, ports)))
    });
    let balancer = filled(BALANCER, [("balancer", ports.balancer.to_string())]);
    nodes.chain([("lb.toml".to_owned(), aligned(&with_addresses(&balancer, ports)))]).collect()
}

/// The text with the comments behind its values in one column, however long the addresses are.
fn aligned(text: &str) -> String {
    let line = |line: &str| match line.split_once("  # ") {
        Some((value, comment)) => format!("{:COMMENT_COLUMN$}# {comment}\n", value.trim_end()),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The text with the addresses of both nodes.
fn with_addresses(text: &str, ports: SamplePorts) -> String {
    NAMES.iter().zip(ports.nodes).fold(text.to_owned(), |text, (name, node)| {
        let http = text.replace(&format!("@{name}.http@"), &node.http.to_string());
        http.replace(&format!("@{name}.receiver@"), &node.receiver.to_string())
    })
}

fn filled(text: &str, values: impl IntoIterator<Item = (&'static str, String)>) -> String {
    values.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), &value))
}

/// Creates a file; one that came to be in the meantime is not overwritten.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::Failed(format!("{} exists; it was not overwritten", path.display()))
        }
        _ => cannot_write(path, &error),
    })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!(
        "{} cannot be written: {error}; name a directory that you may write to",
        path.display()
    ))
}

fn next_steps(directory: &Path, ports: SamplePorts) -> String {
    let place = directory.display();
    let enter = if directory == Path::new(".") { String::new() } else { format!("  cd {place}\n") };
    format!(
        "{place}: wrote tc01.toml, tc02.toml, lb.toml and {SECRET} (readable by its owner only)\n\nStart each in a \
         terminal of its own:\n{enter}  sessile serve --config tc01.toml\n  sessile serve --config tc02.toml\n  \
         sessile balance --config lb.toml\n\nThen open {} and stop one of the nodes.",
        page(ports)
    )
}

fn page(ports: SamplePorts) -> String {
    format!("http://{}/clusterapp/", ports.balancer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_complete_and_correct() {
        for base in [None, Some(20_000)] {
            let ports = SamplePorts::new(base);
            for (name, text) in files(ports) {
                assert!(!text.contains('@'), "{name}: {text}");
                assert!(text.lines().all(|line| line.len() <= 100), "{name}: a line is too long");
            }
            for ((name, text), node) in files(ports).iter().zip(ports.nodes) {
                let (config, warnings) = sessile::Config::parse(name, text).expect(text);
                assert_eq!((config.http.listen, config.admin.listen), (node.http, Some(node.admin)));
                assert!(warnings.list.is_empty(), "{:?}", warnings.list);
            }
        }
    }

    #[test]
    fn getting_started_prints_the_files_as_they_are_written() {
        let page = include_str!("../../../../docs/getting-started.md");
        for (name, text) in files(SamplePorts::new(None)) {
            assert!(
                page.contains(&format!("```toml\n{text}```")),
                "docs/getting-started.md has another {name}:\n{text}"
            );
        }
    }
}
