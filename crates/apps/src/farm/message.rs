//! Messages between the farms of two nodes.
//!
//! Messages are JSON, except pieces of archives. Decoding is total: digests and names are checked because
//! they become file names, and sizes are bounded by the cluster's message limit.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::archive_ref::{ArchiveRef, Digest};
use super::catalog::PATHS_MAX;
use super::deploy_timestamp::DeployTimestamp;
use super::seal::Seal;

/// The first byte of a piece; JSON begins with another one.
const PIECE: u8 = 1;
/// Header of a piece: kind, digest, offset, checksum.
const PIECE_HEAD: usize = 1 + 32 + 8 + 32;
/// Longest reason in a message.
pub(super) const REASON_MAX: usize = 2_000;
/// The longest accepted path.
const PATH_MAX: usize = 1024;

/// An order to deploy or remove. `archive` is `None` for a removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeployOrder {
    /// The context path.
    pub(crate) path: String,
    /// Its position among all deployments of the path.
    pub(crate) timestamp: DeployTimestamp,
    /// The archive to run.
    pub(crate) archive: Option<ArchiveRef>,
    /// Proof that it was made with the deploy key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<Seal>,
}

/// The announced state of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AnnouncedEntry {
    /// The timestamp of the current deployment or removal.
    pub(crate) timestamp: DeployTimestamp,
    /// What runs.
    pub(crate) archive: Option<ArchiveRef>,
    /// Proof that it was made with the deploy key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<Seal>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The sender's catalog.
    Catalog {
        /// By path.
        apps: BTreeMap<String, AnnouncedEntry>,
        /// Whether the receiver shall answer with its own catalog.
        answer: bool,
    },
    /// Asks the receiver to prepare an order and to confirm.
    Offer(DeployOrder),
    /// The sender has prepared the order.
    Prepared {
        /// Where.
        path: String,
        /// Which.
        timestamp: DeployTimestamp,
    },
    /// The archive cannot run on the sender.
    Refused {
        /// Where.
        path: String,
        /// Which.
        timestamp: DeployTimestamp,
        /// Why.
        reason: String,
    },
    /// Every member has prepared the order: the receiver shall switch.
    Activate(DeployOrder),
    /// The sender runs the archive, or a later one.
    Active {
        /// Where.
        path: String,
        /// Which.
        timestamp: DeployTimestamp,
    },
    /// The deployment is given up.
    Abort {
        /// Where.
        path: String,
        /// Which.
        timestamp: DeployTimestamp,
    },
    /// Requests bytes of an archive.
    Ask {
        /// Of this archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// Number of bytes.
        bytes: u32,
    },
    /// The sender does not have the requested archive.
    Missing {
        /// Which.
        digest: Digest,
    },
    /// The requested bytes.
    #[serde(skip)]
    Piece {
        /// Of this archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// What they are.
        bytes: Bytes,
    },
}

impl Message {
    /// The encoded form.
    #[must_use]
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Piece { digest, from, bytes } => piece(*digest, *from, bytes),
            other => serde_json::to_vec(other).expect("its maps have texts as keys").into(),
        }
    }

    /// `None` for a damaged, oversized or unknown message.
    #[must_use]
    pub(crate) fn decode(frame: &Bytes) -> Option<Self> {
        match frame.first()? {
            &PIECE => read_piece(frame),
            _ => serde_json::from_slice::<Self>(frame).ok().filter(Self::is_bounded),
        }
    }

    fn is_bounded(&self) -> bool {
        let is_path = |path: &String| {
            path.starts_with('/')
                && path.len() <= PATH_MAX
                && path.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let goes_there = |path: &String, archive: &Option<ArchiveRef>| {
            is_path(path) && archive.as_ref().is_none_or(|archive| archive.name.path == *path)
        };
        match self {
            Self::Catalog { apps, .. } => {
                apps.len() <= PATHS_MAX && apps.iter().all(|(path, listed)| goes_there(path, &listed.archive))
            }
            Self::Offer(order) | Self::Activate(order) => goes_there(&order.path, &order.archive),
            Self::Refused { path, reason, .. } => is_path(path) && reason.len() <= REASON_MAX,
            Self::Prepared { path, .. } | Self::Active { path, .. } | Self::Abort { path, .. } => {
                is_path(path)
            }
            Self::Ask { .. } | Self::Missing { .. } | Self::Piece { .. } => true,
        }
    }
}

fn piece(digest: Digest, from: u64, bytes: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(PIECE_HEAD + bytes.len());
    frame.put_u8(PIECE);
    frame.put_slice(digest.as_bytes());
    frame.put_u64(from);
    frame.put_slice(Digest::of(bytes).as_bytes());
    frame.put_slice(bytes);
    frame.freeze()
}

fn read_piece(frame: &Bytes) -> Option<Message> {
    let (head, _) = frame.split_at_checked(PIECE_HEAD)?;
    let digest = <[u8; 32]>::try_from(&head[1..33]).ok()?;
    let from = u64::from_be_bytes(head[33..41].try_into().ok()?);
    let bytes = frame.slice(PIECE_HEAD..);
    let is_whole = Digest::of(&bytes).as_bytes() == &head[41..];
    is_whole.then_some(Message::Piece { digest: digest.into(), from, bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archived(name: &str) -> ArchiveRef {
        ArchiveRef { name: name.parse().unwrap(), digest: Digest::of(b"x"), bytes: 1 }
    }

    fn order(path: &str) -> DeployOrder {
        DeployOrder {
            path: path.to_owned(),
            timestamp: DeployTimestamp { counter: 3, incarnation: 9 },
            archive: Some(archived("shop##2.zip")),
            seal: None,
        }
    }

    #[test]
    fn messages_round_trip() {
        let DeployOrder { path, timestamp, archive, seal } = order("/shop");
        let listed = AnnouncedEntry { timestamp, archive, seal };
        for message in [
            Message::Offer(order("/shop")),
            Message::Catalog { apps: [(path.clone(), listed)].into(), answer: true },
            Message::Refused { path, timestamp, reason: "no".to_owned() },
            Message::Ask { digest: Digest::of(b"x"), from: 7, bytes: 9 },
            Message::Piece { digest: Digest::of(b"x"), from: 7, bytes: Bytes::from_static(b"bytes") },
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn escaping_and_damaged_messages_are_not_decoded() {
        assert_eq!(
            Message::decode(&Message::Offer(order("/elsewhere")).encode()),
            None,
            "the name says /shop"
        );
        let text = String::from_utf8(Message::Offer(order("/shop")).encode().to_vec()).unwrap();
        let digest = Digest::of(b"x").to_string();
        for wrong in [text.replace(&digest, "../../etc/passwd"), text.replace("shop##2.zip", "../x.zip")] {
            assert_eq!(Message::decode(&wrong.into()), None);
        }
        let piece = Message::Piece { digest: Digest::of(b"x"), from: 0, bytes: Bytes::from_static(b"bytes") };
        let mut damaged = piece.encode().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(Message::decode(&damaged.into()), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::decode(&bytes.into());
        }
    }
}
