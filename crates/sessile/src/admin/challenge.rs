//! The node proves itself, and gives out the nonce with which a caller proves itself.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::{Query, State};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::AdminPort;
use super::error::AdminPageError;
use super::token::{admin_nonce, caller_proof, node_proof};

/// Nonces that wait for their request; beyond, the oldest is forgotten.
const NONCES_MAX: usize = 256;
/// Longest nonce of a caller, in bytes.
const CALLERS_NONCE_MAX: usize = 64;

/// Nonces that were given out. Each is good for one request.
#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<VecDeque<String>>);

impl Nonces {
    fn give(&self) -> Result<String, AdminPageError> {
        let nonce = admin_nonce().map_err(|error| AdminPageError::Failed(error.to_string()))?;
        let mut given = self.0.lock();
        if given.len() == NONCES_MAX {
            given.pop_front();
        }
        given.push_back(nonce.clone());
        Ok(nonce)
    }

    /// Whether it was given out and not used.
    fn take(&self, nonce: &str) -> bool {
        let mut given = self.0.lock();
        let at = given.iter().position(|given| given == nonce);
        at.is_some_and(|at| given.remove(at).is_some())
    }
}

#[derive(Deserialize)]
pub(super) struct Ask {
    nonce: String,
}

/// `/challenge`.
#[derive(Serialize)]
pub(super) struct Challenge {
    nonce: String,
    /// One for each token that is believed.
    proofs: Vec<String>,
}

pub(super) async fn challenge(
    State(port): State<AdminPort>,
    ask: Query<Ask>,
) -> Result<Json<Challenge>, AdminPageError> {
    if ask.nonce.len() > CALLERS_NONCE_MAX {
        return Err(AdminPageError::BadQuery(format!("`nonce` is longer than {CALLERS_NONCE_MAX} bytes")));
    }
    let (nonce, shared) = (port.shared.nonces.give()?, &port.shared);
    let prove = |token: &String| node_proof(token, &shared.name, &ask.nonce, &nonce);
    let proofs = shared.tokens.read().iter().map(prove).collect();
    Ok(Json(Challenge { nonce, proofs }))
}

/// Whether `given`, as `NONCE:PROOF`, proves that the caller has a token and means this request.
pub(super) fn is_proof(port: &AdminPort, given: &str, method: &str, target: &str) -> bool {
    let Some((nonce, proof)) = given.split_once(':') else { return false };
    let shared = &port.shared;
    let right = |token: &String| {
        let right = caller_proof(token, &shared.name, nonce, method, target);
        bool::from(right.as_bytes().ct_eq(proof.as_bytes()))
    };
    shared.nonces.take(nonce) && shared.tokens.read().iter().any(right)
}
