//! What the farms of two nodes say to each other.
//!
//! Everything but a piece of an archive is JSON. Decoding is total: digests and names are checked, since they become
//! names of files, and nothing is larger than a message of the cluster may be.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::archived::{Archived, Digest};
use super::catalog::PATHS_MAX;
use super::seal::Seal;
use super::stamp::Stamp;

/// The first byte of a piece; JSON begins with another one.
const PIECE: u8 = 1;
/// In front of the bytes of a piece: kind, digest, offset, checksum.
const PIECE_HEAD: usize = 1 + 32 + 8 + 32;
/// Longest reason that is told.
pub(super) const REASON_MAX: usize = 2_000;
/// The longest path that is taken.
const PATH_MAX: usize = 1024;

/// A deployment: where, and which. `archive` is `None` for a removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The context path.
    pub(crate) path: String,
    /// Its place among all deployments there.
    pub(crate) stamp: Stamp,
    /// What is to run.
    pub(crate) archive: Option<Archived>,
    /// That it was made with the deploy key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<Seal>,
}

/// What holds at a path, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// The deployment or removal that holds.
    pub(crate) stamp: Stamp,
    /// What runs.
    pub(crate) archive: Option<Archived>,
    /// That it was made with the deploy key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<Seal>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// All that is deployed at the sender.
    Catalog {
        /// By path.
        apps: BTreeMap<String, Listed>,
        /// The sender wants to hear the receiver's.
        answer: bool,
    },
    /// Prepare this, and say when you have.
    Offer(Order),
    /// It is prepared here.
    Prepared {
        /// Where.
        path: String,
        /// Which.
        stamp: Stamp,
    },
    /// It cannot run here.
    Refused {
        /// Where.
        path: String,
        /// Which.
        stamp: Stamp,
        /// Why.
        reason: String,
    },
    /// Every member has prepared it: switch.
    Activate(Order),
    /// It runs here, or something later does.
    Active {
        /// Where.
        path: String,
        /// Which.
        stamp: Stamp,
    },
    /// It will not be.
    Abort {
        /// Where.
        path: String,
        /// Which.
        stamp: Stamp,
    },
    /// Send me these bytes.
    Ask {
        /// Of this archive.
        digest: Digest,
        /// From this byte on.
        from: u64,
        /// So many.
        bytes: u32,
    },
    /// The archive that was asked for is not here.
    Missing {
        /// Which.
        digest: Digest,
    },
    /// The bytes that were asked for.
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
    /// As it travels.
    #[must_use]
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Piece { digest, from, bytes } => piece(*digest, *from, bytes),
            told => serde_json::to_vec(told).expect("its maps have texts as keys").into(),
        }
    }

    /// `None` for what is damaged, too large, or of a kind that this version does not know.
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
        let goes_there = |path: &String, archive: &Option<Archived>| {
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

    fn archived(name: &str) -> Archived {
        Archived { name: name.parse().unwrap(), digest: Digest::of(b"x"), bytes: 1 }
    }

    fn order(path: &str) -> Order {
        Order {
            path: path.to_owned(),
            stamp: Stamp { counter: 3, incarnation: 9 },
            archive: Some(archived("shop##2.zip")),
            seal: None,
        }
    }

    #[test]
    fn what_is_sent_is_read() {
        let Order { path, stamp, archive, seal } = order("/shop");
        let listed = Listed { stamp, archive, seal };
        for message in [
            Message::Offer(order("/shop")),
            Message::Catalog { apps: [(path.clone(), listed)].into(), answer: true },
            Message::Refused { path, stamp, reason: "no".to_owned() },
            Message::Ask { digest: Digest::of(b"x"), from: 7, bytes: 9 },
            Message::Piece { digest: Digest::of(b"x"), from: 7, bytes: Bytes::from_static(b"bytes") },
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn what_would_escape_or_is_damaged_is_not_read() {
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
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::decode(&bytes.into());
        }
    }
}
