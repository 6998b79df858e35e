//! What the admin port wants to see before it tells anything: a token that follows from the cluster's secret,
//! or a proof that the caller has it.
//!
//! A caller that sends the token gives it to whoever listens at the port. With proofs nothing of it travels,
//! and the node proves first that it is the node of that name: the caller sends a nonce, the node answers
//! with one of its own and a proof of both, the caller proves the node's nonce with its request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sessile_group::ClusterSecrets;

/// Tells this key from the others that are derived from the same secret.
const PURPOSE: &str = "sessile admin bearer token, version 1";
/// Tells the proof of a node from that of a caller, so that neither can be turned round.
const NODE: &str = "sessile admin proof of the node, version 1";
const CALLER: &str = "sessile admin proof of the caller, version 1";
/// Bytes of a nonce.
const NONCE: usize = 24;

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

/// A number that is used once, for [`node_proof`] and [`caller_proof`]: 32 characters of base64url.
///
/// # Errors
/// The system has no random bytes.
pub fn admin_nonce() -> std::io::Result<String> {
    let mut bytes = [0; NONCE];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What the node `name` answers to a caller's nonce together with its own: only who has the token can say it,
/// and no other node says it in its name.
#[must_use]
pub fn node_proof(token: &str, name: &str, callers_nonce: &str, nonce: &str) -> String {
    proof(token, &[NODE, name, callers_nonce, nonce])
}

/// What a caller sends with one request instead of the token, as `Authorization: Sessile NONCE:PROOF`.
#[must_use]
pub fn caller_proof(token: &str, name: &str, nonce: &str, method: &str, target: &str) -> String {
    proof(token, &[CALLER, name, nonce, method, target])
}

fn proof(token: &str, parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new_keyed(blake3::hash(token.as_bytes()).as_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_node_its_nonce_and_its_request() {
        let proofs = [
            node_proof("t", "tc01", "a", "b"),
            node_proof("u", "tc01", "a", "b"),
            node_proof("t", "tc02", "a", "b"),
            node_proof("t", "tc01", "ab", ""),
            caller_proof("t", "tc01", "b", "GET", "/stop"),
            caller_proof("t", "tc01", "b", "POST", "/stop"),
            caller_proof("t", "tc01", "b", "POST", "/drain"),
            caller_proof("t", "tc01", "c", "POST", "/drain"),
        ];
        for (number, proof) in proofs.iter().enumerate() {
            assert!(!proofs[..number].contains(proof), "{number}");
        }
        assert_eq!(proofs[0], node_proof("t", "tc01", "a", "b"));
    }
}
