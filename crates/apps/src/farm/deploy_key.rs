//! The deploy key, which changes of the farm need in addition to the admin token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use sessile::ClusterSecrets;
use subtle::ConstantTimeEq as _;

use super::seal::Sealer;

/// The request header with the deploy key.
pub const DEPLOY_KEY_HEADER: &str = "sessile-deploy-key";
/// Derivation context of the header's token, distinct from the other keys of the same file.
const PURPOSE: &str = "sessile farm deploy token, version 1";

/// The deploy key of one cluster, derived from the file `[farm] deploy_key_file`.
#[derive(Clone)]
pub struct DeployKey {
    tokens: Vec<String>,
    sealer: Sealer,
}

impl DeployKey {
    /// Derives the key from the file's secrets: like the cluster's secret, one is used and others are
    /// accepted.
    #[must_use]
    pub fn new(secrets: &ClusterSecrets, cluster: &str) -> Self {
        let tokens = secrets.derive_all(cluster, PURPOSE).into_iter();
        let tokens = tokens.map(|token| URL_SAFE_NO_PAD.encode(token)).collect();
        Self { tokens, sealer: Sealer::new(secrets, cluster) }
    }

    /// The value of the header [`DEPLOY_KEY_HEADER`].
    #[must_use]
    pub fn token(&self) -> &str {
        &self.tokens[0]
    }

    /// Whether a request has the key.
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
