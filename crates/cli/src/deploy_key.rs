//! Reads the file with a farm's deploy key, for the node and the verbs.

use std::io::ErrorKind;
use std::path::Path;

use sessile::{ClusterSecrets, Config, SecretError};
use sessile_apps::farm::DeployKey;

use crate::failure::Failure;

/// Reads the key file named in a node's configuration, if any.
pub(crate) fn of_node(config: &Config) -> Result<Option<DeployKey>, Failure> {
    let path = config.farm.deploy_key_file.as_deref();
    path.map(|path| load(path, "[farm] deploy_key_file", config)).transpose()
}

/// Reads the key file named on the command line, for the cluster of that configuration.
pub(crate) fn of_command_line(path: &Path, config: &Config) -> Result<DeployKey, Failure> {
    load(path, "--deploy-key-file", config)
}

fn load(path: &Path, named_by: &str, config: &Config) -> Result<DeployKey, Failure> {
    let secrets = ClusterSecrets::load(path).map_err(|error| match &error {
        // A new key would be refused by every node that already has one.
        SecretError::File { path, source } if source.kind() == ErrorKind::NotFound => Failure::Failed(format!(
            "{named_by}: {path} is not there; copy it from a node that has it, or make the first one with: \
             sessile secret new {path}"
        )),
        _ => Failure::Failed(format!("{named_by}: {error}")),
    })?;
    Ok(DeployKey::new(&secrets, &config.cluster.name))
}
