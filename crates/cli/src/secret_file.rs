//! Reads the file with the cluster's secret. If it is missing, the error names the command that creates it,
//! or a starting node creates it.

use std::io::ErrorKind;
use std::path::Path;

use sessile::{ClusterSecrets, Config, SecretError};

use crate::failure::Failure;

/// Reads the file.
pub(crate) fn load(path: &Path) -> Result<ClusterSecrets, Failure> {
    ClusterSecrets::load(path).map_err(|error| match &error {
        SecretError::File { path, source } if source.kind() == ErrorKind::NotFound => {
            Failure::Failed(format!("{error}; make it with: sessile secret new {path}"))
        }
        _ => Failure::Failed(error.to_string()),
    })
}

/// Reads the file for a starting node. A missing file is created if no other machine needs it: in a cluster
/// on this machine alone, or with `insecure = true`. Otherwise a node with a new secret could not join any
/// other node.
pub(crate) fn for_node(config: &Config) -> Result<ClusterSecrets, Failure> {
    let path = &config.cluster.secret_file;
    if !config.receiver.listen.ip().is_loopback() && !config.cluster.insecure {
        return load(path);
    }
    let missing = !path.exists();
    let secrets = ClusterSecrets::load_or_create(path).map_err(|error| Failure::Failed(error.to_string()))?;
    if missing {
        tracing::info!(file = %path.display(), "created a new secret, readable by its owner only");
    }
    Ok(secrets)
}
