//! What shows that a deployment was made by somebody who has the deploy key: members that have it believe no other.
//!
//! A seal is a keyed digest of what it stands for. It is told with the deployment, kept in the catalog and told on, so
//! that whoever learns of the deployment later can check it too, from whichever member.

use serde::{Deserialize, Serialize};
use sessile::ClusterSecrets;

use super::archived::Digest;
use super::message::Order;

/// Tells this key from the others that are derived from the same file.
const PURPOSE: &str = "sessile farm seal, version 1";

/// The keyed digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seal(Digest);

/// How far a deployment is: what was offered and then given up must not be taken for one that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Everybody is to prepare it.
    Offered,
    /// It holds.
    Held,
}

/// Makes seals and checks them. Of a node without a deploy key it makes none, and believes everything.
#[derive(Clone, Default)]
pub(crate) struct Sealer {
    /// All that are accepted; the first one seals.
    keys: Vec<[u8; 32]>,
}

impl Sealer {
    /// With the secrets of the deploy key's file, for the cluster of that name.
    pub(super) fn new(secrets: &ClusterSecrets, cluster: &str) -> Self {
        Self { keys: secrets.derive_all(cluster, PURPOSE) }
    }

    /// The same order, sealed for that stage, where there is a key.
    #[must_use]
    pub(super) fn sealed(&self, mut order: Order, stage: Stage) -> Order {
        if let Some(key) = self.keys.first() {
            order.seal = Some(Seal(Digest::from(*digest(key, &order, stage).as_bytes())));
        }
        order
    }

    /// Why an order is not believed.
    pub(super) fn objection(&self, order: &Order, stage: Stage) -> Option<&'static str> {
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
fn digest(key: &[u8; 32], Order { path, stamp, archive, seal: _ }: &Order, stage: Stage) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
    };
    part(match stage {
        Stage::Offered => b"offered",
        Stage::Held => b"held",
    });
    part(path.as_bytes());
    part(&stamp.counter.to_be_bytes());
    part(&stamp.incarnation.to_be_bytes());
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
    use crate::farm::archived::Archived;
    use crate::farm::stamp::Stamp;

    fn order() -> Order {
        let archive = Archived { name: "shop.zip".parse().unwrap(), digest: Digest::of(b"x"), bytes: 1 };
        let stamp = Stamp { counter: 3, incarnation: 9 };
        Order { path: "/shop".to_owned(), stamp, archive: Some(archive), seal: None }
    }

    fn sealer(active: u8, accepted: &[u8]) -> Sealer {
        let accepted = accepted.iter().map(|secret| [*secret; 32]).collect();
        Sealer::new(&ClusterSecrets::new([active; 32], accepted), "sample")
    }

    #[test]
    fn a_seal_holds_for_one_order_at_one_stage() {
        let sealer = sealer(1, &[]);
        let sealed = sealer.sealed(order(), Stage::Offered);
        assert_eq!(sealer.objection(&sealed, Stage::Offered), None);
        assert!(sealer.objection(&sealed, Stage::Held).is_some(), "what was given up does not hold");
        let mut others = vec![sealed.clone(); 5];
        others[0].path = "/shoq".to_owned();
        others[1].stamp.counter += 1;
        others[2].stamp.incarnation += 1;
        others[3].archive = None;
        others[4].archive.as_mut().unwrap().digest = Digest::of(b"y");
        for other in others {
            assert!(sealer.objection(&other, Stage::Offered).is_some(), "{other:?}");
        }
    }

    #[test]
    fn only_who_has_a_key_wants_one() {
        let (none, old, both) = (Sealer::default(), sealer(1, &[]), sealer(2, &[1]));
        assert_eq!(none.sealed(order(), Stage::Held), order());
        assert_eq!(none.objection(&order(), Stage::Held), None);
        assert!(old.objection(&order(), Stage::Held).unwrap().contains("without"));
        let sealed = old.sealed(order(), Stage::Held);
        assert_eq!(none.objection(&sealed, Stage::Held), None);
        assert_eq!(both.objection(&sealed, Stage::Held), None, "while the key is exchanged");
        let new = both.sealed(order(), Stage::Held);
        assert!(old.objection(&new, Stage::Held).unwrap().contains("another key"));
        let foreign = Sealer::new(&ClusterSecrets::new([1; 32], vec![]), "other");
        assert!(foreign.objection(&sealed, Stage::Held).is_some(), "the key of another cluster");
        assert!(!format!("{both:?}").contains("2, 2"), "no key is shown");
    }
}
