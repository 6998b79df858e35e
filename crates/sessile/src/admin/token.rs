//! What the admin port wants to see before it tells anything: a token that follows from the cluster's secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sessile_group::ClusterSecrets;

/// Tells this key from the others that are derived from the same secret.
const PURPOSE: &str = "sessile admin bearer token, version 1";

/// The bearer tokens that are believed while secrets are exchanged, that of the active one first.
#[must_use]
pub fn admin_tokens(secrets: &ClusterSecrets, cluster: &str) -> Vec<String> {
    let keys = secrets.derive_all(cluster, PURPOSE);
    keys.into_iter().map(|key| URL_SAFE_NO_PAD.encode(key)).collect()
}

/// The bearer token of the admin ports of the cluster named `cluster`: 43 characters of base64url.
#[must_use]
pub fn admin_token(secrets: &ClusterSecrets, cluster: &str) -> String {
    URL_SAFE_NO_PAD.encode(secrets.derive_key(cluster, PURPOSE))
}
