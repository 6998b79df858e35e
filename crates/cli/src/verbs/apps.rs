//! `sessile deploy|undeploy|rollback|apps`: change and show the applications of the farm, through one of its
//! nodes.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use clap::Args;
use serde_json::Value;

use crate::admin_client::{AdminClient, NodeArgument, file_of};
use crate::failure::Failure;
use crate::{deploy_key, output, runtime};

/// Time added to the farm's own time limit of a deployment.
const SLACK: Duration = Duration::from_secs(30);
/// Shown hex digits of a digest.
const SHOWN_DIGITS: usize = 12;

/// What to deploy.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The archive NAME.wasm, NAME.zip or NAME.wapp; the mount path follows from its name
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Mount path, instead of the one that follows from the name
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The configuration of the receiving node, or the node's name if NAME.toml is in this directory
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    key: DeployKeyArgument,
}

/// Arguments that select an application.
#[derive(Debug, Args)]
pub(crate) struct AppArgument {
    /// The mount path, such as /shop
    #[arg(value_name = "PATH")]
    path: String,
    /// The configuration of a node of the farm, or the node's name if NAME.toml is in this directory
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    key: DeployKeyArgument,
}

/// Argument with the deploy key, if the farm has one.
#[derive(Debug, Args)]
struct DeployKeyArgument {
    /// The file with the deploy key, instead of `[farm] deploy_key_file` of the configuration
    #[arg(long, value_name = "FILE")]
    deploy_key_file: Option<PathBuf>,
}

/// Arguments of `apps`.
#[derive(Debug, Args)]
pub(crate) struct Apps {
    #[command(flatten)]
    node: NodeArgument,
}

impl Deploy {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.key.client(&self.config)?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let archive = read(&self.file, client.config.farm.max_archive_bytes as u64)?;
        let place = self.path.map(|path| format!("&path={}", escaped(&path))).unwrap_or_default();
        let question = format!("/apps/deploy?name={}{place}", escaped(&name));
        let reply = change(&client, &question, archive)?;
        print_results(&client, &reply, "deployed")
    }
}

impl AppArgument {
    pub(crate) fn undeploy(self) -> Result<(), Failure> {
        self.ask("undeploy", "undeployed")
    }

    pub(crate) fn roll_back(self) -> Result<(), Failure> {
        self.ask("rollback", "rolled back")
    }

    fn ask(self, what: &str, done: &str) -> Result<(), Failure> {
        let client = self.key.client(&self.config)?;
        let reply = change(&client, &format!("/apps/{what}?path={}", escaped(&self.path)), Bytes::new())?;
        print_results(&client, &reply, done)
    }
}

impl DeployKeyArgument {
    /// The client of that node, with the deploy key.
    fn client(&self, node: &Path) -> Result<AdminClient, Failure> {
        let client = AdminClient::of(&file_of(node)?)?;
        let key = match &self.deploy_key_file {
            Some(file) => Some(deploy_key::of_command_line(file, &client.config)?),
            None => deploy_key::of_node(&client.config)?,
        };
        Ok(client.with_deploy_key(key))
    }
}

impl Apps {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let reply = runtime::run(async { Ok(client.get("/apps").await?) })?;
        if output::is_json() {
            return output::document(&reply);
        }
        let mut text = table(&reply["apps"]);
        for path in reply["mounted"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            text.push_str(&format!("{path:<16} by the configuration of {}\n", client.name));
        }
        for warning in reply["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            text.push_str(&format!("warning: {warning}\n"));
        }
        output::print(&text)
    }
}

fn read(file: &Path, limit: u64) -> Result<Bytes, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("{}: {problem}", file.display()));
    let bytes = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if bytes > limit {
        return Err(wrong(format!("{bytes} bytes are more than the {limit} of [farm] max_archive_bytes")));
    }
    std::fs::read(file).map(Bytes::from).map_err(|error| wrong(error.to_string()))
}

fn change(client: &AdminClient, question: &str, body: Bytes) -> Result<Value, Failure> {
    let at_most = client.config.farm.deploy_time * 2 + SLACK;
    runtime::run(async { Ok(client.send(question, body, at_most).await?) })
}

/// Prints the result on each node, and what the application is granted. A node that prepared the change
/// without confirming the switch leaves it unfinished; one that runs a later deployment does not run this
/// one.
fn print_results(client: &AdminClient, reply: &Value, done: &str) -> Result<(), Failure> {
    let path = reply["path"].as_str().unwrap_or("?");
    let digest = reply["digest"].as_str().map(|digest| format!(" ({})", short(digest))).unwrap_or_default();
    let mut text = format!("{path}{digest} {done} through {}\n", client.name);
    let (mut open, mut superseded) = (Vec::new(), Vec::new());
    for node in reply["nodes"].as_array().into_iter().flatten() {
        let (name, result) = (node["name"].as_str().unwrap_or("?"), node["result"].as_str().unwrap_or("?"));
        text.push_str(&format!("{name:<16} {result}\n"));
        match result {
            "unconfirmed" => open.push(name),
            "superseded" => superseded.push(name),
            _ => {}
        }
    }
    text.push_str(&grants(&reply["grants"]));
    output::result(reply, &text)?;
    let mut problems = Vec::new();
    if !open.is_empty() {
        problems.push(format!("not confirmed by {}", open.join(", ")));
    }
    if !superseded.is_empty() {
        problems.push(format!("a later deployment of {path} runs on {}", superseded.join(", ")));
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Failed(problems.join("; "))) }
}

/// What the node grants to the application, and where the version before was granted something else.
fn grants(rows: &Value) -> String {
    let mut text = String::new();
    for row in rows.as_array().into_iter().flatten() {
        let (key, value) = (row["key"].as_str().unwrap_or("?"), row["value"].as_str().unwrap_or("?"));
        let before =
            row["before"].as_str().map(|before| format!("   CHANGED, was {before}")).unwrap_or_default();
        text.push_str(&format!("  granted {key:<22} {value}{before}\n"));
    }
    text
}

/// One line for each application of the farm.
pub(super) fn table(apps: &Value) -> String {
    let mut text = format!("{:<16} {:<10} {:<13} {:<21} NODES\n", "PATH", "VERSION", "DIGEST", "SINCE");
    for app in apps.as_array().into_iter().flatten() {
        let cell = |key: &str| app[key].as_str().unwrap_or_default();
        let (path, version, digest) = (cell("path"), cell("version"), short(cell("digest")));
        let version = if version.is_empty() { "-" } else { version };
        let since = UNIX_EPOCH + Duration::from_millis(app["since_ms"].as_u64().unwrap_or_default());
        let since = humantime::format_rfc3339_seconds(since).to_string();
        let nodes: Vec<String> = app["nodes"].as_array().into_iter().flatten().map(node).collect();
        let nodes = nodes.join(", ");
        text.push_str(&format!("{path:<16} {version:<10} {digest:<13} {since:<21} {nodes}\n"));
    }
    text
}

/// A node, with its digest if it differs from the farm's.
fn node(node: &Value) -> String {
    let name = node["name"].as_str().unwrap_or("?");
    match (node["agrees"].as_bool(), node["digest"].as_str()) {
        (Some(true), _) => name.to_owned(),
        (_, None | Some("")) => format!("{name}: nothing"),
        (_, Some(digest)) => format!("{name}: {}", short(digest)),
    }
}

fn short(digest: &str) -> &str {
    digest.get(..SHOWN_DIGITS).unwrap_or(digest)
}

/// Percent-encodes text for a query.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}
