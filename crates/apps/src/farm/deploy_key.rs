//! The deploy key: who changes what the farm runs has it, beside the admin token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use sessile::ClusterSecrets;
use subtle::ConstantTimeEq as _;

use super::seal::Sealer;

/// The header in which the admin port wants to see it.
pub const DEPLOY_KEY_HEADER: &str = "sessile-deploy-key";
/// Tells what is shown in the header from the other keys that are derived from the same file.
const PURPOSE: &str = "sessile farm deploy token, version 1";

/// What follows from the file that `[farm] deploy_key_file` names, in one cluster.
#[derive(Clone)]
pub struct DeployKey {
    tokens: Vec<String>,
    sealer: Sealer,
}

impl DeployKey {
    /// Of what the file holds: like the cluster's secret, one key that is used and others that are accepted.
    #[must_use]
    pub fn new(secrets: &ClusterSecrets, cluster: &str) -> Self {
        let tokens = secrets.derive_all(cluster, PURPOSE).into_iter();
        let tokens = tokens.map(|token| URL_SAFE_NO_PAD.encode(token)).collect();
        Self { tokens, sealer: Sealer::new(secrets, cluster) }
    }

    /// What the header [`DEPLOY_KEY_HEADER`] is to say.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.tokens[0]
    }

    /// Whether a request shows it.
    pub(super) fn is_shown_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(DEPLOY_KEY_HEADER).map(|given| given.as_bytes()).unwrap_or_default();
        self.tokens.iter().any(|token| bool::from(given.ct_eq(token.as_bytes())))
    }

    pub(super) fn sealer(&self) -> Sealer {
        self.sealer.clone()
    }
}

/// Never shows a key.
impl std::fmt::Debug for DeployKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeployKey({} accepted)", self.tokens.len())
    }
}
