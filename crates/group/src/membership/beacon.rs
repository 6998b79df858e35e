//! What one announcement by datagram says, and whether one that was heard is to be believed.
//!
//! Layout: version, id of the key (4 bytes), nonce (24 bytes), then a CBOR map sealed with XChaCha20-Poly1305
//! over the version and key id. Random nonces of that length are safe for any number of senders that share a
//! key. Without secrets the key id is zero and the map follows it in the clear.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use minicbor::{Decode, Encode};
use parking_lot::{Mutex, RwLock};

use super::replay::ReplayWindows;
use crate::identity::{Identity, is_node_name, reachable};
use crate::secret::ClusterSecrets;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const HEADER: usize = 1 + KEY_ID;
const NONCE: usize = 24;
/// The key id of datagrams in the clear.
const UNSEALED: [u8; KEY_ID] = [0; KEY_ID];

/// What a datagram turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An announcement of another node of this cluster, which may be reached at this address.
    Member(SocketAddr),
    /// This node's own announcement came back: sending and receiving both work.
    Own,
    /// Nothing to believe; it was counted by its cause.
    Dropped,
}

/// Why a datagram is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Foreign,
    Forged,
    Replayed,
    Malformed,
}

/// Makes announcements of this node, and reads those of others.
#[derive(Debug)]
pub(crate) struct Beacon {
    identity: Identity,
    /// The active key first; none without secrets.
    seals: RwLock<Vec<Seal>>,
    next: AtomicU64,
    windows: Mutex<ReplayWindows>,
}

struct Seal {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

/// A datagram of gossip. An array, which no announcement is: neither is taken for the other.
#[cfg(feature = "swim")]
#[derive(Debug, Encode, Decode)]
struct Gossip {
    #[n(0)]
    cluster: String,
    #[n(1)]
    incarnation: u32,
    #[n(2)]
    counter: u64,
    #[cbor(n(3), with = "minicbor::bytes")]
    content: Vec<u8>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct Announcement {
    #[n(0)]
    cluster: String,
    #[n(1)]
    name: String,
    #[n(2)]
    incarnation: u32,
    #[n(3)]
    advertise: String,
    #[n(4)]
    counter: u64,
}

impl Beacon {
    pub(crate) fn new(identity: Identity, secrets: Option<&ClusterSecrets>) -> Self {
        let seals = secrets.map(|secrets| seals(secrets, &identity.cluster)).unwrap_or_default();
        Self { identity, seals: RwLock::new(seals), next: AtomicU64::new(0), windows: Mutex::default() }
    }

    /// From now on announcements are sealed and judged with these.
    pub(crate) fn renew(&self, secrets: &ClusterSecrets) {
        *self.seals.write() = seals(secrets, &self.identity.cluster);
    }

    /// The next announcement; each is used once.
    pub(super) fn announcement(&self) -> std::io::Result<Vec<u8>> {
        let announcement = Announcement {
            cluster: self.identity.cluster.clone(),
            name: self.identity.name.clone(),
            incarnation: self.identity.incarnation,
            advertise: self.identity.advertise.to_string(),
            counter: self.next.fetch_add(1, Ordering::Relaxed),
        };
        self.close(&minicbor::to_vec(&announcement).expect("a Vec takes any bytes"))
    }

    fn close(&self, content: &[u8]) -> std::io::Result<Vec<u8>> {
        match self.seals.read().first() {
            Some(seal) => seal.close(content),
            None => Ok([&[VERSION], &UNSEALED[..], content].concat()),
        }
    }

    /// The next datagram of gossip; each is used once.
    #[cfg(feature = "swim")]
    pub(super) fn gossip(&self, content: &[u8]) -> std::io::Result<Vec<u8>> {
        let gossip = Gossip {
            cluster: self.identity.cluster.clone(),
            incarnation: self.identity.incarnation,
            counter: self.next.fetch_add(1, Ordering::Relaxed),
            content: content.to_vec(),
        };
        self.close(&minicbor::to_vec(&gossip).expect("a Vec takes any bytes"))
    }

    /// What a datagram of gossip says, if it is of another process of this cluster and was not heard before.
    #[cfg(feature = "swim")]
    pub(super) fn judge_gossip(&self, datagram: &[u8]) -> Result<Vec<u8>, Cause> {
        let content = self.open(datagram)?;
        let gossip: Gossip = minicbor::decode(&content).map_err(|_| Cause::Malformed)?;
        if gossip.cluster != self.identity.cluster {
            return Err(Cause::Foreign);
        }
        let is_new = self.windows.lock().is_new(gossip.incarnation, gossip.counter);
        if gossip.incarnation == self.identity.incarnation || !is_new {
            return Err(Cause::Replayed);
        }
        Ok(gossip.content)
    }

    /// Judges a datagram that came from `from`. Rules 9.5 and 9.6.
    pub(super) fn judge(&self, datagram: &[u8], from: SocketAddr) -> Result<Heard, Cause> {
        let content = self.open(datagram)?;
        let said: Announcement = minicbor::decode(&content).map_err(|_| Cause::Malformed)?;
        if said.cluster != self.identity.cluster {
            return Err(Cause::Foreign);
        }
        let advertised = said.advertise.parse().map_err(|_| Cause::Malformed)?;
        if !is_node_name(&said.name) {
            return Err(Cause::Malformed);
        }
        if said.incarnation == self.identity.incarnation {
            return Ok(Heard::Own);
        }
        if !self.windows.lock().is_new(said.incarnation, said.counter) {
            return Err(Cause::Replayed);
        }
        Ok(Heard::Member(reachable(advertised, from)))
    }

    /// Rule 9.5.
    fn open(&self, datagram: &[u8]) -> Result<Vec<u8>, Cause> {
        let (header, rest) = datagram.split_at_checked(HEADER).ok_or(Cause::Foreign)?;
        if header[0] != VERSION {
            return Err(Cause::Foreign);
        }
        let seals = self.seals.read();
        if seals.is_empty() {
            return if header[1..] == UNSEALED { Ok(rest.to_vec()) } else { Err(Cause::Foreign) };
        }
        let seal = seals.iter().find(|seal| header[1..] == seal.id).ok_or(Cause::Foreign)?;
        seal.open(header, rest)
    }
}

fn seals(secrets: &ClusterSecrets, cluster: &str) -> Vec<Seal> {
    secrets.derive_all(cluster, "datagrams").iter().map(Seal::new).collect()
}

impl Seal {
    fn new(key: &[u8; 32]) -> Self {
        let digest = blake3::keyed_hash(key, b"key id");
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest.as_bytes()[..KEY_ID]);
        // Zero stands for datagrams in the clear.
        id[0] |= 1;
        Self { id, cipher: XChaCha20Poly1305::new(key.into()) }
    }

    fn close(&self, content: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| std::io::Error::other(error.to_string()))?;
        let header = [&[VERSION], &self.id[..]].concat();
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: content, aad: &header })
            .map_err(|_| std::io::Error::other("an announcement could not be sealed"))?;
        Ok([&header[..], &nonce, &sealed].concat())
    }

    fn open(&self, header: &[u8], rest: &[u8]) -> Result<Vec<u8>, Cause> {
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Cause::Malformed)?;
        let payload = Payload { msg: sealed, aad: header };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Cause::Forged)
    }
}

/// Never shows a key.
impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({:02x?})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    fn beacon(incarnation: u32, cluster: &str, secrets: Option<&ClusterSecrets>) -> Beacon {
        let identity = Identity {
            name: "tc01".into(),
            incarnation,
            cluster: cluster.into(),
            advertise: "0.0.0.0:4001".parse().unwrap(),
            features: 0,
            notice: String::new(),
        };
        Beacon::new(identity, secrets)
    }

    fn secrets(active: u8, accepted: &[u8]) -> ClusterSecrets {
        ClusterSecrets::new([active; 32], accepted.iter().map(|n| [*n; 32]).collect())
    }

    #[test]
    fn members_believe_each_other_once() {
        for secrets in [None, Some(secrets(1, &[]))] {
            let (a, b) = (beacon(1, "c", secrets.as_ref()), beacon(2, "c", secrets.as_ref()));
            let datagram = a.announcement().unwrap();
            let heard = Heard::Member("127.0.0.1:4001".parse().unwrap());
            assert_eq!(b.judge(&datagram, from()), Ok(heard));
            assert_eq!(b.judge(&datagram, from()), Err(Cause::Replayed));
            assert_eq!(b.judge(&a.announcement().unwrap(), from()), Ok(heard));
            assert_eq!(a.judge(&datagram, from()), Ok(Heard::Own));
        }
    }

    #[test]
    fn other_clusters_and_secrets_are_foreign() {
        let one = secrets(1, &[]);
        let two = secrets(2, &[]);
        let a = beacon(1, "c", Some(&one)).announcement().unwrap();
        for other in [beacon(2, "d", Some(&one)), beacon(2, "c", Some(&two)), beacon(2, "c", None)] {
            assert_eq!(other.judge(&a, from()), Err(Cause::Foreign));
        }
        let plain = beacon(1, "c", None).announcement().unwrap();
        for other in [beacon(2, "d", None), beacon(2, "c", Some(&one))] {
            assert_eq!(other.judge(&plain, from()), Err(Cause::Foreign));
        }
    }

    #[test]
    fn both_secrets_count_while_rotating() {
        let (old, both) = (secrets(1, &[2]), secrets(2, &[1]));
        let (a, b) = (beacon(1, "c", Some(&old)), beacon(2, "c", Some(&both)));
        assert!(matches!(b.judge(&a.announcement().unwrap(), from()), Ok(Heard::Member(_))));
        assert!(matches!(a.judge(&b.announcement().unwrap(), from()), Ok(Heard::Member(_))));
    }

    #[test]
    fn secrets_can_be_exchanged_while_it_runs() {
        let (old, both, new) = (secrets(1, &[]), secrets(2, &[1]), secrets(2, &[]));
        let (a, b) = (beacon(1, "c", Some(&old)), beacon(2, "c", Some(&old)));
        b.renew(&both);
        assert!(matches!(b.judge(&a.announcement().unwrap(), from()), Ok(Heard::Member(_))));
        assert_eq!(
            a.judge(&b.announcement().unwrap(), from()),
            Err(Cause::Foreign),
            "it knows the old one only"
        );
        b.renew(&new);
        assert_eq!(b.judge(&a.announcement().unwrap(), from()), Err(Cause::Foreign));
        a.renew(&new);
        assert!(matches!(b.judge(&a.announcement().unwrap(), from()), Ok(Heard::Member(_))));
    }

    proptest! {
        #[test]
        fn any_changed_bit_is_noticed(bit in 0_usize..800) {
            let secrets = secrets(1, &[]);
            let (a, b) = (beacon(1, "c", Some(&secrets)), beacon(2, "c", Some(&secrets)));
            let mut datagram = a.announcement().unwrap();
            let bit = bit % (datagram.len() * 8);
            datagram[bit / 8] ^= 1 << (bit % 8);
            let cause = if bit / 8 < HEADER { Cause::Foreign } else { Cause::Forged };
            prop_assert_eq!(b.judge(&datagram, from()), Err(cause));
        }

        #[test]
        fn any_bytes_are_survived(mut datagram in prop::collection::vec(any::<u8>(), 0..200)) {
            let plain = beacon(1, "c", None);
            let _ = plain.judge(&datagram, from());
            if let Some(header) = datagram.first_chunk_mut::<HEADER>() {
                *header = [VERSION, 0, 0, 0, 0];
            }
            prop_assert!(plain.judge(&datagram, from()).is_err());
        }
    }
}
