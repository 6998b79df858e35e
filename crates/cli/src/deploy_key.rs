//! The file with the deploy key of a farm, as the node and the verbs read it.

use std::path::Path;

use sessile::Config;
use sessile_apps::farm::DeployKey;

use crate::failure::Failure;
use crate::secret_file;

/// Reads the file that the configuration of a node names, if it names one.
pub(crate) fn of_node(config: &Config) -> Result<Option<DeployKey>, Failure> {
    config.farm.deploy_key_file.as_deref().map(|path| load(path, config)).transpose()
}

/// Reads a file, for the cluster of that configuration.
pub(crate) fn load(path: &Path, config: &Config) -> Result<DeployKey, Failure> {
    Ok(DeployKey::new(&secret_file::load(path)?, &config.cluster.name))
}
