//! The file with the cluster's secret, as the verbs read it: when there is none, they say how to make it, or make it.

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

/// Reads the file of a node that is about to start. It is made when it is missing and no other machine needs the same
/// one: in a cluster on this machine alone, and where members trust each other without. Elsewhere a node that made its
/// own would be alone with it.
pub(crate) fn for_node(config: &Config) -> Result<ClusterSecrets, Failure> {
    let path = &config.cluster.secret_file;
    if !config.receiver.listen.ip().is_loopback() && !config.cluster.insecure {
        return load(path);
    }
    let missing = !path.exists();
    let secrets = ClusterSecrets::load_or_create(path).map_err(|error| Failure::Failed(error.to_string()))?;
    if missing {
        tracing::info!(file = %path.display(), "there was no secret: made one, readable by its owner only");
    }
    Ok(secrets)
}
