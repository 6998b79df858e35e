//! Seals prove that a deployment was made with the deploy key: members with the key accept no other
//! deployment.
//!
//! A seal is a keyed digest of an order. It is sent with the deployment, kept in the catalog and forwarded,
//! so that a member that learns of the deployment later can verify it, from any member.

use serde::{Deserialize, Serialize};
use sessile::ClusterSecrets;

use super::archive_ref::Digest;
use super::message::DeployOrder;

/// Derivation context of the key, distinct from the other keys of the same file.
const PURPOSE: &str = "sessile farm seal, version 1";

/// The keyed digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seal(Digest);

/// The stage of a deployment: an abandoned offer must not pass as a committed deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeployStage {
    /// Offered to all members for preparation.
    Offered,
    /// Committed.
    Held,
}

/// Creates and verifies seals. Without a deploy key it creates none and accepts everything.
#[derive(Clone, Default)]
pub(crate) struct Sealer {
    /// Accepted keys; the first one seals.
    keys: Vec<[u8; 32]>,
}

impl Sealer {
    /// With the secrets of the deploy key's file, for the cluster of that name.
    pub(super) fn new(secrets: &ClusterSecrets, cluster: &str) -> Self {
        Self { keys: secrets.derive_all(cluster, PURPOSE) }
    }

    /// The order, sealed for that stage if there is a key.
    #[must_use]
    pub(super) fn sealed(&self, mut order: DeployOrder, stage: DeployStage) -> DeployOrder {
        if let Some(key) = self.keys.first() {
            order.seal = Some(Seal(Digest::from(*digest(key, &order, stage).as_bytes())));
        }
        order
    }

    /// Why an order is not accepted; `None` if it is.
    pub(super) fn objection(&self, order: &DeployOrder, stage: DeployStage) -> Option<&'static str> {
        if self.keys.is_empty() {
            return None;
        }
        let Some(Seal(given)) = order.seal else {
            return Some("it was deployed through a node without [farm] deploy_key_file, which is set here");
        };
        // `blake3::Hash` compares in constant time.
        let given = blake3::Hash::from_bytes(*given.as_bytes());
        let is_ours = self.keys.iter().any(|key| digest(key, order, stage) == given);
        (!is_ours).then_some("it was deployed with another key than that in [farm] deploy_key_file here")
    }
}

/// Never shows a key.
impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} keys)", self.keys.len())
    }
}

/// Each part with its length, so that no two orders are sealed alike.
fn digest(
    key: &[u8; 32],
    DeployOrder { path, timestamp, archive, seal: _ }: &DeployOrder,
    stage: DeployStage,
) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
    };
    part(match stage {
        DeployStage::Offered => b"offered",
        DeployStage::Held => b"held",
    });
    part(path.as_bytes());
    part(&timestamp.counter.to_be_bytes());
    part(&timestamp.incarnation.to_be_bytes());
    if let Some(archive) = archive {
        part(archive.name.to_string().as_bytes());
        part(archive.digest.as_bytes());
        part(&archive.bytes.to_be_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::farm::archive_ref::ArchiveRef;
    use crate::farm::deploy_timestamp::DeployTimestamp;

    fn order() -> DeployOrder {
        let archive = ArchiveRef { name: "shop.zip".parse().unwrap(), digest: Digest::of(b"x"), bytes: 1 };
        let timestamp = DeployTimestamp { counter: 3, incarnation: 9 };
        DeployOrder { path: "/shop".to_owned(), timestamp, archive: Some(archive), seal: None }
    }

    fn sealer(active: u8, accepted: &[u8]) -> Sealer {
        let accepted = accepted.iter().map(|secret| [*secret; 32]).collect();
        Sealer::new(&ClusterSecrets::new([active; 32], accepted), "sample")
    }

    #[test]
    fn a_seal_is_valid_for_one_order_at_one_stage() {
        let sealer = sealer(1, &[]);
        let sealed = sealer.sealed(order(), DeployStage::Offered);
        assert_eq!(sealer.objection(&sealed, DeployStage::Offered), None);
        assert!(sealer.objection(&sealed, DeployStage::Held).is_some(), "what was given up does not hold");
        let mut others = vec![sealed.clone(); 5];
        others[0].path = "/shoq".to_owned();
        others[1].timestamp.counter += 1;
        others[2].timestamp.incarnation += 1;
        others[3].archive = None;
        others[4].archive.as_mut().unwrap().digest = Digest::of(b"y");
        for other in others {
            assert!(sealer.objection(&other, DeployStage::Offered).is_some(), "{other:?}");
        }
    }

    #[test]
    fn only_a_member_with_a_key_requires_seals() {
        let (none, old, both) = (Sealer::default(), sealer(1, &[]), sealer(2, &[1]));
        assert_eq!(none.sealed(order(), DeployStage::Held), order());
        assert_eq!(none.objection(&order(), DeployStage::Held), None);
        assert!(old.objection(&order(), DeployStage::Held).unwrap().contains("without"));
        let sealed = old.sealed(order(), DeployStage::Held);
        assert_eq!(none.objection(&sealed, DeployStage::Held), None);
        assert_eq!(both.objection(&sealed, DeployStage::Held), None, "while the key is exchanged");
        let new = both.sealed(order(), DeployStage::Held);
        assert!(old.objection(&new, DeployStage::Held).unwrap().contains("another key"));
        let foreign = Sealer::new(&ClusterSecrets::new([1; 32], vec![]), "other");
        assert!(foreign.objection(&sealed, DeployStage::Held).is_some(), "the key of another cluster");
        assert!(!format!("{both:?}").contains("2, 2"), "no key is shown");
    }
}
