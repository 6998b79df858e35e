//! `sessile secret new|rotate|reload|token`: the secret of a cluster, its rotation (`rotate.rs`), and the
//! admin token derived from it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use sessile::admin::admin_token;
use sessile::{ClusterSecrets, SecretError};

use super::rotate::{Reload, Rotate};
use crate::failure::Failure;
use crate::{deploy_key, output, secret_file};

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Create a secret of 32 random bytes
    New {
        /// The file to create, readable by its owner only; an existing file is never overwritten. Without it,
        /// the secret goes to standard output
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
    },
    /// Rotate the secret of running nodes without downtime
    Rotate(Rotate),
    /// Make running nodes reload their secret file
    Reload(Reload),
    /// Print the token of the admin port, for `Authorization: Bearer TOKEN`
    Token {
        /// The configuration of a node of the cluster
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print the value of the header `Sessile-Deploy-Key` instead, from `[farm] deploy_key_file`
        #[arg(long)]
        deploy: bool,
    },
}

impl Secret {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::New { path: None } => {
                let text = ClusterSecrets::generate().map_err(failed)?.to_text();
                output::result(&json!({ "secret": text.trim_end() }), &text)
            }
            Self::New { path: Some(path) } => {
                ClusterSecrets::create(&path).map_err(not_created)?;
                let words = format!("{}: created, readable by its owner only", path.display());
                output::result(&json!({ "file": path }), &words)
            }
            Self::Rotate(rotate) => rotate.run(),
            Self::Reload(reload) => reload.run(),
            Self::Token { config, deploy: true } => deploy_token(&config),
            Self::Token { config, deploy: false } => {
                let cluster = sessile::Config::load(config)?.cluster;
                let secrets = secret_file::load(&cluster.secret_file)?;
                print_token(&admin_token(&secrets, &cluster.name))
            }
        }
    }
}

fn deploy_token(file: &Path) -> Result<(), Failure> {
    let Some(key) = deploy_key::of_node(&sessile::Config::load(file)?)? else {
        let words = format!("{} names no [farm] deploy_key_file: the admin token is enough", file.display());
        return Err(Failure::Failed(words));
    };
    print_token(key.token())
}

fn print_token(token: &str) -> Result<(), Failure> {
    output::result(&json!({ "token": token }), token)
}

fn failed(error: SecretError) -> Failure {
    Failure::Failed(error.to_string())
}

fn not_created(error: SecretError) -> Failure {
    match &error {
        SecretError::File { source, .. } if source.kind() == ErrorKind::AlreadyExists => Failure::Failed(
            format!("{error}; a secret is never overwritten: name another file, or remove this one"),
        ),
        _ => Failure::Failed(error.to_string()),
    }
}
