//! `sessile secret rotate|reload`: rotates the secret of a running cluster.
//!
//! Three steps, each on all nodes before the next: the new secret is accepted (`add`), used (`first`), and
//! the old one dropped (`drop`). Between the last two steps every active client gets a cookie under the new
//! secret.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use sessile::ClusterSecrets;

use crate::admin_client::{AdminClient, AdminError, file_of};
use crate::failure::Failure;
use crate::{output, runtime, secret_file};

/// Arguments of a rotation.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The configurations of all nodes, or their names if NAME.toml is in this directory
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<PathBuf>,
    /// A single step, for nodes on several machines. By default: add, then first
    #[arg(long, value_enum, value_name = "STEP")]
    step: Option<RotationStep>,
    /// With `--step drop`: do not wait until idle sessions have ended; their clients get new sessions
    #[arg(long)]
    now: bool,
}

/// The nodes that reload their secret file.
#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// Their configurations, or their names if NAME.toml is in this directory
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<PathBuf>,
}

/// One step of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RotationStep {
    /// A new secret is accepted beside the one in use
    Add,
    /// The last secret of the file is used, the other one still accepted
    First,
    /// Only the first secret of the file is accepted; right after `add` this takes the rotation back
    Drop,
}

/// The nodes and their files.
struct ClusterNodes {
    nodes: Vec<AdminClient>,
    /// Each file once, even if several nodes share it.
    files: BTreeMap<PathBuf, SystemTime>,
    secrets: ClusterSecrets,
}

impl Rotate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.now && self.step != Some(RotationStep::Drop) {
            return Err(Failure::Usage(
                "--now belongs to --step drop: the other steps do not wait".to_owned(),
            ));
        }
        let mut cluster = ClusterNodes::of(&self.nodes)?;
        match self.step {
            None => {
                cluster.expect_count(
                    1,
                    "a rotation is under way: finish it with --step first, then --step drop",
                )?;
                runtime::run(cluster.expect_all_members())?;
                cluster.step(RotationStep::Add)?;
                cluster.step(RotationStep::First)?;
                let patience = patience(&cluster);
                output::print(&format!(
                    "the new secret is in use, the old one still accepted: clients get new cookies as they come. After {patience:?}, \
                     when all others have ended, finish with --step drop"
                ))
            }
            Some(step) => {
                match step {
                    RotationStep::Add => cluster.expect_count(1, "a rotation is under way already")?,
                    RotationStep::First | RotationStep::Drop => {
                        cluster.expect_count(2, "begin with --step add")?
                    }
                }
                if step == RotationStep::Drop && !self.now {
                    cluster.expect_old_cookies_gone()?;
                }
                cluster.step(step)
            }
        }
    }
}

impl Reload {
    pub(crate) fn run(self) -> Result<(), Failure> {
        for node in &self.nodes {
            let node = AdminClient::of(&file_of(node)?)?;
            let ids = runtime::run(async { Ok(node.post("/secrets/reload", Duration::ZERO).await?) })?;
            let fields = json!({ "node": node.name, "secrets": ids["secrets"] });
            output::result(&fields, &format!("{}: uses {}", node.name, words(&ids)))?;
        }
        Ok(())
    }
}

impl ClusterNodes {
    fn of(nodes: &[PathBuf]) -> Result<Self, Failure> {
        let nodes =
            nodes.iter().map(|node| AdminClient::of(&file_of(node)?)).collect::<Result<Vec<_>, _>>()?;
        let mut files = BTreeMap::new();
        let mut secrets: Option<ClusterSecrets> = None;
        for node in &nodes {
            let path = &node.config.cluster.secret_file;
            let held = secret_file::load(path)?;
            let unreadable = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
            let written = path.metadata().and_then(|about| about.modified()).map_err(unreadable)?;
            files.insert(path.canonicalize().map_err(unreadable)?, written);
            if secrets.as_ref().is_some_and(|other| *other != held) {
                let path = path.display();
                return Err(Failure::Failed(format!(
                    "{path} holds other secrets than the files before it: copy the right one over it, then `sessile secret reload`"
                )));
            }
            secrets = Some(held);
        }
        let secrets = secrets.ok_or_else(|| Failure::Usage("name at least one node".to_owned()))?;
        Ok(Self { nodes, files, secrets })
    }

    fn expect_count(&self, count: usize, otherwise: &str) -> Result<(), Failure> {
        let found = self.secrets.count();
        if found == count {
            return Ok(());
        }
        Err(Failure::Failed(format!("the files hold {found} secrets, not {count}: {otherwise}")))
    }

    /// A member without the new secret would be excluded by the second step.
    async fn expect_all_members(&self) -> Result<(), Failure> {
        for node in &self.nodes {
            let members = match node.get("/members").await {
                Err(AdminError::NotRunning(_)) => continue,
                answered => answered?,
            };
            let names = members.as_array().into_iter().flatten().filter_map(|member| member["name"].as_str());
            for name in names {
                if self.nodes.iter().all(|node| node.name != name) {
                    return Err(Failure::Failed(format!(
                        "{name} is a member too: name its configuration as well. Where it is on another machine go step by step: \
                         --step add here, copy the secret file there, `sessile secret reload` there, then --step first, and so on"
                    )));
                }
            }
        }
        Ok(())
    }

    fn expect_old_cookies_gone(&self) -> Result<(), Failure> {
        let patience = patience(self);
        let newest = self.files.values().max().and_then(|written| written.elapsed().ok()).unwrap_or_default();
        if newest >= patience {
            return Ok(());
        }
        let left = patience.saturating_sub(newest);
        Err(Failure::Failed(format!(
            "cookies under the old secret may still be in use for {} s: a session that was not used since the previous step \
             would be lost. Wait so long, or say --now",
            left.as_secs() + 1
        )))
    }

    /// Writes all files and makes all running nodes reload them.
    fn step(&mut self, step: RotationStep) -> Result<(), Failure> {
        let failed = |error: sessile::SecretError| Failure::Failed(error.to_string());
        let (secrets, done) = match step {
            RotationStep::Add => (self.secrets.with_next().map_err(failed)?, "a new secret is accepted"),
            RotationStep::First => {
                (self.secrets.with_last_first(), "the last secret is used now, the other one accepted")
            }
            RotationStep::Drop => (self.secrets.active_alone(), "only the secret in use is accepted now"),
        };
        for file in self.files.keys() {
            secrets.replace(file).map_err(failed)?;
        }
        self.secrets = secrets;
        output::print(done)?;
        runtime::run(self.tell())
    }

    async fn tell(&self) -> Result<(), Failure> {
        let ids = self.secrets.ids();
        for node in &self.nodes {
            match node.post("/secrets/reload", Duration::ZERO).await {
                Ok(reply) if reply["secrets"] == serde_json::json!(ids) => {
                    output::print(&format!("  {}: uses {}", node.name, words(&reply)))?;
                }
                Ok(reply) => {
                    return Err(Failure::Failed(format!(
                        "{} uses {} instead of {}: does it read the same file?",
                        node.name,
                        words(&reply),
                        ids.join(", ")
                    )));
                }
                Err(AdminError::NotRunning(_)) => {
                    output::print(&format!(
                        "  {}: not running; it reads the file when it starts",
                        node.name
                    ))?;
                }
                Err(AdminError::Failed(why)) => {
                    return Err(Failure::Failed(format!(
                        "{why}. The files are written; after the repair, run `sessile secret reload` for this node and the nodes after it"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Longest idle time of a session: how long a client with an old cookie may return.
fn patience(cluster: &ClusterNodes) -> Duration {
    let configs = cluster.nodes.iter().map(|node| &node.config);
    let timeouts = configs
        .flat_map(|config| config.apps.iter().map(|app| app.session.timeout).chain([config.session.timeout]));
    timeouts.max().unwrap_or_default()
}

/// The public ids of secrets.
fn words(reply: &Value) -> String {
    let ids: Vec<_> = reply["secrets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ids.join(", then ")
}
